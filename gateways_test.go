package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wxshop/wxpay"
	"wxshop/wxpay/sim"
)

// A shop on v2 starts without RSA keys, which take long to make; one on v3 has
// them, and keeps both versions alive when it goes back.
func TestGatewaysOfSimulator(t *testing.T) {
	c, keys := freeConfig(t), sim.Keys{}
	pem := filepath.Join(c.Simulator.Data, "apiclient_key.pem")
	for _, step := range []struct {
		api    string
		v3, on bool
	}{{"v2", false, false}, {"v3", true, true}, {"v2", true, true}} {
		c.Pay.API = step.api
		s, err := build(t.Context(), c, parts{Keys: &keys})
		if err != nil {
			t.Fatal(err)
		}
		if !s.Config.Pay.speaks(wxpay.V2) || s.Config.Pay.speaks(wxpay.V3) != step.v3 || !s.Checkout.HasCashDesk() {
			t.Errorf("api %s: speaks v2 %v, v3 %v", step.api, s.Config.Pay.speaks(wxpay.V2), s.Config.Pay.speaks(wxpay.V3))
		}
		if _, err := os.Stat(pem); (err == nil) != step.on {
			t.Errorf("api %s: keys made: %v", step.api, err == nil)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Files of keys that are not what they should be end the start with the name of
// the setting, and without a word of what is in them.
func TestKeyFilesThatAreNone(t *testing.T) {
	var keys sim.Keys
	world, err := sim.New(sim.Options{Data: t.TempDir(), Keys: &keys})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	id, err := world.IdentityWithKeys()
	if err != nil {
		t.Fatal(err)
	}
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "key.pem")
		write(t, path, text, 0o600)
		return path
	}
	good := PayConfig{APIv3Key: id.APIv3Key, SerialNo: id.MerchantSerialNo, PrivateKeyFile: file(id.MerchantPrivateKey),
		PlatformKeyMode: "public_key", PlatformPublicKeyID: id.PlatformPublicKeyID, PlatformPublicKeyFile: file(id.PlatformPublicKey)}
	for name, tt := range map[string]struct {
		bend func(*PayConfig)
		want string
	}{
		"all right":             {func(*PayConfig) {}, ""},
		"a text as private key": {func(p *PayConfig) { p.PrivateKeyFile = file("canary") }, "pay.private_key_file"},
		"the certificate":       {func(p *PayConfig) { p.PrivateKeyFile = file(id.MerchantCertificate) }, "pay.private_key_file"},
		"no such file":          {func(p *PayConfig) { p.PrivateKeyFile = "/nonexistent/key.pem" }, "pay.private_key_file"},
		"a certificate for the public key": {func(p *PayConfig) { p.PlatformPublicKeyFile = file(id.PlatformCertificate) },
			"pay.platform_public_key_file"},
		"no public key in certificate mode": {func(p *PayConfig) {
			p.PlatformKeyMode, p.PlatformPublicKeyFile, p.PlatformPublicKeyID = "certificate", "", ""
		}, ""},
	} {
		p := good
		tt.bend(&p)
		_, err := Config{Pay: p}.withKeys(wxpay.Config{})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "BEGIN")) { // P23
			t.Errorf("%s tells what is in the file: %v", name, err)
		}
	}
}
