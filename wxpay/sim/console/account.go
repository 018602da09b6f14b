package console

// AccountView is the page of the merchant's and the account's settings.
type AccountView struct {
	Frame    Frame
	Enforce  bool
	Lists    []AccountList
	AppIDs   []AccountChoice
	Products []AccountChoice
	KeyModes []AccountChoice
	BillHost []AccountChoice

	CloseUnknown []AccountChoice
	Reentry      []AccountChoice

	Certs []CertRow // platform certificates that are listed, newest first
	Steps []AccountChoice
}

// CertRow is a platform certificate.
type CertRow struct {
	SerialNo, State string
}

// AccountList is a setting with one entry per line.
type AccountList struct {
	Name  string // "pay_directories"
	Label string
	Hint  string
	Lines string
	Flaws []string // what can never match, and why
}

// AccountChoice is a box or a radio button.
type AccountChoice struct {
	Value, Label string
	On           bool
}

// MessagesView is the page of the official account: its message server, its
// menu, and what a person can do in the chat.
type MessagesView struct {
	Frame  Frame
	URL    string
	Token  string
	Key    string
	Mode   string
	Hidden bool // a public demo
	Users  []User
	Menu   []MenuButton
	Rows   []Entry // the latest, newest first
}

// MenuButton is a button of the account's menu that does something here.
type MenuButton struct{ Name, Type, Key string }

var modes = []choice{{"plain", "明文"}, {"compat", "兼容"}, {"safe", "安全"}}

var pushEvents = []choice{{"subscribe", "关注"}, {"unsubscribe", "取消关注"}, {"scan", "扫带参数的码"}}

// ScenarioRow is one scripted outcome.
type ScenarioRow struct {
	ID    string
	When  string
	Then  string
	Times string
	Fired int
}

var scenarioKinds = []choice{{"amount", "金额（分）是"}, {"amount_ends", "金额尾数是"}, {"description", "商品描述里有"}, {"openid", "openid 是"}}

var scenarioOutcomes = []choice{
	{"fail", "付款失败"}, {"cancel", "关掉窗口"}, {"notenough", "余额不足"}, {"wrong_password", "输错密码"},
}
