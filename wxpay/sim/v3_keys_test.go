package sim

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is signed carries honest time, whatever the clock of business says.
func TestSignedTimeIsHonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		defer w.run()()
		w.shop.answerWith(noContent)
		w.api("POST", "clock", `{"advance":"240h"}`, 200, nil)
		w.orderV3("honest0001") // whose answer verifies
		w.pay("honest0001")
		time.Sleep(time.Second)
		n := w.shop.notifications()[0]
		w.delivered(n)
		e, _ := w.opened(n.body)
		if ahead := e.CreateTime.Sub(n.at).Round(time.Minute); ahead != 240*time.Hour {
			t.Errorf("create_time is %v ahead", ahead)
		}
	})
}

// Any status of success acknowledges, with any body; nothing else does.
func TestAcknowledgedV3(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		ok     bool
	}{
		{200, "", true}, {204, "", true}, {200, `{"code":"FAIL"}`, true}, {202, "ok", true}, {200, strings.Repeat("x", 20<<10), true},
		{302, "", false}, {400, "", false}, {500, `{"code":"SUCCESS"}`, false},
	} {
		w := newWorld(t, Options{})
		w.shop.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(tt.status)
			if tt.status != http.StatusNoContent {
				io.WriteString(rw, tt.body)
			}
		})
		w.placeV3("reply00001")
		id := w.pay("reply00001").Notifications[0]
		var got notificationReply
		w.api("POST", "notifications/"+id+"/resend", "", 200, &got)
		if ok := got.State == "delivered"; ok != tt.ok {
			t.Errorf("%d %.20q: %s", tt.status, tt.body, got.State)
		}
	}
}

// A folder of keys from before API v3 is good for it: the public key that
// clients were given stays.
func TestOldKeysServeV3(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, Options{Data: dir})
	w.identity()
	platform, err := os.ReadFile(filepath.Join(dir, filePlatformKey))
	if err != nil {
		t.Fatal(err)
	}
	pub := w.sim.ids.platformKey // what pub_key.pem was made of then
	if string(platform) != pub {
		t.Fatal("another platform key is in the file")
	}
	key := privateKey(t, pub)
	old := &identity{now: time.Now, keys: &Keys{}}
	old.keys.made = append(old.keys.made, key)
	same, err := old.makePair(0, newSerial(), platformName)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filePlatformPub), []byte(same.pub), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, filePlatformPubKey)); err != nil {
		t.Fatal(err)
	}
	w = w.reopen(Options{Data: dir})
	w.orderV3("oldkeys001") // whose answer verifies by the public key
}

// A public demo signs nothing for strangers and keeps the APIv3 key.
func TestPublicDoctorV3(t *testing.T) {
	w := newWorld(t, Options{Public: true})
	method, target, body, header := w.request(mistake{sTarget: "/v3/"})
	if got := w.diagnosed(diagnoseJSON{Direction: "request", Method: method, URL: target, Headers: header, Body: body}); got.Expected != "" || got.Cause == "" || got.StringToSign == "" {
		t.Errorf("%+v", got)
	}
	w.do(method, target, body, "Authorization", header["Authorization"])
	if d := w.sim.calls.latest(1)[0].Diagnosis; d == nil || d.Expected != "" {
		t.Errorf("%+v", d)
	}
	sheet := `{"appId":"wx","timeStamp":"1554208460","nonceStr":"n","package":"prepay_id=x","signType":"RSA","paySign":"` + strings.Repeat("QUFB", 85) + `QQ=="}`
	if got := w.diagnosed(diagnoseJSON{Direction: "request", Body: sheet}); got.Expected != "" || got.Cause != "wrong-key" {
		t.Errorf("pay sheet: %+v", got)
	}
	if _, keys := w.keys("", 200); keys.APIv3Key != "" {
		t.Errorf("keys %+v", keys)
	}
}

// Simulators that share Keys make them once; a merchant's own certificate
// still names its own serial number.
func TestKeysAreShared(t *testing.T) {
	var shared Keys
	shared.made = append(shared.made, privateKey(t, printedKey), privateKey(t, printedKey), privateKey(t, printedKey))
	a, b := newWorld(t, Options{Keys: &shared}).identity(), newWorld(t, Options{Keys: &shared}).identity()
	if a.MerchantPrivateKey != b.MerchantPrivateKey || a.MerchantSerialNo == b.MerchantSerialNo || a.APIv3Key == b.APIv3Key {
		t.Error("keys are not shared, or more than keys is")
	}
}
