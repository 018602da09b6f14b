package views

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wxshop/models"
)

var (
	verb    = regexp.MustCompile(`%(\[\d+\])?[a-z]`)
	chinese = regexp.MustCompile(`\p{Han}`)
)

// leaves are all sentences of a catalogue, by their path.
func leaves(v reflect.Value, path string, out map[string]string) {
	switch v.Kind() {
	case reflect.String:
		out[path] = v.String()
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), path+"."+v.Type().Field(i).Name, out)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			leaves(v.MapIndex(k), path+"."+k.String(), out)
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s.%d", path, i), out)
		}
	}
}

// verbs are the verbs of a sentence and its other marks, in any order.
func verbs(s string) []string {
	found := verb.FindAllString(s, -1)
	for _, mark := range []string{"{timer}"} {
		for range strings.Count(s, mark) {
			found = append(found, mark)
		}
	}
	slices.Sort(found)
	return found
}

func TestCatalogue(t *testing.T) {
	zh, en := map[string]string{}, map[string]string{}
	leaves(reflect.ValueOf(*catalogue[ZH]()), "", zh)
	leaves(reflect.ValueOf(*catalogue[EN]()), "", en)
	for k, s := range zh {
		other, ok := en[k]
		switch {
		case !ok:
			t.Errorf("%s is missing in English", k)
		case s == "" || other == "":
			t.Errorf("%s is empty", k)
		case !slices.Equal(verbs(s), verbs(other)):
			t.Errorf("%s: %q and %q take different things", k, s, other)
		case strings.Count(s, "**")%2+strings.Count(other, "**")%2 != 0:
			t.Errorf("%s: ** is not closed", k)
		case strings.ContainsAny(s+other, "!！") || strings.Contains(s, "您"):
			t.Errorf("%s breaks the tone: %q %q", k, s, other)
		case chinese.MatchString(other) && k != ".Frame.OtherLang":
			t.Errorf("%s: Chinese in English: %q", k, other)
		}
	}
	for k := range en {
		if _, ok := zh[k]; !ok {
			t.Errorf("%s is missing in Chinese", k)
		}
	}
}

// TestEveryWordThere: each constant that code can name has its sentence.
func TestEveryWordThere(t *testing.T) {
	reasons := []Reason{Cancelled, NotEnough, AlreadyPaid, OrderClosed, Unknown, NoWindow, NotHere, Setup, OtherAccount,
		StockShort, SoldOut, PriceChanged, TotalChanged, Placed, TooFast, NotFound, NoPage, Broken, BrokenMaybe, EmptyCart,
		TooLate, LinkUsed, BadForm, Added, Removed, Received, OrderEnded, AddedAgain, CartMerged, NotSeen, NoSignIn, Unanswered}
	fields := []Field{FieldName, FieldPhone, FieldProvince, FieldCity, FieldDistrict, FieldDetail, FieldNote}
	for l, read := range catalogue {
		w := read()
		for _, r := range reasons {
			if w.Reasons[r] == "" {
				t.Errorf("%s: no sentence for %s", Lang(l).Tag(), r)
			}
		}
		if len(w.Reasons) != len(reasons) {
			t.Errorf("%s: %d sentences for %d reasons", Lang(l).Tag(), len(w.Reasons), len(reasons))
		}
		for _, f := range fields {
			for _, pr := range []Problem{Missing, TooLong, Unclear} {
				if s := w.problemText(FieldError{f, pr, 7}); s == "" || strings.Contains(s, "%") {
					t.Errorf("%s: %s %s says %q", Lang(l).Tag(), f, pr, s)
				}
			}
		}
		for _, o := range everyOrder() {
			if f := face(&o); w.States[f] == (stateWords{}) {
				t.Errorf("%s: no words for %s", Lang(l).Tag(), f)
			}
		}
		for _, s := range []models.State{models.Unpaid, models.Paid, models.Shipped, models.Done, models.Closed} {
			if w.Tags[string(s)] == "" {
				t.Errorf("%s: no badge for %s", Lang(l).Tag(), s)
			}
		}
	}
}

// TestNoTextInTemplates: what people read is in the catalogue, so that it has
// a second language.
func TestNoTextInTemplates(t *testing.T) {
	for _, s := range englishSamples() {
		if strings.Contains(s.Name, "checkout") || strings.Contains(s.Name, "order") || strings.Contains(s.Name, "pay") {
			continue // goods and address of the story are Chinese
		}
		for _, e := range elements(t, draw(t, s.Component)) {
			if e.tag == "main" && chinese.MatchString(e.text) {
				t.Errorf("%s: Chinese on an English page: %q", s.Name, chinese.FindAllString(e.text, 9))
			}
		}
	}
}

func TestSay(t *testing.T) {
	tests := []struct {
		name string
		lang Lang
		why  Reason
		args []any
		want string
	}{
		{"plain", ZH, Cancelled, nil, "你还没有付款，订单为你留着。"},
		{"facts", ZH, StockShort, []any{"茉莉飘雪", int64(2), int64(2)}, "“茉莉飘雪”只剩 2 件，已为你改成 2 件。"},
		{"money", EN, TotalChanged, []any{Yuan(17800), Yuan(16800)}, "The price changed from ¥178.00 to ¥168.00."},
		{"unknown", EN, "no such thing", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Say(tt.lang, tt.why, tt.args...); got != tt.want {
				t.Errorf("Say = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	tests := []struct {
		fen         models.Fen
		look, plain string
	}{
		{0, "<small>¥</small>0<small>.00</small>", "¥0.00"},
		{7, "<small>¥</small>0<small>.07</small>", "¥0.07"},
		{28400, "<small>¥</small>284<small>.00</small>", "¥284.00"},
		{123456789, "<small>¥</small>1234567<small>.89</small>", "¥1234567.89"},
		{-5800, "−<small>¥</small>58<small>.00</small>", "−¥58.00"},
		{-1 << 63, "−<small>¥</small>92233720368547758<small>.08</small>", "−¥92233720368547758.08"},
	}
	for _, tt := range tests {
		if got, want := draw(t, Price(tt.fen)), `<span class="price">`+tt.look+`</span>`; got != want {
			t.Errorf("Price(%d) = %s, want %s", int64(tt.fen), got, want)
		}
		if got := Yuan(tt.fen); got != tt.plain {
			t.Errorf("Yuan(%d) = %s, want %s", int64(tt.fen), got, tt.plain)
		}
	}
}

// TestBeijing: the shop's clock is in Beijing, whatever zone an instant is in.
func TestBeijing(t *testing.T) {
	at := time.Date(2026, 11, 19, 16, 5, 0, 0, time.UTC) // 00:05 of the 20th there
	w := catalogue[ZH]()
	if got := minute(at); got != "2026-11-20 00:05" {
		t.Errorf("minute = %s", got)
	}
	if got := w.day(at); got != "11 月 20 日" {
		t.Errorf("day = %s", got)
	}
	if got := w.clock(at, at.Add(-time.Minute)); got != "00:05" {
		t.Errorf("the same day: %s", got)
	}
	if got := w.clock(at, at.Add(-10*time.Minute)); got != "11-20 00:05" {
		t.Errorf("tomorrow: %s", got)
	}
}

func TestMaskPhone(t *testing.T) {
	for in, want := range map[string]string{"13812341234": "138****1234", "1234567": "*******", "": "", "+8613812341234": "+86*******1234"} {
		if got := maskPhone(in); got != want {
			t.Errorf("maskPhone(%q) = %q, want %q", in, got, want)
		}
	}
}
