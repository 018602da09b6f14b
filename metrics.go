package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"wxshop/models"
)

// newRegistry holds the figures of the Go runtime and of the process. It is
// ours alone: nothing gets in by being imported.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// newEvents counts business events: order.placed, settle.paid, notify.badsig,
// misfit.amount … No name carries anything that a visitor chose.
func newEvents(r *prometheus.Registry) func(event string) {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "shop_events_total", Help: "Business events: order.placed, settle.paid, notify.badsig, misfit.amount ...",
	}, []string{"event"})
	r.MustRegister(v)
	return func(event string) { v.WithLabelValues(event).Inc() }
}

// books are the figures that are read from the database when somebody asks.
type books struct {
	store *models.Store
	desc  map[string]*prometheus.Desc
}

var bookHelp = map[string]string{
	"shop_orders":                              "Orders, by state.",
	"shop_payments_to_check":                   "Rows of payments to check that nobody has explained yet.",
	"shop_bill_differences":                    "Differences between WeChat's bills and our books that nobody has dealt with yet.",
	"shop_bill_last_success_timestamp_seconds": "When a day's bill was last compared to the end; 0: never.",
	"shop_payments_due":                        "Open attempts to pay that WeChat is to be asked about now, counted up to 500.",
	"shop_refunds_pending":                     "Refunds that are due and not asked for yet, counted up to 500.",
	"shop_db_commits_total":                    "Transactions that were committed.",
	"shop_db_writes_total":                     "Writes that shared those commits.",
	"shop_db_rollbacks":                        "Batches that were rolled back and run again one by one.",
	"shop_db_queue_length":                     "Writes that wait for their commit.",
}

// maxCounted bounds what a question for figures may cost.
const maxCounted = 500

func newBooks(store *models.Store) *books {
	b := &books{store: store, desc: map[string]*prometheus.Desc{}}
	for name, help := range bookHelp {
		var labels []string
		if name == "shop_orders" {
			labels = []string{"state"}
		}
		b.desc[name] = prometheus.NewDesc(name, help, labels, nil)
	}
	return b
}

// Describe implements prometheus.Collector.
func (b *books) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range b.desc {
		ch <- d
	}
}

// Collect implements prometheus.Collector. A figure that cannot be read is
// left out; /readyz says why.
func (b *books) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	send := func(name string, kind prometheus.ValueType, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(b.desc[name], kind, float64(n), labels...)
	}
	if counts, err := b.store.StateCounts(ctx); err == nil {
		for state, n := range counts {
			send("shop_orders", prometheus.GaugeValue, n, string(state))
		}
	}
	if n, err := b.store.OpenMisfits(ctx); err == nil {
		send("shop_payments_to_check", prometheus.GaugeValue, n)
	}
	if n, err := b.store.OpenDifferences(ctx); err == nil {
		send("shop_bill_differences", prometheus.GaugeValue, n)
	}
	if last, err := b.store.LastBill(ctx); err == nil {
		var at int64
		if !last.IsZero() {
			at = last.Unix()
		}
		send("shop_bill_last_success_timestamp_seconds", prometheus.GaugeValue, at)
	}
	if due, err := b.store.DueQueries(ctx, maxCounted); err == nil {
		send("shop_payments_due", prometheus.GaugeValue, int64(len(due)))
	}
	if due, err := b.store.PendingRefunds(ctx, maxCounted); err == nil {
		send("shop_refunds_pending", prometheus.GaugeValue, int64(len(due)))
	}
	s := b.store.Stats()
	send("shop_db_commits_total", prometheus.CounterValue, s.Commits)
	send("shop_db_writes_total", prometheus.CounterValue, s.Calls)
	send("shop_db_rollbacks", prometheus.CounterValue, s.Rollbacks)
	send("shop_db_queue_length", prometheus.GaugeValue, s.QueueLength)
}

// newViolations is what the last look through all orders found.
func newViolations(of func() int64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "shop_invariant_violations", Help: "Rows that contradict the rest of the books, by this process's last look through all of them.",
	}, func() float64 { return float64(of()) })
}
