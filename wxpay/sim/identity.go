package sim

// Identity is everything a client of the simulator is configured with: the
// fields of GET /_sim/api/identity.
type Identity struct {
	BaseURL              string `json:"base_url"`
	BrowserURL           string `json:"browser_url"`
	AppID                string `json:"app_id"`
	AppSecret            string `json:"app_secret"`
	MiniAppID            string `json:"mini_app_id"`
	MiniAppSecret        string `json:"mini_app_secret"`
	MchID                string `json:"mch_id"`
	SubMchID             string `json:"sub_mch_id"`
	APIKey               string `json:"api_key"`    // v2
	APIv3Key             string `json:"api_v3_key"` // v3
	MerchantSerialNo     string `json:"merchant_serial_no"`
	MerchantPrivateKey   string `json:"merchant_private_key"` // PEM
	MerchantCertificate  string `json:"merchant_certificate"` // PEM
	PlatformSerialNo     string `json:"platform_serial_no"`
	PlatformCertificate  string `json:"platform_certificate"` // PEM
	PlatformPublicKeyID  string `json:"platform_public_key_id"`
	PlatformPublicKey    string `json:"platform_public_key"` // PEM
	KeyMode              string `json:"key_mode"`
	TLSBaseURL           string `json:"tls_base_url"`
	TLSCertificateAuthor string `json:"tls_ca"`
}
