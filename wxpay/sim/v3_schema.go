package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kindV3 is the JSON type that a field must have.
type kindV3 int

const (
	kindText kindV3 = iota
	kindInteger
	kindFlag
	kindObject
	kindList
)

// fieldV3 is a parameter of API v3 as its page documents it.
type fieldV3 struct {
	name   string
	words  string // what WeChat's messages call it
	kind   kindV3
	need   bool
	min    int64 // bytes of a text; fen or pieces of an integer
	max    int64
	form   *regexp.Regexp
	enum   []string
	fields []fieldV3 // of an object, or of the objects of a list
}

func textField(name, words string, max int64) fieldV3 {
	return fieldV3{name: name, words: words, min: 1, max: max}
}

func numberField(name, words string, min int64) fieldV3 {
	return fieldV3{name: name, words: words, kind: kindInteger, min: min, max: maxFen}
}

func flagField(name, words string) fieldV3 { return fieldV3{name: name, words: words, kind: kindFlag} }

func objectField(name, words string, fields ...fieldV3) fieldV3 {
	return fieldV3{name: name, words: words, kind: kindObject, fields: fields}
}

// listField is an array of texts, or of objects when there are fields.
func listField(name, words string, fields ...fieldV3) fieldV3 {
	return fieldV3{name: name, words: words, kind: kindList, fields: fields, max: 64}
}

func (f fieldV3) must() fieldV3 { f.need = true; return f }

func (f fieldV3) least(n int64) fieldV3 { f.min = n; return f }

func (f fieldV3) as(form *regexp.Regexp) fieldV3 { f.form = form; return f }

func (f fieldV3) oneOf(values ...string) fieldV3 { f.enum = values; return f }

// maxFen is the greatest amount: ten digits, as in v2.
const maxFen = 9_999_999_999

// WeChat's own numbers of mistakes in parameters.
const (
	numberIllegal   = 268435461
	numberRange     = 268435464
	numberUndefined = 270924358
)

// paramDetail is the detail of a PARAM_ERROR.
type paramDetail struct {
	Location any `json:"location"`
	Value    any `json:"value"`
}

func paramError(message string) *v3Fail {
	return &v3Fail{status: http.StatusBadRequest, code: "PARAM_ERROR", message: message, number: numberIllegal}
}

// fieldCheck walks parameters beside their documentation. source is where they
// came: body, query or uri_template.
type fieldCheck struct {
	source    string
	undefined []string // JSON pointers
}

// maxNesting is how deep a value may be nested before it counts as one.
const maxNesting = 16

// checkFields reports the first parameter that is not as documented, in the
// order of the documentation; parameters that are not documented come last.
func checkFields(source string, fields []fieldV3, raw json.RawMessage) *v3Fail {
	c := &fieldCheck{source: source}
	if e := c.object("/"+source, fields, raw); e != nil {
		return e
	}
	if len(c.undefined) == 0 {
		return nil
	}
	e := paramError("请求中含有未在API文档中定义的参数")
	e.detail, e.number = paramDetail{nil, c.undefined}, numberUndefined
	return e
}

func (c *fieldCheck) fail(number int, value any, format string, args ...any) *v3Fail {
	e := paramError(fmt.Sprintf(format, args...))
	e.detail, e.number = paramDetail{c.source, value}, number
	return e
}

// object checks the members of an object.
func (c *fieldCheck) object(at string, fields []fieldV3, raw json.RawMessage) *v3Fail {
	list := members(raw)
	seen := map[string]json.RawMessage{}
	for _, m := range list {
		at := at + "/" + pointerEscape.Replace(m.name)
		i := slices.IndexFunc(fields, func(f fieldV3) bool { return f.name == m.name })
		if i < 0 {
			c.leaves(at, m.value, 0)
			continue
		}
		if _, again := seen[m.name]; again {
			return c.fail(numberIllegal, m.value, "无法将输入源“%s”映射到目标字段“%s”中，此字段并非多重字段但被输入源“%s”映射过了。", at, fields[i].words, at)
		}
		seen[m.name] = m.value
	}
	for _, f := range fields {
		at := at + "/" + f.name
		value, ok := seen[f.name]
		switch {
		case !ok && f.need:
			return c.fail(numberIllegal, "", "输入源“%s”映射到字段“%s”必填性规则校验失败，此字段为必填项", at, f.words)
		case !ok:
			continue
		}
		if e := c.value(at, f, value); e != nil {
			return e
		}
	}
	return nil
}

// value checks one parameter that is there.
func (c *fieldCheck) value(at string, f fieldV3, raw json.RawMessage) *v3Fail {
	mismatch := func(what string) *v3Fail {
		return c.fail(numberIllegal, raw, "无法将 JSON 输入源“%s”映射到目标字段“%s”中，此字段需要%s", at, f.words, what)
	}
	switch f.kind {
	case kindText:
		var v string
		if raw[0] != '"' || json.Unmarshal(raw, &v) != nil {
			return mismatch("一个 string 类型的 Json 值")
		}
		return c.text(at, f, v)
	case kindInteger:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		switch {
		case err != nil:
			return mismatch("一个合法的 64 位有符号整数")
		case n < f.min:
			return c.fail(numberRange, raw, "输入源“%s”映射到数值字段“%s”规则校验失败，值低于最小值 %d", at, f.words, f.min)
		case n > f.max:
			return c.fail(numberRange, raw, "输入源“%s”映射到数值字段“%s”规则校验失败，值高于最大值 %d", at, f.words, f.max)
		}
	case kindFlag:
		if s := string(raw); s != "true" && s != "false" {
			return mismatch("一个 boolean 类型的 Json 值")
		}
	case kindObject:
		if raw[0] != '{' {
			return mismatch("一个 object 类型的 Json 值")
		}
		return c.object(at, f.fields, raw)
	case kindList:
		return c.list(at, f, raw)
	}
	return nil
}

// text checks a string. Lengths are bytes, not characters.
func (c *fieldCheck) text(at string, f fieldV3, v string) *v3Fail {
	n := int64(len(v))
	const rule = "输入源“%s”映射到值字段“%s”字符串规则校验失败，"
	switch {
	case n < f.min:
		return c.fail(numberRange, n, rule+"字节数 %d，小于最小值 %d", at, f.words, n, f.min)
	case n > f.max:
		return c.fail(numberRange, n, rule+"字节数 %d，大于最大值 %d", at, f.words, n, f.max)
	case strings.ContainsFunc(v, func(r rune) bool { return r > 0xFFFF }):
		return c.fail(numberIllegal, v, rule+"只支持 1 到 3 字节的 UTF-8 字符", at, f.words)
	case f.form != nil && !f.form.MatchString(v):
		return c.fail(numberIllegal, v, rule+"格式不正确", at, f.words)
	case f.enum != nil && !slices.Contains(f.enum, v):
		return c.fail(numberIllegal, v, "输入源“%s”映射到枚举字段“%s”规则校验失败，枚举值不存在", at, f.words)
	}
	return nil
}

func (c *fieldCheck) list(at string, f fieldV3, raw json.RawMessage) *v3Fail {
	if raw[0] != '[' {
		return c.fail(numberIllegal, raw, "无法将 JSON 输入源“%s”映射到多重字段“%s”中，此字段需要 JSON 数组对象", at, f.words)
	}
	element := fieldV3{words: f.words, kind: kindObject, fields: f.fields}
	if f.fields == nil {
		element = textField("", f.words, f.max).oneOf(f.enum...)
	}
	for i, v := range elements(raw) {
		if e := c.value(at+"/"+strconv.Itoa(i), element, v); e != nil {
			return e
		}
	}
	return nil
}

// leaves notes what stands in a value that nobody documented.
func (c *fieldCheck) leaves(at string, raw json.RawMessage, depth int) {
	if depth < maxNesting && raw[0] == '{' {
		if list := members(raw); len(list) > 0 {
			for _, m := range list {
				c.leaves(at+"/"+pointerEscape.Replace(m.name), m.value, depth+1)
			}
			return
		}
	}
	c.undefined = append(c.undefined, at)
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// memberV3 is one member of a JSON object.
type memberV3 struct {
	name  string
	value json.RawMessage
}

// members are those of a valid JSON object, in their order, repeated ones too.
func members(raw json.RawMessage) []memberV3 {
	var out []memberV3
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return out
		}
		var m memberV3
		m.name, _ = name.(string)
		if dec.Decode(&m.value) != nil {
			return out
		}
		out = append(out, m)
	}
	return out
}

// elements are those of a valid JSON array.
func elements(raw json.RawMessage) []json.RawMessage {
	var out []json.RawMessage
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}
