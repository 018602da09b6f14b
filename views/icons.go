package views

import "github.com/a-h/templ"

// icon is one of our own line pictures on a grid of 24. It is decoration: the
// word beside it carries the meaning.
func icon(class, path string) templ.Component {
	return markup(`<svg class="` + class + `" viewBox="0 0 24 24" aria-hidden="true"><path d="` + path + `"/></svg>`)
}

const (
	pathClock = "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2"
	pathAlert = "M12 4l9 16H3zM12 10v4M12 17h.01"
)

var (
	iconCart      = icon("i", "M3 4h2.5l2 11h10l2-8H6.5M9.5 19.5h.01M16 19.5h.01")
	iconHome      = icon("i", "M4 11l8-7 8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z")
	iconOrders    = icon("i", "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6")
	iconMe        = icon("i", "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5")
	iconSearch    = icon("i", "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4")
	iconTruck     = icon("i", "M3 6h11v10H3zM14 9h4l3 4v3h-7zM7 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z")
	iconPin       = icon("i", "M12 21c-4-5-6-8-6-11a6 6 0 0 1 12 0c0 3-2 6-6 11zM12 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z")
	iconNext      = icon("i", "M9 5l7 7-7 7")
	iconTalk      = icon("i", "M4 5h16v11H10l-4 4v-4H4z")
	iconWallet    = icon("i", "M4 7h15v12H4zM4 7l11-3v3M15 13h.01")
	iconParcel    = icon("i", "M4 8l8-4 8 4v9l-8 4-8-4zM4 8l8 4 8-4M12 12v9")
	iconBack      = icon("i", "M4 10h11a5 5 0 0 1 0 10h-4M8 6l-4 4 4 4")
	iconPaper     = icon("i", "M7 3h8l4 4v14H7zM10 12h6M10 16h6")
	iconCheck     = icon("i", "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12l3 3 5-6")
	iconCross     = icon("i w", "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9 9l6 6M15 9l-6 6")
	iconClock     = icon("i", pathClock)
	iconClockWarn = icon("i w", pathClock)
	iconAlert     = icon("i", pathAlert)
	iconAlertWarn = icon("i w", pathAlert)
)
