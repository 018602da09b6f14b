package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// migrations are all changes of the schema, oldest first. A shipped one is
// never edited; a new one goes to the end.
var migrations = []*gormigrate.Migration{
	{ID: "0001-shop", Migrate: migrateV1},
	{ID: "0002-bills", Migrate: migrateBills},
}

// migrate brings the schema up to date in one immediate transaction, which is
// the lock: a second program that starts now waits for it and then finds
// nothing to do. A schema newer than this program is refused.
func migrate(ctx context.Context, db *sql.DB, d gorm.Dialector, log *slog.Logger) error {
	for try := 1; ; try++ {
		err := db.PingContext(ctx) // the first connection makes the file a WAL database, which others may be doing too
		if err == nil {
			err = migrateOnce(d, log)
		}
		if code(err)&0xff != sqliteBusy || try == 5 {
			return explainMigration(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 100 * time.Millisecond):
		}
	}
}

// migrateServer is migrate on a server, under a lock of its own.
func migrateServer(ctx context.Context, srv server, log *slog.Logger) error {
	db, err := srv.open(true)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer scrap(conn) // the lock ends with the connection
	if err := srv.alone(ctx, conn); err != nil {
		return err
	}
	return explainMigration(migrateOnce(srv.dialector(db), log))
}

func migrateOnce(d gorm.Dialector, log *slog.Logger) error {
	g, err := openGorm(d, log)
	if err != nil {
		return err
	}
	o := *gormigrate.DefaultOptions
	o.UseTransaction = true
	o.ValidateUnknownMigrations = true
	return gormigrate.New(g.Set("gorm:table_options", tableOptions[d.Name()]), &o, migrations).Migrate()
}

// tableOptions make MySQL tell every text from every other, as the other two do.
var tableOptions = map[string]string{"mysql": "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"}

// createTables makes tables as a step of a migration. MySQL keeps what a
// migration made before it failed, so there a table may be left over.
func createTables(tx *gorm.DB, tables ...any) error {
	for _, table := range tables {
		if tx.Name() == "mysql" && tx.Migrator().HasTable(table) {
			continue
		}
		if err := tx.Migrator().CreateTable(table); err != nil {
			return fmt.Errorf("create %T: %w", table, err)
		}
	}
	return nil
}

// runAll runs statements as a step of a migration, leaving out what MySQL has
// already.
func runAll(tx *gorm.DB, statements ...string) error {
	for _, q := range statements {
		err := tx.Exec(q).Error
		if already(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%.60s: %w", q, err)
		}
	}
	return nil
}

func explainMigration(err error) error {
	if errors.Is(err, gormigrate.ErrUnknownPastMigration) {
		return errors.New("it was written by a newer version of this program: install that one, or restore a backup")
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
