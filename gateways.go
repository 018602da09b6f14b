package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"

	"wxshop/checkout"
	"wxshop/wxpay"
)

// account is the merchant's account as wxpay knows it, without what is in
// files.
func (c Config) account() wxpay.Config {
	return wxpay.Config{
		AppID: c.WeChat.AppID, MchID: c.Pay.MchID, SubMchID: c.Pay.SubMchID, SubAppID: c.Pay.SubAppID,
		SignType: wxpay.SignType(c.Pay.SignType), APIKey: c.Pay.APIKey, NextAPIKey: c.Pay.NextAPIKey,
		Hosts: c.Pay.Hosts, FaceHost: c.Pay.FaceHost, Timeout: c.Pay.Timeout,
	}
}

// withKeys adds what is in files: the certificate that refunds in v2 show, and
// the keys of v3.
func (c Config) withKeys(a wxpay.Config) (wxpay.Config, error) {
	if c.Pay.CertificateFile != "" {
		pair, err := tls.LoadX509KeyPair(c.Pay.CertificateFile, c.Pay.PrivateKeyFile)
		if err != nil {
			return a, fmt.Errorf("pay.certificate_file with pay.private_key_file: %w", err)
		}
		a.Certificate = &pair
	}
	if !c.Pay.speaks(wxpay.V3) {
		return a, nil
	}
	private, platform := c.simulated.private, c.simulated.platform
	var err error
	if c.Pay.PrivateKeyFile != "" {
		if private, err = os.ReadFile(c.Pay.PrivateKeyFile); err != nil {
			return a, fmt.Errorf("pay.private_key_file: %w", err)
		}
	}
	if c.Pay.PlatformPublicKeyFile != "" {
		if platform, err = os.ReadFile(c.Pay.PlatformPublicKeyFile); err != nil {
			return a, fmt.Errorf("pay.platform_public_key_file: %w", err)
		}
	}
	a.SerialNo, a.APIv3Key, a.NextAPIv3Key = c.Pay.SerialNo, c.Pay.APIv3Key, c.Pay.NextAPIv3Key
	a.KeyMode, a.PlatformKeyID = wxpay.KeyMode(c.Pay.PlatformKeyMode), c.Pay.PlatformPublicKeyID
	if a.PrivateKey, err = wxpay.LoadPrivateKey(private); err != nil {
		return a, fmt.Errorf("pay.private_key_file: %w", err)
	}
	if c.Pay.publicKey() {
		if a.PlatformKey, err = wxpay.LoadPublicKey(platform); err != nil {
			return a, fmt.Errorf("pay.platform_public_key_file: %w", err)
		}
	}
	return a, nil
}

// gateways are all that there are credentials for: an order goes by the
// version that it was made with until it ends, whatever new ones go by. Open
// payments that nobody could ask about keep the shop from starting, because
// their money would come and not be seen.
func (s *Shop) gateways(ctx context.Context, p parts) (map[wxpay.Version]wxpay.Gateway, error) {
	open, err := s.Store.OpenVersions(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.simulateV3(open[string(wxpay.V3)] > 0); err != nil {
		return nil, err
	}
	for _, v := range []wxpay.Version{wxpay.V2, wxpay.V3} {
		if n := open[string(v)]; n > 0 && !s.Config.Pay.speaks(v) {
			return nil, s.Config.Pay.lacking(v, n)
		}
	}
	account, err := s.Config.withKeys(s.Config.account())
	if err != nil {
		return nil, err
	}
	account.Transport, account.Log, account.Now, account.Record = p.Transport, p.Log, p.Now, checkout.Record
	if s.clock != nil {
		account.Clock = s.clock.seen
	}
	gates := map[wxpay.Version]wxpay.Gateway{}
	if s.Config.Pay.speaks(wxpay.V2) {
		if gates[wxpay.V2], err = wxpay.NewV2(account); err != nil {
			return nil, err
		}
	}
	if s.Config.Pay.speaks(wxpay.V3) {
		if gates[wxpay.V3], err = wxpay.NewV3(account); err != nil {
			return nil, err
		}
	}
	return gates, nil
}
