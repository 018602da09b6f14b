package views

// The longest texts of the checkout form, in characters. The inputs stop
// there; the handler checks again.
const (
	NameMax   = 32
	PhoneMax  = 20 // typed with spaces or +86
	PlaceMax  = 32 // city, district
	DetailMax = 120
	NoteMax   = 100
)

// Provinces are the names to choose from, in the usual official order. They
// are part of an address and therefore the same in every language.
var Provinces = [...]string{
	"北京市", "天津市", "河北省", "山西省", "内蒙古自治区", "辽宁省", "吉林省", "黑龙江省", "上海市",
	"江苏省", "浙江省", "安徽省", "福建省", "江西省", "山东省", "河南省", "湖北省", "湖南省", "广东省",
	"广西壮族自治区", "海南省", "重庆市", "四川省", "贵州省", "云南省", "西藏自治区", "陕西省", "甘肃省",
	"青海省", "宁夏回族自治区", "新疆维吾尔自治区", "香港特别行政区", "澳门特别行政区", "台湾省",
}

// input is one field of the address form, ready to be drawn.
type input struct {
	field              Field
	label, value, hint string
	mode, complete     string // inputmode, autocomplete
	max                int
	err                string
}

// input is a field of the form with its label, what was typed, and what is
// wrong with it.
func (p *CheckoutPage) input(f Field) input {
	w := &p.words().Checkout
	in := input{field: f, err: p.errorOf(f)}
	switch f {
	case FieldName:
		in.label, in.value, in.complete, in.max = w.Name, p.To.Name, "name", NameMax
	case FieldPhone:
		in.label, in.value, in.complete, in.max, in.mode = w.Phone, p.To.Phone, "tel", PhoneMax, "tel"
	case FieldProvince:
		in.label, in.value, in.complete = w.Province, p.To.Province, "address-level1"
	case FieldCity:
		in.label, in.value, in.complete, in.max = w.City, p.To.City, "address-level2", PlaceMax
	case FieldDistrict:
		in.label, in.value, in.complete, in.max = w.District, p.To.District, "address-level3", PlaceMax
	case FieldDetail:
		in.label, in.value, in.complete, in.max, in.hint = w.Detail, p.To.Street, "street-address", DetailMax, w.DetailHint
	case FieldNote:
		in.label, in.value, in.complete, in.max, in.hint = w.Note, p.Note, "off", NoteMax, w.NoteHint
	}
	return in
}

// errorOf is the sentence for a field, "" when it is right.
func (p *CheckoutPage) errorOf(f Field) string {
	for _, e := range p.Errors {
		if e.Field == f {
			return p.words().problemText(e)
		}
	}
	return ""
}

// asForm reports whether the address must be typed or mended. An error in the
// note alone leaves the saved address as it is.
func (p *CheckoutPage) asForm() bool {
	for _, e := range p.Errors {
		if e.Field != FieldNote {
			return true
		}
	}
	return !p.Saved
}
