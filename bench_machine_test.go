//go:build bench && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine says who runs where, and how much of the machine others took.
type machine struct {
	pinned   bool          // servers on core 0, everything else on core 1
	patience time.Duration // left to wait for others
}

// newMachine puts this process on core 1, if that can be done.
func newMachine() *machine {
	m := &machine{patience: time.Minute}
	if runtime.NumCPU() < 2 {
		return m
	}
	pid := strconv.Itoa(os.Getpid())
	if exec.Command("taskset", "-a", "-c", "-p", "1", pid).Run() == nil {
		m.pinned = true
		runtime.GOMAXPROCS(1)
	}
	return m
}

// on is a command for one core; cores "0", "1" or "0,1".
func (m *machine) on(cores, name string, args ...string) *exec.Cmd {
	if !m.pinned {
		return exec.Command(name, args...)
	}
	return exec.Command("taskset", append([]string{"-c", cores, name}, args...)...)
}

// cpuOf is the processor time of a process and its threads so far.
func cpuOf(pid int) time.Duration {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum time.Duration
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread ended
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(ns, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

// cpuOfSelf is ours, with that of children that have ended.
func cpuOfSelf() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// busy is the processor time of the whole machine since it started.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, f := range strings.Fields(line)[1:9] {
		if i == 3 || i == 4 { // idle, waiting for a disk
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory is the resident size of a process in MiB.
func memory(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

// benchWatch begins to measure what processes that are not ours take; the function
// it returns ends that and gives their share in cores.
func benchWatch(ours ...int) func() float64 {
	mine := func() time.Duration {
		sum := cpuOfSelf()
		for _, pid := range ours {
			sum += cpuOf(pid)
		}
		return sum
	}
	start, all, own := time.Now(), busy(), mine()
	return func() float64 {
		wall := time.Since(start)
		return ((busy() - all) - (mine() - own)).Seconds() / wall.Seconds()
	}
}

// quiet waits up to three seconds for others to be done, and not more than
// patience in all.
func (m *machine) quiet(ours ...int) {
	for range 10 {
		if m.patience <= 0 {
			return
		}
		done := benchWatch(ours...)
		time.Sleep(300 * time.Millisecond)
		if done() < noisy/2 {
			return
		}
		m.patience -= 300 * time.Millisecond
	}
}
