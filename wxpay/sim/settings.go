package sim

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Settings prints what to paste into the usual clients of API v3, so that they
// talk to this simulator and to nobody else. It makes the keys, which are files
// when Options.Data is a folder.
func (s *Sim) Settings(w io.Writer) error {
	id, err := s.IdentityWithKeys()
	if err != nil {
		return err
	}
	if s.opts.Public {
		id = id.withoutSecrets()
	}
	fmt.Fprintf(w, "\nAPI v3, to paste:\n  mchid %s   serial_no %s   APIv3 key %s\n  public key id %s\n", id.MchID, id.MerchantSerialNo, id.APIv3Key, id.PlatformPublicKeyID)
	for _, key := range [][2]string{
		{fileMerchantKey, "merchant_private_key"}, {filePlatformPub, "platform_public_key"}, {filePlatformCert, "platform_certificate"},
	} {
		if s.opts.Data != "" {
			fmt.Fprintf(w, "  %s\n", filepath.Join(s.opts.Data, key[0]))
		} else {
			fmt.Fprintf(w, "  curl -s %s/_sim/api/identity | jq -r .%s > %s\n", id.BaseURL, key[1], key[0])
		}
	}
	for _, c := range clientSettings {
		fmt.Fprintf(w, "\n  %s\n", c.client)
		for line := range strings.Lines(strings.NewReplacer("BASE", id.BaseURL, "MCHID", id.MchID, "SERIAL", id.MerchantSerialNo, "PUBID", id.PlatformPublicKeyID).Replace(c.lines)) {
			fmt.Fprintf(w, "    %s", line)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// clientSettings are how clients in the usual languages are sent here. What
// matters is the host: a client that signs the path keeps its signature.
var clientSettings = []struct{ client, lines string }{
	{"Go, wechatpay-go: swap the host after it has signed (the RoundTripper is in the README)",
		`option.WithWechatPayPublicKeyAuthCipher("MCHID", "SERIAL", merchantKey, "PUBID", publicKey),` + "\n" +
			`option.WithHTTPClient(&http.Client{Transport: toSim})`},
	{"Go, gopay", `client.SetProxyHost("BASE")`},
	{"Node, wechatpay-axios-plugin", `new Wechatpay({mchid: 'MCHID', serial: 'SERIAL', privateKey, certs: {'PUBID': publicKey}, baseURL: 'BASE/'})`},
	{"PHP, wechatpay-php", `Builder::factory(['mchid' => 'MCHID', 'serial' => 'SERIAL', 'privateKey' => $merchantKey, 'certs' => ['PUBID' => $publicKey], 'base_uri' => 'BASE/'])`},
	{"Java, WxJava", `payConfig.setApiHostUrl("BASE");`},
	{"Java, wechatpay-java: an OkHttp interceptor that swaps scheme, host and port", `new DefaultHttpClientBuilder().config(config).okHttpClient(toSim).build()`},
	{"Python, wechatpayv3: with public_key and public_key_id; the host is a private attribute", `wxpay._core._gate_way = 'BASE'`},
}
