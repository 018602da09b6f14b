package sim

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pushJSON is a person who does something in the chat: POST /_sim/api/server/push.
type pushJSON struct {
	OpenID  string `json:"openid"`
	Type    string `json:"type"`    // text, subscribe, unsubscribe, scan, click, view
	Content string `json:"content"` // of a text
	Key     string `json:"key"`     // of scan, click, view; of subscribe: the scene of a QR code
}

// pushedJSON is what the shop answered.
type pushedJSON struct {
	Status   int    `json:"status"` // 0: no answer
	Body     string `json:"body"`
	Attempts int    `json:"attempts"`
	OK       bool   `json:"ok"`
	Reply    string `json:"reply"` // what the person sees; empty: nothing
}

func pushTypes() []string {
	return []string{"text", "subscribe", "unsubscribe", "scan", "click", "view"}
}

// busy is what WeChat shows when the endpoint does not answer.
const busy = "该公众号提供的服务出现故障，请稍后再试"

// push sends a message or an event to the shop: three attempts of five seconds.
func (s *Sim) push(ctx context.Context, in pushJSON) (pushedJSON, error) {
	if in.Type == "" {
		in.Type = "text"
	}
	if !slices.Contains(pushTypes(), in.Type) {
		return pushedJSON{}, badRequest("unknown type %q; choose %s", in.Type, strings.Join(pushTypes(), ", "))
	}
	if (in.Type == "text") == (in.Content == "") {
		return pushedJSON{}, badRequest("a text needs content, and only a text has it")
	}
	if !legalXML(in.Content) || !legalXML(in.Key) || len(in.Content) > 2048 || len(in.Key) > 1024 {
		return pushedJSON{}, badRequest("content or key is too long or has characters that XML has not")
	}
	s.mu.Lock()
	u := s.ledger.users[0]
	if in.OpenID != "" {
		u = s.ledger.user(appID1, in.OpenID)
	}
	s.mu.Unlock()
	if u == nil {
		return pushedJSON{}, notFound("there is no user with openid %q; GET /_sim/api/users lists them", in.OpenID)
	}
	v := s.messageServer()
	if v.URL == "" {
		return pushedJSON{}, conflict("no message server is set up; PUT /_sim/api/server with the URL of the shop's endpoint first")
	}
	s.follow(u.OpenID, in.Type)
	return s.tellShop(ctx, v, u.OpenID, in.Type, s.messageXML(u.OpenID, in))
}

// tellShop posts a document until it is answered, three times at most.
func (s *Sim) tellShop(ctx context.Context, v serverJSON, openID, kind string, doc []byte) (pushedJSON, error) {
	var out pushedJSON
	for out.Attempts < 3 && !out.OK {
		out.Attempts++
		msg, query, err := s.sealedPush(v, openID, doc)
		if err != nil {
			return out, err
		}
		got := s.post(context.WithoutCancel(ctx), withQuery(v.URL, query), msg)
		a := got.attempt(msg)
		out.Status, out.Body = a.Status, a.ResponseBody
		out.OK, out.Reply = s.readReply(v, got)
		s.timelinePush(kind, v.URL, a, out)
	}
	if !out.OK {
		out.Reply = busy
	}
	return out, nil
}

// sealedPush is one POST: the body as its mode wants it, and the query.
func (s *Sim) sealedPush(v serverJSON, openID string, doc []byte) (message, string, error) {
	sealed := ""
	if v.Mode != modePlain {
		var err error
		if sealed, err = sealMessage(v.Key, appID1, []byte(pick(s.draw("push random"), alphanum, 16)), doc); err != nil {
			return message{}, "", err
		}
		list := []field{{"ToUserName", originalID}, {"Encrypt", sealed}}
		if v.Mode == modeCompat {
			doc = append(doc[:len(doc)-len("</xml>"):len(doc)-len("</xml>")], writeXML(list[1:], nil)[len("<xml>"):]...)
		} else {
			doc = writeXML(list, nil)
		}
	}
	msg := newMessage(doc, s.draw("push id"))
	return msg, s.signedQuery(v, openID, sealed), nil
}

// messageXML writes what a person did.
func (s *Sim) messageXML(openID string, in pushJSON) []byte {
	r := s.draw("message")
	list := []field{
		{"ToUserName", originalID}, {"FromUserName", openID},
		{"CreateTime", strconv.FormatInt(s.opts.Now().Unix(), 10)}, {"MsgType", "event"},
	}
	switch in.Type {
	case "text":
		list[3].value = "text"
		list = append(list, field{"Content", in.Content}, field{"MsgId", "2" + pick(r, digits, 16)})
	case "subscribe":
		list = append(list, field{"Event", "subscribe"}, field{"EventKey", ""})
		if in.Key != "" {
			list[len(list)-1].value = "qrscene_" + in.Key
			list = append(list, field{"Ticket", pick(r, alphanum, 96)})
		}
	case "unsubscribe":
		list = append(list, field{"Event", "unsubscribe"}, field{"EventKey", ""})
	case "scan":
		list = append(list, field{"Event", "SCAN"}, field{"EventKey", in.Key}, field{"Ticket", pick(r, alphanum, 96)})
	default:
		list = append(list, field{"Event", strings.ToUpper(in.Type)}, field{"EventKey", in.Key})
	}
	return writeXML(list, func(f field) bool { return f.name == "CreateTime" || f.name == "MsgId" })
}

// readReply judges what the shop answered: nothing, "success", or a message,
// encrypted where the mode says so.
func (s *Sim) readReply(v serverJSON, got delivered) (ok bool, reply string) {
	text := strings.TrimSpace(string(got.body))
	switch {
	case got.err != nil || got.status != http.StatusOK:
		return false, ""
	case text == "" || text == "success":
		return true, ""
	}
	fields, err := readReplyXML(text)
	if err != nil {
		return false, ""
	}
	if sealed := fields["Encrypt"]; v.Mode != modePlain && sealed != "" {
		want := sorted1(v.Token, fields["TimeStamp"], fields["Nonce"], sealed)
		if subtle.ConstantTimeCompare([]byte(want), []byte(fields["MsgSignature"])) != 1 {
			return false, ""
		}
		plain, err := openMessage(v.Key, appID1, sealed)
		if err != nil {
			return false, ""
		}
		if fields, err = readReplyXML(string(plain)); err != nil {
			return false, ""
		}
	} else if v.Mode == modeSafe {
		return false, ""
	}
	switch kind := fields["MsgType"]; kind {
	case "":
		return false, ""
	case "text":
		return fields["Content"] != "", fields["Content"]
	default:
		return true, "[" + kind + "]"
	}
}

// readReplyXML reads a passive reply; those that nest (news, image) are read
// only as far as their type.
func readReplyXML(text string) (map[string]string, error) {
	fields, err := readXML([]byte(text))
	if err == nil {
		return fields, nil
	}
	found := nestedForm.FindStringSubmatch(text)
	if found == nil || !strings.HasPrefix(text, "<xml>") || !strings.HasSuffix(text, "</xml>") {
		return nil, errXML
	}
	return map[string]string{"MsgType": found[1]}, nil
}

var nestedForm = regexp.MustCompile(`<MsgType>(?:<!\[CDATA\[)?(image|voice|video|music|news|transfer_customer_service)(?:\]\]>)?</MsgType>`)

// templateArrived tells the shop's endpoint, soon, that a template message
// reached its reader (TEMPLATESENDJOBFINISH).
func (s *Sim) templateArrived(ctx context.Context, openID string, id int64) {
	v := s.messageServer()
	if v.URL == "" {
		return
	}
	doc := writeXML([]field{
		{"ToUserName", originalID}, {"FromUserName", openID}, {"CreateTime", strconv.FormatInt(s.opts.Now().Unix(), 10)},
		{"MsgType", "event"}, {"Event", "TEMPLATESENDJOBFINISH"}, {"MsgID", strconv.FormatInt(id, 10)}, {"Status", "success"},
	}, func(f field) bool { return f.name == "CreateTime" || f.name == "MsgID" })
	ctx = context.WithoutCancel(ctx)
	s.background.Go(func() {
		if _, err := s.tellShop(ctx, v, openID, "TEMPLATESENDJOBFINISH", doc); err != nil {
			s.log.Error("template result not sent", "err", err)
		}
	})
}

func (s *Sim) apiPush(r *http.Request) (any, error) {
	var in pushJSON
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	return s.push(r.Context(), in)
}

// follow remembers who left the account; everybody follows at first.
func (s *Sim) follow(openID, did string) {
	s.oauth.mu.Lock()
	defer s.oauth.mu.Unlock()
	switch did {
	case "unsubscribe":
		s.oauth.left[openID] = true
	default:
		delete(s.oauth.left, openID)
	}
}

func (p pushedJSON) words() string {
	return fmt.Sprintf("第 %d 次 · 商户答 %d", p.Attempts, p.Status)
}
