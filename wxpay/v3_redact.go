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
		blotDetail(x)
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

// blotDetail shortens what a refusal repeats to us: with a bad openid, the
// openid, under a name that does not say so (WeChat Pay v3, error messages).
func blotDetail(x map[string]any) {
	detail, ok := x["detail"].(map[string]any)
	value, isText := detail["value"].(string)
	if !ok || !isText || value == "" {
		return
	}
	field, _ := detail["field"].(string)
	message, _ := x["message"].(string)
	if mentions(strings.ToLower(field+message), "openid") {
		detail["value"] = shortOpenID(value)
	}
}

// withoutToken takes the query off the address of a bill: it is a key to it.
func withoutToken(target string) string {
	if path, _, ok := strings.Cut(target, "?"); ok && strings.HasSuffix(path, billFilePath) {
		return path
	}
	return target
}
