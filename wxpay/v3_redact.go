package wxpay

import (
	"bytes"
	"encoding/json"
	"strings"
)

// redactedJSON is a body of API v3 for people to read, one value a line.
func redactedJSON(body string) string {
	if body == "" {
		return ""
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return excerpt(body)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(redactedValue("", v)); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// redactedValue is v, which stands under name, as a person may see it.
func redactedValue(name string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, inner := range x {
			if _, ok := redacted(field{name: k}); !ok {
				delete(x, k)
				continue
			}
			x[k] = redactedValue(k, inner)
		}
	case []any:
		for i := range x {
			x[i] = redactedValue(name, x[i])
		}
	case string:
		if name == "download_url" {
			return withoutToken(x)
		}
		if s, ok := redacted(field{name, x}); ok {
			return s
		}
		return nil
	}
	return v
}

// withoutToken takes the query off the address of a bill: it is a key to it.
func withoutToken(target string) string {
	if path, _, ok := strings.Cut(target, "?"); ok && strings.HasSuffix(path, billFilePath) {
		return path
	}
	return target
}
