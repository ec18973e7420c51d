package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func (s *streams) trainCommand() *cli.Command {
	return &cli.Command{
		Name:     "train",
		Usage:    "train the model of a codec",
		Commands: []*cli.Command{s.trainCircuitCommand(), s.trainLearnedCommand(), s.trainVectorCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("train: unknown model %q", c.Args().First())
			}
			return usagef("train: missing model")
		},
	}
}
