//go:build bench && linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served processes are addressed by what they print, or by ports we chose.
type benchServer struct {
	t    *testing.T
	m    *machine
	cmd  *exec.Cmd
	addr string
	log  string // its stderr
	in   io.Closer
}

func (s *benchServer) pid() int { return s.cmd.Process.Pid }

// stop ends the process as a person would and waits for it.
func (s *benchServer) stop() {
	if s.cmd == nil {
		return
	}
	s.in.Close()
	s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-done
	}
	s.cmd = nil
}

// launch starts cmd with its log in a file; cmd must not have been started.
func (m *machine) launch(t *testing.T, cmd *exec.Cmd, dir string, env ...string) *benchServer {
	t.Helper()
	s := &benchServer{t: t, m: m, cmd: cmd, log: filepath.Join(dir, "log")}
	f, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(baseEnv(), env...), f
	if s.in, err = cmd.StdinPipe(); err != nil { // it ends when we do
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// said is what the server logged, for a failure.
func (s *benchServer) said() string {
	text, _ := os.ReadFile(s.log)
	return string(text[max(0, len(text)-2000):])
}

// role starts this test program again as one of the roles of TestBenchRole.
func (m *machine) role(t *testing.T, name, cores string, env ...string) *benchServer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.on(cores, self, "-test.run=^TestBenchRole$", "-test.timeout=10m")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := m.launch(t, cmd, t.TempDir(), append(env, "BENCH_ROLE="+name)...)
	text, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(text), listening)
	if err != nil || !ok {
		t.Fatalf("role %s said %q: %v\n%s", name, text, err, s.said())
	}
	s.addr = addr
	return s
}

// answers waits until the server gives 200 on path.
func (s *benchServer) answers(path string) {
	s.t.Helper()
	for range 4000 {
		res, err := http.Get("http://" + s.addr + path)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.t.Fatalf("%s%s never answered\n%s", s.addr, path, s.said())
}

// lines opens connections to the server; close ends them. They are opened
// right before they are used, because the shop cuts those that say nothing.
func (s *benchServer) lines(n int) (ls []*benchLine, close func()) {
	s.t.Helper()
	close = func() {
		for _, l := range ls {
			l.conn.Close()
		}
	}
	for range n {
		l, err := dial(s.addr)
		if err != nil {
			close()
			s.t.Fatal(err)
		}
		ls = append(ls, l)
	}
	return ls, close
}

// run loads the server and measures it; others is what belongs to us besides.
func (s *benchServer) run(lines int, n int64, limit time.Duration, visit func(*benchLine, int64) error, others ...int) sample {
	s.t.Helper()
	s.m.quiet(append(others, s.pid())...)
	ls, closeAll := s.lines(lines)
	defer closeAll()
	foreign := benchWatch(append(others, s.pid())...)
	before := cpuOf(s.pid())
	done, took, err := load(ls, n, limit, visit)
	used := cpuOf(s.pid()) - before
	if err != nil || done == 0 {
		s.t.Fatalf("load of %s: %v\n%s", s.addr, err, s.said())
	}
	return sample{
		rate: float64(done) / took.Seconds(), cpu: float64(used.Nanoseconds()) / 1e3 / float64(done), others: foreign(),
	}
}

const listening = "listening on "

func announce(addr string) { fmt.Println(listening + addr) }
