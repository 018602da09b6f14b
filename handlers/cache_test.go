package handlers

import (
	"testing"

	"wxshop/views"
)

// A page is kept when it is asked for again, and says the same all the time.
func TestPagesAreKeptAtTheSecondAsking(t *testing.T) {
	w := newWorld(t)
	c := w.outside()
	var first string
	for i := range 3 {
		res := c.do("GET", "/", nil)
		if i == 0 {
			first = res.body
		}
		if res.StatusCode != 200 || res.body != first {
			t.Errorf("asking %d: %d, another page", i, res.StatusCode)
		}
		page, before := w.srv.cache.get(keyOf("/", &views.Page{}), w.store.CatalogVersion())
		if !before || (page != nil) != (i > 0) {
			t.Errorf("asking %d: kept %t, known %t", i, page != nil, before)
		}
	}
}
