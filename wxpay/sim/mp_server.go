package sim

// serverJSON is the shop's endpoint for messages.
type serverJSON struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	Mode  string `json:"mode"` // plain, compat, safe
}
