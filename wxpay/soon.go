package wxpay

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// errSoon stands in while this contract is filled in.
var errSoon = errors.New("not there yet")

func (m *MP) StableToken(context.Context) (string, error) { return "", errSoon }
func (m *MP) Ticket(context.Context) (string, error)      { return "", errSoon }
func (m *MP) JSSDKSignature(context.Context, string) (JSSDKConfig, error) {
	return JSSDKConfig{}, errSoon
}
func (m *MP) Code2Session(context.Context, string) (MPUser, error) { return MPUser{}, errSoon }

func NewMPServer(MPServerConfig) (*MPServer, error)            { return nil, errSoon }
func (s *MPServer) VerifyURL(url.Values) (string, error)       { return "", errSoon }
func (s *MPServer) Read(url.Values, []byte) (MPMessage, error) { return MPMessage{}, errSoon }
func (s *MPServer) Reply(MPMessage, MPReply) (Reply, error)    { return Reply{}, errSoon }

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
