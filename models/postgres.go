package models

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// Times of both servers. A read that takes longer than silence finds a
// connection that is dead.
const (
	dialTime = 5 * time.Second
	lockTime = 2 * time.Second // waiting for another's row, as for SQLite's lock
	runTime  = 20 * time.Second
	silence  = 30 * time.Second
)

type postgres struct{ config *pgx.ConnConfig }

func newPostgres(dsn string) (server, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The driver's own words may hold the password.
		return nil, fmt.Errorf("database.dsn is not one of PostgreSQL: write postgres://user:password@host:5432/database")
	}
	return postgres{c}, nil
}

func (p postgres) open(patient bool) (*sql.DB, error) {
	c := p.config.Copy()
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = dialTime
	}
	params := map[string]string{
		"application_name":                    "wxshop",
		"synchronous_commit":                  "on", // whatever the server's default is
		"default_transaction_isolation":       "read committed",
		"lock_timeout":                        millis(lockTime),
		"statement_timeout":                   millis(runTime),
		"idle_in_transaction_session_timeout": millis(silence),
	}
	if patient {
		params["lock_timeout"], params["statement_timeout"] = "0", "0"
	} else {
		dial := c.DialFunc
		c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return mortal{conn}, nil
		}
	}
	for name, value := range params {
		if _, own := c.RuntimeParams[name]; !own {
			c.RuntimeParams[name] = value
		}
	}
	return stdlib.OpenDB(*c), nil
}

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// mortal is a connection on which silence is the end: the contexts of the
// shop's statements have none.
type mortal struct{ net.Conn }

func (m mortal) Read(b []byte) (int, error) {
	m.SetReadDeadline(time.Now().Add(silence))
	return m.Conn.Read(b)
}

func (m mortal) Write(b []byte) (int, error) {
	m.SetWriteDeadline(time.Now().Add(silence))
	return m.Conn.Write(b)
}

func (postgres) dialector(db *sql.DB) gorm.Dialector {
	return gormpostgres.New(gormpostgres.Config{Conn: db})
}

func (postgres) say(q string) string { return numbered(q) }

func (postgres) returning() string { return " RETURNING id" }

// migrationLock is the number of the lock that migrations take; any number
// that nobody else takes would do.
const migrationLock = 0x77787368

func (postgres) alone(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock))
	return err
}

func (postgres) frail(ctx context.Context, db *sql.DB) (string, error) {
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var on string
		if err := db.QueryRowContext(ctx, `SELECT current_setting($1)`, setting).Scan(&on); err != nil {
			return "", err
		}
		if on == "off" {
			return setting + " is off", nil
		}
	}
	return "", nil
}
