// Package interop lets strangers judge: a WeChat Pay library that nobody here
// wrote talks to the simulator, and reads what our client would send. It is a
// module of its own, so that no client code of others enters the shop.
package interop
