package browser

import (
	"net/http"
	"slices"
	"strings"
)

// openPolicies makes room for the bridge in the page's Content-Security-Policy
// and returns the nonce that the script tag needs, if any. A shop that allows
// 'self' for scripts and connections keeps its policy byte for byte.
func (v *visit) openPolicies(h http.Header) (nonce string) {
	lines := h["Content-Security-Policy"]
	for i, line := range lines {
		policies := strings.Split(line, ",") // a list of policies; all must allow
		for j, p := range policies {
			policies[j], nonce = v.openPolicy(p, nonce)
		}
		lines[i] = strings.Join(policies, ",")
	}
	return nonce
}

// openPolicy handles one policy. nonce is the one chosen by an earlier policy.
func (v *visit) openPolicy(policy, nonce string) (string, string) {
	p := parsePolicy(policy)
	changed := p.mapOrigin(v.app, v.client)
	base := v.client.String()
	if d := p.effective("script-src-elem", "script-src", "default-src"); d != nil && d.strictDynamic() {
		// Here only a nonce lets a tag in; sources by address are ignored.
		if nonce == "" {
			nonce = d.nonce()
		}
		if nonce == "" {
			nonce = v.nonce
		}
		if p.allow("script-src", "'nonce-"+nonce+"'", "", "script-src-elem", "script-src", "default-src") {
			v.tellAdded("script-src", "'nonce-"+nonce+"'")
			changed = true
		}
	} else if p.allow("script-src", base+scriptPath, base, "script-src-elem", "script-src", "default-src") {
		v.tellAdded("script-src", base+scriptPath)
		changed = true
	}
	if p.allow("connect-src", base+ownPath, base, "connect-src", "default-src") {
		v.tellAdded("connect-src", base+ownPath)
		changed = true
	}
	if !changed {
		return policy, nonce
	}
	return p.String(), nonce
}

func (v *visit) tellAdded(directive, source string) {
	v.note("这家店的 Content-Security-Policy 挡住了 WeixinJSBridge，微信浏览器给 " + directive + " 加了 " + source + "。在真的微信里不需要。")
}

// cspPolicy is one policy, its directives in their order.
type cspPolicy []*directive

type directive struct {
	name    string
	sources []string
}

func parsePolicy(s string) cspPolicy {
	var p cspPolicy
	for part := range strings.SplitSeq(s, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if p.effective(name) == nil { // a repeated directive counts for nothing
			p = append(p, &directive{name, words[1:]})
		}
	}
	return p
}

func (p cspPolicy) String() string {
	var parts []string
	for _, d := range p {
		parts = append(parts, strings.Join(append([]string{d.name}, d.sources...), " "))
	}
	return strings.Join(parts, "; ")
}

// effective is the first directive of names that the policy has.
func (p cspPolicy) effective(names ...string) *directive {
	for _, name := range names {
		for _, d := range p {
			if d.name == name {
				return d
			}
		}
	}
	return nil
}

// allow adds source to the directive that rules (the first of names), unless
// the policy lets it in already, and reports whether it added. What
// default-src ruled so far gets a directive of its own, so that nothing else
// is widened. base is the face's origin; empty for a nonce.
func (p *cspPolicy) allow(own, source, base string, names ...string) bool {
	d := p.effective(names...)
	if d == nil || d.has(source, base) {
		return false
	}
	if d.name == "default-src" {
		d = &directive{own, slices.Clone(d.sources)}
		*p = append(*p, d)
	}
	d.sources = slices.DeleteFunc(d.sources, func(s string) bool { return strings.EqualFold(s, "'none'") })
	d.sources = append(d.sources, source)
	return true
}

// has reports whether the directive lets source in. It may say no to a
// wildcard that would: then one source more is there, and no harm done.
func (d *directive) has(source, base string) bool {
	if base == "" {
		return slices.Contains(d.sources, source)
	}
	scheme, host, _ := strings.Cut(base, "://")
	return slices.ContainsFunc(d.sources, func(s string) bool {
		switch s = strings.ToLower(s); s {
		case "'self'", "*", scheme + ":", base, base + "/", host, host + "/":
			return true
		}
		return s == source
	})
}

func (d *directive) strictDynamic() bool {
	return slices.ContainsFunc(d.sources, func(s string) bool { return strings.EqualFold(s, "'strict-dynamic'") })
}

// nonce is the directive's first nonce.
func (d *directive) nonce() string {
	for _, s := range d.sources {
		if strings.HasPrefix(strings.ToLower(s), "'nonce-") {
			return strings.TrimSuffix(s[len("'nonce-"):], "'")
		}
	}
	return ""
}

// mapOrigin lets the face stand beside the shop wherever the policy names the
// shop's origin, with or without the scheme.
func (p cspPolicy) mapOrigin(shop, face origin) bool {
	changed := false
	for _, d := range p {
		for _, s := range d.sources {
			o, rest, ok := cutOrigin(s, "")
			if !ok {
				o, rest, ok = cutOrigin(shop.scheme+"://"+s, "")
			}
			if mapped := face.String() + rest; ok && o == shop && !slices.Contains(d.sources, mapped) {
				d.sources = append(d.sources, mapped)
				changed = true
			}
		}
	}
	return changed
}
