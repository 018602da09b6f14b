package wxpay

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	tests := []struct {
		name, src, want string
	}{
		{"CDATA", "<xml><a><![CDATA[x & <y>]]></a></xml>", "a=x & <y>"},
		{"text", "<xml><a>1</a></xml>", "a=1"},
		{"line feeds between", "<xml><b>2</b>\n<a>1</a>\n</xml>\n", "a=1,b=2"},
		{"declaration", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml><a>1</a></xml>", "a=1"},
		{"declaration, lower case", "<?xml version='1.0' encoding='utf-8'?><xml><a>1</a></xml>", "a=1"},
		{"declaration without encoding", "<?xml version=\"1.0\"?><xml><a>1</a></xml>", "a=1"},
		{"empty elements", "<xml><a></a><b><![CDATA[]]></b><c/></xml>", "a=,b=,c="},
		{"no elements", "<xml></xml>", ""},
		{"blanks are kept", "<xml><a> 1\t</a></xml>", "a= 1\t"},
		{"five entities", "<xml><a>&lt;&gt;&amp;&quot;&apos;</a></xml>", `a=<>&"'`},
		{"characters by number", "<xml><a>&#65;&#x4e2d;&#13;</a></xml>", "a=A中\r"},
		{"]] is text", "<xml><a>]]</a></xml>", "a=]]"},
		{"]]> in CDATA", "<xml><a><![CDATA[1]]]]><![CDATA[>2]]></a></xml>", "a=1]]>2"},
		{"text and CDATA", "<xml><a>1<![CDATA[<]]>2</a></xml>", "a=1<2"},
		{"line ends", "<xml><a>1\r\n2\r3</a><b><![CDATA[1\r\n2]]></b></xml>", "a=1\n2\n3,b=1\n2"},
		{"upper case sorts first", "<xml><a>1</a><B>2</B></xml>", "B=2,a=1"},
		{"a field called xml", "<xml><xml>1</xml></xml>", "xml=1"},
		{"an index in the name", "<xml><coupon_id_$0_1>7</coupon_id_$0_1></xml>", "coupon_id_$0_1=7"},
		{"beyond the basic plane", "<xml><a>🍵</a></xml>", "a=🍵"},
	}
	for _, tt := range tests {
		m, err := decode(tt.src, maxNotify, nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var parts []string
		for _, f := range m {
			parts = append(parts, f.name+"="+f.value)
		}
		if got := strings.Join(parts, ","); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// hostile is what the reader must refuse: X9, X10, X11 of the attack pack and
// whatever else XML can do that WeChat does not.
var hostile = []struct{ name, src string }{
	{"X9 external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><a>&x;</a></xml>`},
	{"X9 external DTD", `<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><xml><a>1</a></xml>`},
	{"X9 bare DOCTYPE", `<!DOCTYPE a><xml><a>1</a></xml>`},
	{"X9 DOCTYPE after the declaration", `<?xml version="1.0"?><!DOCTYPE a><xml><a>1</a></xml>`},
	{"X9 DOCTYPE inside", `<xml><!DOCTYPE a><a>1</a></xml>`},
	{"X10 billion laughs", `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><xml><a>&b;</a></xml>`},
	{"X10 parameter entity", `<!DOCTYPE l [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]><xml><a>1</a></xml>`},
	{"X10 UTF-16", `<?xml version="1.0" encoding="UTF-16"?><xml><a>1</a></xml>`},
	{"X10 GBK", `<?xml version="1.0" encoding="GBK"?><xml><a>1</a></xml>`},
	{"X10 UTF-7", `<?xml version="1.0" encoding="UTF-7"?><xml>+ADw-a+AD4-1</xml>`},
	{"X10 UTF-7 text", `+ADw-xml+AD4APA-a+AD4-1`},
	{"X11 two roots", `<xml><a>1</a></xml><xml><a>2</a></xml>`},
	{"X11 text after the root", `<xml><a>1</a></xml>x`},
	{"X11 a field twice", `<xml><a>1</a><b>2</b><a>1</a></xml>`},
	{"X11 a field twice in a row", `<xml><a>1</a><a>2</a></xml>`},
	{"X11 comment in a value", `<xml><a>10<!-- -->0</a></xml>`},
	{"X11 child", `<xml><a>1<b>9</b>2</a></xml>`},
	{"X11 attribute", `<xml><a x="1">1</a></xml>`},
	{"X11 attribute of the root", `<xml x="1"><a>1</a></xml>`},
	{"X11 deep", "<xml>" + strings.Repeat("<a>", 20000) + strings.Repeat("</a>", 20000) + "</xml>"},
	{"X11 many fields", "<xml>" + strings.Repeat("<a>1</a>", 6000) + "</xml>"},
	{"empty", ""},
	{"blanks", " \n"},
	{"text", "SUCCESS"},
	{"JSON", `{"return_code":"SUCCESS"}`},
	{"HTML", "<html><body>502</body></html>"},
	{"another root", "<root><a>1</a></root>"},
	{"upper-case root", "<XML><a>1</a></XML>"},
	{"text before the root", "x<xml><a>1</a></xml>"},
	{"byte order mark", "\ufeff<xml><a>1</a></xml>"},
	{"comment before the root", "<!-- --><xml><a>1</a></xml>"},
	{"comment after the root", "<xml><a>1</a></xml><!-- -->"},
	{"instruction", `<xml><?a b?><a>1</a></xml>`},
	{"instruction before the root", `<?a b?><xml><a>1</a></xml>`},
	{"stylesheet after the declaration", `<?xml version="1.0"?><?xml-stylesheet href="a"?><xml><a>1</a></xml>`},
	{"second declaration", `<?xml version="1.0"?><?xml version="1.0"?><xml><a>1</a></xml>`},
	{"declaration late", ` <?xml version="1.0"?><xml><a>1</a></xml>`},
	{"version 1.1", `<?xml version="1.1"?><xml><a>1</a></xml>`},
	{"declaration run together", `<?xmlversion="1.0"?><xml><a>1</a></xml>`},
	{"declaration with two encodings", `<?xml version="1.0" encoding="UTF-8" encoding="GBK"?><xml><a>1</a></xml>`},
	{"declaration cut", `<?xml version="1.0"`},
	{"text between fields", "<xml>x<a>1</a></xml>"},
	{"CDATA between fields", "<xml><![CDATA[x]]><a>1</a></xml>"},
	{"cut in a value", "<xml><a>1"},
	{"cut in CDATA", "<xml><a><![CDATA[1"},
	{"cut in a name", "<xml><a"},
	{"cut after a field", "<xml><a>1</a>"},
	{"cut in the root", "<xml><a>1</a></xml"},
	{"wrong closing", "<xml><a>1</b></xml>"},
	{"longer closing", "<xml><a>1</ab></xml>"},
	{"no name", "<xml><>1</></xml>"},
	{"namespace", "<xml><x:a>1</x:a></xml>"},
	{"name too long", "<xml><" + strings.Repeat("a", 65) + "/></xml>"},
	{"name not ASCII", "<xml><钱>1</钱></xml>"},
	{"value too long", "<xml><a>" + strings.Repeat("x", maxValue+1) + "</a></xml>"},
	{"value too long, in parts", "<xml><a>" + strings.Repeat("<![CDATA[xx]]>", maxValue/2+1) + "</a></xml>"},
	{"unknown entity", "<xml><a>&nbsp;</a></xml>"},
	{"bare ampersand", "<xml><a>a & b</a></xml>"},
	{"character 0", "<xml><a>&#0;</a></xml>"},
	{"character 8", "<xml><a>&#8;</a></xml>"},
	{"surrogate", "<xml><a>&#xD800;</a></xml>"},
	{"beyond Unicode", "<xml><a>&#x110000;</a></xml>"},
	{"U+FFFE by number", "<xml><a>&#xFFFE;</a></xml>"},
	{"U+FFFF", "<xml><a>\uffff</a></xml>"},
	{"no number", "<xml><a>&#;</a></xml>"},
	{"signed number", "<xml><a>&#+65;</a></xml>"},
	{"upper-case X", "<xml><a>&#X41;</a></xml>"},
	{"NUL", "<xml><a>\x00</a></xml>"},
	{"escape character", "<xml><a>\x1b</a></xml>"},
	{"not UTF-8", "<xml><a>\xc4\xe3</a></xml>"},
	{"]]> in text", "<xml><a>1]]>2</a></xml>"},
	{"nested CDATA", "<xml><a><![CDATA[<![CDATA[1]]>]]></a></xml>"},
	{"too long", "<xml>" + strings.Repeat("\n", maxNotify) + "</xml>"},
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := decode(tt.src, maxNotify, nil)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted as %v", tt.name, m)
		} else if !errors.Is(err, errXML) {
			t.Errorf("%s: error %v is not errXML", tt.name, err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 { // X10
			t.Errorf("%s: %d bytes allocated", tt.name, spent)
		}
	}
}

// Every byte at every place of the eight that are looked at together.
func TestLegalText(t *testing.T) {
	for c := range 128 {
		for at := range 17 {
			b := []byte("0123456789abcdefg")
			b[at] = byte(c)
			want := c >= ' ' || c == '\n' || c == '\t' || c == '\r'
			if got := legalText(string(b)); got != want {
				t.Errorf("legalText with byte %#x at %d = %t, want %t", c, at, got, want)
			}
		}
	}
}

func TestDecodeLimits(t *testing.T) {
	var b strings.Builder
	for i := range maxFields {
		fmt.Fprintf(&b, "<f%d>%d</f%d>", i, i, i)
	}
	if m, err := decode("<xml>"+b.String()+"</xml>", maxNotify, nil); err != nil || len(m) != maxFields {
		t.Errorf("%d fields: %d read, %v", maxFields, len(m), err)
	}
	if _, err := decode("<xml>"+b.String()+"<one_more/></xml>", maxNotify, nil); err == nil {
		t.Errorf("%d fields accepted", maxFields+1)
	}
	long := strings.Repeat("x", maxValue)
	if m, err := decode("<xml><a>"+long+"</a></xml>", maxNotify, nil); err != nil || m.get("a") != long {
		t.Errorf("a value of %d bytes: %v", maxValue, err)
	}
	name := strings.Repeat("n", maxName)
	if m, err := decode("<xml><"+name+">1</"+name+"></xml>", maxNotify, nil); err != nil || m.get(name) != "1" {
		t.Errorf("a name of %d bytes: %v", maxName, err)
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	m := message{
		{"a", `<a href="x">&amp;'`}, {"b", "1\r\n2\r3\n"}, {"c", "]]>"}, {"d", ""}, {"e", " 茶 🍵 "}, {"f", "<![CDATA[1]]>"},
	}
	got, err := decode(string(encode(m)), maxNotify, nil)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(m) {
		t.Errorf("decode(encode(m)) = %q, %v, want %q", got, err, m)
	}
}

// FuzzDecode compares with encoding/xml: whatever we accept, it reads the same
// way; and what we write we read back.
func FuzzDecode(f *testing.F) {
	for _, tt := range hostile {
		if len(tt.src) < 4096 {
			f.Add(tt.src)
		}
	}
	f.Add("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<xml><a><![CDATA[1]]>]]&gt;&#x4e2d;\r\n</a>\n<b/></xml>\n")
	f.Add(string(encode(fieldsOf(f, v7Text, strings.Fields(v7Fields)...))))
	f.Fuzz(func(t *testing.T, src string) {
		m, err := decode(src, maxNotify, nil)
		if err != nil {
			return
		}
		again, err := decode(string(encode(m)), 8*maxNotify, nil)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Fatalf("decode(encode(m)) = %q, %v, want %q", again, err, m)
		}
		ours := make(map[string]string)
		for _, f := range m {
			if strings.Contains(f.name, "$") || f.name[0] >= '0' && f.name[0] <= '9' {
				return // names that WeChat may use and XML may not
			}
			ours[f.name] = f.value
		}
		if len(ours) != len(m) {
			t.Fatalf("a name twice: %q", m)
		}
		theirs, err := oracle(src)
		if err != nil || !maps.Equal(ours, theirs) {
			t.Fatalf("ours %q, encoding/xml %q, %v", ours, theirs, err)
		}
	})
}

// oracle reads a flat document with encoding/xml.
func oracle(src string) (map[string]string, error) {
	d := xml.NewDecoder(strings.NewReader(src))
	out := make(map[string]string)
	depth, name := 0, ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		switch x := token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				name = x.Name.Local
				out[name] = ""
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 2 {
				out[name] += string(x)
			}
		}
	}
}
