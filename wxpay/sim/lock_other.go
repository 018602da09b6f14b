//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package sim

import "os"

// lockFile does nothing where files have no advisory locks.
func lockFile(*os.File) error { return nil }
