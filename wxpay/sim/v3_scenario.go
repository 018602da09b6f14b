package sim

import (
	"encoding/json"
	"net/url"
	"strings"
)

// subjectOfV3 reads what a call of API v3 is about, as far as it says: in its
// path as it was sent, or in its body.
func subjectOfV3(path string, body []byte) (subject, bool) {
	var in struct {
		OutTradeNo  string `json:"out_trade_no"`
		Description string `json:"description"`
		Amount      struct {
			Total int64 `json:"total"`
		} `json:"amount"`
		Payer struct {
			OpenID    string `json:"openid"`
			SpOpenID  string `json:"sp_openid"`
			SubOpenID string `json:"sub_openid"`
		} `json:"payer"`
	}
	// What is of another type stays empty; the call will be refused anyway.
	_ = json.Unmarshal(body, &in)
	about := subject{no: in.OutTradeNo, description: in.Description, amount: in.Amount.Total, openID: in.Payer.OpenID}
	for _, other := range []string{in.Payer.SpOpenID, in.Payer.SubOpenID} {
		if about.openID == "" {
			about.openID = other
		}
	}
	if _, rest, ok := strings.Cut(path, "/out-trade-no/"); ok {
		segment, _, _ := strings.Cut(rest, "/")
		if no, err := url.PathUnescape(segment); err == nil {
			about.no = no
		}
	}
	return about, about.no != ""
}
