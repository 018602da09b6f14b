//go:build bench && linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// benchLine is one kept-alive connection to a server, without net/http, so that the
// load costs less than what it loads.
type benchLine struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer
	head []byte // its lines, each with its end
}

// benchReply is what the load looks at.
type benchReply struct {
	status   int
	location string
}

func dial(addr string) (*benchLine, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &benchLine{conn: c, in: bufio.NewReaderSize(c, 32<<10)}, nil
}

var (
	lengthKey   = []byte("Content-Length: ")
	locationKey = []byte("Location: ")
)

// ask sends a whole request and reads a whole answer.
func (l *benchLine) ask(request []byte) (benchReply, error) {
	var r benchReply
	if _, err := l.conn.Write(request); err != nil {
		return r, err
	}
	first, err := l.in.ReadSlice('\n')
	if err != nil {
		return r, err
	}
	if len(first) < 12 {
		return r, fmt.Errorf("answer begins with %q", first)
	}
	if r.status, err = strconv.Atoi(string(first[9:12])); err != nil {
		return r, err
	}
	length := -1
	l.head = l.head[:0]
	for {
		h, err := l.in.ReadSlice('\n')
		if err != nil {
			return r, err
		}
		if len(h) == 2 {
			break
		}
		l.head = append(l.head, h...)
		h = h[:len(h)-2] // without the end of the line
		if v, ok := bytes.CutPrefix(h, lengthKey); ok {
			length, _ = strconv.Atoi(string(v))
		} else if v, ok := bytes.CutPrefix(h, locationKey); ok {
			r.location = string(v)
		}
	}
	return r, l.read(length)
}

func (l *benchLine) read(length int) error {
	if length < 0 {
		return errors.New("answer without Content-Length")
	}
	if cap(l.body) < length {
		l.body = make([]byte, length)
	}
	l.body = l.body[:length]
	for n := 0; n < length; {
		k, err := l.in.Read(l.body[n:])
		if err != nil {
			return err
		}
		n += k
	}
	return nil
}

// want is ask for an answer that must have a status.
func (l *benchLine) want(status int, request []byte) (benchReply, error) {
	r, err := l.ask(request)
	if err == nil && r.status != status {
		err = fmt.Errorf("answered %d, want %d: %.300q to %.120q", r.status, status, l.body, request)
	}
	return r, err
}

// load calls visit from every line in a closed loop, n times in all or for
// limit, whichever is first.
func load(lines []*benchLine, n int64, limit time.Duration, visit func(l *benchLine, i int64) error) (int64, time.Duration, error) {
	var (
		wg         sync.WaitGroup
		next, done atomic.Int64
		failed     atomic.Value
	)
	start := time.Now()
	for _, l := range lines {
		wg.Go(func() {
			for time.Since(start) < limit && failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= n {
					return
				}
				if err := visit(l, i); err != nil {
					failed.Store(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	err, _ := failed.Load().(error)
	return done.Load(), time.Since(start), err
}
