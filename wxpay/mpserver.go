package wxpay

import "time"

// MPServerConfig is the official account's server endpoint (mp.weixin.qq.com,
// 服务器配置): where WeChat pushes what followers do and write.
type MPServerConfig struct {
	AppID string
	Token string // 3 to 32 letters and digits
	// EncodingAESKey is 43 letters and digits; empty: plain messages only.
	EncodingAESKey         string
	PreviousEncodingAESKey string // still accepted while the key is replaced
	Now                    func() time.Time
}

// MPServer is that endpoint without the HTTP. A handler gives the query of a
// GET to VerifyURL, and the query and body of a POST to Read; it must answer
// within 5 seconds, with Reply or with the text "success".
type MPServer struct {
	cfg  MPServerConfig
	keys [][]byte
}

// MPMessage is one message or event from a follower, verified.
type MPMessage struct {
	To, From  string // the account's gh_ id, the person's openid
	CreatedAt time.Time
	Type      string // text, image, voice, event, ...
	Event     string // of Type event: subscribe, unsubscribe, SCAN, CLICK, VIEW, ...
	EventKey  string
	Content   string            // of Type text
	ID        string            // equal for the repetitions of one message: WeChat sends up to three times
	Encrypted bool              // came encrypted, so that the reply must be, too
	Raw       map[string]string // redacted, for people to read
}

// MPReply is a passive reply: build it with MPText, MPNews or MPTransfer.
type MPReply struct{ kind, body string }

// MPText answers with a text, at most 2048 bytes; <a href="…"> works in it.
func MPText(text string) MPReply { return MPReply{kind: "text", body: text} }
