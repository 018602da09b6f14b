package models

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// Seed is the sample shop.
type Seed struct {
	Categories []Category
	Products   []Product
}

// SeedIfEmpty fills a shop that has no product yet and says whether it did.
func (s *Store) SeedIfEmpty(ctx context.Context, seed Seed) (bool, error) {
	var done bool
	err := s.write(ctx, func(tx *Tx) error {
		done = false
		var n int64
		if err := tx.row(`SELECT count(*) FROM products`).Scan(&n); err != nil || n > 0 {
			return err
		}
		cats, products := cloneSeed(seed)
		if len(cats) > 0 {
			if err := tx.gorm().Create(&cats).Error; err != nil {
				return err
			}
		}
		if len(products) > 0 {
			if err := tx.gorm().Create(&products).Error; err != nil {
				return err
			}
		}
		done, tx.catalog = true, true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("seed the shop: %w", err)
	}
	return done, nil
}

// cloneSeed copies what GORM writes ids into, because a write may run twice.
func cloneSeed(seed Seed) ([]Category, []Product) {
	products := append([]Product(nil), seed.Products...)
	for i := range products {
		products[i].SKUs = append([]SKU(nil), products[i].SKUs...)
	}
	return append([]Category(nil), seed.Categories...), products
}

// Categories are all categories in their order.
func (s *Store) Categories(ctx context.Context) ([]Category, error) {
	var cs []Category
	err := s.read(ctx).Order("position, id").Find(&cs).Error
	if err != nil {
		return nil, fmt.Errorf("categories: %w", toldRead(ctx, err))
	}
	return cs, nil
}

// Find narrows a list of products. Query is matched as plain text.
type Find struct{ Category, Query string }

// Products are the active products with their SKUs, in the order of the window.
func (s *Store) Products(ctx context.Context, f Find) ([]Product, error) {
	q := withSKUs(s.read(ctx)).Where("active").Order("position, id")
	if f.Category != "" {
		q = q.Where("category_id = ?", f.Category)
	}
	for _, word := range strings.Fields(f.Query) {
		like := "%" + likeEscape.Replace(word) + "%"
		q = q.Where(`lower(name_zh) LIKE lower(?) ESCAPE '!' OR lower(name_en) LIKE lower(?) ESCAPE '!'
			OR lower(line_zh) LIKE lower(?) ESCAPE '!' OR lower(line_en) LIKE lower(?) ESCAPE '!'`, like, like, like, like)
	}
	var ps []Product
	if err := q.Find(&ps).Error; err != nil {
		return nil, fmt.Errorf("products: %w", toldRead(ctx, err))
	}
	return ps, nil
}

// likeEscape takes the meaning away from what LIKE would interpret (security I13).
var likeEscape = strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`)

func withSKUs(g *gorm.DB) *gorm.DB {
	return g.Preload("SKUs", func(g *gorm.DB) *gorm.DB { return g.Order("position, id") })
}

// Product is an active product with its SKUs.
func (s *Store) Product(ctx context.Context, slug string) (*Product, error) {
	var p Product
	if err := withSKUs(s.read(ctx)).Where("slug = ? AND active", slug).Take(&p).Error; err != nil {
		return nil, fmt.Errorf("product: %w", toldRead(ctx, err))
	}
	return &p, nil
}

// SKUs are those of ids that exist.
func (s *Store) SKUs(ctx context.Context, ids []int64) ([]SKU, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var ks []SKU
	if err := s.read(ctx).Where("id IN ?", ids).Order("id").Find(&ks).Error; err != nil {
		return nil, fmt.Errorf("skus: %w", toldRead(ctx, err))
	}
	return ks, nil
}

// CatalogVersion changes whenever a product, price or stock does; caches of
// pages compare it. Ask for it before reading what is cached. Changes by
// another program on the same server are noticed within about a second; what
// an order costs, and whether there is enough, is read when it is placed.
func (s *Store) CatalogVersion() uint64 {
	if s.far != nil {
		s.glance()
	}
	return s.catalog.Load()
}

// glances are how often a server is asked what others changed.
const glances = time.Second

// glanced is when and what the server last said.
type glanced struct {
	mu   sync.Mutex
	at   time.Time
	seen int64
}

// LIKE, because what lies between two texts depends on the language of the
// database, and some languages pass over punctuation.
const catalogSum = `SELECT coalesce(sum(n), 0) FROM order_counts WHERE state LIKE 'catalog#%'`

// glance looks whether the catalogue was changed by others. Who finds another
// one looking does not wait. When nobody can say, it counts as changed.
func (s *Store) glance() {
	if !s.glanced.mu.TryLock() {
		return
	}
	defer s.glanced.mu.Unlock()
	now := time.Now()
	if now.Sub(s.glanced.at) < glances {
		return
	}
	s.glanced.at = now
	var sum int64
	if err := s.readers.QueryRowContext(background, catalogSum).Scan(&sum); err != nil || sum != s.glanced.seen {
		s.catalog.Add(1)
	}
	s.glanced.seen = sum
}
