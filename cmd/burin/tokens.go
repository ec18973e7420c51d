package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

// tokensCommand returns the command whose subcommands count, prepare and reduce
// visual tokens.
func (s *streams) tokensCommand() *cli.Command {
	return &cli.Command{
		Name:  "tokens",
		Usage: "count, prepare and reduce the visual tokens of vision-language models",
		Commands: []*cli.Command{
			// One subcommand a line, in this order: plan, fit, prepare, render, reduce, kv, image.
			s.tokensPlanCommand(),
			s.tokensFitCommand(),
			s.tokensPrepareCommand(),
			s.tokensRenderCommand(),
			s.tokensReduceCommand(),
			s.tokensKVCommand(),
			s.tokensImageCommand(),
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("tokens: unknown command %q", c.Args().First())
			}
			return usagef("tokens: missing command")
		},
	}
}
