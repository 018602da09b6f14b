package wxpay

import (
	"context"
	"time"
)

func CheckConfig(Config, time.Time) []Finding { return nil }
func CheckAccount(MPConfig, Config) []Finding { return nil }
func CheckCertificate(certPEM, keyPEM []byte, mchID, serial string, now time.Time) []Finding {
	return nil
}
func CheckURLs(base, notify string) []Finding                  { return nil }
func (c *V2Client) ProbeOrder(context.Context) []Finding       { return nil }
func (c *V2Client) ProbeBill(context.Context) []Finding        { return nil }
func (c *V2Client) ProbeCertificate(context.Context) []Finding { return nil }
func (m *MP) ProbeSecret(context.Context) []Finding            { return nil }
func (m *MP) ProbeToken(context.Context) []Finding             { return nil }
func (m *MP) ProbeTicket(context.Context) []Finding            { return nil }
