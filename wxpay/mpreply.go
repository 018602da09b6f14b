package wxpay

import "strings"

// MPReply is a passive reply to a message (passive user replies): build it
// with one of the functions below. The zero value says nothing.
type MPReply struct{ kind, body string }

// maxMPText is the length of a text in bytes.
const maxMPText = 2048

// MPText answers with a text, cut to 2048 bytes; <a href="…"> works in it.
func MPText(text string) MPReply {
	return MPReply{"text", cdata("Content", cutBytes(text, maxMPText))}
}

// MPImage answers with a picture that was uploaded before.
func MPImage(mediaID string) MPReply {
	return MPReply{"image", "<Image>" + cdata("MediaId", mediaID) + "</Image>"}
}

// MPVoice answers with a recording that was uploaded before.
func MPVoice(mediaID string) MPReply {
	return MPReply{"voice", "<Voice>" + cdata("MediaId", mediaID) + "</Voice>"}
}

// MPVideo answers with a film that was uploaded before.
func MPVideo(mediaID, title, description string) MPReply {
	return MPReply{"video", "<Video>" + cdata("MediaId", mediaID) + cdata("Title", title) +
		cdata("Description", description) + "</Video>"}
}

// MPArticle is one card that leads to a page.
type MPArticle struct{ Title, Description, PictureURL, URL string }

// MPNews answers with one card: more are not allowed in an answer.
func MPNews(a MPArticle) MPReply {
	return MPReply{"news", "<ArticleCount>1</ArticleCount><Articles><item>" + cdata("Title", a.Title) +
		cdata("Description", a.Description) + cdata("PicUrl", a.PictureURL) + cdata("Url", a.URL) + "</item></Articles>"}
}

// MPTransfer hands the person over to the customer service of the account; to
// one clerk of it unless empty.
func MPTransfer(clerk string) MPReply {
	r := MPReply{kind: "transfer_customer_service"}
	if clerk != "" {
		r.body = "<TransInfo>" + cdata("KfAccount", clerk) + "</TransInfo>"
	}
	return r
}

// cdata is one element as WeChat writes them, whatever value holds.
func cdata(name, value string) string {
	value = strings.Map(func(r rune) rune {
		if !legalRune(r) {
			return -1
		}
		return r
	}, value)
	value = strings.ReplaceAll(value, cdataClose, "]]"+cdataClose+cdataOpen+">")
	return "<" + name + ">" + cdataOpen + value + cdataClose + "</" + name + ">"
}
