package sim

import (
	"encoding/json"
	"strings"
	"testing"
)

// What people paste is outside bytes: the doctor neither panics nor shows a
// secret, and calls nothing right that is not.
func FuzzExamine(f *testing.F) {
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	id := s.Identity()
	f.Add("request", "<xml><appid>wx</appid><sign>00</sign></xml>", "")
	f.Add("answer", string(v2Fail(failSign)), "")
	f.Add("notification", "<xml><a><![CDATA[b]]></a><sign>"+strings.Repeat("A", 32)+"</sign></xml>", strings.Repeat("b", 64))
	f.Add("request", `{"appId":"wx","timeStamp":"1700000000","nonceStr":"n","package":"prepay_id=1","signType":"MD5","paySign":"x"}`, "")
	f.Add("request", "<xml><req_info>x</req_info></xml>", "")
	f.Fuzz(func(t *testing.T, direction, body, computed string) {
		found, err := s.examine(diagnoseJSON{API: "v2", Direction: direction, Body: body, Computed: computed})
		if err != nil {
			return
		}
		text, err := json.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{id.APIKey, id.APIv3Key, id.AppSecret, id.MiniAppSecret} {
			if strings.Contains(string(text), secret) && !strings.Contains(body, secret) {
				t.Errorf("a secret is in %s", text)
			}
		}
		if found.Valid {
			t.Errorf("%q is called right, and nobody here has the key", body)
		}
		if !found.Valid && found.Cause == "" {
			t.Errorf("%q: no cause", body)
		}
	})
}

// Settings and pages are compared as text; none of it may break.
func FuzzDirectory(f *testing.F) {
	f.Add("https://www.weixin.com/", "https://www.weixin.com/123/abc.html?x#y")
	f.Add("://", "#")
	f.Fuzz(func(t *testing.T, setting, page string) {
		if directoryOK(setting, page) && !strings.HasPrefix(page, strings.TrimSuffix(setting, "/")) {
			t.Errorf("%q passes for %q", page, setting)
		}
		domainOK(setting, page)
		directoryOf(page)
		mended("pay_directories", []string{setting})
		mended("js_domains", []string{setting})
	})
}
