package sim

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// userJSON is a person in the control API.
type userJSON struct {
	OpenID     string `json:"openid"` // under app_id
	MiniOpenID string `json:"mini_openid"`
	UnionID    string `json:"unionid"`
	Nickname   string `json:"nickname"`
	Avatar     string `json:"avatar"`
	Balance    int64  `json:"balance"` // fen
}

func (s *Sim) userView(u *user) userJSON {
	return userJSON{
		OpenID: u.OpenID, MiniOpenID: u.MiniOpenID, UnionID: u.UnionID,
		Nickname: u.Nickname, Avatar: s.avatarURL(u), Balance: u.Balance,
	}
}

// userViews are the newest users first, then those who were always there, the
// default user before the others.
func (s *Sim) userViews(limit int) []userJSON {
	s.mu.Lock()
	defer s.mu.Unlock()
	always, later := s.ledger.users[:defaultUsers], s.ledger.users[defaultUsers:]
	out := []userJSON{}
	for _, u := range slices.Backward(later) {
		out = append(out, s.userView(u))
	}
	for _, u := range always {
		out = append(out, s.userView(u))
	}
	return out[:min(limit, len(out))]
}

const (
	maxBalance = 1_000_000_000_00 // fen
	maxUsers   = 10_000
)

// addUser makes a person with a wallet.
func (s *Sim) addUser(nickname string, balance int64) (userJSON, error) {
	if n := utf8.RuneCountInString(nickname); n < 1 || n > 32 || !legalXML(nickname) {
		return userJSON{}, badRequest("nickname must have 1 to 32 characters")
	}
	if err := checkBalance(balance); err != nil {
		return userJSON{}, err
	}
	view, err := s.addUserLocked(nickname, balance)
	if err != nil {
		return userJSON{}, err
	}
	return view, s.journal.sync()
}

func (s *Sim) addUserLocked(nickname string, balance int64) (userJSON, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ledger.users) >= maxUsers {
		return userJSON{}, conflict("there are %d users already; POST /_sim/api/reset forgets them", maxUsers)
	}
	u := &user{ID: strconv.Itoa(len(s.ledger.users) + 1), Nickname: nickname, Balance: balance}
	u.OpenID, u.MiniOpenID, u.UnionID = personIDs(pick(s.idChance("person", s.clock.Now()), alphanum, 32))
	if err := s.commit(&record{Kind: recUser, User: u}); err != nil {
		return userJSON{}, err
	}
	return s.userView(u), nil
}

func checkBalance(fen int64) error {
	if fen < 0 || fen > maxBalance {
		return badRequest("balance must be from 0 to %d fen", int64(maxBalance))
	}
	return nil
}

// setBalance fills or empties the wallet of the person with an openid.
func (s *Sim) setBalance(openID string, fen int64) error {
	if err := checkBalance(fen); err != nil {
		return err
	}
	if err := s.setBalanceLocked(openID, fen); err != nil {
		return err
	}
	return s.journal.sync()
}

func (s *Sim) setBalanceLocked(openID string, fen int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.ledger.user(appID1, openID)
	if u == nil {
		return notFound("there is no user with openid %q", openID)
	}
	return s.commit(&record{Kind: recBalance, User: &user{ID: u.ID, Balance: fen}})
}

// avatarURL is headimgurl; its last element is the size.
func (s *Sim) avatarURL(u *user) string { return s.opts.BaseURL + "/mmopen/" + u.ID + "/132" }

// avatar draws a person's picture: the first character of the nickname.
func (s *Sim) avatar(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	u := s.ledger.userByID(r.PathValue("user"))
	name := ""
	if u != nil {
		name = u.Nickname
	}
	s.mu.Unlock()
	if u == nil {
		http.NotFound(w, r)
		return
	}
	first, _ := utf8.DecodeRuneInString(name)
	hue := int(first) % 360
	w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 132"><rect width="132" height="132" fill="hsl(%d 45%% 45%%)"/>`+
		`<text x="66" y="88" font-size="62" text-anchor="middle" fill="#fff" font-family="sans-serif">%s</text></svg>`, hue, html.EscapeString(string(first)))
}
