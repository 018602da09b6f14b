package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMutants shows that the tests notice: each mutant is this shop with one
// guard taken out. `go test -overlay` runs the named tests over the changed
// source; the files themselves are not touched. The original text must occur
// exactly once, so that a change that moves it fails here, loudly. A mutant
// that no test kills is a test that is missing.
func TestMutants(t *testing.T) {
	if os.Getenv("MUTANTS") == "" {
		t.Skip("SKIP: it takes a quarter of an hour; type make mutants")
	}
	only, start, killed := os.Getenv("MUTANT"), time.Now(), 0
	var table strings.Builder
	for _, m := range mutants {
		if !strings.Contains(m.name, only) {
			continue
		}
		by, took := m.run(t)
		if by != "" {
			killed++
		}
		line := fmt.Sprintf("%-62s %-45s %5.1f s", m.name, by, took.Seconds())
		t.Log(line)
		fmt.Fprintf(&table, "| %s | `%s` |\n", m.name, by)
	}
	t.Logf("%d killed in %v\n| broken shop | killed by |\n|---|---|\n%s", killed, time.Since(start).Round(time.Second), table.String())
}

// TestMutantsFit finds the mutants whose text has moved, without running any.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// edit replaces text in a file.
type edit struct{ file, old, new string }

type mutant struct {
	name  string
	edits []edit
	tests []string // packages, each with a pattern of tests after a blank
}

func (m mutant) run(t *testing.T) (by string, took time.Duration) {
	t.Helper()
	overlay, err := m.overlay(t.TempDir())
	if err != nil {
		t.Errorf("%s: %v", m.name, err)
		return "", 0
	}
	start := time.Now()
	for _, tests := range m.tests {
		pkg, pattern, _ := strings.Cut(tests, " ")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-short", "-failfast", "-timeout=4m", "-vet=off", "-tags=nomsgpack", "-overlay="+overlay, "-run="+pattern, pkg)
		out, err := cmd.CombinedOutput()
		cancel()
		if strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "no tests to run") {
			t.Errorf("%s: the tests did not run:\n%s", m.name, out)
			return "", time.Since(start)
		}
		if err != nil {
			return killer(string(out)), time.Since(start)
		}
	}
	t.Errorf("%s: SURVIVED %s", m.name, strings.Join(m.tests, ", "))
	return "", time.Since(start)
}

// overlay writes the changed files into dir, with the map of what they replace.
func (m mutant) overlay(dir string) (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	changed := map[string]string{}
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			b, err := os.ReadFile(e.file)
			if err != nil {
				return "", err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("%s: the text to break occurs %d times, not once: has it moved?\n%s", e.file, n, e.old)
		}
		changed[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	var o struct{ Replace map[string]string }
	o.Replace = map[string]string{}
	for file, text := range changed {
		name := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", err
		}
		o.Replace[filepath.Join(root, file)] = name
	}
	b, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o600)
}

var failedTest = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

// killer is the first test that failed, with the case in it when there is one.
func killer(out string) string {
	all := failedTest.FindAllStringSubmatch(out, 2)
	switch {
	case len(all) == 0:
		last := strings.TrimSpace(out)
		return "it died: " + last[:min(40, len(last))]
	case len(all) == 2 && strings.HasPrefix(all[1][1], all[0][1]+"/"):
		return all[1][1]
	}
	return all[0][1]
}
