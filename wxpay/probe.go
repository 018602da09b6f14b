package wxpay

// Verdict is what a check found.
type Verdict string

const (
	VerdictOK      Verdict = "ok"
	VerdictWrong   Verdict = "wrong"
	VerdictUnknown Verdict = "unknown" // cannot be told from here
)

// Finding is one line of a doctor's report. None of its words is a secret.
type Finding struct {
	Name    string // cfg.appid, v2.query, oa.token, ...
	Verdict Verdict
	What    string // what was found, with WeChat's own words
	Do      string // what to do about it; empty when ok
}
