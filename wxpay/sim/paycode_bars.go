package sim

import (
	"image/color"

	"github.com/boombuler/barcode/code128"

	"wxshop/wxpay/sim/console"
)

// bars draws a payment code as Code 128: the dark runs, in modules.
func bars(code string) []console.Bar {
	image, err := code128.Encode(code)
	if err != nil {
		return nil
	}
	var out []console.Bar
	for x, width := 0, image.Bounds().Dx(); x < width; x++ {
		if image.At(x, 0) != color.Black {
			continue
		}
		if n := len(out); n > 0 && out[n-1].At+out[n-1].Width == x {
			out[n-1].Width++
		} else {
			out = append(out, console.Bar{At: x, Width: 1})
		}
	}
	return out
}
