package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"wxshop/wxpay"
)

// Checkup is what the doctor looks at: the settings as they are configured,
// and how to reach WeChat and the shop's own public address.
type Checkup struct {
	BaseURL     string
	Simulator   bool
	Pay         wxpay.Config
	Account     wxpay.MPConfig
	Mini        wxpay.MPConfig // AppID "" = there is no mini program
	Server      wxpay.MPServerConfig
	CertPEM     []byte // nil: none configured
	KeyPEM      []byte
	Serial      string
	Keys        error             // why the files of keys could not be used
	VerifyFiles fs.FS             // of MP_verify_….txt; nil: none
	KeysFile    string            // of the sessions
	Self        http.RoundTripper // to our own public address; nil: the network
	Now         func() time.Time
	API         wxpay.Version           // of new payments
	Open        map[wxpay.Version]int64 // payments and refunds that have not ended; nil: nobody looked
	Online      bool                    // ask WeChat, and the shop from outside
	Certificate bool                    // also the one probe that is a refund of nothing
}

// Examine looks at everything that keeps a shop from taking money, in the
// order in which one sets it up. It changes nothing anywhere.
func Examine(ctx context.Context, c Checkup) []wxpay.Finding {
	if c.Simulator {
		return []wxpay.Finding{unsure("sim.off", "for real money set simulator.enabled to false and fill in wechat and pay",
			"WeChat is simulated: nothing to look for")}
	}
	out := wxpay.CheckConfig(c.Pay)
	if c.Keys != nil {
		out = append(out, wrong("cfg.keys", "name the files as they were downloaded, in PEM, readable for the shop alone", "%v", c.Keys))
	}
	out = append(out, openFindings(c)...)
	out = append(out, accountFindings(c)...)
	out = append(out, certificateFindings(c)...)
	out = append(out, addressFindings(c)...)
	out = append(out, verifyFindings(c)...)
	out = append(out, keysFinding(c))
	if c.Online {
		out = append(out, online(ctx, c)...)
	} else {
		out = append(out, wxpay.Finding{Name: "online", Verdict: wxpay.VerdictUnknown, What: "WeChat was not asked", Do: "run it again without --offline"})
	}
	return append(out, byHand()...)
}

// speaks reports whether there are credentials for a version of the API.
func (c *Checkup) speaks(v wxpay.Version) bool {
	if v == wxpay.V3 {
		return c.Pay.APIv3Key != ""
	}
	return c.Pay.APIKey != ""
}

// versions are those that the shop speaks, the one of new payments first.
func (c *Checkup) versions() []wxpay.Version {
	all := []wxpay.Version{wxpay.V2, wxpay.V3}
	if c.API == wxpay.V3 {
		slices.Reverse(all)
	}
	return slices.DeleteFunc(all, func(v wxpay.Version) bool { return !c.speaks(v) && v != c.API })
}

// openFindings are about payments that go by another version than new ones do.
func openFindings(c Checkup) []wxpay.Finding {
	const name = "cfg.open"
	var out []wxpay.Finding
	for _, v := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		n := c.Open[v]
		switch {
		case n == 0 || v == c.API:
		case c.speaks(v):
			out = append(out, ok(name, "%d payments and refunds made with %s have not ended: its keys are still needed", n, v))
		default:
			out = append(out, wrong(name, "fill in the keys of "+string(v)+" until they have ended", "%d payments and refunds made with %s have not ended, and nobody can ask about them", n, v))
		}
	}
	return out
}

func accountFindings(c Checkup) []wxpay.Finding {
	// The app id of the account is the one that pays: CheckConfig has said it.
	out := wxpay.CheckAccount(c.Account, c.Pay)[1:]
	if c.Mini.AppID != "" {
		for _, f := range wxpay.CheckAccount(c.Mini, c.Pay) {
			f.Name = strings.Replace(f.Name, "cfg.", "mini.", 1)
			out = append(out, f)
		}
	}
	if c.Server.Token != "" {
		out = append(out, wxpay.CheckServer(c.Server))
	}
	return out
}

func certificateFindings(c Checkup) []wxpay.Finding {
	switch {
	case c.CertPEM == nil && !c.speaks(wxpay.V2): // v3 signs with the key and shows no certificate
		return nil
	case c.CertPEM == nil:
		return []wxpay.Finding{{Name: "cert.parse", Verdict: wxpay.VerdictUnknown, What: "no merchant certificate is configured: refunds in v2 will wait",
			Do: "set pay.certificate_file and pay.private_key_file"}}
	}
	return wxpay.CheckCertificate(c.CertPEM, c.KeyPEM, c.Pay.MchID, c.Serial, c.Now())
}

func ok(name, format string, args ...any) wxpay.Finding {
	return wxpay.Finding{Name: name, Verdict: wxpay.VerdictOK, What: fmt.Sprintf(format, args...)}
}

func wrong(name, do, format string, args ...any) wxpay.Finding {
	return wxpay.Finding{Name: name, Verdict: wxpay.VerdictWrong, What: fmt.Sprintf(format, args...), Do: do}
}

func unsure(name, do, format string, args ...any) wxpay.Finding {
	return wxpay.Finding{Name: name, Verdict: wxpay.VerdictUnknown, What: fmt.Sprintf(format, args...), Do: do}
}

// addressFindings are about site.base_url, on which WeChat's domain settings,
// the callbacks and the pay page hang.
func addressFindings(c Checkup) []wxpay.Finding {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" {
		return []wxpay.Finding{wrong("url.base", "set site.base_url to the shop's public https address", "%q is not an address", c.BaseURL)}
	}
	out := wxpay.CheckURLs(c.BaseURL, strings.TrimSuffix(c.BaseURL, "/")+notifyPath(c.versions()[0]))
	return append(out,
		unsure("url.paydir", "enter it at pay.weixin.qq.com: 产品中心 → 开发配置 → JSAPI支付授权目录", "payment directory: %s/", strings.TrimSuffix(c.BaseURL, "/")),
		unsure("url.oauth", "enter it at mp.weixin.qq.com: 设置与开发 → 账号设置 → 功能设置 → 网页授权域名 (and JS接口安全域名)", "domain: %s", u.Hostname()))
}

// verifyFindings are about the files by which WeChat checks who owns the domain.
func verifyFindings(c Checkup) []wxpay.Finding {
	if c.VerifyFiles == nil {
		return nil
	}
	names, err := fs.Glob(c.VerifyFiles, "MP_verify_*")
	if err != nil || len(names) == 0 {
		return []wxpay.Finding{unsure("verify.files", "download MP_verify_….txt where you enter a domain, and put it into wechat.verify_files", "no MP_verify file")}
	}
	var out []wxpay.Finding
	for _, name := range names {
		text, err := fs.ReadFile(c.VerifyFiles, name)
		if err != nil {
			out = append(out, wrong("verify.files", "make it readable for the shop", "%v", err))
			continue
		}
		out = append(out, wxpay.CheckVerifyFile(name, text))
	}
	return out
}

func keysFinding(c Checkup) wxpay.Finding {
	i, err := os.Stat(c.KeysFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unsure("sess.secret", "", "%s is made at the first start", c.KeysFile)
	case err != nil:
		return wrong("sess.secret", "make it readable for the shop", "%v", err)
	case i.Mode().Perm()&0o077 != 0:
		return wrong("sess.secret", "chmod 600 "+c.KeysFile, "others on this machine can read %s", c.KeysFile)
	}
	return ok("sess.secret", "%s is ours alone", c.KeysFile)
}

// online asks WeChat what it thinks of our settings, by questions that change
// nothing there, and the shop's own address what an outsider gets.
func online(ctx context.Context, c Checkup) []wxpay.Finding {
	var out []wxpay.Finding
	for _, v := range c.versions() {
		if v == wxpay.V3 {
			out = append(out, askV3(ctx, c)...)
		} else {
			out = append(out, askV2(ctx, c)...)
		}
	}
	mp, err := wxpay.NewMP(c.Account)
	if err != nil {
		out = append(out, unsure("oa.token", "mend what is wrong above first", "the official account was not asked"))
	} else {
		out = append(out, mp.ProbeSecret(ctx)...)
		out = append(out, mp.ProbeToken(ctx)...)
	}
	if c.Mini.AppID != "" {
		if mini, err := wxpay.NewMP(c.Mini); err == nil {
			out = append(out, mini.ProbeMini(ctx)...)
		}
	}
	for _, v := range c.versions() {
		out = append(out, selfFinding(ctx, c, v))
	}
	return out
}

func notAsked(name string) []wxpay.Finding {
	return []wxpay.Finding{unsure(name, "mend what is wrong above first", "WeChat Pay was not asked")}
}

func askV2(ctx context.Context, c Checkup) []wxpay.Finding {
	v2, err := wxpay.NewV2(c.Pay)
	if err != nil {
		return notAsked("v2.query")
	}
	out := append(v2.ProbeOrder(ctx), v2.ProbeBill(ctx)...)
	if c.Certificate {
		out = append(out, v2.ProbeCertificate(ctx)...)
	}
	return out
}

func askV3(ctx context.Context, c Checkup) []wxpay.Finding {
	v3, err := wxpay.NewV3(c.Pay)
	if err != nil {
		return notAsked("v3.query")
	}
	out := append(v3.ProbeOrder(ctx), v3.ProbePlatform(ctx)...)
	return append(out, v3.ProbeBill(ctx)...)
}

// notifyPath is where WeChat tells of payments of a version.
func notifyPath(v wxpay.Version) string { return "/notify/" + string(v) + "/pay" }

// selfFinding calls the shop's own callback as a stranger: it must refuse in
// WeChat's form, without a redirect and without a login page.
func selfFinding(ctx context.Context, c Checkup, v wxpay.Version) wxpay.Finding {
	const name = "self.notify"
	address := strings.TrimSuffix(c.BaseURL, "/") + notifyPath(v)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, ctype := "<xml></xml>", "text/xml"
	if v == wxpay.V3 {
		body, ctype = "{}", "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return wrong(name, "set site.base_url", "%s is not an address", address)
	}
	r.Header.Set("Content-Type", ctype)
	h := &http.Client{Transport: c.Self, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := h.Do(r)
	if err != nil {
		return unsure(name, "start the shop, and look from another machine: name, certificate, firewall", "%s does not answer from here: %v", address, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 8<<10))
	refuses := res.StatusCode == http.StatusOK // in v2 the words say no, in v3 the status
	if v == wxpay.V3 {
		refuses = res.StatusCode >= 400
	}
	if err != nil || !refuses || !strings.Contains(string(b), "FAIL") {
		return wrong(name, "nothing between WeChat and the shop may redirect, log in or answer for it", "%s answers %d, not the shop's refusal", address, res.StatusCode)
	}
	return ok(name, "%s answers as WeChat expects", address)
}

// byHand is what no program can look up.
func byHand() []wxpay.Finding {
	var out []wxpay.Finding
	for _, x := range [][2]string{
		{"product", "pay.weixin.qq.com, 产品中心: JSAPI支付, Native支付, H5支付 show 已开通"},
		{"paydir", "pay.weixin.qq.com, 产品中心 → 开发配置: the payment directory above is entered"},
		{"h5domain", "pay.weixin.qq.com, 产品中心 → 开发配置: the H5 domain is entered, if phones outside WeChat are to pay"},
		{"binding", "pay.weixin.qq.com, 产品中心 → AppID账号管理: the app id is 已关联"},
		{"domains", "mp.weixin.qq.com, 设置与开发: 网页授权域名, JS接口安全域名 and IP白名单 are entered"},
		{"certified", "mp.weixin.qq.com: the account is a certified 服务号, and the certification has not run out"},
		{"balance", "pay.weixin.qq.com: there is a balance to refund from"},
		{"one-fen", "buy something for ¥0.01 and refund it"},
	} {
		out = append(out, unsure("hand."+x[0], x[1], "cannot be seen from here"))
	}
	return out
}
