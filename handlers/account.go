package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"wxshop/views"
	"wxshop/wxpay"
)

// verifyAccount answers the check that WeChat makes when the address of the
// server is set up (official accounts: access guide). Without a token in the
// configuration there is no such address.
func (s *Server) verifyAccount(c *gin.Context) error {
	if s.Account == nil {
		return errNoPage
	}
	q, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil || len(c.Request.URL.RawQuery) > 1024 {
		return errBadForm
	}
	echo, err := s.Account.VerifyURL(q)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotWeChat, err)
	}
	s.send(c, answer{class: classData, status: http.StatusOK, ctype: typeText, body: []byte(echo)})
	return nil
}

// takeMessage takes what followers do and write. WeChat waits five seconds and
// sends a message up to three times; a repetition is answered like the first,
// because only one answer reaches the person, but happens once.
func (s *Server) takeMessage(c *gin.Context) error {
	if s.Account == nil {
		return errNoPage
	}
	q, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return errBadForm
	}
	body, err := readAll(c.Request)
	if err != nil {
		return err
	}
	m, err := s.Account.Read(q, body)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotWeChat, err)
	}
	if s.heard.first(m.ID) {
		s.Log.Info("message of a follower", "op", "account", "cause", m.Type+" "+m.Event)
	}
	reply, err := s.Account.Reply(m, s.answerTo(m))
	if err != nil {
		return err
	}
	s.reply(c, reply)
	return nil
}

// answerTo is what the account says: a welcome with the way to the shop, and
// otherwise nothing.
func (s *Server) answerTo(m wxpay.MPMessage) wxpay.MPReply {
	if m.Type != "event" || m.Event != "subscribe" {
		return wxpay.MPReply{}
	}
	return wxpay.MPText(views.Welcome(s.Config.Site.Name, s.base.String()+"/"))
}

// maxHeard bounds the memory of heard; the older half is forgotten.
const maxHeard = 4096

// heard remembers the messages that came, for the seconds in which WeChat
// repeats them.
type heard struct {
	mu         sync.Mutex
	young, old map[string]bool
}

func newHeard() *heard { return &heard{young: map[string]bool{}, old: map[string]bool{}} }

// first reports whether a message had not come before.
func (h *heard) first(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.young[id] || h.old[id] {
		return false
	}
	if len(h.young) >= maxHeard/2 {
		h.old, h.young = h.young, map[string]bool{}
	}
	h.young[id] = true
	return true
}

// maxVerify is the length of a file by which WeChat checks who owns a domain.
const maxVerify = 256

// verifyFile is the name of such a file in an address, or false.
func verifyFile(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, "/")
	id, hasID := strings.CutPrefix(name, "MP_verify_")
	id, isText := strings.CutSuffix(id, ".txt")
	return name, ok && hasID && isText && len(id) == 16 && all(id, isAlnum)
}

func isAlnum(c byte) bool { return isUpper(c) || c >= 'a' && c <= 'z' }

// serveVerify sends a file that WeChat looks for at the root of the domain. Its
// name cannot leave the folder, and neither can a link in it (security I9).
func (s *Server) serveVerify(c *gin.Context, name string) error {
	if s.Config.VerifyFiles == "" {
		return errNoPage
	}
	text, err := readVerify(s.Config.VerifyFiles, name)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoPage
	}
	if err != nil { // a link to the outside, a folder, too long: the log says which
		return fmt.Errorf("%w: %w", errNoPage, err)
	}
	s.send(c, answer{class: classData, status: http.StatusOK, ctype: typeText, body: text})
	return nil
}

func readVerify(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of verify files: %w", err)
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open verify file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxVerify {
		return nil, fmt.Errorf("verify file %s is not a short text", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxVerify))
	if err != nil {
		return nil, fmt.Errorf("read verify file: %w", err)
	}
	text = bytes.TrimSpace(text)
	if !all(string(text), isAlnum) {
		return nil, fmt.Errorf("verify file %s holds more than letters and digits", name)
	}
	return text, nil
}
