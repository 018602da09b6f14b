package wxpay

import (
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"
)

func quiet() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, 0) }

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"no app id", func(c *Config) { c.AppID = "" }, "the app id is missing"},
		{"app id of another kind", func(c *Config) { c.AppID = "gh_1234" }, "not of the form wx"},
		{"no merchant", func(c *Config) { c.MchID = "" }, "the merchant id is missing"},
		{"merchant with a letter", func(c *Config) { c.MchID = "190000010x" }, "not 8 to 10 digits"},
		{"merchant too short", func(c *Config) { c.MchID = "1900000" }, "not 8 to 10 digits"},
		{"no key", func(c *Config) { c.APIKey = "" }, "the API key is missing"},
		{"key too short", func(c *Config) { c.APIKey = vectorKey[1:] }, "31 characters instead of 32"},
		{"key with a line break", func(c *Config) { c.APIKey = vectorKey + "\n" }, "a blank or a line break"},
		{"key with a byte order mark", func(c *Config) { c.APIKey = "\ufeff" + vectorKey }, "a blank or a line break"},
		{"key with a sign", func(c *Config) { c.APIKey = "-" + vectorKey[1:] }, "other than letters and digits"},
		{"next key", func(c *Config) { c.NextAPIKey = "x" }, "the next API key has 1 character"},
		{"sign type", func(c *Config) { c.SignType = "RSA" }, "neither MD5 nor"},
		{"timeout", func(c *Config) { c.Timeout = -1 }, "is negative"},
		{"sub app without merchant", func(c *Config) { c.SubAppID = testApp }, "needs a sub merchant id"},
		{"sub merchant", func(c *Config) { c.SubMchID = "x" }, "the sub merchant id"},
		{"host of somebody", func(c *Config) { c.Hosts = []string{"https://api.mch.weixin.qq.com.evil.com"} }, "neither WeChat's"},
		{"host without https", func(c *Config) { c.Hosts = []string{"http://api.mch.weixin.qq.com"} }, "must be reached by https"},
		{"host without scheme", func(c *Config) { c.Hosts = []string{"api.mch.weixin.qq.com"} }, "is not a URL"},
		{"host with a query", func(c *Config) { c.Hosts = []string{"https://api.mch.weixin.qq.com?x"} }, "more in it"},
		{"public address", func(c *Config) { c.Hosts = []string{"http://8.8.8.8"} }, "neither WeChat's"},
	}
	for _, tt := range tests {
		c := testConfig()
		tt.change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
		if _, again := NewV2(c); again == nil {
			t.Errorf("%s: NewV2 takes it", tt.name)
		}
		if err != nil && strings.Contains(err.Error(), vectorKey[2:30]) { // P20
			t.Errorf("%s: the sentence repeats the key: %v", tt.name, err)
		}
	}
	for _, host := range []string{MainHost, BackupHost, "https://apihk.mch.weixin.qq.com/", "http://127.0.0.1:8081", "http://[::1]:8081",
		"http://localhost:8081", "http://wxsim:8081", "http://10.0.0.7:8081", "http://pay.test", "https://localhost:8444"} {
		c := testConfig(host)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := (Config{}).Validate(); strings.Count(fmt.Sprint(err), "\n") != 2 {
		t.Errorf("an empty config: %v, want three sentences", err)
	}
}

func TestValidateMP(t *testing.T) {
	for name, c := range map[string]MPConfig{
		"no secret":  {AppID: testApp},
		"no app":     {AppSecret: testSecret},
		"foreign":    {AppID: testApp, AppSecret: testSecret, APIBase: "https://api.weixin.qq.com.evil.com"},
		"plain http": {AppID: testApp, AppSecret: testSecret, AuthorizeURL: "http://open.weixin.qq.com/connect/oauth2/authorize"},
	} {
		if _, err := NewMP(c); err == nil || strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := newTestClient(t, testConfig())
	if c.cfg.SignType != HMACSHA256 { // P24
		t.Errorf("default sign type %s, want HMAC-SHA256", c.cfg.SignType)
	}
	if len(c.net.hosts) != 2 || c.net.hosts[0] != MainHost || c.net.hosts[1] != BackupHost {
		t.Errorf("default hosts %v", c.net.hosts)
	}
}
