package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
)

type mysqlServer struct{ config *mysql.Config }

// sqlMode makes names in double quotes and || mean what they mean elsewhere,
// and refuses what does not fit instead of cutting it.
const sqlMode = `'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`

func newMySQL(dsn string) (server, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil || c.DBName == "" {
		return nil, errors.New("database.dsn is not one of MySQL: write user:password@tcp(host:3306)/database")
	}
	return mysqlServer{c}, nil
}

func (m mysqlServer) open(patient bool) (*sql.DB, error) {
	c := m.config.Clone()
	c.ClientFoundRows = true   // an update counts the rows that it found, as elsewhere
	c.InterpolateParams = true // one journey for a statement instead of two
	c.ParseTime, c.MultiStatements = false, false
	c.RejectReadOnly = true // a writer that became a replica is left
	c.Logger = &mysql.NopLogger{}
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = dialTime
	}
	params := map[string]string{"sql_mode": sqlMode}
	if !patient {
		params["innodb_lock_wait_timeout"] = fmt.Sprint(int(lockTime.Seconds()))
		if c.ReadTimeout == 0 {
			c.ReadTimeout, c.WriteTimeout = silence, silence
		}
	}
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	for name, value := range params {
		c.Params[name] = value
	}
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(committedReads{inner}), nil
}

// committedReads makes connections on which each statement sees what is
// committed when it begins, as on PostgreSQL. The statement is the same on
// MySQL, MariaDB and TiDB; the variable is not.
type committedReads struct{ driver.Connector }

func (c committedReads) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.(driver.ExecerContext).ExecContext(ctx, `SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (mysqlServer) dialector(db *sql.DB) gorm.Dialector {
	return gormmysql.New(gormmysql.Config{Conn: db, DisableWithReturning: true})
}

func (mysqlServer) say(q string) string { return q }

func (mysqlServer) returning() string { return "" }

func (m mysqlServer) alone(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	name := "wxshop migrates " + m.config.DBName
	err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(?, 60)`, name[:min(len(name), 64)]).Scan(&got)
	if err == nil && got.Int64 != 1 {
		err = fmt.Errorf("%w: another program has been migrating for a minute", ErrBusy)
	}
	return err
}

func (mysqlServer) frail(ctx context.Context, db *sql.DB) (string, error) {
	var name, value string
	err := db.QueryRowContext(ctx, `SHOW VARIABLES LIKE 'innodb_flush_log_at_trx_commit'`).Scan(&name, &value)
	if errors.Is(err, sql.ErrNoRows) { // not InnoDB: a distributed store with rules of its own
		return "", nil
	}
	if err == nil && value != "1" {
		return name + " is " + value, nil
	}
	return "", err
}

// already reports whether MySQL refused to make a column, index or trigger
// because it is there.
func already(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && (my.Number == 1060 || my.Number == 1061 || my.Number == 1359)
}
