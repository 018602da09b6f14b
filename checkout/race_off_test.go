//go:build !race

package checkout_test

// seeds of random histories, for the money.
const seeds = 16

// thorough tests run every way in which an answer gets lost on v3 too.
const thorough = true
