// Burin encodes and decodes pictures from the command line.
//
//	burin encode photo.png            # photo.burin, lossless
//	burin decode photo.burin -o p.png
//	burin info photo.burin
//	burin bench --corpus photos       # rate-distortion figures of codecs and peers
//	burin compare photo.png p.png     # how far one picture is from another
//	burin sample -o sample.png        # a picture to try it on
//
// Flags may stand before or after the file. A file of - is standard input or
// output. Files that exist are not overwritten unless -o names them or -f is
// given, and an output file appears under its name only once it is complete.
//
// The exit status is 0 on success, 1 on failure and 2 on wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
)

const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// A usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// A streams holds where a command reads from and writes to.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run runs the command and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &streams{stdin, stdout, stderr}
	root := &cli.Command{
		Name:                  "burin",
		Usage:                 "encode and decode pictures with neural and visual codecs",
		Version:               version(),
		Commands:              []*cli.Command{s.encodeCommand(), s.decodeCommand(), s.infoCommand(), s.benchCommand(), s.compareCommand(), s.sampleCommand(), s.tensorCommand(), s.tokensCommand(), s.trainCommand(), s.versionCommand()},
		EnableShellCompletion: true,
		Reader:                stdin,
		Writer:                stdout,
		ErrWriter:             stderr,
		// Errors are printed below, and nothing but main may exit.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("unknown command %q", c.Args().First())
			}
			return usagef("missing command")
		},
	}
	current := root.Name
	for _, c := range append(allCommands(root), root) {
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			current = c.FullName()
			return usageError{err}
		}
		if c == root {
			continue
		}
		c.HideHelpCommand = true // "help" may be the name of a file
		c.Before = func(ctx context.Context, c *cli.Command) (context.Context, error) {
			current = c.FullName()
			return ctx, nil
		}
	}

	err := root.Run(ctx, append([]string{root.Name}, args...))
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "burin: %s\n", strings.TrimPrefix(err.Error(), "burin: "))
	var usage usageError
	var option codec.OptionError
	var help cli.ExitCoder // no such help topic
	if errors.As(err, &usage) || errors.As(err, &option) || errors.As(err, &help) {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", current)
		return exitUsage
	}
	return exitFailure
}

// allCommands returns the commands below c.
func allCommands(c *cli.Command) []*cli.Command {
	var all []*cli.Command
	for _, sub := range c.Commands {
		all = append(append(all, sub), allCommands(sub)...)
	}
	return all
}

// oneArg returns the only argument of a command.
func oneArg(c *cli.Command) (string, error) {
	switch c.Args().Len() {
	case 0:
		return "", usagef("%s: missing file", c.Name)
	case 1:
		if name := c.Args().First(); name != "" {
			return name, nil
		}
		return "", usagef("%s: empty file name", c.Name)
	}
	return "", usagef("%s: one file at a time, got %q", c.Name, c.Args().Slice())
}

// Flags that several commands have.

func workersFlag() cli.Flag {
	return &cli.IntFlag{
		Name: "workers", Aliases: []string{"j"}, Usage: "goroutines at work; 0 means one a CPU",
		Validator: func(n int) error {
			if n < 0 {
				return fmt.Errorf("%d is negative", n)
			}
			return nil
		},
	}
}

func outputFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: usage, TakesFile: true}
}

func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "overwrite a file that -o does not name"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object"}
}
