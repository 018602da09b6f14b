package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestSessionKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "session.keys")
	first, err := sessionKeys(path)
	if err != nil || len(first) != 2 || len(first[0]) != 32 || first[1] != nil {
		t.Fatalf("a new file gave %d keys, %v", len(first), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 { // P23
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := sessionKeys(path)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("the second start read other keys: %v", err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Repeat("ab", 32)+"\n"+string(old), 0o600)
	rotated, err := sessionKeys(path)
	if err != nil || len(rotated) != 4 || rotated[0][0] != 0xab || !reflect.DeepEqual(rotated[2:], first) {
		t.Errorf("after a rotation: %d keys, %v", len(rotated), err)
	}
}

func TestSessionKeysRefused(t *testing.T) {
	key := strings.Repeat("5", 64)
	tests := []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{name: "others can read it", text: key, mode: 0o644, want: "chmod 600"}, // P23
		{name: "empty", text: "\n", mode: 0o600, want: "is empty"},
		{name: "short", text: key[:62], mode: 0o600, want: "entry 1 is not 64 hex digits"},
		{name: "second is no hex", text: key + "\n" + strings.Repeat("x", 64), mode: 0o600, want: "entry 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			write(t, path, tt.text, tt.mode)
			_, err := sessionKeys(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "555") || strings.Contains(err.Error(), "xxx") { // P20
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// Two first starts at once agree on the keys.
func TestSessionKeysRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	got := make([][][]byte, 8)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = sessionKeys(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, keys := range got[1:] {
		if !reflect.DeepEqual(keys, got[0]) {
			t.Error("two starts got different keys")
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".session-keys-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
