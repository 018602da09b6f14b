package handlers

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// Refusals of a request before any of it is used. They say nothing of what we
// would have liked to see: our own pages never cause them.
var (
	errBadForm   = errors.New("form with missing, doubled or unknown fields")
	errMediaType = errors.New("content type not taken here")
	errTooLarge  = errors.New("body over the limit")
	errCutShort  = errors.New("body ended too early")
)

// form is a submitted form with exactly the declared fields, each at most once
// (security I4). It is the only way in which handlers read a body.
type form struct{ values url.Values }

// readForm reads the body of a POST. A field that was not declared, a field
// that comes twice, also once in the address and once in the body, a semicolon
// as separator, and a body of another type are refused. A declared name that
// ends in * stands for all names with that beginning.
func readForm(c *gin.Context, declared ...string) (*form, error) {
	body, err := readBody(c.Request, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	values, err := strictQuery(string(body), declared)
	if err != nil {
		return nil, err
	}
	inAddress, err := strictQuery(c.Request.URL.RawQuery, declared)
	if err != nil {
		return nil, err
	}
	for key, v := range inAddress {
		if values.Has(key) {
			return nil, fmt.Errorf("field %.40q in address and body: %w", key, errBadForm)
		}
		values[key] = v
	}
	return &form{values}, nil
}

// strictQuery parses an encoded form. Unknown and doubled names are errors.
func strictQuery(raw string, declared []string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil { // bad escapes, semicolons, too many
		return nil, fmt.Errorf("parse form: %w", errBadForm)
	}
	for key, v := range values {
		if len(v) != 1 {
			return nil, fmt.Errorf("field %.40q %d times: %w", key, len(v), errBadForm)
		}
		if !slices.ContainsFunc(declared, func(d string) bool { return matches(d, key) }) {
			return nil, fmt.Errorf("field %.40q: %w", key, errBadForm)
		}
	}
	return values, nil
}

func matches(declared, key string) bool {
	if head, ok := strings.CutSuffix(declared, "*"); ok {
		return strings.HasPrefix(key, head)
	}
	return declared == key
}

// query reads the parameters of a GET. What nobody declared is ignored,
// because WeChat adds words of its own to shared links; a declared name that
// comes twice, or a query that cannot be parsed, is refused.
func query(c *gin.Context, declared ...string) (*form, error) {
	all, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("parse query: %w", errBadForm)
	}
	f := &form{url.Values{}}
	for _, key := range declared {
		switch v := all[key]; len(v) {
		case 0:
		case 1:
			f.values[key] = v
		default:
			return nil, fmt.Errorf("parameter %s %d times: %w", key, len(v), errBadForm)
		}
	}
	return f, nil
}

// raw is a field as it came, "" when it did not.
func (f *form) raw(name string) string { return f.values.Get(name) }

// has reports whether a field came.
func (f *form) has(name string) bool { return f.values.Has(name) }

// text is a field fit to be stored and shown, of at most limit characters.
func (f *form) text(name string, limit int) (string, error) {
	s, ok := cleanText(f.raw(name), false)
	if !ok || len([]rune(s)) > limit {
		return "", fmt.Errorf("text of %s: %w", name, errBadForm)
	}
	return s, nil
}

// code is a field that must be an identifier (security I6); empty is refused.
func (f *form) code(name string, ok func(string) bool) (string, error) {
	s := f.raw(name)
	if !ok(s) {
		return "", fmt.Errorf("value of %s: %w", name, errBadForm)
	}
	return s, nil
}

// quantity is a whole number from 1 to 99 without sign or leading zero
// (security P12).
func (f *form) quantity(name string) (int64, error) { return quantity(f.raw(name)) }

func quantity(s string) (int64, error) {
	if len(s) > 2 || !isID(s) {
		return 0, fmt.Errorf("quantity %.12q: %w", s, errBadForm)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("quantity %.12q: %w", s, errBadForm)
	}
	return n, nil
}

// readBody reads a whole body of the given type. Its length was limited by
// limitBody. A body that stops half-way is never used (security V2).
func readBody(r *http.Request, mediaType string) ([]byte, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		return nil, fmt.Errorf("content type %.60q: %w", r.Header.Get("Content-Type"), errMediaType)
	}
	return readAll(r)
}

func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errCutShort, err)
	}
	return body, nil
}
