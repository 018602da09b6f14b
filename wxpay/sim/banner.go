package sim

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Banner prints every address and credential that a client needs.
func (s *Sim) Banner(w io.Writer) {
	id := s.ids.view()
	if s.opts.Public {
		id = id.withoutSecrets()
	}
	shop, notify := s.opts.AppURL, "loopback only"
	if shop == "" {
		shop = "none; --app URL shows one in the WeChat browser"
	}
	for i, host := range s.opts.NotifyAllow {
		if i == 0 {
			notify = "loopback"
		}
		notify += ", " + host
	}
	fmt.Fprintln(w, "WeChat simulator. Nothing here is real: no WeChat, no money.")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"gateway", id.BaseURL + "  (instead of api.mch.weixin.qq.com, api.weixin.qq.com, open.weixin.qq.com)"},
		{"gateway, TLS", id.TLSBaseURL},
		{"console", id.BaseURL + "/_sim/"},
		{"control API", id.BaseURL + "/_sim/api/"},
		{"WeChat browser", id.BrowserURL},
		{"shop", shop},
		{"app_id", id.AppID}, {"app_secret", id.AppSecret},
		{"mini_app_id", id.MiniAppID}, {"mini_app_secret", id.MiniAppSecret},
		{"mch_id", id.MchID}, {"sub_mch_id", id.SubMchID},
		{"api_key (v2)", id.APIKey}, {"api_v3_key", id.APIv3Key},
		{"merchant_serial_no", id.MerchantSerialNo},
		{"platform_public_key_id", id.PlatformPublicKeyID},
		{"keys in PEM", id.BaseURL + "/_sim/api/identity"},
		{"notifies", notify},
		{"faults, seed", fmt.Sprintf("%s, %d", s.opts.faultPreset(), s.seed)},
		{"data", s.dataSaid()},
	} {
		if row[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", row[0], row[1])
		}
	}
	t.Flush() // a terminal that went away is no news
}

func (s *Sim) dataSaid() string {
	if s.opts.Data == "" {
		return "in memory; new keys at every start"
	}
	return s.opts.Data
}
