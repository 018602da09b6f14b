package sim

import (
	"net/netip"
	"net/url"
	"strings"
)

// directoryOK applies one payment directory to a page (JSAPI, "支付授权目录"):
// a domain alone allows all its pages, a deeper one that directory and neither
// its parents nor its children. Case counts, the host's too.
func directoryOK(directory, page string) bool {
	if directoryFlaw(directory) != "" {
		return false
	}
	page, _, _ = strings.Cut(page, "#")
	page, _, _ = strings.Cut(page, "?")
	scheme, rest, ok := strings.Cut(page, "://")
	if !ok {
		return false
	}
	host, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	_, configured, _ := strings.Cut(directory, "://")
	if _, deep, _ := strings.Cut(configured, "/"); deep == "" {
		path = "/"
	}
	return directory == scheme+"://"+host+path[:strings.LastIndexByte(path, '/')+1]
}

// directoryFlaw says why a payment directory can never match, or "".
func directoryFlaw(directory string) string {
	scheme, rest, ok := strings.Cut(directory, "://")
	switch {
	case !ok || scheme != "http" && scheme != "https" || rest == "" || rest[0] == '/':
		return "要以 http:// 或 https:// 开头，后面是域名。It starts with http:// or https:// and a domain."
	case !strings.HasSuffix(directory, "/"):
		return "少了结尾的 /：付款窗口会报“当前页面的URL未注册”。It must end with a slash."
	case strings.ContainsAny(rest, "?#"):
		return "不能带 ? 或 #。No query and no fragment."
	}
	host, _, _ := strings.Cut(rest, "/")
	if bare(host) && !loopbackName(hostOf(host)) {
		return "不能是 IP，要用备过案的域名。No IP address, but a domain with an ICP filing."
	}
	return ""
}

// bare reports whether an authority is an IP address.
func bare(authority string) bool {
	_, err := netip.ParseAddr(hostOf(authority))
	return err == nil
}

func hostOf(authority string) string {
	u, err := url.Parse("http://" + authority)
	if err != nil {
		return authority
	}
	return u.Hostname()
}

// directoryOf is the directory that a page counts as.
func directoryOf(page string) string {
	page, _, _ = strings.Cut(page, "#")
	page, _, _ = strings.Cut(page, "?")
	_, rest, ok := strings.Cut(page, "://")
	if ok && !strings.Contains(rest, "/") {
		return page + "/"
	}
	return page[:strings.LastIndexByte(page, '/')+1]
}

// domainOK applies one account domain: the full host, by http or https, and
// where the setting has a path, below it. Sub-domains are not included.
func domainOK(domain, page string) bool {
	u, err := url.Parse(page)
	if err != nil || domainFlaw(domain) != "" {
		return false
	}
	host, path, deep := strings.Cut(domain, "/")
	if !strings.EqualFold(host, u.Hostname()) {
		return false
	}
	path = strings.TrimSuffix("/"+path, "/")
	return !deep || u.Path == path || strings.HasPrefix(u.Path, path+"/")
}

// domainFlaw says why an account domain can never match, or "". On a laptop
// loopback stands for a domain.
func domainFlaw(domain string) string {
	host, _, _ := strings.Cut(domain, "/")
	switch {
	case strings.Contains(domain, "://"):
		return "不带协议：写 " + hostOf(strings.SplitN(domain, "://", 2)[1]) + "。No scheme."
	case strings.Contains(host, ":"):
		return "不带端口。No port."
	case strings.ContainsAny(domain, "?#") || host == "":
		return "只写域名，或域名加路径。Only a domain, or a domain with a path."
	case bare(host) && !loopbackName(host):
		return "不能是 IP。No IP address."
	}
	return ""
}

// addressFlaw says why an entry of the IP whitelist can never match, or "".
func addressFlaw(text string) string {
	if _, err := netip.ParseAddr(text); err == nil {
		return ""
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return ""
	}
	return "要写 IP，或像 1.2.3.0/24 的一段。An address, or a range such as 1.2.3.0/24."
}

// pageRegistered checks the page that opens the pay sheet.
func (s *Sim) pageRegistered(a accountJSON, page string) error {
	if !a.Enforce {
		return nil
	}
	for _, d := range a.PayDirectories {
		if directoryOK(d, page) {
			return nil
		}
	}
	where := directoryOf(page)
	return &payRefusal{"当前页面的URL未注册：" + where, "商户平台 → 产品中心 → 开发配置 → 支付授权目录，加上 " + where +
		"。Add this directory, exactly like that, to the payment directories; here: pay_directories of /_sim/account"}
}

// redirectRegistered checks where OAuth returns to.
func redirectRegistered(a accountJSON, redirect string) authorizeError {
	if !a.Enforce {
		return authorizeError{}
	}
	for _, d := range a.OAuthDomains {
		if domainOK(d, redirect) {
			return authorizeError{}
		}
	}
	host := redirect
	if u, err := url.Parse(redirect); err == nil {
		host = u.Hostname()
	}
	return authorizeError{10003, "redirect_uri域名与后台配置不一致",
		"公众平台 → 设置与开发 → 账号设置 → 功能设置 → 网页授权域名，加上 " + host + "（不带协议和端口）。Add the host of redirect_uri to the web-OAuth domains; here: oauth_domains of /_sim/account."}
}
