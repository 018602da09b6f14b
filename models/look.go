package models

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// look is how an order item shows what was bought.
type look struct{ optionZH, optionEN, picture string }

// looks keeps the looks that were worked out of a product's JSON, by that
// JSON itself, so that nothing has to be told when a product changes. Decoding
// costs more than the rest of reading a price.
type looks struct {
	mu sync.Mutex // not contended: one convoy at a time, or journeys to a server between
	m  map[string]look
}

const maxLooks = 10_000

// of is the look of a SKU from the JSON columns of it and its product.
func (ls *looks) of(values, options, pictures string) (look, error) {
	key := values + "\x00" + options + "\x00" + pictures
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l, ok := ls.m[key]; ok {
		return l, nil
	}
	l, err := readLook(values, options, pictures)
	if err != nil {
		return look{}, err
	}
	if ls.m == nil || len(ls.m) >= maxLooks {
		ls.m = make(map[string]look)
	}
	ls.m[key] = l
	return l, nil
}

func readLook(values, options, pictures string) (look, error) {
	var (
		chosen []string
		opts   []Option
		pics   []string
	)
	for src, dst := range map[*string]any{&values: &chosen, &options: &opts, &pictures: &pics} {
		if *src == "" {
			continue
		}
		if err := json.Unmarshal([]byte(*src), dst); err != nil {
			return look{}, fmt.Errorf("read a product's JSON: %w", err)
		}
	}
	l := look{}
	l.optionZH, l.optionEN = optionText(opts, chosen)
	if len(pics) > 0 {
		l.picture = pics[0]
	}
	return l, nil
}

// optionText names the chosen values, one of each option: "清香 125 克".
func optionText(opts []Option, chosen []string) (zh, en string) {
	var zhs, ens []string
	for i, id := range chosen {
		if i >= len(opts) {
			break
		}
		for _, v := range opts[i].Values {
			if v.ID == id {
				zhs, ens = append(zhs, v.ZH), append(ens, v.EN)
			}
		}
	}
	return strings.Join(zhs, " "), strings.Join(ens, ", ")
}

// scanOffer reads a SKU as an order item, and how many are left. Of a
// product that is not sold any more none are.
func scanOffer(r scanner, ls *looks) (i OrderItem, left int64, err error) {
	var values, options, pictures sql.NullString // NULL: an empty list
	var active bool
	err = r.Scan(&i.SKUID, &i.Price, &left, &values, &active, &i.Slug, &i.NameZH, &i.NameEN, &options, &pictures)
	if err != nil {
		return i, 0, err
	}
	l, err := ls.of(values.String, options.String, pictures.String)
	if err != nil {
		return i, 0, err
	}
	i.OptionZH, i.OptionEN, i.Picture = l.optionZH, l.optionEN, l.picture
	if !active {
		left = 0
	}
	return i, left, nil
}
