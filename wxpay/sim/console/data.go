// Package console is what people see of the simulator: the console under
// /_sim/, the consent page of snsapi_userinfo and the error page of authorize.
// Views take the plain structs of this file; nothing here reads a clock, a
// request or the simulator's state.
//
// # Addresses
//
// Pages (GET, each answered with [CSP]; HTML with Cache-Control: no-store):
//
//	/_sim/                      Live          ?f= filter, ?e= chosen entry, ?before= older page, ?after= only newer rows
//	/_sim/transactions          Transactions  ?f=
//	/_sim/transactions/{no}     Transaction   no = out_trade_no
//	/_sim/scan                  Scan          ?u= whose phone, ?url= what stands in a code
//	/_sim/users                 Users
//	/_sim/clock                 Clock
//	/_sim/faults                Faults
//	/_sim/doctor                Doctor
//	/_sim/messages              Messages
//	/_sim/identity              Identity
//	/_sim/account               Account
//	/_sim/static/               Static()      admin.css, console.js, logo.svg
//
// Forms (POST, application/x-www-form-urlencoded, guarded by
// http.CrossOriginProtection; then 303 to the field "back" if it passes
// [Back], with ?said= added, see [Said]):
//
//	/_sim/transactions/{no}/pay        outcome = success|cancel|fail|notenough, openid (optional)
//	/_sim/transactions/{no}/refund     yuan
//	/_sim/transactions/{no}/refunds/{out_refund_no}  outcome = success|fail|abnormal
//	/_sim/users/{openid}/paycode       ask (optional): the next payment needs a password
//	/_sim/notifications/{id}/resend    –
//	/_sim/notifications/{id}/drop      –
//	/_sim/notifications/forge          out_trade_no, kind
//	/_sim/users                        nickname, yuan ("236.00", see ParseYuan)
//	/_sim/users/{openid}/balance       yuan
//	/_sim/clock                        advance = "15s", "1h", …  or  rate = "1000" (whole, 1 is real speed)
//	/_sim/faults                       preset; or seed, rate.<name> = 0…100 (percent), next.<name> = count
//	/_sim/scenario                     kind = amount|amount_ends|description|openid, value, then = outcome or fault, times; or table = amounts
//	/_sim/scenario/{id}/delete         –
//	/_sim/account                      enforce, pay_directories … (one per line), bound_app_ids, products (several), key_mode, bill_host, fix (optional)
//	/_sim/server                       url, token, encoding_aes_key, mode = plain|compat|safe
//	/_sim/server/push                  openid, type = text|subscribe|unsubscribe|scan|"click KEY"|"view URL", content
//	/_sim/reset                        –
//
// The doctor's form (POST /_sim/doctor: api, direction, url, headers, body,
// computed) is answered with its page and the finding, not with a redirect.
//
// The login code of a mini program (wx.login) comes from the control API:
// POST /_sim/api/users/{openid}/jscode -> {"code":"…","expires_at":"…"}, with
// either openid of the person; GET /sns/jscode2session exchanges it.
//
// A form that is refused is answered with its page again, Frame.Error set, and
// the status of the control API (400, 404, 409).
//
// The script of the live page opens EventSource /_sim/api/events and takes any
// event as a doorbell ("row" is for what only people see): it then fetches
// /_sim/?after=SEQ and inserts the rows it finds there. So rows are made in
// one place only.
//
// H5 is answered with [ConsentCSP] too and posts to H5View.Action: op, u, from.
//
// Consent is answered with [ConsentCSP] (the redirect after the form leaves
// the origin) and posts to ConsentView.Action: ticket, u = user id,
// op = allow|deny.
package console

import "time"

// Frame is what every console page carries.
type Frame struct {
	Gateway string // "http://localhost:8081"
	Browser string // "http://127.0.0.1:8082"; empty: the face is off
	App     string // the shop behind the face
	Seed    int64
	Public  bool   // a public demo: keys are hidden
	Said    string // a code for [Said], from ?said=
	Error   string // why the last form was refused
}

// Tone colours a tag. The word in the tag carries the meaning.
type Tone string

const (
	Plain Tone = ""
	Good  Tone = "ok"
	Bad   Tone = "bad"
	Wait  Tone = "wait"
	Busy  Tone = "go"
)

// Direction says who acted, for the mark at the start of a row.
type Direction string

const (
	In    Direction = "→" // a client called us
	Out   Direction = "←" // we called the shop
	Actor Direction = "◆" // a person acted
	Fault Direction = "⚡" // a fault fired
	Tick  Direction = "◷" // the clock was moved, something was reset
)

// Entry is one row of the timeline. It never changes once it is there.
type Entry struct {
	Seq       int64 // grows by one; the timeline's own number, stable while the simulator lives
	At        time.Time
	Direction Direction
	Title     string // "POST /pay/unifiedorder", "付款通知，第 1 次", "林晓溪付了 ¥284.00"
	Hint      string // "…3TSV · 你的店答 200 SUCCESS，38 ms"
	Verdict   string // "成功", "签名错", "收下", "再试"
	Tone      Tone
	Words     string // what the filter finds besides the visible text: number, openid
}

// Exchange is the pane of a chosen entry: one HTTP message and its answer.
// Entries without a message have an Exchange with only Entry and Facts.
type Exchange struct {
	Entry           Entry
	Facts           []Fact // any more to say, e.g. the fault's name and count
	Method          string
	URL             string // absolute, as sent
	RequestHeaders  []Fact
	RequestBody     string
	Status          int // 0: no answer
	ResponseHeaders []Fact
	ResponseBody    string
	Took            time.Duration
	Problem         string // why there is no answer, or another sentence above the bytes
	OutTradeNo      string // links to the transaction
	Diagnosis       *Diagnosis
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Diagnosis is the signature doctor's finding.
type Diagnosis struct {
	Cause           string // "wrong-key"
	Explanation     string // a sentence for people; the first one is set in bold
	StringToSign    string // what WeChat signs, the key replaced by a word
	Expected        string
	Received        string
	Signed          string // what was signed instead; empty: not known, or the same
	FirstDifference int    // byte in StringToSign, −1 when not known
}

// LiveView is the page /_sim/.
type LiveView struct {
	Frame    Frame
	Filter   string
	Entries  []Entry // newest first, filtered, at most 100
	Total    int     // of the timeline, for "12 / 212"
	Matching int     // of the timeline, that pass the filter
	Older    bool    // there are more before the last one
	Chosen   *Exchange
	Clock    ClockView
	Faults   FaultsView
	Users    []User
}

// User is a simulated person.
type User struct {
	ID         string // "1": value of the cookie wxsim_me on the face
	Nickname   string
	OpenID     string // under the official account
	MiniOpenID string
	UnionID    string
	Balance    int64 // fen
}

// UsersView is the page /_sim/users.
type UsersView struct {
	Frame Frame
	Users []User
}

// ClockView is business time.
type ClockView struct {
	Frame  Frame
	Now    time.Time
	Offset time.Duration // ahead of real time
	Rate   float64       // 1 is real speed
}

// FaultsView is the faults form.
type FaultsView struct {
	Frame   Frame
	Preset  string // none, gentle, harsh, or "" for a mixture
	Presets []string
	Seed    int64
	Faults  []FaultRow

	Scenarios []ScenarioRow
}

// FaultRow is one fault that the simulator can do.
type FaultRow struct {
	Name    string // "notify-drop"
	Percent int    // rate, 0 to 100
	Next    int    // so many times from now on, whatever the rate
	Fired   int
}

// TransactionRow is a line of the list.
type TransactionRow struct {
	OutTradeNo  string
	At          time.Time
	Description string
	Total       int64 // fen
	State       string
	TradeType   string // "JSAPI"
	API         string // "v2"
	Nickname    string
}

// TransactionsView is the page /_sim/transactions.
type TransactionsView struct {
	Frame  Frame
	Filter string
	Rows   []TransactionRow
}

// TransactionView is one transaction with its history and deliveries.
type TransactionView struct {
	Frame         Frame
	Row           TransactionRow
	TransactionID string
	PrepayID      string
	OpenID        string
	AppID, MchID  string
	Attach        string
	NotifyURL     string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	PaidAt        time.Time // zero: not paid
	CanPay        bool
	Users         []User      // who can be made to pay
	Steps         []Step      // newest first
	Refunds       []RefundRow // newest first
	CanRefund     bool
	Notifications []Notification
	ForgeKinds    []string // kinds of bad notification; empty: none on offer
}

// Step is one change of state.
type Step struct {
	At    time.Time
	State string
	What  string // "林晓溪付了 ¥284.00"
	Tone  Tone   // Good green, Bad red
}

// Notification is a delivery with its attempts.
type Notification struct {
	ID       string // "n1"
	Kind     string // payment, refund
	URL      string
	State    string // pending, delivered, dropped, gave-up
	NextAt   time.Time
	NextIn   time.Duration // business time until NextAt
	Left     int           // attempts that remain
	Attempts []Attempt     // newest first
}

// Attempt is one try to deliver.
type Attempt struct {
	Number int
	At     time.Time
	Status int    // 0: no answer
	Answer string // the body, cut short; or why there was no answer
	Took   time.Duration
	OK     bool
	Seq    int64 // its row in the timeline; 0: gone
}

// IdentityView is the page of what a client is configured with.
type IdentityView struct {
	Frame Frame
	Rows  []IdentityRow
	Users []User
}

// IdentityRow is one value to copy.
type IdentityRow struct {
	Label  string // "商户号"
	Name   string // "mch_id", as in GET /_sim/api/identity
	Value  string // several lines for PEM
	Hidden bool   // withheld in public mode; Value is then not looked at
}

// ConsentView is the page of snsapi_userinfo.
type ConsentView struct {
	Action      string // where the form posts to
	Ticket      string
	Merchant    string // "云间茶铺"
	AppID       string
	Scope       string
	State       string
	RedirectURI string
	DomainOK    bool   // in the list of OAuth domains
	Users       []User // first the one who holds the phone
	Denied      bool   // the user refused: the page stays, as WeChat's does now
}

// AuthorizeErrorView is WeChat's error page of authorize.
type AuthorizeErrorView struct {
	Code int    // 10003 …; 0: none
	Text string // "redirect_uri域名与后台配置不一致", "请在微信客户端打开链接"
	Why  string // for the developer: what to change
	Face string // origin of the simulator's WeChat browser, for a link; may be empty
}
