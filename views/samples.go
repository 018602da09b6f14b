package views

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/a-h/templ"

	"wxshop/models"
	"wxshop/static"
)

// Sample is one page in one state.
type Sample struct {
	Name      string
	Component templ.Component
}

// Samples is every page of the shopper in every state that looks different,
// with invented data: for golden files, for the gallery of a developer and for
// looking at. One story runs through all of them, so that each number can be
// checked against its neighbours: 林晓溪 buys 明前龙井 and two 茉莉飘雪 for 284.00.
func Samples() []Sample {
	var all []Sample
	for _, group := range [...][]Sample{goodsSamples(ZH), cartSamples(), paySamples(), orderSamples(), otherSamples(), englishSamples()} {
		all = append(all, group...)
	}
	return all
}

// storyTime is a time of the story, in Beijing.
func storyTime(month time.Month, day, hour, minute, second int) time.Time {
	return time.Date(2026, month, day, hour, minute, second, 0, beijing)
}

// storyPage is the frame of a sample page at that path.
func storyPage(l Lang, path string) Page {
	return Page{
		Lang: l, Path: path, Now: storyTime(11, 19, 20, 36, 7), SignedIn: true, InWeChat: true,
		Shop: Shop{Phone: "400-000-0000", FreeFrom: 9900, Fee: 800, PayWithin: 30 * time.Minute},
	}
}

// sampleGoods is the part of static.Goods that the samples need.
type sampleGoods struct {
	Categories []struct{ ID, ZH, EN string }
	Goods      []sampleProduct
}

type sampleProduct struct {
	ID, Category, Picture string
	Name, Line            struct{ ZH, EN string }
	Details               []struct{ LabelZH, LabelEN, ZH, EN string }
	SKUs                  []struct{ Price, Stock int64 }
}

func readSampleGoods() sampleGoods {
	var g sampleGoods
	if err := json.Unmarshal(static.Goods, &g); err != nil {
		panic(err) // embedded, and read by the tests of static
	}
	return g
}

func (l Lang) pick(zh, en string) string {
	if l == EN {
		return en
	}
	return zh
}

func (g sampleGoods) cards(l Lang) []Card {
	var cards []Card
	for _, x := range g.Goods {
		c := Card{Slug: x.ID, Name: l.pick(x.Name.ZH, x.Name.EN), Line: l.pick(x.Line.ZH, x.Line.EN), Picture: static.URL(x.Picture), From: models.Fen(x.SKUs[0].Price)}
		for _, s := range x.SKUs {
			c.Varies = c.Varies || models.Fen(s.Price) != c.From
			c.From = min(c.From, models.Fen(s.Price))
		}
		cards = append(cards, c)
	}
	return cards
}

func (g sampleGoods) categories(l Lang) []Category {
	var cs []Category
	for _, c := range g.Categories {
		cs = append(cs, Category{ID: c.ID, Name: l.pick(c.ZH, c.EN)})
	}
	return cs
}

// goodsSamples are the pages on which nothing has been bought yet.
func goodsSamples(l Lang) []Sample {
	g := readSampleGoods()
	home := HomePage{Page: storyPage(l, "/"), Categories: g.categories(l), Cards: g.cards(l)}
	home.CartCount = 3
	soldOut := home
	soldOut.Category, soldOut.Path = "green", "/?c=green"
	soldOut.Cards = []Card{home.Cards[0], home.Cards[8]}
	soldOut.Cards[1].SoldOut = true
	hits := home
	hits.Query, hits.Path, hits.Cards = "桂圆", "/?q=%E6%A1%82%E5%9C%86", home.Cards[3:4]
	none := home
	none.Query, none.Path, none.Cards = "桂花乌龙", "/?q=%E6%A1%82%E8%8A%B1%E4%B9%8C%E9%BE%99", nil
	none.Words = []string{"桂花", "乌龙", "花茶"}
	none.Near = []Card{home.Cards[2], home.Cards[1], home.Cards[6], home.Cards[8]}
	product := sampleProductPage(l, g.Goods[0])
	gone := product
	gone.Pictures = product.Pictures[:1]
	gone.Choices = slices.Clone(product.Choices)
	for i := range gone.Choices {
		gone.Choices[i].Stock = 0
	}
	return []Sample{
		{"home", Home(home)}, {"home-category", Home(soldOut)}, {"search", Home(hits)}, {"search-none", Home(none)},
		{"product", Product(product)}, {"product-gone", Product(gone)},
	}
}

func sampleProductPage(l Lang, x sampleProduct) ProductPage {
	p := ProductPage{
		Page: storyPage(l, "/p/longjing"), Slug: x.ID, Name: l.pick(x.Name.ZH, x.Name.EN),
		Line: l.pick(x.Line.ZH, x.Line.EN), Option: l.pick("净含量", "Net weight"), Chosen: "LJ-100g",
		Choices: []Choice{
			{SKU: "LJ-50g", Name: l.pick("50 克", "50 g"), Price: 9800, Stock: 60},
			{SKU: "LJ-100g", Name: l.pick("100 克", "100 g"), Price: 16800, Stock: 32},
			{SKU: "LJ-250g", Name: l.pick("250 克", "250 g"), Price: 39800},
		},
		Pictures: []Picture{
			{URL: static.URL("longjing.svg"), Alt: l.pick("深绿色茶罐，标签上画着两片嫩芽", "a dark green tin, two buds on its label")},
			{URL: static.URL("longjing-2.svg"), Alt: l.pick("白瓷碟里的干茶，扁平光滑", "dry leaves on white china, flat and smooth")},
			{URL: static.URL("longjing-3.svg"), Alt: l.pick("玻璃杯里的茶汤，嫩芽立着", "tea in a glass, the buds upright")},
			{URL: static.URL("longjing-4.svg"), Alt: l.pick("晨雾里的茶山", "tea hills in the morning mist")},
		},
	}
	p.CartCount = 3
	for _, d := range x.Details {
		p.Facts = append(p.Facts, Fact{Label: l.pick(d.LabelZH, d.LabelEN), Text: l.pick(d.ZH, d.EN)})
	}
	return p
}

func storyLines() []Line {
	return []Line{
		{SKU: "LJ-100g", Slug: "longjing", Name: "明前龙井", Option: "100 克", Picture: static.URL("longjing.svg"), Price: 16800, Qty: 1, Stock: 32},
		{SKU: "JS-100g", Slug: "jasmine", Name: "茉莉飘雪", Option: "100 克", Picture: static.URL("jasmine.svg"), Price: 5800, Qty: 2, Stock: 2},
	}
}

func storyReceiver() models.Receiver {
	return models.Receiver{Name: "林晓溪", Phone: "13812341234", Province: "浙江省", City: "杭州市", District: "西湖区", Street: "文三路 90 号 3 幢 502"}
}

func cartSamples() []Sample {
	cart := CartPage{Page: storyPage(ZH, "/cart"), Lines: storyLines(), Sums: Sums{Goods: 28400, Total: 28400, Count: 3}}
	cart.CartCount = 3
	cart.Notes = []string{Say(ZH, PriceChanged, "明前龙井 100 克", Yuan(17800), Yuan(16800))}
	gone := CartPage{Page: storyPage(ZH, "/cart"), Lines: storyLines(), Sums: Sums{Goods: 5800, Delivery: 800, Total: 6600, Count: 1}}
	gone.CartCount = 3
	gone.Lines[0].Stock, gone.Lines[1].Qty = 0, 1
	empty := CartPage{Page: storyPage(ZH, "/cart")}
	empty.Flash = &Flash{Tint: OK, Text: Say(ZH, Removed, "茉莉飘雪")}
	checkout := CheckoutPage{
		Page: storyPage(ZH, "/checkout"), Token: "W8ZC4NK2TQ7XJ5B9", To: storyReceiver(), Saved: true,
		Lines: cart.Lines, Sums: cart.Sums,
	}
	checkout.CartCount = 3
	first := checkout
	first.To, first.Saved, first.Note = models.Receiver{}, false, ""
	wrong := first
	wrong.To = models.Receiver{Name: "林晓溪", Phone: "1381234567", Province: "浙江省", City: "杭州市", District: "西湖区"}
	wrong.Errors = []FieldError{{FieldPhone, NoPhone, 10}, {FieldDetail, Missing, 0}}
	changed := checkout
	changed.Notes = []string{Say(ZH, StockShort, "茉莉飘雪", 2, 2)}
	return []Sample{
		{"cart", Cart(cart)}, {"cart-sold-out", Cart(gone)}, {"cart-empty", Cart(empty)},
		{"checkout", Checkout(checkout)}, {"checkout-first", Checkout(first)}, {"checkout-errors", Checkout(wrong)}, {"checkout-changed", Checkout(changed)},
	}
}
