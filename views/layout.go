package views

import (
	"net/url"

	"github.com/a-h/templ"
)

// frame is what differs around the pages.
type frame struct {
	title  string
	tab    string // item of the tab bar that is lit; "" on pages with an action bar, which have no tabs
	slim   bool   // one column
	poll   bool   // asks for itself again where there is no script
	pay    bool   // carries the script of the payment window
	script bool   // carries the sentences of the scripts
	zero   string // what the script says when the time is over, instead of the usual
}

func tintIcon(t Tint) templ.Component {
	switch t {
	case OK:
		return iconCheck
	case Go:
		return iconClock
	}
	return iconAlert
}

// scriptWords are the sentences that the scripts of this page may say.
func (p *Page) scriptWords(f frame) scriptWords {
	w := p.words().Script
	if f.zero != "" {
		w.Zero = f.zero
	}
	return w
}

func (p *Page) otherLang() Lang {
	if p.Lang == ZH {
		return EN
	}
	return ZH
}

func productPath(slug string) templ.SafeURL {
	return templ.SafeURL("/p/" + url.PathEscape(slug))
}
