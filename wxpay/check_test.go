package wxpay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wantFindings compares the names of the findings with a verdict, separated by
// blanks, and looks whether what is wrong comes with advice and no secret.
func wantFindings(t *testing.T, name string, got []Finding, v Verdict, want string) {
	t.Helper()
	var names []string
	for _, f := range got {
		if f.Verdict == v && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
		if f.Verdict == VerdictWrong && f.Do == "" || f.What == "" || f.Name == "" {
			t.Errorf("%s: %+v says too little", name, f)
		}
		if text := fmt.Sprint(f); strings.Contains(text, vectorKey) || strings.Contains(text, testSecret) {
			t.Errorf("%s: %+v says too much", name, f)
		}
	}
	if joined := strings.Join(names, " "); joined != want {
		t.Errorf("%s: %s findings %q, want %q: %+v", name, v, joined, want, got)
	}
}

func TestCheckConfig(t *testing.T) {
	right := testConfig()
	wantFindings(t, "right", CheckConfig(right), VerdictWrong, "")
	wantFindings(t, "right", CheckConfig(right), VerdictUnknown, "")
	wantFindings(t, "simulator", CheckConfig(testConfig("http://127.0.0.1:8081")), VerdictUnknown, "cfg.hosts")
	tests := []struct {
		name   string
		change func(*Config)
		finds  string
	}{
		{"app id", func(c *Config) { c.AppID = "wx888888888888888" }, "cfg.appid"},
		{"app id in capitals", func(c *Config) { c.AppID = "wxABCDEF8888888888" }, "cfg.appid"},
		{"app id with a blank", func(c *Config) { c.AppID += " " }, "cfg.appid"},
		{"merchant", func(c *Config) { c.MchID = "19" }, "cfg.mchid"},
		{"key too short", func(c *Config) { c.APIKey = c.APIKey[1:] }, "cfg.keyv2"},
		{"key with a line break", func(c *Config) { c.APIKey += "\n" }, "cfg.keyv2"},
		{"no key", func(c *Config) { c.APIKey = "" }, "cfg.keyv2"},
		{"next key", func(c *Config) { c.NextAPIKey = "x" }, "cfg.keyv2.next"},
		{"sub merchant", func(c *Config) { c.SubMchID = "x" }, "cfg.submchid"},
		{"sub app", func(c *Config) { c.SubMchID, c.SubAppID = testMch, "wx1" }, "cfg.subappid"},
		{"sub app alone", func(c *Config) { c.SubAppID = testApp }, "cfg.submchid"},
		{"host", func(c *Config) { c.Hosts = []string{"https://pay.evil.com"} }, "cfg.hosts"},
		{"face host", func(c *Config) { c.FaceHost = "http://payapp.weixin.qq.com" }, "cfg.hosts"},
		{"nothing at all", func(c *Config) { *c = Config{} }, "cfg.appid cfg.mchid cfg.keyv2"},
	}
	for _, tt := range tests {
		c := right
		tt.change(&c)
		wantFindings(t, tt.name, CheckConfig(c), VerdictWrong, tt.finds)
	}
}

func TestCheckAccount(t *testing.T) {
	right := MPConfig{AppID: testApp, AppSecret: testSecret}
	pay := testConfig()
	wantFindings(t, "right", CheckAccount(right, pay), VerdictWrong, "")
	wantFindings(t, "short", CheckAccount(MPConfig{AppID: testApp, AppSecret: testSecret[1:]}, pay), VerdictWrong, "cfg.secret")
	wantFindings(t, "capitals", CheckAccount(MPConfig{AppID: testApp, AppSecret: strings.ToUpper(testSecret)}, pay), VerdictWrong, "cfg.secret")
	wantFindings(t, "both wrong", CheckAccount(MPConfig{}, pay), VerdictWrong, "cfg.appid cfg.secret")
	pay.APIKey = testSecret
	wantFindings(t, "the secret for the key", CheckAccount(right, pay), VerdictWrong, "cfg.secret")
	wantFindings(t, "server", []Finding{CheckServer(MPServerConfig{AppID: testApp, Token: "demo"})}, VerdictWrong, "")
	wantFindings(t, "server without a token", []Finding{CheckServer(MPServerConfig{AppID: testApp})}, VerdictWrong, "oa.server")
}

func TestCheckURLs(t *testing.T) {
	const base, notify = "https://shop.example.com", "https://shop.example.com/notify/v2/pay"
	tests := []struct{ name, base, notify, wrong, unknown string }{
		{"right", base, notify, "", ""},
		{"simulated", "http://127.0.0.1:8080", "http://localhost:8080/n", "", "url.base url.notify"},
		{"plain http", "http://shop.example.com", notify, "url.base", ""},
		{"a port", "https://shop.example.com:8443", notify, "url.base", ""},
		{"an address", "https://8.8.8.8", notify, "url.base", ""},
		{"nothing", "", "", "url.base url.notify", ""},
		{"no host", "https:///x", notify, "url.base", ""},
		{"a query", base, notify + "?a=1", "url.notify", ""},
		{"an empty query", base, notify + "?", "url.notify", ""},
		{"a fragment", base, notify + "#", "url.notify", ""},
		{"too long", base, notify + strings.Repeat("x", 255), "url.notify", ""},
	}
	for _, tt := range tests {
		got := CheckURLs(tt.base, tt.notify)
		wantFindings(t, tt.name, got, VerdictWrong, tt.wrong)
		wantFindings(t, tt.name, got, VerdictUnknown, tt.unknown)
	}
}

func TestCheckVerifyFile(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		ok            bool
	}{
		{"MP_verify_abcDEF0123456789.txt", "abcDEF0123456789", true},
		{"MP_verify_abcDEF0123456789.txt", "abcDEF0123456789\n", true},
		{"MP_verify_abcDEF0123456789.txt", "<html>", false},
		{"MP_verify_abcDEF012345678.txt", "abcDEF012345678", false},
		{"MP_verify_abcDEF0123456789", "abcDEF0123456789", false},
		{"MP_verify_../../etc/passwd.txt", "x", false},
		{"verify.txt", "x", false},
	} {
		if f := CheckVerifyFile(tt.name, []byte(tt.content)); (f.Verdict == VerdictOK) != tt.ok || (f.Do == "") != tt.ok {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}
