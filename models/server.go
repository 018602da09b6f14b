package models

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"gorm.io/gorm"
)

// server is what PostgreSQL and MySQL do each in their own way: databases that
// run by themselves and serve many programs at once. SQLite is none.
type server interface {
	// open makes a pool; a patient one lets statements take as long as they
	// do, for migrations.
	open(patient bool) (*sql.DB, error)
	dialector(db *sql.DB) gorm.Dialector
	// say is q, which is written as SQLite understands it, in the server's words.
	say(q string) string
	// returning is what makes an INSERT give the new id as a row; "": the
	// driver tells the id.
	returning() string
	// alone lets one program at a time migrate; the lock is conn's.
	alone(ctx context.Context, conn *sql.Conn) error
	// frail says why an acknowledged write could be lost; "": it could not.
	frail(ctx context.Context, db *sql.DB) (string, error)
}

// newServer reads the DSN of a server; nil: the driver is none.
func newServer(c Config) (server, error) {
	switch c.Driver {
	case "postgres":
		return newPostgres(c.DSN)
	case "mysql":
		return newMySQL(c.DSN)
	}
	return nil, fmt.Errorf("database driver %q is not supported: write sqlite, postgres or mysql", c.Driver)
}

// words turns statements into those of a server, each once. nil, as SQLite
// has it, leaves them as they are.
type words struct {
	server server
	kept   sync.Map // string → string
	n      atomic.Int64
}

func (w *words) say(q string) string {
	if w == nil {
		return q
	}
	if said, ok := w.kept.Load(q); ok {
		return said.(string)
	}
	said := w.server.say(q)
	if w.n.Add(1) <= maxKept*4 { // some are made for one occasion
		w.kept.Store(q, said)
	}
	return said
}

// args are args with texts as servers accept them: UTF-8 without NUL. Only
// what came from outside could be otherwise, and then it is kept with marks
// in the odd places.
func (w *words) args(args []any) []any {
	if w == nil {
		return args
	}
	for i, a := range args {
		if text, ok := a.(string); ok && (!utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0) {
			args = append([]any(nil), args...)
			for k := i; k < len(args); k++ {
				if text, ok := args[k].(string); ok {
					args[k] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
				}
			}
			return args
		}
	}
	return args
}

// numbered is q with $1, $2 … for its question marks, those in texts and names
// excepted.
func numbered(q string) string {
	var b strings.Builder
	n, quote := 0, byte(0)
	for i := range len(q) {
		switch c := q[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteByte(q[i])
	}
	return b.String()
}
