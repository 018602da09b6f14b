package console

// DoctorView is the page of the signature doctor: POST /_sim/doctor shows it
// again with a result.
type DoctorView struct {
	Frame     Frame
	API       string // "v2", "v3"
	Direction string // request, answer, notification
	URL       string // "POST /pay/unifiedorder"
	Headers   string // one per line
	Body      string
	Computed  string // what the client computed, for answers and notifications
	Asked     bool
	Valid     bool
	Result    Diagnosis
}

// choice is an entry of a <select> or a list of boxes.
type choice struct{ value, label string }

var directions = []choice{{"request", "发给微信的请求"}, {"answer", "微信的应答"}, {"notification", "微信的通知"}}

var apis = []choice{{"v2", "v2"}, {"v3", "v3"}}

// causes are what the doctor looks for, in the words of people.
var causes = []choice{
	{"wrong-key", "密钥不对"}, {"key-has-blanks", "密钥有空格或换行"}, {"wrong-algorithm", "算法不对"}, {"sign-type-mismatch", "sign_type 不一致"},
	{"empty-parameters", "空参数"}, {"lower-case", "小写"}, {"escaped-values", "先转义再签"}, {"unsigned-field", "签完又加字段"},
	{"parameter-order", "次序不对"}, {"parameter-names", "参数名大小写"}, {"timestamp", "时间戳"},
	{"body-reserialised", "正文改写过（v3）"}, {"line-endings", "换行（v3）"}, {"wrong-url", "网址（v3）"}, {"wrong-serial", "序列号（v3）"},
	{"wrong-mchid", "商户号（v3）"}, {"signature-probe", "签名探测（v3）"},
}
