package sim

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
)

// authinfoLife is how long a face camera may use its credential, in seconds.
const authinfoLife = 7200

var unixSeconds = regexp.MustCompile(`^[0-9]{10}$`)

// faceAuthInfo gives a face camera its credential. Its refusals name their
// kind in return_code itself (face payment, "get_wxpayface_authinfo").
func (s *Sim) faceAuthInfo(w http.ResponseWriter, r *http.Request) {
	q, err := s.readV2(w, r)
	if err == nil {
		err = checkAuthInfo(q.in)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	var no protocolFail
	switch {
	case errors.As(err, &no):
		if no == failXML || no == failEmpty {
			no = "请求报文格式错误"
		}
		say(r, s.refusal(q, err, "PARAM_ERROR "+string(no)))
		w.Write(writeXML([]field{{"return_code", "PARAM_ERROR"}, {"return_msg", string(no)}}, nil))
	case err != nil:
		s.log.Error("call broke", "err", err)
		say(r, verdict{problem: "SYSTEMERROR"})
		w.Write(writeXML([]field{{"return_code", "SYSTEMERROR"}, {"return_msg", "system error"}}, nil))
	default:
		w.Write(s.v2Success(q, map[string]string{
			"authinfo": pick(s.draw("authinfo"), alphanum, 512), "expires_in": strconv.Itoa(authinfoLife),
		}))
	}
}

func checkAuthInfo(in map[string]string) error {
	for _, name := range []string{"store_id", "store_name", "device_id", "rawdata", "now", "version", "sign_type"} {
		if in[name] == "" {
			return failMissing
		}
	}
	for name, n := range map[string]int{"store_id": 32, "store_name": 128, "device_id": 32, "rawdata": 2048} {
		if len(in[name]) > n {
			return failFormat(name)
		}
	}
	switch {
	case !unixSeconds.MatchString(in["now"]):
		return failFormat("now")
	case in["version"] != "1":
		return failFormat("version")
	}
	return nil
}
