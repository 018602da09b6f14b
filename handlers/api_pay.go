package handlers

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"

	"wxshop/models"
)

// prepareCall readies an order of the caller to be paid in its own channel.
func (s *Server) prepareCall(c *gin.Context, by *caller, ip string) (no string, err error) {
	no = c.Param("no")
	if by.user.ID == 0 || !isOrderNo(no) {
		return "", models.ErrNotFound
	}
	ctx := c.Request.Context()
	if _, err := s.Store.Status(ctx, by.user.ID, no); err != nil { // not yours costs no token of the limit
		return "", err
	}
	if wait, ok := s.pays.allow(formatID(by.user.ID)); !ok {
		return "", tooFast{wait}
	}
	return no, s.Checkout.Pay(ctx, by.user, no, by.channel, ip)
}

// miniPay answers with what wx.requestPayment takes (mini programs: payment);
// the mini program's own app id is not among it.
func (s *Server) miniPay(c *gin.Context) error {
	by, err := s.miniCaller(c)
	if err != nil {
		return err
	}
	if err := readMaybeJSON(c, &struct{}{}); err != nil {
		return err
	}
	no, err := s.prepareCall(c, by, c.ClientIP())
	if err != nil {
		return err
	}
	pay, err := s.Checkout.PayPage(c.Request.Context(), by.user, no)
	if err != nil {
		return err
	}
	b := pay.Bridge
	if b == nil { // was closed this moment
		return models.ErrStale
	}
	return s.json(c, http.StatusOK, map[string]string{
		"timeStamp": b.TimeStamp, "nonceStr": b.NonceStr, "package": b.Package, "signType": b.SignType, "paySign": b.PaySign,
	})
}

// appPay answers with what the SDK in an app takes. ip is the payer's; without
// it WeChat is told that of the app's server.
func (s *Server) appPay(c *gin.Context) error {
	by, err := s.appCaller(c)
	if err != nil {
		return err
	}
	in := struct {
		IP string `json:"ip"`
	}{c.ClientIP()}
	if err := readMaybeJSON(c, &in); err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(in.IP); err != nil || ip.Zone() != "" {
		return fmt.Errorf("address of the payer: %w", errBadForm)
	}
	no, err := s.prepareCall(c, by, in.IP)
	if err != nil {
		return err
	}
	params, err := s.Checkout.AppParams(c.Request.Context(), by.user, no)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, params)
}
