//go:build unix

package main

import (
	"log/slog"
	"syscall"
)

// wantFiles is how many connections and files a busy shop has open (security V3).
const wantFiles = 8192

// checkFiles says so when the system allows too few open files: connections
// would then be refused long before our own limit.
func checkFiles(log *slog.Logger) {
	var limit syscall.Rlimit // Go has raised the soft limit to the hard one
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < wantFiles {
		log.Warn("the system allows few open files: raise ulimit -n", "op", "serve", "allowed", limit.Cur, "wanted", wantFiles)
	}
}
