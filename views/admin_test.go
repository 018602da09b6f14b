package views

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"wxshop/models"
	"wxshop/static"
)

var updateAdmin = flag.Bool("update-admin", false, "write the golden files of the merchant's pages anew")

func drawnAdmin(t *testing.T, s Sample) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Component.Render(t.Context(), &b); err != nil {
		t.Fatalf("draw %s: %v", s.Name, err)
	}
	return b.Bytes()
}

func TestAdminGolden(t *testing.T) {
	for _, s := range AdminSamples() {
		t.Run(s.Name, func(t *testing.T) {
			got := drawnAdmin(t, s)
			file := filepath.Join("testdata", "admin", s.Name+".html")
			if *updateAdmin {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; if it is meant, run with -update-admin\n%s", file, cmp.Diff(string(want), string(got)))
			}
		})
	}
}

// Both languages have the same keys with the same verbs.
func TestAdminCatalogue(t *testing.T) {
	zh, en := adminSentences(t, adminZH), adminSentences(t, adminEN)
	for key, s := range zh {
		other, ok := en[key]
		if !ok {
			t.Errorf("%s is missing in English", key)
			continue
		}
		if a, b := verbsOf(s), verbsOf(other); !slices.Equal(a, b) {
			t.Errorf("%s: verbs %v in Chinese, %v in English", key, a, b)
		}
	}
	for key := range en {
		if _, ok := zh[key]; !ok {
			t.Errorf("%s is missing in Chinese", key)
		}
	}
}

// Every field of the struct has its sentence: the decoder tells of unknown
// keys, and this of forgotten ones.
func TestAdminCatalogueComplete(t *testing.T) {
	for l, read := range adminCatalogue {
		w := read()
		wordless(t, Lang(l).Tag(), reflect.ValueOf(*w))
	}
}

func wordless(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			wordless(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Map:
		if v.Len() == 0 {
			t.Errorf("%s has no words", path)
		}
		for _, k := range v.MapKeys() {
			wordless(t, path+"."+k.String(), v.MapIndex(k))
		}
	case reflect.String:
		if v.Len() == 0 {
			t.Errorf("%s is empty", path)
		}
	}
}

func adminSentences(t *testing.T, b []byte) map[string]string {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(path+"/"+k, x)
			}
		case string:
			all[path] = v
		}
	}
	walk("", tree)
	return all
}

var adminVerb = regexp.MustCompile(`%(\[\d\])?([a-z])`)

func verbsOf(s string) []string {
	var all []string
	for _, m := range adminVerb.FindAllStringSubmatch(s, -1) {
		all = append(all, m[2])
	}
	slices.Sort(all)
	return all
}

// Problems, sayings, states and the like have words in both languages.
func TestAdminWords(t *testing.T) {
	problems := []AdminProblem{
		AdminWrong, AdminWait, AdminBusy, AdminEnded, AdminPasswordShort, AdminPasswordLong, AdminPasswordCommon,
		AdminPasswordNamed, AdminPasswordDiffer, AdminPasswordSame, AdminPasswordWrong, AdminNoteMissing,
		AdminNoteUnclear, AdminCarrier, AdminTracking, AdminRefundAmount, AdminRefundLeft, AdminRefundLimit, AdminRefundReason,
		AdminRefundLines, AdminRefundAPI, AdminDeskAmount, AdminDeskCode, AdminDeskFace, AdminDeskOpenID, AdminDeskUsed, AdminDeskAPI,
	}
	sayings := []AdminSaying{
		AdminSaidPassword, AdminSaidShipped, AdminSaidClosed, AdminSaidNoted, AdminSaidExplained, AdminSaidPaid,
		AdminSaidOpen, AdminSaidDead, AdminSaidMissing, AdminSaidNothing, AdminSaidRefund, AdminSaidMisfit, AdminSaidNoAnswer, AdminSaidRefused,
		AdminSaidRefunding, AdminSaidRefundKept, AdminSaidRefundHeld, AdminSaidMisfitNothing,
	}
	for l, read := range adminCatalogue {
		w := read()
		for _, x := range problems {
			if w.Problems[x] == "" {
				t.Errorf("%s: no words for problem %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range sayings {
			if AdminSay(Lang(l), x) == "" {
				t.Errorf("%s: no words for saying %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range adminStates {
			if w.States[x] == "" {
				t.Errorf("%s: no words for state %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range []models.PayState{models.PayCreated, models.PayPrepaid, models.PayPaid, models.PayClosed, models.PayFailed, models.PayReversing} {
			if w.PayStates[x] == "" {
				t.Errorf("%s: no words for state of payment %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range models.DiffKinds {
			if w.Diffs[string(x)].Title == "" || w.Diffs[string(x)].Do == "" {
				t.Errorf("%s: no words for the difference %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range []models.BillStep{models.BillDone, models.BillNone, models.BillWaits, models.BillFailed} {
			if w.BillSteps[x] == "" || w.BillSaid[string(x)] == "" {
				t.Errorf("%s: no words for a day that is %s", Lang(l).Tag(), x)
			}
		}
		for _, x := range []models.CloseReason{models.ByTimeout, models.ByShopper, models.ByMerchant} {
			if w.Closes[x] == "" {
				t.Errorf("%s: no words for closing by %s", Lang(l).Tag(), x)
			}
		}
	}
}

// A14, H13: whatever people typed is text. No page has a script, a handler, a
// style attribute or an address that is not ours.
func TestAdminEscaping(t *testing.T) {
	for _, s := range AdminSamples() {
		doc, err := html.Parse(bytes.NewReader(drawnAdmin(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" && ours(n) {
				continue
			}
			if n.Data == "script" || n.Data == "style" || n.Data == "iframe" {
				t.Errorf("%s has a <%s>", s.Name, n.Data)
			}
			for _, a := range n.Attr {
				checkAdminAttr(t, s.Name, n.Data, a)
			}
		}
	}
}

// ours reports the one script of the merchant, by address and by hash.
func ours(n *html.Node) bool {
	want := map[string]string{"src": static.URL("desk.js"), "integrity": static.Integrity("desk.js"), "defer": ""}
	for _, a := range n.Attr {
		if v, ok := want[a.Key]; !ok || v != a.Val {
			return false
		}
	}
	return n.FirstChild == nil && len(n.Attr) == len(want)
}

func checkAdminAttr(t *testing.T, page, element string, a html.Attribute) {
	t.Helper()
	switch {
	case strings.HasPrefix(a.Key, "on"), a.Key == "style":
		t.Errorf("%s: <%s> has %s=%q", page, element, a.Key, a.Val)
	case slices.Contains([]string{"href", "src", "action", "formaction"}, a.Key):
		if !strings.HasPrefix(a.Val, "/admin") && !strings.HasPrefix(a.Val, "/static/") && !strings.HasPrefix(a.Val, "#") {
			t.Errorf("%s: <%s> leads to %q", page, element, a.Val)
		}
	}
}

// D14: a viewer sees how business goes, not who the buyers are.
func TestAdminViewer(t *testing.T) {
	for _, s := range AdminSamples() {
		if !strings.HasSuffix(s.Name, "-viewer") {
			continue
		}
		got := string(drawnAdmin(t, s))
		for _, secret := range []string{"林晓溪", "周予安", "13800001234", "文三路", "送人", adminStoryOpenID, "M3xq", "wx192030150000"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s shows %q to a viewer", s.Name, secret)
			}
		}
		for _, action := range []string{"/ship", "/close", "/note", "/ask", "/explain", "/refund\"", "/cashdesk", "USER_ACCOUNT"} {
			if strings.Contains(got, action) {
				t.Errorf("%s offers %s to a viewer", s.Name, action)
			}
		}
	}
}

// Staff see the whole phone number in one place only: where they ship.
func TestAdminPhone(t *testing.T) {
	owner := adminStoryPage(ZH, "陆掌柜", "owner")
	paid := string(drawnAdmin(t, Sample{"paid", AdminOrder(adminStoryDossier(owner))}))
	if n := strings.Count(paid, "13800001234"); n != 1 {
		t.Errorf("a paid order shows the whole number %d times, want once", n)
	}
	unpaid := string(drawnAdmin(t, Sample{"unpaid", AdminOrder(adminStoryUnpaid(owner))}))
	if strings.Contains(unpaid, "13800001234") {
		t.Error("an order that cannot be shipped shows the whole number")
	}
}

func TestAdminAmounts(t *testing.T) {
	for _, test := range []struct {
		fen  models.Fen
		want string
	}{
		{0, "0.00"}, {5, "0.05"}, {28400, "284.00"}, {99999, "999.99"}, {100000, "1,000.00"}, {328400, "3,284.00"},
		{123456789, "1,234,567.89"}, {-5800, "−58.00"}, {-100000, "−1,000.00"},
	} {
		if got := adminYuan(test.fen); got != test.want {
			t.Errorf("adminYuan(%d) = %s, want %s", int64(test.fen), got, test.want)
		}
	}
}
