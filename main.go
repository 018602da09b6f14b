// Command wxshop is a shop that takes WeChat Pay, with WeChat simulated in the
// same program for those who have no merchant account yet.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(exitCode(run(ctx, os.Args[1:], shell{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}), os.Stderr))
}

// errUsage marks a command line that cannot be understood.
var errUsage = errors.New("see wxshop --help")

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "wxshop:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	if errors.Is(err, errDiffer) {
		return 3
	}
	return 1
}

// shell is what a command may touch outside of its configuration.
type shell struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string
	Started        func(*App) // told when a shop serves; for tests, may be nil
}

// commands is the command line.
type commands struct {
	Config   string `help:"The configuration; without it config.yaml in this folder, if there is one." type:"path" env:"WXSHOP_CONFIG" placeholder:"FILE"`
	Insecure bool   `help:"Allow a site.base_url with plain http beyond this machine. For tests in a closed network."`

	Serve     serveCmd     `cmd:"" default:"1" help:"Run the shop (this is what wxshop alone does)."`
	Sim       simCmd       `cmd:"" help:"Run only the simulated WeChat, for a shop in any language."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database up to date and stop."`
	Backup    backupCmd    `cmd:"" help:"Copy the database into a new file while the shop runs."`
	Restore   restoreCmd   `cmd:"" help:"Put a backup in the place of the database. The shop must not run."`
	Move      moveCmd      `cmd:"" help:"Copy the shop into an empty database of another kind. The shop must not run."`
	Reconcile reconcileCmd `cmd:"" help:"Compare WeChat's bill of a day with our books; status 3 says that they differ."`
	Order     orderCmd     `cmd:"" help:"Print what happened to an order."`
	Doctor    doctorCmd    `cmd:"" help:"Look for what keeps the shop from taking money: settings, keys, certificate, WeChat's answers."`
	User      userCmd      `cmd:"" help:"The people who may sign in at /admin."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// run is the program: args without its name. It ends when ctx does.
func run(ctx context.Context, args []string, sh shell) error {
	var c commands
	helped := false
	k, err := kong.New(&c, kong.Name("wxshop"), kong.Description("A shop that takes WeChat Pay. 微信支付商城"),
		kong.Writers(sh.Stdout, sh.Stderr), kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(sh, &c))
	if err != nil {
		return err
	}
	parsed, err := k.Parse(args)
	switch {
	case helped:
		return nil
	case err != nil:
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	return parsed.Run()
}

// load reads the configuration that the command line names.
func (c *commands) load(sh shell, flags ...func(*Config)) (Config, error) {
	return loadConfig(c.Config, sh.Environ, append(flags, func(x *Config) { x.insecure = c.Insecure })...)
}
