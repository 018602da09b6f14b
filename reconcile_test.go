package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wxshop/checkout"
)

// askSim calls the control API of a running simulator.
func askSim(t *testing.T, a *App, method, path, body string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, a.GatewayURL+"/_sim/api/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s = %d %s", method, path, res.StatusCode, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatal(err)
		}
	}
}

// Beside a running shop: the table, the status, and a clear sentence when there
// is no bill, no simulator, or no such day.
func TestReconcileCommand(t *testing.T) {
	c := freeConfig(t)
	a, stop := begin(t, c, parts{}, io.Discard)
	c = a.Shop.Config
	asks := func(day string) (string, error) {
		var out, errs bytes.Buffer
		env := []string{"WXSHOP_DATABASE_DSN=" + c.Database.DSN, "WXSHOP_SIMULATOR_LISTEN=" + c.Simulator.Listen, "WXSHOP_LOG_LEVEL=error"}
		err := run(t.Context(), []string{"reconcile", "--day", day}, shell{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Environ: env})
		return out.String() + errs.String(), err
	}
	var users []struct{ OpenID string }
	askSim(t, a, "GET", "users", "", &users)
	for _, token := range []string{"one", "two"} {
		var code struct{ Paycode string }
		askSim(t, a, "GET", "users/"+users[0].OpenID+"/paycode", "", &code)
		o, err := a.Shop.Checkout.Sell(t.Context(), checkout.SaleRequest{StaffID: 1, Token: token, Amount: 4200, Code: code.Paycode, ClientIP: "127.0.0.1"})
		if err != nil {
			t.Fatalf("sale: %+v, %v", o, err)
		}
	}
	sales, err := a.Shop.Store.Sales(t.Context(), time.Now().Add(-time.Hour), 10)
	if err != nil || len(sales) != 2 {
		t.Fatal(sales, err)
	}
	day := checkout.DayName(sales[1].Payment.PaidAt.Time)
	if checkout.DayName(sales[0].Payment.PaidAt.Time) != day {
		t.Skip("midnight passed between two sales")
	}
	if _, err := asks(day); !errors.Is(err, checkout.ErrBillWaits) || exitCode(err, io.Discard) != 1 || !strings.Contains(err.Error(), "10:00") {
		t.Errorf("today: %v", err)
	}
	askSim(t, a, "POST", "clock", `{"advance":"48h"}`, nil)
	if out, err := asks(day); err != nil || !strings.Contains(out, "no differences") || !strings.Contains(out, "84.00") {
		t.Errorf("%v\n%s", err, out)
	}
	askSim(t, a, "PUT", "faults", `{"next":{"bill-missing":1,"bill-extra":1}}`, nil)
	out, err := asks(day)
	if !errors.Is(err, errDiffer) || exitCode(err, io.Discard) != 3 || !strings.Contains(err.Error(), "2 differences") ||
		!strings.Contains(out, "missing") || !strings.Contains(out, "EXTRA") {
		t.Errorf("%v\n%s", err, out)
	}
	if code, body := fetch(t, a.OpsURL+"/metrics"); code != 200 || !strings.Contains(body, "shop_bill_differences 2") ||
		strings.Contains(body, "shop_bill_last_success_timestamp_seconds 0\n") {
		t.Errorf("the metrics have no differences: %d", code)
	}
	if _, err := asks("19.11.2026"); err == nil || !strings.Contains(err.Error(), "2026-11-19") {
		t.Errorf("no day: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := asks(day); err == nil || !strings.Contains(err.Error(), "start the shop first") {
		t.Errorf("without the simulator: %v", err)
	}
}
