package sim

import (
	"encoding/xml"
	"maps"
	"strings"
	"testing"
)

func TestReadXML(t *testing.T) {
	many := strings.Builder{}
	for i := range maxFields + 1 {
		many.WriteString("<f" + strings.Repeat("x", i%60) + string(rune('a'+i/60)) + ">1</f" + strings.Repeat("x", i%60) + string(rune('a'+i/60)) + ">")
	}
	tests := []struct {
		name, doc string
		want      map[string]string // nil: refused
	}{
		{"empty", "<xml></xml>", map[string]string{}},
		{"text", "<xml><a>1</a></xml>", map[string]string{"a": "1"}},
		{"CDATA", "<xml><a><![CDATA[<b>&amp;]]></a></xml>", map[string]string{"a": "<b>&amp;"}},
		{"CDATA in lines", "<xml>\n<a>\n <![CDATA[ 1 ]]>\n</a>\n</xml>", map[string]string{"a": " 1 "}},
		{"two CDATA", "<xml><a><![CDATA[1]]]]><![CDATA[>2]]></a></xml>", map[string]string{"a": "1]]>2"}},
		{"entities", "<xml><a>&lt;&gt;&amp;&quot;&apos;&#33;&#x8336;</a></xml>", map[string]string{"a": "<>&\"'!茶"}},
		{"spaces stay", "<xml><a> 1 </a></xml>", map[string]string{"a": " 1 "}},
		{"empty elements", "<xml><a/><b></b><c /></xml>", map[string]string{"a": "", "b": "", "c": ""}},
		{"declaration", `<?xml version="1.0" encoding="utf-8"?>` + "\n<xml><a>1</a></xml>", map[string]string{"a": "1"}},
		{"coupon fields", "<xml><coupon_fee_0>1</coupon_fee_0></xml>", map[string]string{"coupon_fee_0": "1"}},
		{"nothing", "", nil},
		{"text only", "hello", nil},
		{"other root", "<root></root>", nil},
		{"upper root", "<XML></XML>", nil},
		{"root attribute", `<xml a="1"></xml>`, nil},
		{"not closed", "<xml><a>1</a>", nil},
		{"two roots", "<xml></xml><xml></xml>", nil},
		{"text after", "<xml></xml>x", nil},
		{"text before", "x<xml></xml>", nil},
		{"text between", "<xml><a>1</a>x</xml>", nil},
		{"BOM", "\uFEFF<xml></xml>", nil},
		{"duplicate", "<xml><a>1</a><a>2</a></xml>", nil},
		{"nested", "<xml><a><b>1</b></a></xml>", nil},
		{"attribute", `<xml><a b="1">1</a></xml>`, nil},
		{"comment", "<xml><!-- x --></xml>", nil},
		{"comment inside a value", "<xml><a>10<!-- -->0</a></xml>", nil},
		{"instruction", "<xml><?php 1 ?></xml>", nil},
		{"DOCTYPE", "<!DOCTYPE xml><xml></xml>", nil},
		{"entity", `<!DOCTYPE a [<!ENTITY x "1">]><xml><a>&x;</a></xml>`, nil},
		{"unknown entity", "<xml><a>&nbsp;</a></xml>", nil},
		{"bare ampersand", "<xml><a>a&b</a></xml>", nil},
		{"bare ]]>", "<xml><a>]]></a></xml>", nil},
		{"open CDATA", "<xml><a><![CDATA[1</a></xml>", nil},
		{"wrong end", "<xml><a>1</b></xml>", nil},
		{"bad name", "<xml><a-b>1</a-b></xml>", nil},
		{"namespace", "<xml><x:a>1</x:a></xml>", nil},
		{"long name", "<xml><" + strings.Repeat("a", 65) + ">1</" + strings.Repeat("a", 65) + "></xml>", nil},
		{"long value", "<xml><a>" + strings.Repeat("1", maxValue+1) + "</a></xml>", nil},
		{"too many fields", "<xml>" + many.String() + "</xml>", nil},
		{"control character", "<xml><a>\x01</a></xml>", nil},
		{"NUL by reference", "<xml><a>&#0;</a></xml>", nil},
		{"surrogate by reference", "<xml><a>&#xD800;</a></xml>", nil},
		{"GBK declared", `<?xml version="1.0" encoding="GBK"?><xml></xml>`, nil},
		{"UTF-16 declared", `<?xml version="1.0" encoding="UTF-16"?><xml></xml>`, nil},
		{"not UTF-8", "<xml><a>\xff</a></xml>", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readXML([]byte(tt.doc))
			if (err == nil) != (tt.want != nil) || err == nil && !maps.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// What the reader accepts, the standard library reads in the same way; what
// the writer writes, the reader reads back.
func FuzzReadXML(f *testing.F) {
	for _, doc := range []string{
		"<xml><a>1</a></xml>", "<xml><a><![CDATA[1]]></a>\n<b>&lt;</b></xml>", `<?xml version="1.0"?><xml><a/></xml>`,
		"<!DOCTYPE a><xml></xml>", "<xml><a>1<b>2</b></a></xml>", "<xml><a> <![CDATA[x]]> </a></xml>", "<xml><a>\r\n</a></xml>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := readXML(doc)
		if err != nil {
			return
		}
		var oracle struct {
			XMLName xml.Name
			Fields  []struct {
				XMLName xml.Name
				Value   string `xml:",chardata"`
			} `xml:",any"`
		}
		if err := xml.Unmarshal(doc, &oracle); err != nil {
			t.Fatalf("accepted what encoding/xml refuses: %v in %q", err, doc)
		}
		if len(oracle.Fields) != len(got) {
			t.Fatalf("%d fields, encoding/xml reads %d in %q", len(got), len(oracle.Fields), doc)
		}
		for _, field := range oracle.Fields {
			mine := got[field.XMLName.Local]
			if mine != field.Value && mine != strings.Trim(field.Value, " \t\r\n") && !strings.Contains(string(doc), "<![CDATA[") {
				t.Fatalf("%s = %q, encoding/xml reads %q in %q", field.XMLName.Local, mine, field.Value, doc)
			}
		}
		var list []field
		for name, value := range got {
			list = append(list, field{name, value})
		}
		again, err := readXML(writeXML(list, nil))
		if err != nil || !maps.Equal(again, got) {
			t.Fatalf("written and read again: %q, %v; want %q", again, err, got)
		}
	})
}
