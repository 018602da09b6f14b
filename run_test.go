package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command runs the program in process, in a folder of the test.
func command(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	env := []string{"WXSHOP_DATABASE_DSN=" + filepath.Join(dir, "shop.db"), "WXSHOP_LOG_LEVEL=error"}
	err = run(t.Context(), args, shell{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Environ: env})
	return out.String(), errs.String(), err
}

func TestCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	tests := []struct {
		name, stdin string
		args        []string
		want        string // in stdout
		err         string // in the error
	}{
		{name: "version", args: []string{"version"}, want: "wxshop "},
		{name: "help", args: []string{"--help"}, want: "Usage: wxshop"},
		{name: "help of a command", args: []string{"sim", "--help"}, want: "--notify-allow"},
		{name: "unknown command", args: []string{"sell"}, err: "see wxshop --help"},
		{name: "unknown flag", args: []string{"serve", "--fast"}, err: "see wxshop --help"},
		{name: "migrate", args: []string{"migrate"}, want: "up to date"},
		{name: "no such order", args: []string{"order", "26111900000000000000AA"}, err: "there is no order 26111900000000000000AA"},
		{name: "user", stdin: "quiet mountain rain 7\n", args: []string{"user", "add", "mei", "--role", "staff"}, want: "mei can sign in"},
		{name: "user twice", stdin: "quiet mountain rain 7\n", args: []string{"user", "add", "mei"}, err: "wxshop user passwd mei"},
		{name: "short password", stdin: "short\n", args: []string{"user", "add", "lin"}, err: "12 characters"},
		{name: "unknown role", args: []string{"user", "add", "lin", "--role", "god"}, err: "owner"},
		{name: "made-up password", args: []string{"user", "add", "lin"}, want: "has to change it there"},
		{name: "passwd", stdin: "late autumn leaves 3\n", args: []string{"user", "passwd", "mei"}, want: "mei can sign in"},
		{name: "passwd of nobody", args: []string{"user", "passwd", "nobody"}, err: "nobody is called nobody"},
		{name: "no such configuration", args: []string{"migrate", "--config", "nowhere.yaml"}, err: "nowhere.yaml"},
	}
	dir := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, _, err := command(t, dir, tt.stdin, tt.args...)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out, tt.want) {
				t.Errorf("%q is not in\n%s", tt.want, out)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{errors.New("broken"), 1, "wxshop: broken\n"},
		{errors.Join(errors.New("unknown flag"), errUsage), 2, "wxshop: unknown flag\nsee wxshop --help\n"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if code := exitCode(tt.err, &b); code != tt.code || b.String() != tt.want {
			t.Errorf("%v: %d %q", tt.err, code, b.String())
		}
	}
}

// wxshop alone serves, and ends without an error when it is told to.
func TestServeCommand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := make(chan *App, 1)
	done := make(chan error, 1)
	var out, errs lockedBuffer
	go func() {
		done <- run(ctx, nil, shell{Stdout: &out, Stderr: &errs, Started: func(a *App) { started <- a }, Environ: []string{
			"WXSHOP_SITE_LISTEN=127.0.0.1:0", "WXSHOP_OPS_LISTEN=127.0.0.1:0", "WXSHOP_SIMULATOR_LISTEN=127.0.0.1:0", "WXSHOP_SIMULATOR_BROWSER=127.0.0.1:0"}})
	}()
	select {
	case a := <-started:
		if code, _ := fetch(t, a.BrowserURL+"/"); code != 200 {
			t.Errorf("the shop inside WeChat answers %d", code)
		}
	case err := <-done:
		t.Fatalf("ended: %v\n%s", err, errs.String())
	case <-time.After(30 * time.Second):
		t.Fatal("not started")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{"shop is stopping", "shop stopped"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, errs.String())
		}
	}
}

// The simulator alone, on free ports that it prints.
func TestSimCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs lockedBuffer
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"sim", "--listen", "127.0.0.1:0", "--browser", "127.0.0.1:0", "--data", ""}, shell{Stdout: &out, Stderr: &errs})
	}()
	base := ""
	for range 500 {
		if m := printedGateway.FindStringSubmatch(out.String()); m != nil {
			base = m[1]
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if base == "" || strings.HasSuffix(base, ":0") {
		t.Fatalf("no address in\n%s%s", out.String(), errs.String())
	}
	if code, body := fetch(t, base+"/_sim/api/identity"); code != 200 || !strings.Contains(body, `"base_url":"`+base+`"`) {
		t.Errorf("identity: %d %.200s", code, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

var printedGateway = regexp.MustCompile(`(?m)gateway\s+(http://localhost:\d+)\s`)

// SIGTERM is an orderly end: exit status 0 (V9).
func TestTermination(t *testing.T) {
	w := newTown(t)
	if err := w.shop.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-w.shop.done
	w.shop.cmd = nil
	if err != nil {
		t.Errorf("the program ended with %v\n%s", err, w.shop.output())
	}
}
