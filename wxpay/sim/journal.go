package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// journal is the append-only file of records, one JSON object per line. With
// no file it forgets.
type journal struct {
	mu      sync.Mutex
	file    *os.File
	size    int64  // up to the last whole line
	written uint64 // lines written and lines known to be on disk
	synced  uint64
	syncing bool
	turn    *sync.Cond
	broken  error // after a failed fsync nobody knows what is on disk
}

// openJournal opens the journal in folder and hands every record to replay. A
// last line that was cut by a crash is cut off: it was never answered for.
func openJournal(folder string, replay func(*record) error) (*journal, error) {
	j := &journal{}
	j.turn = sync.NewCond(&j.mu)
	if folder == "" {
		return j, nil
	}
	path := filepath.Join(folder, "journal.jsonl")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.file = f
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock journal %s: another simulator uses it: %w", path, err), f.Close())
	}
	if err := j.read(replay); err != nil {
		return nil, errors.Join(fmt.Errorf("read journal %s: %w", path, err), f.Close())
	}
	return j, nil
}

func (j *journal) read(replay func(*record) error) error {
	all, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(all, '\n') + 1
	if whole < len(all) {
		if err := j.file.Truncate(int64(whole)); err != nil {
			return fmt.Errorf("cut off the unfinished last line: %w", err)
		}
	}
	j.size = int64(whole)
	line := 0
	for rest := all[:whole]; len(rest) > 0; {
		var text []byte
		text, rest, _ = bytes.Cut(rest, []byte("\n"))
		line++
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("line %d: %w; move the file away to start anew", line, err)
		}
		if err := replay(&r); err != nil {
			return fmt.Errorf("line %d: %w; move the file away to start anew", line, err)
		}
	}
	return nil
}

// append writes a record. It is on disk only after sync.
func (j *journal) append(r *record) error {
	if j.file == nil {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	text = append(text, '\n')
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	if _, err := j.file.Write(text); err != nil {
		// Half a line must not stand before the next one.
		j.broken = j.file.Truncate(j.size)
		return fmt.Errorf("write journal: %w", err)
	}
	j.size += int64(len(text))
	j.written++
	return nil
}

// sync returns when everything written before the call is on disk. Callers
// that come together share one fsync.
func (j *journal) sync() error {
	if j.file == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	want := j.written
	for j.synced < want && j.broken == nil {
		if j.syncing {
			j.turn.Wait()
			continue
		}
		upTo := j.written
		j.syncing = true
		j.mu.Unlock()
		err := j.file.Sync()
		j.mu.Lock()
		j.syncing = false
		if err != nil {
			j.broken = fmt.Errorf("sync journal: %w", err)
		} else {
			j.synced = upTo
		}
		j.turn.Broadcast()
	}
	return j.broken
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.sync()
	return errors.Join(err, j.file.Close())
}
