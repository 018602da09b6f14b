package main

import (
	"testing"

	"wxshop/static"
)

func TestSampleGoods(t *testing.T) {
	seed, err := sampleGoods()
	if err != nil {
		t.Fatal(err)
	}
	if len(seed.Products) != 12 || len(seed.Categories) == 0 {
		t.Fatalf("%d products in %d categories", len(seed.Products), len(seed.Categories))
	}
	categories, codes := map[string]bool{}, map[string]bool{}
	for _, c := range seed.Categories {
		categories[c.ID] = c.NameZH != "" && c.NameEN != ""
	}
	for _, p := range seed.Products {
		if p.Slug == "" || p.NameZH == "" || p.NameEN == "" || p.LineZH == "" || !p.Active || !categories[p.CategoryID] || len(p.SKUs) == 0 {
			t.Errorf("%+v is not complete", p)
		}
		for _, name := range p.Pictures {
			if _, ok := static.Lookup(static.URL(name)); !ok {
				t.Errorf("%s: no picture %s", p.Slug, name)
			}
		}
		for _, k := range p.SKUs {
			if k.Price <= 0 || k.Stock < 0 || len(k.Values) != len(p.Options) || codes[k.Code] {
				t.Errorf("%s: %+v", p.Slug, k)
			}
			codes[k.Code] = true
			for i, v := range k.Values {
				known := false
				for _, o := range p.Options[i].Values {
					known = known || o.ID == v && o.ZH != "" && o.EN != ""
				}
				if !known {
					t.Errorf("%s: option %s of %s is unknown", p.Slug, v, k.Code)
				}
			}
		}
	}
	if n := len(seed.Products[0].Pictures); n != 4 {
		t.Errorf("longjing has %d pictures, want 4", n)
	}
}
