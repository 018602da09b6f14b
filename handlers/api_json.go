package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// maxDepth is how deep JSON from outside may be nested.
const maxDepth = 16

// readJSON reads the body of a call into a struct, strictly (security I3). Its
// length was limited by limitBody.
func readJSON(c *gin.Context, to any) error {
	body, err := readBody(c.Request, "application/json")
	if err != nil {
		return err
	}
	return decodeJSON(body, to)
}

// readMaybeJSON is readJSON for calls that need nothing in their body.
func readMaybeJSON(c *gin.Context, to any) error {
	if c.Request.ContentLength == 0 {
		return nil
	}
	return readJSON(c, to)
}

// decodeJSON takes one JSON value and nothing after it. encoding/json by itself
// lets the last of two equal keys win, and a key in other letters, and turns bad
// UTF-8 into something else; all of that is refused here first.
func decodeJSON(body []byte, to any) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("json that is not UTF-8: %w", errBadForm)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkJSON(d, 0); err != nil {
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("json with something after its end: %w", errBadForm)
	}
	d = json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil { // another type, an unknown key, a number over int64
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	return nil
}

// checkJSON reads one value: keys once and in our spelling, whole numbers, no
// null, not too deep.
func checkJSON(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("read json: %w", err)
	}
	switch v := t.(type) {
	case nil:
		return errors.New("json with null")
	case json.Number:
		if !isWhole(v.String()) {
			return errors.New("json with a number that is not whole")
		}
	case json.Delim:
		if depth++; depth > maxDepth {
			return errors.New("json nested too deep")
		}
		return checkInside(d, v == '{', depth)
	}
	return nil
}

// checkInside reads what stands in an object or a list, and its end.
func checkInside(d *json.Decoder, object bool, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		if object {
			t, err := d.Token()
			if err != nil {
				return fmt.Errorf("read json: %w", err)
			}
			key, ok := t.(string)
			if !ok || !isKey(key) || seen[key] {
				return fmt.Errorf("json key %.40q twice or unknown", key)
			}
			seen[key] = true
		}
		if err := checkJSON(d, depth); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("read json: %w", err)
	}
	return nil
}

// isKey: small letters and underscores, as all our keys are. So no key can be
// taken for another one in other letters.
func isKey(s string) bool {
	return s != "" && len(s) <= 32 && all(s, func(c byte) bool { return c >= 'a' && c <= 'z' || c == '_' })
}

// isWhole: an integer as JSON writes it, without fraction or exponent.
func isWhole(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	return s != "" && len(s) <= 19 && all(s, isDigit)
}
