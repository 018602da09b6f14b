package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxshop/wxpay"
)

// realAccount is a configuration that takes real payments.
const realAccount = `
site: {base_url: "https://tea.example.com"}
wechat: {app_id: "wx0123456789abcdef", app_secret: "0123456789abcdef0123456789abcdef"}
pay: {mch_id: "1234567890", api_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"}
simulator: {enabled: false}
`

func TestConfigErrors(t *testing.T) {
	tests := []struct {
		name string
		yaml string
		env  []string
		want []string // all must be in the error
	}{
		{name: "unknown key", yaml: "pay: {mchid: \"1\"}", want: []string{"line 1", "pay.mchid is not a setting", "nearest is pay.mch_id"}},
		{name: "unknown section", yaml: "log: {}\nshop:\n  name: x\n", want: []string{"line 2", "shop is not a setting"}},
		{name: "repeated key", yaml: "site:\n  name: a\n  name: b\n", want: []string{"line 3: site.name stands here again, first in line 2"}},
		{name: "repeated section", yaml: "site: {name: a}\nsite: {name: b}\n", want: []string{"line 2: site stands here again"}},
		{name: "not yaml", yaml: "site: [", want: []string{"is not YAML"}},
		{name: "two documents", yaml: "site: {name: a}\n---\nlog: {level: info}\n", want: []string{"more than one document"}},
		{name: "a text at the top", yaml: "hello", want: []string{"here belong settings"}},
		{name: "section is a text", yaml: "site: hello", want: []string{"line 1: here belong settings"}},
		{name: "float fen", yaml: "orders: {delivery_fee: 8.00}", want: []string{"orders.delivery_fee", `"8.00" is not a whole number`, "fen"}}, // P6
		{name: "float fen with exponent", yaml: "orders: {delivery_fee: 8e2}", want: []string{`"8e2" is not a whole number`}},
		{name: "text for fen", yaml: `orders: {delivery_fee: "eight"}`, want: []string{`"eight" is not a whole number`}},
		{name: "negative fen", yaml: "orders: {delivery_fee: -1}", want: []string{"orders.delivery_fee is -1"}},
		{name: "text for bool", yaml: "simulator: {enabled: yes}", want: []string{`"yes" is neither true nor false`}},
		{name: "bool for text", yaml: "site: {name: true}", want: []string{"site.name is a text: put quotes around true"}},
		{name: "nothing", yaml: "site: {name: }", want: []string{`site.name needs a value; for nothing write ""`}},
		{name: "list for text", yaml: "site: {name: [a]}", want: []string{"site.name needs a value"}},
		{name: "text for list", yaml: "pay: {hosts: https://api.mch.weixin.qq.com}", want: []string{"pay.hosts is a list"}},
		{name: "duration without unit", yaml: "orders: {expire: 30}", want: []string{`"30" is not a duration: write 90s, 30m or 12h`}},
		{name: "duration out of range", yaml: "orders: {expire: 3h}", want: []string{"orders.expire is 3h0m0s"}},
		{name: "size", yaml: "limits: {body: 64kb}", want: []string{`"64kb" is not a size`}},
		{name: "anchor", yaml: "site: &a {name: x}", want: []string{"here belong settings"}},
		{name: "plain http", yaml: strings.Replace(realAccount, "https://tea", "http://tea", 1), want: []string{"plain http"}}, // S6
		{name: "base url with path", yaml: `site: {base_url: "http://localhost:8080/shop"}`, want: []string{"must end after the host"}},
		{name: "base url without scheme", yaml: `site: {base_url: "localhost:8080"}`, want: []string{"site.base_url"}},
		{name: "everybody is a proxy", yaml: `site: {trusted_proxies: ["0.0.0.0/0"]}`, want: []string{"site.trusted_proxies"}},                        // S7
		{name: "simulator in public", yaml: `site: {base_url: "https://tea.example.com"}`, want: []string{"the simulator is on", "simulator.public"}}, // S17
		{name: "simulator listens to all", yaml: `simulator: {listen: "0.0.0.0:8081"}`, want: []string{"simulator.listen", "127.0.0.1:8081"}},
		{name: "ops listens to all", yaml: `ops: {listen: ":8083"}`, want: []string{"ops.listen", "127.0.0.1:8083"}},
		{name: "one port twice", yaml: `ops: {listen: "127.0.0.1:8080"}`, want: []string{"site.listen and ops.listen are both 127.0.0.1:8080"}},
		{name: "foreign gateway", yaml: `pay: {hosts: ["https://pay.example.com"]}`, want: []string{"pay.hosts", "neither a host of WeChat"}}, // P21
		{name: "gateway in clear", yaml: `pay: {hosts: ["http://api.mch.weixin.qq.com"]}`, want: []string{"pay.hosts"}},
		{name: "lookalike gateway", yaml: `wechat: {api_base: "https://api.weixin.qq.com.example.com"}`, want: []string{"wechat.api_base"}},
		{name: "driver", yaml: "database: {driver: oracle}", want: []string{`database.driver is "oracle": it can be sqlite, postgres, mysql`}},
		{name: "no file", yaml: `database: {dsn: ""}`, want: []string{"database.dsn must name a file"}},
		{name: "a file for PostgreSQL", yaml: "database: {driver: postgres, dsn: data/shop.db}", want: []string{"database.dsn is not one of PostgreSQL"}},
		{name: "no database for MySQL", yaml: `database: {driver: mysql, dsn: "shop:secret@tcp(db:3306)/"}`, want: []string{"database.dsn is not one of MySQL"}},
		{name: "level", yaml: "log: {level: loud}", want: []string{`log.level is "loud": it can be debug, info, warn, error`}},
		{name: "missing account", yaml: "simulator: {enabled: false}", want: []string{"4 problems", "wechat.app_id is empty", "wechat.app_secret", "pay.mch_id", "pay.api_key", "simulator.enabled: true"}},
		{name: "ill-formed account", yaml: strings.Replace(realAccount, "ABCDEFGHIJ", "ABC DEFGHI", 1), want: []string{"pay.api_key does not look like"}}, // P23
		{name: "api", yaml: "pay: {api: v4}", want: []string{`pay.api is "v4": it can be v2, v3`}},
		{name: "key mode", yaml: "pay: {platform_key_mode: both}", want: []string{"public_key, certificate, mixed"}},
		{name: "v3 without anything", yaml: strings.Replace(realAccount, "pay: {", "pay: {api: v3, ", 1), want: []string{"5 problems", "pay.api_v3_key is empty",
			"pay.serial_no is empty", "pay.private_key_file is empty", "pay.platform_public_key_id is empty", "pay.platform_public_key_file is empty"}},
		{name: "v3 by certificate", yaml: strings.Replace(realAccount, "pay: {", "pay: {api: v3, platform_key_mode: certificate, ", 1), want: []string{"3 problems"}},
		{name: "v3 beside v2", yaml: strings.Replace(realAccount, "pay: {", `pay: {api_v3_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde", `, 1),
			want: []string{"5 problems", "pay.api_v3_key does not look like the APIv3 key"}},
		{name: "a public key without its letters", yaml: strings.Replace(realAccount, "pay: {", `pay: {api: v3, platform_public_key_id: "0114232134912410000000000000", `, 1),
			want: []string{"pay.platform_public_key_id does not look like", "PUB_KEY_ID_"}},
		{name: "v2 without its key", yaml: strings.Replace(realAccount, "api_key", "api_v3_key", 1), want: []string{"pay.api_key is empty"}},
		{name: "next key without one", yaml: strings.Replace(realAccount, "pay: {", `pay: {next_api_v3_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", `, 1),
			want: []string{"pay.next_api_v3_key is filled in, but pay.api_v3_key is not"}},
		{name: "next key that is the same", yaml: strings.Replace(realAccount, "pay: {", `pay: {next_api_key: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", `, 1),
			want: []string{"pay.next_api_key is the same as pay.api_key"}},
		{name: "next key misspelt", yaml: strings.Replace(realAccount, "pay: {", `pay: {next_api_key: "ABC", `, 1), want: []string{"pay.next_api_key does not look like"}},
		{name: "all at once", yaml: "pay: {x: 1}\nlog: {y: 2}\n", env: []string{"WXSHOP_Z=3"}, want: []string{"3 problems", "pay.x", "log.y", "WXSHOP_Z"}},
		{name: "unknown variable", env: []string{"WXSHOP_PAY_MCHID=1"}, want: []string{"WXSHOP_PAY_MCHID in the environment is not a setting; the nearest is WXSHOP_PAY_MCH_ID"}},
		{name: "file of what is no secret", env: []string{"WXSHOP_SITE_NAME_FILE=/x"}, want: []string{"WXSHOP_SITE_NAME_FILE"}},
		{name: "float in a variable", env: []string{"WXSHOP_ORDERS_DELIVERY_FEE=8.00"}, want: []string{"WXSHOP_ORDERS_DELIVERY_FEE", "whole number"}},
		{name: "secret twice", env: []string{"WXSHOP_PAY_API_KEY=a", "WXSHOP_PAY_API_KEY_FILE=/x"}, want: []string{"are both set"}},
		{name: "no such secret file", env: []string{"WXSHOP_PAY_API_KEY_FILE=/nonexistent/key"}, want: []string{"WXSHOP_PAY_API_KEY_FILE", "no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadConfig(writeConfig(t, tt.yaml, 0o600), tt.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestConfigValues(t *testing.T) {
	c, err := loadConfig(writeConfig(t, `
pay: {mch_id: 0012, api_key: "old"}
orders: {expire: 10m, delivery_fee: 500}
limits: {upload: 1MiB}
site: {trusted_proxies: ["10.0.0.0/8", "::1"]}
`, 0o600), []string{"WXSHOP_PAY_API_KEY=new", "WXSHOP_WECHAT_MINI_APP_ID=wxmini", "WXSHOP_LIMITS_BODY=128KiB", "HOME=/", "WXSHOP_CONFIG=x",
		"WXSHOP_PAY_HOSTS=https://api2.mch.weixin.qq.com, http://127.0.0.1:9"})
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Pay.MchID = "0012" // a YAML library may make 12 or 10 of it
	want.Pay.APIKey = "new"
	want.Pay.Hosts = []string{"https://api2.mch.weixin.qq.com", "http://127.0.0.1:9"}
	want.Orders.Expire, want.Orders.DeliveryFee = 10*time.Minute, 500
	want.Limits.Upload, want.Limits.Body = 1<<20, 128<<10
	want.Site.TrustedProxies = []string{"10.0.0.0/8", "::1"}
	want.WeChat.Mini.AppID = "wxmini"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestConfigRealAccount(t *testing.T) {
	if _, err := loadConfig(writeConfig(t, realAccount, 0o600), nil); err != nil {
		t.Error(err)
	}
	key := filepath.Join(t.TempDir(), "apiclient_key.pem")
	write(t, key, "-----BEGIN PRIVATE KEY-----", 0o600)
	v3 := strings.Replace(realAccount, `api_key: "ABC`, `api: v3, serial_no: "`+strings.Repeat("7A", 20)+`", private_key_file: "`+key+
		`", platform_public_key_id: "PUB_KEY_ID_0114232134912410000000000000", platform_public_key_file: "`+key+`", api_v3_key: "ABC`, 1)
	if c, err := loadConfig(writeConfig(t, v3, 0o600), nil); err != nil || c.Pay.speaks(wxpay.V2) || !c.Pay.speaks(wxpay.V3) {
		t.Errorf("v3 alone: %v", err)
	}
	insecure := strings.Replace(realAccount, "https://tea", "http://tea", 1)
	if _, err := loadConfig(writeConfig(t, insecure, 0o600), nil, func(c *Config) { c.insecure = true }); err != nil {
		t.Errorf("with --insecure: %v", err)
	}
}

// P23: secrets only in files of their owner.
func TestSecretFiles(t *testing.T) {
	file := func(mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, strings.Repeat("k", 32)+"\n", mode)
		return path
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660} {
		if _, err := loadConfig(writeConfig(t, "", 0o644), []string{"WXSHOP_PAY_API_KEY_FILE=" + file(mode)}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("secret file with mode %o: %v", mode, err)
		}
		if _, err := loadConfig(writeConfig(t, realAccount, mode), nil); err == nil || !strings.Contains(err.Error(), "carries a secret") {
			t.Errorf("config.yaml with a secret and mode %o: %v", mode, err)
		}
		key := "pay: {private_key_file: \"" + file(mode) + "\"}"
		if _, err := loadConfig(writeConfig(t, key, 0o644), nil); err == nil || !strings.Contains(err.Error(), "pay.private_key_file") {
			t.Errorf("private key with mode %o: %v", mode, err)
		}
	}
	const server = `database: {driver: postgres, dsn: "postgres://shop:pw@db:5432/shop"}`
	if _, err := loadConfig(writeConfig(t, server, 0o644), nil); err == nil || !strings.Contains(err.Error(), "carries a secret") {
		t.Errorf("a server's password: %v", err)
	}
	if _, err := loadConfig(writeConfig(t, string(defaults), 0o644), nil); err != nil {
		t.Errorf("config.yaml as it comes, which others can read: %v", err)
	}
	c, err := loadConfig(writeConfig(t, "", 0o644), []string{"WXSHOP_PAY_API_KEY_FILE=" + file(0o400)})
	if err != nil || c.Pay.APIKey != strings.Repeat("k", 32) {
		t.Errorf("got %q, %v", c.Pay.APIKey, err)
	}
}

func TestConfigFileMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := loadConfig("", nil)
	if err != nil || !reflect.DeepEqual(c, defaultConfig()) {
		t.Errorf("without a file: %v", err)
	}
	if _, err := loadConfig("nowhere.yaml", nil); err == nil {
		t.Error("a file that was asked for and does not exist is accepted")
	}
}

// Every setting is in the file, so that it has a default and a comment.
func TestConfigFileIsComplete(t *testing.T) {
	var c Config
	var ps problems
	applyYAML(&c, defaults, "config.yaml", &ps)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	text := string(defaults)
	for _, f := range settings(&c) {
		key := f.path[strings.LastIndexByte(f.path, '.')+1:]
		if !regexp.MustCompile(`(?m)(^ *|[{ ])` + key + `: \S`).MatchString(text) {
			t.Errorf("%s is not in config.yaml", f.path)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("64KiB")
	f.Add("9223372036854775807GiB")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); err == nil && n < 0 {
			t.Errorf("%q is %d", s, n)
		}
	})
}

func writeConfig(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	write(t, path, text, mode)
	return path
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}
