package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
)

// version returns the version of the module this was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func (s *streams) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version and the codecs",
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("version: unexpected argument %q", c.Args().First())
			}
			fmt.Fprintf(s.stdout, "burin %s, format %d, %s %s/%s\n", version(), codec.FormatVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			for _, c := range codec.Codecs() {
				fmt.Fprintf(s.stdout, "codec %s, version %d\n", c.Name, c.Version)
			}
			return nil
		},
	}
}
