//go:build !race

package checkout_test

// seeds of random histories, for the money.
const seeds = 16
