package wxpay

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Vectors of the notes on the account's server.
const (
	mpToken   = "demo_token_2026"
	mpTime    = "1767225600"
	mpNonce   = "987654321"
	mpAES     = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	mpApp     = "wx1234567890abcdef"
	mpBytes   = "0123456789abcdef"
	subscribe = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oTEST0000000000000000000001]]></FromUserName><CreateTime>1767225600</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey></xml>"
	textMsg   = "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oTEST0000000000000000000001</FromUserName><CreateTime>1767225600</CreateTime><MsgType>text</MsgType><Content><![CDATA[<你好> & 再见]]></Content><MsgId>23456789012345678</MsgId></xml>"
)

// testMPServer takes the vectors' token, whose underscores the console refuses.
func testMPServer(key, previous string) *MPServer {
	return newMPServer(MPServerConfig{AppID: mpApp, Token: mpToken, EncodingAESKey: key, PreviousEncodingAESKey: previous,
		Now: func() time.Time { return time.Unix(1767225601, 0) }})
}

func TestMPSignature(t *testing.T) {
	for _, tt := range []struct{ token, time, nonce, want string }{
		{"AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{mpToken, mpTime, mpNonce, "1772ada33665443304be8c4e4f26ecbbddb5c116"},
	} {
		if got := mpSignature(tt.token, tt.time, tt.nonce); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.time, got, tt.want)
		}
	}
}

func TestVerifyURL(t *testing.T) {
	s, err := NewMPServer(MPServerConfig{AppID: mpApp, Token: "AAAAA"})
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696"}, "timestamp": {"1714036504"}, "nonce": {"1514711492"}, "echostr": {"4375120948345356249"}}
	if echo, err := s.VerifyURL(q); err != nil || echo != "4375120948345356249" {
		t.Errorf("%q, %v", echo, err)
	}
	for _, change := range []string{"signature", "timestamp", "nonce"} {
		bad := url.Values{"echostr": {"<script>"}}
		for name := range q {
			if name != change && name != "echostr" {
				bad[name] = q[name]
			}
		}
		if echo, err := s.VerifyURL(bad); !errors.Is(err, ErrSignature) || echo != "" {
			t.Errorf("without %s: %q, %v", change, echo, err)
		}
	}
}

var sealVectors = []struct{ name, msg, sealed, sign string }{
	{"20 bytes", "<xml><a>ok</a></xml>", "Q3stYC6hdFzMh9T8HCvyDFwgZCKd+Xkwzpn6Rkt9x/jbvwCSg/xufA+q6vWf7RPI7ntjQM7d3YzTDlxZxP0azw==", "ae702addc574f334180d539406cc439240b101e1"},
	{"a full block of padding", "<x>" + "yyyyyyyyyyyyyyyyyyy" + "</x>", "Q3stYC6hdFzMh9T8HCvyDPovxrSV5LYGO+1cvJYjEpiXL/qBhmYRNemINTyJwa1Ie9n3SFzOYmUC3XF9xdXRaikqf+lL0FIU4s4BIHGha9X3lLpLEu+8LUDPdt8lWBdT", "20cf92f44fd78ddb0bd61aa8fdded53733b36c64"},
	{"subscribe", subscribe, "", "7ddaf584147f2e67e82e30e5308a8e10f6a8348c"},
}

func TestSealMP(t *testing.T) {
	key, err := mpKey(mpAES)
	if err != nil || hex.EncodeToString(key) != "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051" {
		t.Fatalf("key %x, %v", key, err)
	}
	for _, tt := range sealVectors {
		sealed, err := sealMP(tt.msg, key, []byte(mpBytes), mpApp)
		if err != nil || tt.sealed != "" && sealed != tt.sealed || mpSignature(mpToken, mpTime, mpNonce, sealed) != tt.sign {
			t.Errorf("%s: %s, %v", tt.name, sealed, err)
		}
		if msg, err := testMPServer(mpAES, "").open(sealed); err != nil || msg != tt.msg {
			t.Errorf("%s: opened %q, %v", tt.name, msg, err)
		}
	}
}

// pushed is the query and the body of an encrypted message.
func pushed(t testing.TB, msg, aes, app string) (url.Values, []byte) {
	t.Helper()
	key, err := mpKey(aes)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealMP(msg, key, []byte(mpBytes), app)
	if err != nil {
		t.Fatal(err)
	}
	return push(sealed)
}

func push(sealed string) (url.Values, []byte) {
	q := plainQuery()
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", mpSignature(mpToken, mpTime, mpNonce, sealed))
	return q, []byte("<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[" + sealed + "]]></Encrypt></xml>")
}

// sealedRaw is pushed for a plaintext without its usual parts.
func sealedRaw(t *testing.T, plain string) (url.Values, []byte) {
	t.Helper()
	key, err := mpKey(mpAES)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	b := pad([]byte(plain), mpPadding)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(b, b)
	return push(base64.StdEncoding.EncodeToString(b))
}

func plainQuery() url.Values {
	return url.Values{"signature": {"1772ada33665443304be8c4e4f26ecbbddb5c116"}, "timestamp": {mpTime}, "nonce": {mpNonce}, "openid": {"oTEST0000000000000000000001"}}
}

func TestMPRead(t *testing.T) {
	q, body := pushed(t, subscribe, mpAES, mpApp)
	want := MPMessage{To: "gh_0123456789ab", From: "oTEST0000000000000000000001", CreatedAt: time.Unix(1767225600, 0).UTC(), Type: "event",
		Event: "subscribe", ID: "oTEST0000000000000000000001 1767225600 subscribe ", Encrypted: true}
	previous := strings.Repeat("a", 43)
	for name, s := range map[string]*MPServer{"the key": testMPServer(mpAES, ""), "the previous key": testMPServer(previous, mpAES)} {
		m, err := s.Read(q, body)
		if m.Raw["FromUserName"] != "…0001" {
			t.Errorf("%s: Raw = %v", name, m.Raw)
		}
		m.Raw = nil
		if got, wanted := fmt.Sprintf("%+v %+v", m.ID, m.CreatedAt), fmt.Sprintf("%+v %+v", want.ID, want.CreatedAt); err != nil || got != wanted ||
			m.To != want.To || m.From != want.From || m.Type != want.Type || m.Event != want.Event || !m.Encrypted {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	m, err := testMPServer("", "").Read(plainQuery(), []byte(textMsg))
	if err != nil || m.Content != "<你好> & 再见" || m.ID != "23456789012345678" || m.Encrypted || m.Type != "text" {
		t.Errorf("plain: %+v, %v", m, err)
	}
}

// Events that nest are read past, not refused: a refusal is what the person
// would see.
func TestMPReadNested(t *testing.T) {
	nested := strings.Replace(subscribe, "</xml>", "\n<ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType>\n<List><item><a>1</a></item><item><a>2</a></item></List></ScanCodeInfo></xml>", 1)
	if m, err := testMPServer("", "").Read(plainQuery(), []byte(nested)); err != nil || m.Event != "subscribe" || m.Raw["ScanType"] != "" {
		t.Errorf("%+v, %v", m, err)
	}
	for name, inside := range map[string]string{
		"not closed":                 "<a><b>1</b>",
		"crossed":                    "<a><b>1</a></b>",
		"an attribute":               `<a x="1"><b>1</b></a>`,
		"a doctype":                  "<!DOCTYPE a>",
		"a comment":                  "<a><!-- --></a>",
		"mixed":                      "<a>text<b>1</b></a>",
		"a name with a quote":        `<a"><b>1</b></a">`,
		"deep":                       strings.Repeat("<a>", 9) + "1" + strings.Repeat("</a>", 9),
		"a name of another alphabet": "<ä><b>1</b></ä>",
		"twice":                      "<Event>x</Event>",
		"no name":                    "<><b>1</b></>",
		"an entity":                  "<a><b>&x;</b></a>",
	} {
		text := strings.Replace(subscribe, "</xml>", inside+"</xml>", 1)
		if m, err := testMPServer("", "").Read(plainQuery(), []byte(text)); !errors.Is(err, ErrBadNotify) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestMPReadRefused(t *testing.T) {
	s := testMPServer(mpAES, "")
	q, body := pushed(t, subscribe, mpAES, mpApp)
	check := func(name string, s *MPServer, q url.Values, body []byte, is error) {
		t.Helper()
		if m, err := s.Read(q, body); !errors.Is(err, is) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	with := func(name, value string) url.Values {
		c := url.Values{}
		for k, v := range q {
			c[k] = v
		}
		c.Set(name, value)
		return c
	}
	check("no signature", s, with("signature", ""), body, ErrSignature)
	check("another signature", s, with("signature", strings.Repeat("0", 40)), body, ErrSignature)
	check("another message signature", s, with("msg_signature", strings.Repeat("0", 40)), body, ErrSignature)
	check("another time", s, with("timestamp", "1767225601"), body, ErrSignature)
	check("another text under the signature", s, q, []byte(strings.Replace(string(body), "Q3st", "Q3su", 1)), ErrSignature)
	// The signature in the query is not over the body: with a key, plain
	// messages are refused.
	check("plain where encryption is agreed", s, plainQuery(), []byte(textMsg), ErrSignature)
	wrongApp, wrongBody := pushed(t, subscribe, mpAES, "wx0000000000000000")
	check("for another account", s, wrongApp, wrongBody, ErrBadNotify)
	otherKey, otherBody := pushed(t, subscribe, strings.Repeat("b", 43), mpApp)
	check("another key", s, otherKey, otherBody, ErrBadNotify)
	check("encrypted, and we have no key", testMPServer("", ""), q, body, ErrBadNotify)
	junk, junkBody := pushed(t, "junk", mpAES, mpApp)
	check("junk inside", s, junk, junkBody, ErrBadNotify)
	empty, emptyBody := pushed(t, "<xml></xml>", mpAES, mpApp)
	check("nobody's message", s, empty, emptyBody, ErrBadNotify)
	for name, plain := range map[string]string{"a length beyond the end": mpBytes + "\xff\xff\xff\xff" + subscribe + mpApp, "too short for a length": "short"} {
		q, body := sealedRaw(t, plain)
		check(name, s, q, body, ErrBadNotify)
	}
	plain := testMPServer("", "")
	check("too long", plain, plainQuery(), []byte("<xml>"+strings.Repeat(" ", maxNotify)+"</xml>"), ErrBadNotify)
	check("not XML", plain, plainQuery(), []byte("{}"), ErrBadNotify)
	check("text behind", plain, plainQuery(), []byte(textMsg+"x"), ErrBadNotify)
	check("no time", plain, plainQuery(), []byte(strings.Replace(textMsg, "1767225600", "x", 1)), ErrBadNotify)
}

// reply is how WeChat reads an answer.
type reply struct {
	XMLName  xml.Name `xml:"xml"`
	To       string   `xml:"ToUserName"`
	From     string   `xml:"FromUserName"`
	Time     string   `xml:"CreateTime"`
	Type     string   `xml:"MsgType"`
	Content  string
	Articles []MPArticle `xml:"Articles>item"`
	Encrypt  string
	Sign     string `xml:"MsgSignature"`
	Stamp    string `xml:"TimeStamp"`
	Nonce    string
	Image    string `xml:"Image>MediaId"`
	Voice    string `xml:"Voice>MediaId"`
	Video    string `xml:"Video>Title"`
	Clerk    string `xml:"TransInfo>KfAccount"`
}

func readReply(t *testing.T, text []byte) reply {
	t.Helper()
	var r reply
	if err := xml.Unmarshal(text, &r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestMPReply(t *testing.T) {
	s := testMPServer(mpAES, "")
	m := MPMessage{To: "gh_0123456789ab", From: "oTEST0000000000000000000001"}
	answer := func(r MPReply) reply {
		t.Helper()
		got, err := s.Reply(m, r)
		if err != nil || got.Status != 200 || !strings.HasPrefix(got.ContentType, "text/xml") {
			t.Fatalf("%+v, %v", got, err)
		}
		return readReply(t, got.Body)
	}
	evil := "a]]><MsgType>b & <c>]]>\x00"
	r := answer(MPText(evil))
	if r.To != m.From || r.From != m.To || r.Time != "1767225601" || r.Type != "text" || r.Content != strings.TrimSuffix(evil, "\x00") {
		t.Errorf("text: %+v", r)
	}
	if r := answer(MPText(strings.Repeat("茶", 1000))); len(r.Content) != 2046 {
		t.Errorf("a long text has %d bytes", len(r.Content))
	}
	if r := answer(MPNews(MPArticle{Title: "t", Description: "d", URL: "https://x?a=1&b=2"})); r.Type != "news" || len(r.Articles) != 1 || r.Articles[0].Title != "t" {
		t.Errorf("news: %+v", r)
	}
	if r := answer(MPImage("i")); r.Type != "image" || r.Image != "i" {
		t.Errorf("image: %+v", r)
	}
	if r := answer(MPVoice("v")); r.Type != "voice" || r.Voice != "v" {
		t.Errorf("voice: %+v", r)
	}
	if r := answer(MPVideo("v", "t", "d")); r.Type != "video" || r.Video != "t" {
		t.Errorf("video: %+v", r)
	}
	if r := answer(MPTransfer("kf@x")); r.Type != "transfer_customer_service" || r.Clerk != "kf@x" {
		t.Errorf("transfer: %+v", r)
	}
	if r := answer(MPTransfer("")); r.Type != "transfer_customer_service" || r.Clerk != "" {
		t.Errorf("transfer: %+v", r)
	}
	nothing, err := s.Reply(m, MPReply{})
	if err != nil || string(nothing.Body) != "success" || !strings.HasPrefix(nothing.ContentType, "text/plain") {
		t.Errorf("nothing: %+v, %v", nothing, err)
	}
}

func TestMPReplyEncrypted(t *testing.T) {
	s := testMPServer(mpAES, strings.Repeat("a", 43))
	got, err := s.Reply(MPMessage{To: "gh", From: "oUser", Encrypted: true}, MPText("你好"))
	if err != nil {
		t.Fatal(err)
	}
	r := readReply(t, got.Body)
	if r.Sign != mpSignature(mpToken, r.Stamp, r.Nonce, r.Encrypt) || r.Stamp != "1767225601" || len(r.Nonce) < 16 || r.Content != "" {
		t.Errorf("%+v", r)
	}
	text, err := testMPServer(mpAES, "").open(r.Encrypt) // the new key alone opens it
	if inner := readReply(t, []byte(text)); err != nil || inner.Content != "你好" || inner.To != "oUser" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestMPServerConfig(t *testing.T) {
	right := MPServerConfig{AppID: mpApp, Token: "AAAAA", EncodingAESKey: mpAES, PreviousEncodingAESKey: mpAES}
	if _, err := NewMPServer(right); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*MPServerConfig){
		"no app":                 func(c *MPServerConfig) { c.AppID = "" },
		"no token":               func(c *MPServerConfig) { c.Token = "" },
		"short token":            func(c *MPServerConfig) { c.Token = "ab" },
		"long token":             func(c *MPServerConfig) { c.Token = strings.Repeat("a", 33) },
		"token with a sign":      func(c *MPServerConfig) { c.Token = mpToken },
		"short key":              func(c *MPServerConfig) { c.EncodingAESKey = mpAES[1:] },
		"key with a sign":        func(c *MPServerConfig) { c.EncodingAESKey = "=" + mpAES[1:] },
		"bad previous":           func(c *MPServerConfig) { c.PreviousEncodingAESKey = "x" },
		"previous without a key": func(c *MPServerConfig) { c.EncodingAESKey = "" },
	} {
		c := right
		change(&c)
		if _, err := NewMPServer(c); err == nil || strings.Contains(err.Error(), mpAES) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzMPMessage(f *testing.F) {
	_, body := pushed(f, subscribe, mpAES, mpApp)
	f.Add(body, false)
	f.Add([]byte(subscribe), true)
	f.Add([]byte("<xml><a><b>1</b></a></xml>"), true)
	f.Fuzz(func(t *testing.T, body []byte, plain bool) {
		s := testMPServer(mpAES, "")
		if plain {
			s = testMPServer("", "")
		}
		q := plainQuery()
		if m, err := decodeNested(string(body), maxNotify); err == nil {
			q.Set("msg_signature", mpSignature(mpToken, mpTime, mpNonce, m.get("Encrypt")))
			var strict struct{ XMLName xml.Name }
			if err := xml.Unmarshal(body, &strict); err != nil {
				t.Errorf("took what is not XML: %v", err)
			}
		}
		m, err := s.Read(q, body)
		if err == nil && (m.From == "" || m.ID == "" || m.Type == "") {
			t.Errorf("took %+v", m)
		}
		if err == nil {
			if _, err := s.Reply(m, MPText(m.Content)); err != nil {
				t.Error(err)
			}
		}
		_, _ = s.open(base64.StdEncoding.EncodeToString(body))
	})
}
