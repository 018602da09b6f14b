package models

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"wxshop/models/modelstest"
)

// prepared is a migrated, empty database of the test's own, of the kind that
// the tests run on.
func prepared(t testing.TB) Config {
	t.Helper()
	driver, dsn := modelstest.Database(t, func(driver, dsn string) error {
		s, err := Open(background, Config{Driver: driver, DSN: dsn}, Options{})
		if err != nil {
			return err
		}
		return s.Close()
	})
	return Config{Driver: driver, DSN: dsn}
}

// emptyFile is the path of a migrated SQLite database of the test's own.
func emptyFile(t testing.TB) string {
	t.Helper()
	modelstest.SQLiteOnly(t, "it is about the file")
	return prepared(t).DSN
}

// openStore opens a store on an own database, in the bubble if the test is in one.
func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	return openWith(t, prepared(t), o)
}

func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	return openWith(t, Config{Driver: "sqlite", DSN: path}, o)
}

func openWith(t testing.TB, c Config, o Options) *Store {
	t.Helper()
	if o.Log == nil && testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := Open(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// sampleSeed is two products with three SKUs: ids 1 (98.00), 2 (168.00) and
// 3 (58.00), with the given stock each.
func sampleSeed(stock int64) Seed {
	weight := Option{ID: "weight", ZH: "净含量", EN: "Net weight",
		Values: []OptionValue{{"50g", "50 克", "50 g"}, {"100g", "100 克", "100 g"}}}
	return Seed{
		Categories: []Category{{ID: "green", NameZH: "绿茶", NameEN: "Green"}},
		Products: []Product{
			{Slug: "longjing", CategoryID: "green", NameZH: "明前龙井", NameEN: "Longjing", Active: true, Position: 1,
				LineZH: "一芽一叶", LineEN: "One bud",
				Options: []Option{weight}, Pictures: []string{"longjing.svg", "longjing-2.svg"},
				SKUs: []SKU{
					{Code: "LJ-50", Values: []string{"50g"}, Price: 9800, Stock: stock, Position: 1},
					{Code: "LJ-100", Values: []string{"100g"}, Price: 16800, Stock: stock, Position: 2},
				}},
			{Slug: "jasmine", CategoryID: "green", NameZH: "茉莉飘雪", NameEN: "Jasmine", Active: true, Position: 2,
				Pictures: []string{"jasmine.svg"},
				SKUs:     []SKU{{Code: "JM", Price: 5800, Stock: stock}}},
		},
	}
}

// shop is a seeded store with one signed-in user.
func shop(t testing.TB, stock int64, o Options) (*Store, *User) {
	t.Helper()
	s := openStore(t, o)
	seed(t, s, stock)
	u, err := s.SignIn(t.Context(), "wxf000000000000001", "o-first", 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, u
}

func seed(t testing.TB, s *Store, stock int64) {
	t.Helper()
	if ok, err := s.SeedIfEmpty(t.Context(), sampleSeed(stock)); err != nil || !ok {
		t.Fatalf("seed: %v %v", ok, err)
	}
}

var receiver = Receiver{Name: "张三", Phone: "13800138000", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "龙井路 1 号"}

func wechatPay() *NewPayment {
	return &NewPayment{API: "v2", Channel: "JSAPI", SignType: "HMAC-SHA256", AppID: "wxf000000000000001", MchID: "1900000001", QueryAfter: time.Minute,
		OpenID: "o-first", NotifyURL: "http://localhost:8080/notify/v2/pay", ClientIP: "127.0.0.1", Currency: "CNY",
		Describe: func(o *Order) string { return fmt.Sprintf("云间茶铺 %d 件", len(o.Items)) }}
}

// checkout is an order of one SKU as the form sends it.
func checkout(user int64, token string, lines ...Line) NewOrder {
	return NewOrder{UserID: user, FormToken: token, Lines: lines, Receiver: receiver,
		DeliveryFee: 800, FreeFrom: 9900, Expire: 30 * time.Minute, Payment: wechatPay()}
}

func place(t testing.TB, s *Store, n NewOrder) (*Order, *Payment) {
	t.Helper()
	o, p, _, err := s.CreateOrder(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return o, p
}

// setNumbers makes s draw its numbers otherwise.
func setNumbers(s *Store, draw func(string, time.Time) string) {
	s.numbers = draw
	if s.c != nil {
		s.c.tx.number = draw
	}
}

// pays is WeChat's word that p was paid as transaction id.
func pays(p *Payment, id string) PaidFact {
	return PaidFact{OutTradeNo: p.OutTradeNo, TransactionID: id, PaidAt: time.Now(), OpenID: p.OpenID, Cash: p.Total, BankType: "CMB_DEBIT", Actor: "notify"}
}

func stockOf(t testing.TB, s *Store, sku int64) int64 {
	t.Helper()
	ks, err := s.SKUs(t.Context(), []int64{sku})
	if err != nil || len(ks) != 1 {
		t.Fatalf("sku %d: %v %v", sku, ks, err)
	}
	return ks[0].Stock
}

// number is one number out of the database.
func count(t testing.TB, s *Store, q string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := s.row(t.Context(), q, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return n
}
