package models

import (
	"fmt"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// elsewhere tells how to copy a database that a server keeps, in the line to
// type. The password is not in it: the tools ask, or read it where they like.
func elsewhere(c Config, command, name string) error {
	var line string
	switch c.Driver {
	case "postgres":
		p, err := pgx.ParseConfig(c.DSN)
		if err != nil {
			return fmt.Errorf("database.dsn is not one of PostgreSQL")
		}
		where := fmt.Sprintf("--host=%s --port=%d --username=%s", p.Host, p.Port, p.User)
		line = fmt.Sprintf("pg_dump --format=custom --file=%s %s %s", name, where, p.Database)
		if command == "restore" {
			line = fmt.Sprintf("pg_restore --clean --if-exists --single-transaction --exit-on-error %s --dbname=%s %s", where, p.Database, name)
		}
	case "mysql":
		m, err := mysql.ParseDSN(c.DSN)
		if err != nil {
			return fmt.Errorf("database.dsn is not one of MySQL")
		}
		where := "--socket=" + m.Addr
		if host, port, err := net.SplitHostPort(m.Addr); err == nil {
			where = fmt.Sprintf("--host=%s --port=%s", host, port)
		}
		where += " --user=" + m.User + " --password"
		line = fmt.Sprintf("mariadb-dump --single-transaction --routines --triggers --hex-blob %s --result-file=%s %s", where, name, m.DBName)
		if command == "restore" {
			line = fmt.Sprintf("mariadb %s %s < %s", where, m.DBName, name)
		}
	default:
		return fmt.Errorf("database driver %q is not supported", c.Driver)
	}
	return fmt.Errorf("the database is kept by a server, whose own tool copies it while the shop runs; type:\n  %s", line)
}
