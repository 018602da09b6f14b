package wxpay

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// readJSON is encoding/json's reading of one object, or ok = false.
func readJSON(text string) (v map[string]any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil || v == nil {
		return nil, false
	}
	if _, err := d.Token(); err == nil || d.More() {
		return nil, false
	}
	return v, true
}

// sameValue compares the tree at i with what encoding/json read.
func sameValue(t *jsonTree, i int, want any) bool {
	n := t.nodes[i]
	switch x := want.(type) {
	case nil:
		return n.kind == 'n'
	case bool:
		return n.kind == 'f' && !x || n.kind == 't' && x
	case string:
		return n.kind == '"' && n.value == x
	case json.Number:
		return n.kind == '0' && n.value == string(x)
	case []any:
		j := n.child
		for _, item := range x {
			if j == 0 || !sameValue(t, int(j), item) {
				return false
			}
			j = t.nodes[j].next
		}
		return n.kind == '[' && j == 0
	case map[string]any:
		count := 0
		for j := n.child; j > 0; j = t.nodes[j].next {
			item, ok := x[t.nodes[j].name]
			if !ok || !sameValue(t, int(j), item) {
				return false
			}
			count++
		}
		return n.kind == '{' && count == len(x)
	}
	return false
}

// What the strict reader takes, encoding/json reads in the same way.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		paidJSON, note(paidJSON), refundedJSON, `{}`, ` { "a" : [ 1 , -0.5e+3, true , false,null, {} ,[]] } `, `{"a":1,"A":2}`, `{"a":1}x`,
		`{"a":"\u00e9\ud83c\udf75\n\/\"\\"}`, `{"a":"\ud83c"}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":"` + "\x01" + `"}`, `{"K":1,"` + "\u212a" + `":2}`,
		`{"a":1,}`, `{,}`, `{"a"}`, `[{}]`, `{"a":tru}`, `{"a":-}`, `{"a":1e}`, "{\"a\":\"\xff\"}", `{"a":"\x"}`, `{"a":[1,]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var room [8]jsonNode
		tree, err := parseJSON(text, room[:])
		if err != nil {
			return
		}
		want, ok := readJSON(text)
		if !ok || !sameValue(&tree, 0, want) {
			t.Fatalf("%q is taken as %+v, encoding/json: %v", text, tree.nodes, want)
		}
		tree.flat()
		redactedJSON(text)
	})
}

// What encoding/json takes of ordinary text, the strict reader takes as well.
func TestJSONAgrees(t *testing.T) {
	for _, v := range []any{
		map[string]any{}, map[string]any{"a": "茶 & <b> \u2028 \x7f \"\\/", "b": []any{1, -2.5, 1e30, true, nil, map[string]any{"c": []any{}}}},
		map[string]any{"": "", " a ": strings.Repeat("x", 70000)},
	} {
		b, err := json.MarshalIndent(v, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		tree, err := parseJSON(string(b), nil)
		want, _ := readJSON(string(b))
		if err != nil || !sameValue(&tree, 0, want) {
			t.Errorf("%.200s: %v", b, err)
		}
	}
	wide := `{"k0":0`
	for i := 1; i < 200; i++ {
		wide += `,"k` + strings.Repeat("x", i) + `":0`
	}
	for name, text := range map[string]string{
		"two readings": `{"a":1,"A":1}`, "Kelvin": `{"k":1,"` + "\u212a" + `":2}`, "an array": `[]`, "a string": `"x"`, "nothing": "", "a zero": "{}\x00",
		"depth": strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), "names": wide + "}",
	} {
		if _, err := parseJSON(text, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Signed or not, no notification does harm; what is taken is whole.
func FuzzNotifyV3(f *testing.F) {
	f.Add([]byte(note(paidJSON)), "TRANSACTION.SUCCESS")
	f.Add([]byte(paidJSON), "inside")
	f.Add([]byte(refundedJSON), "inside")
	f.Add([]byte(noteOf("REFUND.SUCCESS", "refund", v3Key, refundedJSON)), "x")
	cfg := testConfigV3(f, nil)
	g := newTestV3(f, cfg)
	good := note(paidJSON)
	stolen := publicKeyOfWeChat().headers(good, v3Now)
	f.Fuzz(func(t *testing.T, body []byte, event string) {
		if x, err := g.ParseNotify(stolen, body); err == nil && string(body) != good {
			t.Fatalf("%+v under a stolen signature", x)
		}
		h := http.Header{"Wechatpay-Timestamp": {event}, "Wechatpay-Nonce": {event}, "Wechatpay-Serial": {v3KeyID}, "Wechatpay-Signature": {string(body)}}
		if _, err := g.ParseNotify(h, body); err == nil {
			t.Fatal("taken without a signature")
		}
		// Past the signature, which no fuzzer gets past.
		tree, err := parseJSON(string(body), nil)
		if err != nil {
			return
		}
		if plain, err := g.seal.open(&tree, tree.object(0, "resource")); err == nil && string(plain) != paidJSON && string(plain) != refundedJSON {
			t.Fatalf("%q opens", plain)
		}
		x := g.transaction(&tree)
		if r := g.refund(&tree, "refund_status"); x.Total < -1 || r.Amount < -1 {
			t.Fatalf("%+v %+v", x, r)
		}
	})
}

// A list of certificates, whatever is in it.
func FuzzCertificates(f *testing.F) {
	p := &platform{key: v3Key}
	f.Add(p.list())
	f.Add(`{"data":[{"serial_no":"1","encrypt_certificate":{"algorithm":"AEAD_AES_256_GCM","nonce":"61f9c719728a","associated_data":"certificate","ciphertext":"` +
		sealedText(v3Key, "61f9c719728a", "certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n") + `"}}]}`)
	g := newTestV3(f, testConfigV3(f, nil))
	f.Fuzz(func(t *testing.T, body string) {
		if list, err := g.readCertificates(body); err == nil && len(list) == 0 {
			t.Fatal("nothing, and no error")
		}
	})
}

// The address of a bill never leads anywhere else.
func FuzzBillLink(f *testing.F) {
	f.Add(linkTo(billV3, billURL))
	f.Add(linkTo(billV3, "https://x@y/v3/billdownload/file?token=x"))
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, body string) {
		tree, err := parseJSON(body, nil)
		if err != nil {
			return
		}
		target, sum, err := billLink(&tree)
		if err != nil {
			return
		}
		req, bad := http.NewRequest(http.MethodGet, "http://localhost:8081"+target, nil)
		if bad != nil || req.URL.Host != "localhost:8081" || req.URL.Path != billFilePath || req.URL.RequestURI() != target || len(sum) != 40 {
			t.Fatalf("%q leads to %q, %v", body, target, bad)
		}
	})
}

// A refusal, whatever is in it, is an error that can be printed.
func FuzzErrorBody(f *testing.F) {
	f.Add(`{"code":"PARAM_ERROR","detail":{"location":"body","value":""},"message":"x"}`, 400)
	f.Add(`{"code":"ORDERPAID","message":"该订单已支付"}`, 202)
	f.Add(``, 404)
	f.Fuzz(func(t *testing.T, body string, status int) {
		a := answer{fetched: fetched{status: status, body: body, header: http.Header{"Request-Id": {body}}}}
		for _, op := range []string{opPrepay, opRefund, opRefundAsk, opTradeBill, opCertificates} {
			e, ok := refusedV3(op, a).(*Error)
			if !ok || e.Error() == "" || len(e.Error()) > 3000 || e.Code == "" && !e.Unknown || status >= 500 && !e.Unknown {
				t.Fatalf("%q: %v", body, e)
			}
			for want := range maps.Values(sentinels) {
				_ = e.Is(want)
			}
		}
		redactedJSON(body)
	})
}
