package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wxshop/models"
	"wxshop/static"
)

// goods is the shape of static.Goods.
type goods struct {
	Categories []struct {
		ID, ZH, EN string
	}
	Goods []struct {
		ID, Category, Picture string
		Name, Line            text
		Details               []models.Detail
		Options               []struct {
			ID     string
			Name   text
			Values []models.OptionValue
		}
		SKUs []struct {
			Code         string
			Values       []string
			Price, Stock int64
		}
	}
}

type text struct{ ZH, EN string }

// sampleGoods is the catalogue that a new shop with the simulator starts with.
func sampleGoods() (models.Seed, error) {
	var g goods
	if err := json.Unmarshal(static.Goods, &g); err != nil {
		return models.Seed{}, fmt.Errorf("read the sample goods: %w", err)
	}
	var seed models.Seed
	for i, c := range g.Categories {
		seed.Categories = append(seed.Categories, models.Category{ID: c.ID, NameZH: c.ZH, NameEN: c.EN, Position: int64(i + 1)})
	}
	for i, x := range g.Goods {
		p := models.Product{
			Slug: x.ID, CategoryID: x.Category, NameZH: x.Name.ZH, NameEN: x.Name.EN, LineZH: x.Line.ZH, LineEN: x.Line.EN,
			Details: x.Details, Pictures: pictures(x.Picture), Position: int64(i + 1), Active: true,
		}
		for _, o := range x.Options {
			p.Options = append(p.Options, models.Option{ID: o.ID, ZH: o.Name.ZH, EN: o.Name.EN, Values: o.Values})
		}
		for j, k := range x.SKUs {
			p.SKUs = append(p.SKUs, models.SKU{Code: k.Code, Values: k.Values, Price: models.Fen(k.Price), Stock: k.Stock, Position: int64(j + 1)})
		}
		seed.Products = append(seed.Products, p)
	}
	return seed, nil
}

// pictures are the cover and, named after it, the others: longjing.svg,
// longjing-2.svg, longjing-3.svg …
func pictures(cover string) []string {
	list := []string{cover}
	base, ext, _ := strings.Cut(cover, ".")
	names := static.Names()
	for n := 2; ; n++ {
		next := fmt.Sprintf("%s-%d.%s", base, n, ext)
		if !slices.Contains(names, next) {
			return list
		}
		list = append(list, next)
	}
}
