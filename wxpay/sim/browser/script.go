package browser

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"time"
)

//go:embed assets
var assets embed.FS

// scriptParts are joined into one function, so that the page sees none of
// their names.
var scriptParts = []string{"dom.js", "sheet.js", "ribbon.js", "bridge.js"}

// lateness is how long after the page's load event the bridge appears.
const lateness = 300 * time.Millisecond

// bridgeScript is the text of /_wechat/bridge.js.
func bridgeScript(delay time.Duration, gatewayURL string) ([]byte, error) {
	switch {
	case delay == 0:
		delay = lateness
	case delay < 0:
		delay = -time.Millisecond
	}
	css, err := assets.ReadFile("assets/wechat.css")
	if err != nil {
		return nil, fmt.Errorf("read sheet style: %w", err)
	}
	config, err := json.Marshal(map[string]any{
		"css": string(css), "ua": userAgent, "delay": delay.Milliseconds(), "console": gatewayURL + "/_sim/",
	})
	if err != nil {
		return nil, fmt.Errorf("write script settings: %w", err)
	}
	var out bytes.Buffer
	out.WriteString("(function (config) {\n'use strict'\nif (window.WeixinJSBridge) return\n")
	for _, name := range scriptParts {
		part, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read script: %w", err)
		}
		out.Write(part)
	}
	fmt.Fprintf(&out, "})(%s)\n", config)
	return out.Bytes(), nil
}
