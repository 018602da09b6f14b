package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wxshop/models"
)

// defaults is the file that documents every setting. There is no other place
// with a default value.
//
//go:embed config.yaml
var defaults []byte

// Config is config.yaml. The tag secret marks what may come from a file and
// must not stand in a file that others can read (security P23).
type Config struct {
	Site      SiteConfig      `yaml:"site"`
	Ops       OpsConfig       `yaml:"ops"`
	Database  models.Config   `yaml:"database"`
	Session   SessionConfig   `yaml:"session"`
	WeChat    WeChatConfig    `yaml:"wechat"`
	Pay       PayConfig       `yaml:"pay"`
	Orders    OrdersConfig    `yaml:"orders"`
	Admin     AdminConfig     `yaml:"admin"`
	Limits    LimitsConfig    `yaml:"limits"`
	Log       LogConfig       `yaml:"log"`
	Simulator SimulatorConfig `yaml:"simulator"`

	// Flags of the command line, never of the file.
	insecure bool // plain http beyond this machine
	dev      bool // the gallery of all views

	simulated keysPEM // of v3, from the simulator
}

// keysPEM are the keys that v3 signs with and verifies by.
type keysPEM struct{ private, platform []byte }

// SiteConfig says where the shop is.
type SiteConfig struct {
	Name           string    `yaml:"name"`
	BaseURL        string    `yaml:"base_url"`
	Listen         string    `yaml:"listen"`
	TrustedProxies []string  `yaml:"trusted_proxies"`
	TLS            TLSConfig `yaml:"tls"`
}

// TLSConfig says whether the shop gets its own certificate.
type TLSConfig struct {
	Autocert bool   `yaml:"autocert"`
	Cache    string `yaml:"cache"`
}

// OpsConfig is the listener of the operator.
type OpsConfig struct {
	Listen string `yaml:"listen"`
}

// SessionConfig is about the shoppers' cookies.
type SessionConfig struct {
	KeysFile string        `yaml:"keys_file"`
	Idle     time.Duration `yaml:"idle"`
}

// WeChatConfig is the official account.
type WeChatConfig struct {
	AppID          string     `yaml:"app_id"`
	AppSecret      string     `yaml:"app_secret" secret:"true"`
	Token          string     `yaml:"token" secret:"true"`
	EncodingAESKey string     `yaml:"encoding_aes_key" secret:"true"`
	Mini           MiniConfig `yaml:"mini"`
	APIBase        string     `yaml:"api_base"`
	AuthorizeURL   string     `yaml:"authorize_url"`
	VerifyFiles    string     `yaml:"verify_files"`
}

// MiniConfig is the mini program.
type MiniConfig struct {
	AppID     string `yaml:"app_id"`
	AppSecret string `yaml:"app_secret" secret:"true"`
}

// PayConfig is the merchant at WeChat Pay.
type PayConfig struct {
	API                   string        `yaml:"api"`
	MchID                 string        `yaml:"mch_id"`
	SubMchID              string        `yaml:"sub_mch_id"`
	SubAppID              string        `yaml:"sub_app_id"`
	SignType              string        `yaml:"sign_type"`
	APIKey                string        `yaml:"api_key" secret:"true"`
	NextAPIKey            string        `yaml:"next_api_key" secret:"true"`
	APIv3Key              string        `yaml:"api_v3_key" secret:"true"`
	NextAPIv3Key          string        `yaml:"next_api_v3_key" secret:"true"`
	SerialNo              string        `yaml:"serial_no"`
	PrivateKeyFile        string        `yaml:"private_key_file"`
	CertificateFile       string        `yaml:"certificate_file"`
	PlatformKeyMode       string        `yaml:"platform_key_mode"`
	PlatformPublicKeyID   string        `yaml:"platform_public_key_id"`
	PlatformPublicKeyFile string        `yaml:"platform_public_key_file"`
	Hosts                 []string      `yaml:"hosts"`
	FaceHost              string        `yaml:"face_host"`
	Timeout               time.Duration `yaml:"timeout"`
	AppServerKey          string        `yaml:"app_server_key" secret:"true"`
}

// OrdersConfig are the rules of trade.
type OrdersConfig struct {
	Expire       time.Duration `yaml:"expire"`
	ConfirmAfter time.Duration `yaml:"confirm_after"`
	DeliveryFee  models.Fen    `yaml:"delivery_fee"`
	FreeFrom     models.Fen    `yaml:"free_from"`
	ChaseAfter   time.Duration `yaml:"chase_after"`
}

// AdminConfig are the rules for the people of the shop.
type AdminConfig struct {
	StaffRefundLimit models.Fen    `yaml:"staff_refund_limit"`
	Session          time.Duration `yaml:"session"`
}

// LimitsConfig bounds what one visitor can ask for; 0 is no limit.
type LimitsConfig struct {
	OrdersPerMinute int64 `yaml:"orders_per_minute"`
	PagesPerSecond  int64 `yaml:"pages_per_second"`
	Body            Size  `yaml:"body"`
	Upload          Size  `yaml:"upload"`
}

// LogConfig is about the program's own log.
type LogConfig struct {
	Format string `yaml:"format"`
	Level  string `yaml:"level"`
}

// SimulatorConfig is about WeChat inside this program.
type SimulatorConfig struct {
	Enabled bool   `yaml:"enabled"`
	Listen  string `yaml:"listen"`
	Browser string `yaml:"browser"`
	Data    string `yaml:"data"`
	Faults  string `yaml:"faults"`
	Seed    int64  `yaml:"seed"`
	Public  bool   `yaml:"public"`
}

// problems are all that is wrong with a configuration, one sentence each.
type problems []string

func (p *problems) addf(format string, args ...any) {
	*p = append(*p, fmt.Sprintf(format, args...))
}

// err is nil when there are no problems.
func (p problems) err() error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return errors.New("configuration: " + p[0])
	}
	return fmt.Errorf("configuration: %d problems\n  - %s", len(p), strings.Join(p, "\n  - "))
}

// defaultConfig is the embedded config.yaml.
func defaultConfig() Config {
	var c Config
	var ps problems
	applyYAML(&c, defaults, "the built-in config.yaml", &ps)
	if err := ps.err(); err != nil {
		panic(err) // the file is part of this program, and a test reads it
	}
	return c
}

// loadConfig is the defaults, then the file, then the environment, then the
// rules. An empty path reads config.yaml in this folder if there is one. flags
// set what only the command line can say. The error lists everything that is
// wrong at once.
func loadConfig(path string, environ []string, flags ...func(*Config)) (Config, error) {
	c := defaultConfig()
	for _, set := range flags {
		set(&c)
	}
	var ps problems
	if err := loadFile(&c, path, &ps); err != nil {
		return c, err
	}
	applyEnv(&c, environ, &ps)
	if len(ps) == 0 { // values that could not be read would only repeat themselves
		c.check(&ps)
	}
	return c, ps.err()
}

func loadFile(c *Config, path string, ps *problems) error {
	optional := path == ""
	if optional {
		path = "config.yaml"
	}
	text, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read the configuration: %w", err)
	}
	applyYAML(c, text, filepath.Base(path), ps)
	if hasSecret(c) {
		if err := private(path); err != nil {
			ps.addf("%s carries a secret: %v", filepath.Base(path), err)
		}
	}
	return nil
}

// private refuses a file that its group or everybody can read (security P23).
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can read %s (mode %04o): chmod 600 %s", path, mode, path)
	}
	return nil
}
