package handlers

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"wxshop/models"
	"wxshop/views"
)

// maxPages bounds the cache of pages; a full one starts afresh.
const maxPages = 512

// pageKey is everything that a page of the catalogue depends on besides the
// catalogue itself.
type pageKey struct {
	path                   string
	lang                   views.Lang
	care, wechat, signedIn bool
	cart                   int64
}

// cachedPage is a page ready to be sent; compressed when first asked for.
type cachedPage struct {
	version uint64
	etag    string
	plain   []byte

	once sync.Once
	gz   []byte
}

func (p *cachedPage) gzip() []byte {
	p.once.Do(func() {
		var b bytes.Buffer
		p.gz = compressed(&b, p.plain)
	})
	return p.gz
}

// pageCache keeps drawn pages for one version of the catalogue. They hold
// nothing personal but the number in the cart, which is part of the key. A page
// is kept when it is asked for a second time: many never are, and keeping one
// costs as much as a third of drawing it.
type pageCache struct {
	mu    sync.RWMutex
	pages map[pageKey]*cachedPage // without plain: asked for once
}

func newPageCache() *pageCache { return &pageCache{pages: map[pageKey]*cachedPage{}} }

// get finds a page, or else whether it was asked for before.
func (p *pageCache) get(k pageKey, version uint64) (page *cachedPage, before bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	x, ok := p.pages[k]
	if !ok || x.version != version {
		return nil, false
	}
	if x.plain == nil {
		return nil, true
	}
	return x, true
}

func (p *pageCache) put(k pageKey, x *cachedPage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pages) >= maxPages {
		clear(p.pages)
	}
	p.pages[k] = x
}

// keyOf is the key of a page for one reader.
func keyOf(path string, p *views.Page) pageKey {
	return pageKey{path, p.Lang, p.Care, p.InWeChat, p.SignedIn, p.CartCount}
}

// showCached sends a page of the catalogue from the cache, or draws and keeps
// it. version is that of the catalogue before the data was read, so that a
// change in between is never kept as old. A page with a flash is for one
// reader, once.
func (s *Server) showCached(c *gin.Context, p *views.Page, path string, version uint64, draw func() (templ.Component, error)) error {
	if p.Flash != nil {
		v, err := draw()
		if err != nil {
			return err
		}
		return s.show(c, classPage, 200, v)
	}
	key := keyOf(path, p)
	page, before := s.cache.get(key, version)
	if page == nil {
		v, err := draw()
		if err != nil {
			return err
		}
		if !before {
			s.cache.put(key, &cachedPage{version: version})
			return s.showCatalog(c, v)
		}
		if page, err = drawn(c.Request.Context(), v, version); err != nil {
			return err
		}
		s.cache.put(key, page)
	}
	s.send(c, answer{
		class: classPage, status: 200, ctype: typeHTML, cache: revalidate,
		body: page.plain, gz: page.gzip, etag: page.etag,
	})
	return nil
}

func drawn(ctx context.Context, v templ.Component, version uint64) (*cachedPage, error) {
	b := getBuffer()
	defer putBuffer(b)
	if err := v.Render(ctx, b); err != nil {
		return nil, err
	}
	return &cachedPage{version: version, etag: etagOf(b.Bytes()), plain: bytes.Clone(b.Bytes())}, nil
}

// goods is the catalogue in memory.
type goods struct {
	version    uint64
	categories []models.Category
	products   []models.Product // active ones, in the order of the window
	shelves    sync.Map         // what shelf has drawn, by shelfKey
}

// shelfKey is what a list of goods depends on besides the catalogue.
type shelfKey struct {
	lang     views.Lang
	category string
}

// shelf is the goods of a category, or all, drawn once for each version.
func (g *goods) shelf(ctx context.Context, l views.Lang, category string) (templ.Component, error) {
	key := shelfKey{l, category}
	if x, ok := g.shelves.Load(key); ok {
		return x.(templ.Component), nil
	}
	var cards []views.Card
	for i := range g.products {
		if x := &g.products[i]; category == "" || x.CategoryID == category {
			cards = append(cards, card(l, x))
		}
	}
	x, err := views.Shelf(ctx, l, cards)
	if err != nil {
		return nil, fmt.Errorf("draw goods: %w", err)
	}
	g.shelves.Store(key, x)
	return x, nil
}

// catalogCache keeps the goods of one version.
type catalogCache struct {
	mu   sync.Mutex
	last *goods
}

// goods reads the catalogue when it changed since the last time.
func (s *Server) goods(ctx context.Context) (*goods, error) {
	version := s.Store.CatalogVersion()
	s.catalog.mu.Lock()
	defer s.catalog.mu.Unlock()
	if g := s.catalog.last; g != nil && g.version == version {
		return g, nil
	}
	g := &goods{version: version}
	var err error
	if g.categories, err = s.Store.Categories(ctx); err != nil {
		return nil, err
	}
	if g.products, err = s.Store.Products(ctx, models.Find{}); err != nil {
		return nil, err
	}
	s.catalog.last = g
	return g, nil
}

// category finds one by its id.
func (g *goods) category(id string) bool {
	for i := range g.categories {
		if g.categories[i].ID == id {
			return true
		}
	}
	return false
}

// product finds an active one by its slug.
func (g *goods) product(slug string) (*models.Product, bool) {
	for i := range g.products {
		if g.products[i].Slug == slug {
			return &g.products[i], true
		}
	}
	return nil, false
}
