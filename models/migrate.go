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
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	for try := 1; ; try++ {
		err := db.PingContext(ctx) // the first connection makes the file a WAL database, which others may be doing too
		if err == nil {
			err = migrateOnce(db, log)
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

func migrateOnce(db *sql.DB, log *slog.Logger) error {
	g, err := openGorm(db, log)
	if err != nil {
		return err
	}
	o := *gormigrate.DefaultOptions
	o.UseTransaction = true
	o.ValidateUnknownMigrations = true
	return gormigrate.New(g.Session(&gorm.Session{}), &o, migrations).Migrate()
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
