package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

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

// mayWrite returns an error if a file exists and --force is not given: training takes too
// long for that to be told at its end.
func mayWrite(c *cli.Command, name string) error {
	if name == stdio || c.Bool("force") {
		return nil
	}
	switch _, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s exists; use -f to overwrite it", name)
}

// save writes a checkpoint.
func (s *streams) save(ctx context.Context, name string, t io.WriterTo) error {
	return s.write(ctx, name, func(w io.Writer) error {
		_, err := t.WriteTo(w)
		return err
	})
}

// pictureTrainingFlags are the flags of codecs that are trained on crops of pictures, with
// their defaults.
func pictureTrainingFlags(steps, batch, side, every int, rate, decay float64, seed uint64) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Required: true, Usage: "folder of pictures to train on", TakesFile: true},
		&cli.StringFlag{Name: "out", Required: true, Usage: "file to write: the weights if its name ends in .safetensors, the model in integers otherwise", TakesFile: true},
		&cli.StringFlag{Name: "from", Usage: "weights (safetensors) to make the model of, without training", TakesFile: true},
		&cli.StringFlag{Name: "validation", Usage: "folder of other pictures, to report on", TakesFile: true},
		&cli.StringFlag{Name: "checkpoint", Usage: "file to go on from, written at every report", TakesFile: true},
		&cli.IntFlag{Name: "steps", Value: steps, Usage: "batches in all"},
		&cli.IntFlag{Name: "batch", Value: batch, Usage: "crops in a batch"},
		&cli.IntFlag{Name: "side", Value: side, Usage: "of a crop, in pixels: a multiple of 64"},
		&cli.Float64Flag{Name: "rate", Value: rate, Usage: "of learning"},
		&cli.Float64Flag{Name: "decay", Value: decay, Usage: "share of the steps, at the end, in which the rate falls to nothing"},
		&cli.IntFlag{Name: "every", Value: every, Usage: "steps between reports"},
		&cli.Uint64Flag{Name: "seed", Value: seed, Usage: "of the first weights, the crops and the noise"},
		workersFlag(),
		forceFlag(),
	}
}
