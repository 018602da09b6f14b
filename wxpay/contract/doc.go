// Package contract holds the client to what the simulator says, for both
// versions and every key mode. It is only tests, apart from both, so that
// either can be deleted and the other still compiles with its vectors.
package contract
