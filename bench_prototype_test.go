//go:build bench && linux

package main

import (
	"bytes"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// prototype is the least that taking an order and taking in a notification can
// be: the same commits, the same calls and pages of the same weight as the
// shop, and nothing that a shop checks, remembers or explains.
type prototype struct {
	db      *sql.DB
	st      prototypeStmts
	queue   chan prototypeJob
	gateway string
	client  *http.Client
	no      atomic.Int64 // of the last order
	paid    atomic.Int64 // and of the last one that was paid
}

type prototypeStmts struct{ order, item, event, pay *sql.Stmt }

// prototypeJob is one caller's part of a commit.
type prototypeJob struct {
	work func(*sql.Tx) error
	done chan error
}

func prototypeRole(t *testing.T) http.Handler {
	p := &prototype{
		queue: make(chan prototypeJob, 4096), gateway: os.Getenv("BENCH_GATEWAY"),
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, DisableCompression: true}},
	}
	if err := p.open(filepath.Join(t.TempDir(), "floor.db")); err != nil {
		t.Fatal(err)
	}
	go p.commit()
	for range benchOrders { // as many as the shop has
		if err := p.do(p.place(strconv.FormatInt(p.no.Add(1), 10), new(int64))); err != nil {
			t.Fatal(err)
		}
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.POST("/checkout", p.checkout)
	r.POST("/notify", p.notify)
	return r
}

func (p *prototype) open(path string) (err error) {
	p.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	p.db.SetMaxOpenConns(1)
	_, err = p.db.Exec(`CREATE TABLE orders(id INTEGER PRIMARY KEY, no TEXT UNIQUE, payer TEXT, state TEXT, total INTEGER, at INTEGER);
		CREATE INDEX orders_payer ON orders(payer);
		CREATE TABLE items(id INTEGER PRIMARY KEY, order_id INTEGER, product INTEGER, name TEXT, qty INTEGER, price INTEGER);
		CREATE INDEX items_order ON items(order_id);
		CREATE TABLE events(id INTEGER PRIMARY KEY, order_id INTEGER, kind TEXT, at INTEGER);
		CREATE INDEX events_order ON events(order_id)`)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&p.st.order, `INSERT INTO orders(no, payer, state, total, at) VALUES(?, ?, 'unpaid', 19800, ?)`},
		{&p.st.item, `INSERT INTO items(order_id, product, name, qty, price) VALUES(?, ?, ?, 1, 9900)`},
		{&p.st.event, `INSERT INTO events(order_id, kind, at) VALUES(?, ?, ?)`},
		{&p.st.pay, `UPDATE orders SET state = 'paid' WHERE no = ? AND state = 'unpaid' AND total = ?`},
	} {
		if *s.to, err = p.db.Prepare(s.text); err != nil {
			return err
		}
	}
	return nil
}

// commit shares each transaction between all that wait.
func (p *prototype) commit() {
	for first := range p.queue {
		for i, n := 0, -1; i < 8 && len(p.queue) != n; i++ { // with one processor the others must run first
			n = len(p.queue)
			runtime.Gosched()
		}
		batch := []prototypeJob{first}
		for len(p.queue) > 0 && len(batch) < 256 {
			batch = append(batch, <-p.queue)
		}
		err := p.transaction(batch)
		for _, j := range batch {
			j.done <- err
		}
	}
}

func (p *prototype) transaction(batch []prototypeJob) error {
	tx, err := p.db.Begin()
	if err != nil {
		return err
	}
	for _, j := range batch {
		if err := j.work(tx); err != nil {
			tx.Rollback()
			return err
		}
	}
	return tx.Commit()
}

func (p *prototype) do(work func(*sql.Tx) error) error {
	j := prototypeJob{work, make(chan error, 1)}
	p.queue <- j
	return <-j.done
}

// place is an order of two goods with the first line of its history.
func (p *prototype) place(no string, id *int64) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		now := time.Now().UnixMilli()
		res, err := tx.Stmt(p.st.order).Exec(no, "oBenchPayer00000000000000001", now)
		if err != nil {
			return err
		}
		if *id, err = res.LastInsertId(); err != nil {
			return err
		}
		item := tx.Stmt(p.st.item)
		for k := range 2 {
			if _, err := item.Exec(*id, k+1, "明前龙井 50 克"); err != nil {
				return err
			}
		}
		_, err = tx.Stmt(p.st.event).Exec(*id, "placed", now)
		return err
	}
}

func (p *prototype) checkout(c *gin.Context) {
	var id int64
	no := strconv.FormatInt(p.no.Add(1), 10)
	if err := p.do(p.place(no, &id)); err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	text := fmt.Sprintf("appid=%s&body=tea&mch_id=%s&nonce_str=%s&notify_url=http://shop.example/notify&openid=oBenchPayer00000000000000001&out_trade_no=%s"+
		"&spbill_create_ip=127.0.0.1&total_fee=19800&trade_type=JSAPI&key=%s", benchAccount.app, benchAccount.merchant, no, no, benchAccount.key)
	var b bytes.Buffer
	fmt.Fprintf(&b, "<xml><appid>%s</appid><body>tea</body><mch_id>%s</mch_id><nonce_str>%s</nonce_str><notify_url>http://shop.example/notify</notify_url>"+
		"<openid>oBenchPayer00000000000000001</openid><out_trade_no>%s</out_trade_no><spbill_create_ip>127.0.0.1</spbill_create_ip><total_fee>19800</total_fee>"+
		"<trade_type>JSAPI</trade_type><sign>%X</sign></xml>", benchAccount.app, benchAccount.merchant, no, no, md5.Sum([]byte(text)))
	res, err := p.client.Post(p.gateway+"/pay/unifiedorder", "text/xml", &b)
	if err != nil {
		c.String(http.StatusBadGateway, err.Error())
		return
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !bytes.Contains(answer, []byte("<prepay_id>")) {
		c.String(http.StatusBadGateway, "no prepay id")
		return
	}
	sendFloorPage(c)
}

func (p *prototype) notify(c *gin.Context) {
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, 64<<10))
	if err != nil {
		c.Status(http.StatusBadRequest)
		return
	}
	sum := md5.Sum(body)
	_ = hex.EncodeToString(sum[:])
	id := p.paid.Add(1)
	err = p.do(func(tx *sql.Tx) error {
		if _, err := tx.Stmt(p.st.pay).Exec(strconv.FormatInt(id, 10), 19800); err != nil {
			return err
		}
		_, err := tx.Stmt(p.st.event).Exec(id, "paid", time.Now().UnixMilli())
		return err
	})
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	ack := "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
	c.Header("Content-Length", strconv.Itoa(len(ack)))
	c.Data(http.StatusOK, "text/xml", []byte(ack))
}
