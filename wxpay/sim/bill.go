package sim

// plant is what was falsified in a day's bill; it stays so for that day.
type plant struct {
	Day string `json:"day"` // 20060102, Beijing
}
