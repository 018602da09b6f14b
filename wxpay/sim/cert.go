package sim

import "net/http"

// certified keeps out callers over TLS that did not show the merchant's
// certificate; over plain HTTP nobody can, and the check is off.
func (s *Sim) certified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.requireCert(r) {
			say(r, verdict{problem: "400 No required SSL certificate was sent"})
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(noCertificate))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// requireCert reports whether a certificate is asked for and was not shown.
func (s *Sim) requireCert(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.PeerCertificates) == 0
}

// noCertificate is the page of the server in front of WeChat Pay.
const noCertificate = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n" +
	"<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
