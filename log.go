package main

import (
	"io"
	"log/slog"
	"os"
	"time"
)

// newLogger writes text to a terminal and JSON elsewhere, times in UTC with
// milliseconds. The fixed keys of the program are order, txn, refund, user,
// req, op, fen, state, from, to, cause, took and err.
func newLogger(w io.Writer, c LogConfig) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration was checked; zero is info
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: inUTC}
	if c.Format == "text" || c.Format != "json" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

func inUTC(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

// terminal reports whether a person reads w.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
