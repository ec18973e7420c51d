package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// stdio is the name that means standard input or output.
const stdio = "-"

// outputName returns the name of the output file: what -o says, or else other,
// which must not exist yet unless -f is given.
func outputName(c *cli.Command, other string) (string, error) {
	if c.IsSet("output") {
		if name := c.String("output"); name != "" {
			return name, nil
		}
		return "", usagef("%s: empty output file name", c.Name)
	}
	if other == stdio || c.Bool("force") {
		return other, nil
	}
	if _, err := os.Lstat(other); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return "", err
		}
		return "", fmt.Errorf("%s exists; name it with -o or use -f to overwrite it", other)
	}
	return other, nil
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// write calls f to write a file. It writes under another name in the same
// folder and gives the file its name when it is complete, so that after an
// error, or when ctx is done, there is no file or the one there was.
func (s *streams) write(ctx context.Context, name string, f func(w io.Writer) error) error {
	if name == stdio {
		if isTerminal(s.stdout) {
			return errors.New("standard output is a terminal; name a file with -o")
		}
		return f(s.stdout)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return fmt.Errorf("%s is a folder", name)
		}
		// A device or a pipe must be written, not replaced.
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f(file), file.Close())
	}
	// What a link points to is replaced, not the link.
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	temporary := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(name), rand.Uint32()))
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = f(file)
	if err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		os.Remove(temporary)
	}
	return err
}

// await returns what f returns, or the error of ctx as soon as it is done: f may
// be waiting for input that never comes.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// open opens an input file.
func (s *streams) open(name string) (io.ReadCloser, error) {
	if name == stdio {
		return io.NopCloser(s.stdin), nil
	}
	return os.Open(name)
}
