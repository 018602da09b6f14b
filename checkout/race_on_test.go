//go:build race

package checkout_test

// seeds of random histories: under the race detector a few, for the races.
const seeds = 1

// thorough: the race detector sees the same code again, slowly.
const thorough = false
