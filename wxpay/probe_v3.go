package wxpay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ProbeOrder asks for an order that cannot exist. "No such order" proves
// private key, serial number and merchant number at once, and the Date of the
// answer tells the time. Whether the app id is bound cannot be asked: in v3 a
// query does not name it.
func (g *V3Gateway) ProbeOrder(ctx context.Context) []Finding {
	const name = "v3.query"
	serial, _ := g.keys.serial(ctx) // what is wrong with certificates, ProbePlatform says
	c := callV3{op: opAsk, method: http.MethodGet, path: orderPath(impossibleNo(), g.partner()) + "?" + g.merchantQuery()}
	a := g.net.send(ctx, g.outgoing(c, serial), g.recorder(ctx, c))
	out := []Finding{clockFinding(a.date, g.cfg.Now())}
	err := g.judge(ctx, c.op, a)
	if err == nil || errors.Is(err, ErrNoSuchOrder) {
		return append(out, fine(name, "private key, serial number and merchant number are accepted"))
	}
	return append(out, refusalV3(name, err))
}

// refusalV3 reads WeChat's refusal of a signed call (WeChat Pay v3, errors of
// signing).
func refusalV3(name string, err error) Finding {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return unclear(name, "", "%v", err)
	}
	words := strings.TrimSpace(e.Code + " " + e.Message)
	switch {
	case bare(e.Code) == "SIGNERROR" && mentions(words, "timestamp"):
		return wrong(name, doClock, "this clock is more than 5 minutes away from WeChat's: %s", words)
	case bare(e.Code) == "SIGNERROR" && mentions(words, "APIv3"):
		return wrong(name, doKeyV3, "the merchant has no APIv3 key yet: %s", words)
	case bare(e.Code) == "SIGNERROR" && mentions(words, "序列号"):
		return wrong(name, "set serial_no to that of the certificate to which private_key_file belongs", "the serial number is not accepted: %s", words)
	case bare(e.Code) == "SIGNERROR" && mentions(words, "过期", "作废", "更换证书", "未申请"):
		return wrong(name, doCert, "the merchant certificate is not in force: %s", words)
	case bare(e.Code) == "SIGNERROR":
		return wrong(name, doCert, "the private key does not belong to this serial number and merchant number: %s", words)
	case errors.Is(err, ErrSignature):
		return wrong(name, doPlatform, "the answer is not signed by the key that is configured for WeChat")
	case bare(e.Code) == "MCHNOTEXISTS":
		return wrong(name, doMerch, "the merchant number is not accepted: %s", words)
	}
	return refusalFinding(name, err)
}

// ProbePlatform proves the keys by which we know WeChat: it closes an order
// that cannot exist, which WeChat answers with a signed nothing; and it opens
// a platform certificate, if the merchant has any, with the APIv3 key.
func (g *V3Gateway) ProbePlatform(ctx context.Context) []Finding {
	const name = "v3.platform"
	out := g.probeAPIKey(ctx)
	no := impossibleNo()
	_, err := g.call(ctx, callV3{op: opShut, method: http.MethodPost, path: orderPath(no, g.partner()) + "/close", body: g.merchantBody(), no: no})
	switch {
	case err == nil:
		return append(out, fine(name, "WeChat's signature holds"))
	case errors.Is(err, ErrSignature):
		return append(out, wrong(name, doPlatform, "WeChat's answer does not verify: its key or the id of it is another one"))
	case errors.Is(err, ErrNoSuchOrder):
		return append(out, unclear(name, "buy something for ¥0.01: the answer to that is signed", "WeChat did not sign the answer"))
	case g.keys.fixed == nil && g.keys.newest() == nil:
		return append(out, wrong(name, "merchants of late 2024 and later have none: set platform_key_mode to public_key and fill in key and id", "there is no platform certificate: %v", err))
	}
	return append(out, refusalV3(name, err))
}

// probeAPIKey opens a platform certificate with the APIv3 key.
func (g *V3Gateway) probeAPIKey(ctx context.Context) []Finding {
	const name = "v3.apikey"
	c := callV3{op: opCertificates, method: http.MethodGet, path: "/v3/certificates"}
	a := g.net.send(ctx, g.outgoing(c, ""), g.recorder(ctx, c))
	switch {
	case a.err == nil && a.status == http.StatusOK:
		if _, err := g.readCertificates(a.body); err != nil {
			return []Finding{wrong(name, doKeyV3, "it does not open what WeChat sealed")}
		}
		return []Finding{fine(name, "it opens what WeChat sealed")}
	case a.err == nil && a.status == http.StatusNotFound:
		return []Finding{unclear(name, "buy something for ¥0.01 and look whether its notification is taken", "only a notification can prove it: this merchant has no platform certificates")}
	}
	return []Finding{refusalV3(name, g.judge(ctx, c.op, a))}
}

// ProbeBill asks for yesterday's bill and reads no more than that it is there.
func (g *V3Gateway) ProbeBill(ctx context.Context) []Finding {
	bill, err := g.Bill(ctx, BillRequest{Day: g.cfg.Now().AddDate(0, 0, -1), Gzip: true})
	return []Finding{billFinding("v3.bill", bill, err, refusalV3)}
}

// billFinding is what asking for a bill came to.
func billFinding(name string, bill io.Closer, err error, refused func(string, error) Finding) Finding {
	switch {
	case err == nil:
		bill.Close()
		return fine(name, "yesterday's bill can be downloaded")
	case errors.Is(err, ErrNoBill):
		return fine(name, "nothing happened yesterday, so there is no bill")
	case errors.Is(err, ErrBillNotReady):
		return unclear(name, "ask again after 10:00 in Beijing", "yesterday's bill is not made yet")
	}
	return refused(name, err)
}
