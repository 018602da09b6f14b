package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sessionKeyBytes is the length of a key that signs cookies.
const sessionKeyBytes = 32

// sessionKeys reads the keys that sign cookies, and makes the file with one
// key if there is none. The first key signs, all of them verify, so a key is
// changed by putting a new line in front. They come as pairs with an empty
// second half: cookies hold nothing that would have to be encrypted.
func sessionKeys(path string) ([][]byte, error) {
	err := makeSessionKeys(path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make session.keys_file: %w", err)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("session.keys_file: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("session.keys_file: %w", err)
	}
	var keys [][]byte
	for i, line := range bytes.Fields(text) {
		key, err := hex.DecodeString(string(line))
		if err != nil || len(key) != sessionKeyBytes { // the text itself is a secret
			return nil, fmt.Errorf("session.keys_file %s: entry %d is not %d hex digits", path, i+1, 2*sessionKeyBytes)
		}
		keys = append(keys, key, nil)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("session.keys_file %s is empty: remove it, and the next start makes a new one", path)
	}
	return keys, nil
}

// makeSessionKeys makes the whole file or nothing: it is written under another
// name and linked into place, so that two starts at once agree on one key.
func makeSessionKeys(path string) error {
	if _, err := os.Stat(path); err == nil {
		return fs.ErrExist
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".session-keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, sessionKeyBytes)
	_, _ = rand.Read(key) // it never fails
	_, err = fmt.Fprintf(f, "%x\n", key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
