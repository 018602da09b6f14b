//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package sim

import (
	"os"
	"syscall"
)

// lockFile keeps a second simulator off the same journal. The lock ends with
// the process, however it ends.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
