package models

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errAgain asks for the transaction to be run once more: what it had looked at
// was changed by another one before it could write.
var errAgain = fmt.Errorf("%w: others keep changing the same things", ErrBusy)

// fault is what went wrong on a server, as far as it decides what to do.
type fault int

const (
	noFault   fault = iota // not the database's
	taken                  // a unique value exists
	conflict               // with another transaction: it is undone and may run again
	lost                   // the connection broke, or there is none
	refused                // the server cannot write: full, read-only, shutting down
	otherwise              // a statement or a value that it does not accept
)

// faultOf tells what err of PostgreSQL or MySQL is.
func faultOf(err error) fault {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	var dial *pgconn.ConnectError
	var wire net.Error
	switch {
	case err == nil:
		return noFault
	case errors.Is(err, errAgain):
		return conflict
	case errors.As(err, &pg):
		return postgresFault(pg.Code)
	case errors.As(err, &my):
		return mysqlFault(my.Number)
	case errors.As(err, &dial), errors.As(err, &wire), errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, sql.ErrConnDone),
		pgconn.SafeToRetry(err):
		return lost
	}
	return noFault
}

// postgresFault reads a code of PostgreSQL (its manual, appendix A).
func postgresFault(code string) fault {
	switch code {
	case "23505":
		return taken
	case "40001", "40P01", "55P03":
		return conflict
	case "25006", "57014": // read only; cancelled by a time limit
		return refused
	}
	switch code[:min(2, len(code))] {
	case "08", "57":
		return lost
	case "53", "58":
		return refused
	}
	return otherwise
}

// mysqlFault reads an error number of MySQL, MariaDB or TiDB.
func mysqlFault(number uint16) fault {
	switch number {
	case 1062, 1586:
		return taken
	case 1205, 1213, 8002, 8022, 9007: // the last three are TiDB's
		return conflict
	case 1053, 1077, 1079, 1158, 1159, 1160, 1161, 1927:
		return lost
	case 1021, 1040, 1041, 1114, 1203, 1290, 1792, 1836, 3100:
		return refused
	}
	return otherwise
}

// unknown reports whether err, of a COMMIT, leaves open what the server did:
// it is neither the server's own word, nor the driver's that it sent nothing.
func unknown(err error) bool {
	switch faultOf(err) {
	case lost, noFault:
		return !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, pgx.ErrTxCommitRollback)
	}
	return false
}

// toldFault is an error of a server in the words of this package. The server's
// own message may quote what people typed, so of most only the code is told.
func toldFault(err error) error {
	switch faultOf(err) {
	case noFault:
		return err
	case conflict:
		return fmt.Errorf("%w: others hold the same rows", ErrBusy)
	case lost:
		return fmt.Errorf("%w: it cannot be reached", ErrBusy)
	case refused:
		return fmt.Errorf("%w: the server refuses (%s)", ErrBusy, faultCode(err))
	case taken:
		return fmt.Errorf("database: a unique constraint is broken (%s)", faultCode(err))
	}
	return fmt.Errorf("database: %s", faultCode(err))
}

func faultCode(err error) string {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &pg):
		return fmt.Sprintf("PostgreSQL %s %s", pg.Code, pg.Message)
	case errors.As(err, &my) && faultOf(err) != taken:
		return fmt.Sprintf("MySQL %d %s", my.Number, my.Message)
	case errors.As(err, &my):
		return fmt.Sprintf("MySQL %d", my.Number)
	}
	return err.Error()
}
