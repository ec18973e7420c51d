package main

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/transform/nn"
)

func (s *streams) trainCommand() *cli.Command {
	return &cli.Command{
		Name:     "train",
		Usage:    "train the model of a codec",
		Commands: []*cli.Command{s.trainCircuitCommand(), s.trainLearnedCommand(), s.trainJoinCommand(), s.trainOverfitCommand(), s.trainVectorCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("train: unknown model %q", c.Args().First())
			}
			return usagef("train: missing model")
		},
	}
}

// trainingFiles returns the names of --out, which may be written, and --checkpoint.
func trainingFiles(c *cli.Command) (out, checkpoint string, err error) {
	if c.Args().Present() {
		return "", "", usagef("train %s: unexpected argument %q", c.Name, c.Args().First())
	}
	out = c.String("out")
	if out == "" || c.String("data") == "" {
		return "", "", usagef("train %s: empty file name", c.Name)
	}
	return out, c.String("checkpoint"), mayWrite(c, out)
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

// trainer returns what goes on from a checkpoint if there is one, or what begins anew.
func trainer[T any](checkpoint string, resume func(io.Reader) (T, error), begin func() (T, error)) (t T, err error) {
	if checkpoint == "" {
		return begin()
	}
	f, err := os.Open(checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return begin()
	}
	if err != nil {
		return t, err
	}
	defer f.Close()
	if t, err = resume(f); err != nil {
		return t, fmt.Errorf("%s: %w", checkpoint, err)
	}
	return t, nil
}

// writeModel writes a model, and says so.
func (s *streams) writeModel(ctx context.Context, out string, m encoding.BinaryMarshaler) error {
	file, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	if err := s.write(ctx, out, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	}); err != nil {
		return err
	}
	if out != stdio {
		_, err = fmt.Fprintf(s.stdout, "%s: %d bytes, %v\n", out, len(file), m)
	}
	return err
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
func pictureTrainingFlags(o training.Options) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Required: true, Usage: "folder of pictures to train on", TakesFile: true},
		&cli.StringFlag{Name: "out", Required: true, Usage: "file to write: the weights if its name ends in .safetensors, the model in integers otherwise", TakesFile: true},
		&cli.StringFlag{Name: "from", Usage: "weights (safetensors) to make the model of, without training", TakesFile: true},
		&cli.StringFlag{Name: "validation", Usage: "folder of other pictures, to report on", TakesFile: true},
		&cli.StringFlag{Name: "checkpoint", Usage: "file to go on from, written at every report", TakesFile: true},
		&cli.IntFlag{Name: "steps", Value: o.Steps, Usage: "batches in all"},
		&cli.IntFlag{Name: "batch", Value: o.Batch, Usage: "crops in a batch"},
		&cli.IntFlag{Name: "side", Value: o.Side, Usage: "of a crop, in pixels: a multiple of 64"},
		&cli.Float64Flag{Name: "rate", Value: o.Rate, Usage: "of learning"},
		&cli.Float64Flag{Name: "decay", Value: o.Decay, Usage: "share of the steps, at the end, in which the rate falls to nothing"},
		&cli.IntFlag{Name: "every", Value: o.Every, Usage: "steps between reports"},
		&cli.Uint64Flag{Name: "seed", Value: o.Seed, Usage: "of the first weights, the crops and the noise"},
		workersFlag(),
		forceFlag(),
	}
}

// setTrainingOptions takes over pictureTrainingFlags.
func setTrainingOptions(c *cli.Command, o *training.Options) {
	o.Steps, o.Batch, o.Side, o.Every = c.Int("steps"), c.Int("batch"), c.Int("side"), c.Int("every")
	o.Rate, o.Decay, o.Seed, o.Workers = c.Float64("rate"), c.Float64("decay"), c.Uint64("seed"), c.Int("workers")
}

// setConfig takes over --config.
func setConfig(c *cli.Command, config any) error {
	text := c.String("config")
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), config); err != nil {
		return usagef("train %s: --config: %v", c.Name, err)
	}
	return nil
}

// trainingData reads --data, for crops of a side, and --validation, which may be nil.
func (s *streams) trainingData(ctx context.Context, c *cli.Command, side, heldSide int) (data, held *training.Data, err error) {
	warn := func(err error) { fmt.Fprintf(s.stderr, "burin: left out: %v\n", err) }
	if data, err = training.Load(ctx, c.String("data"), side, warn); err != nil {
		return nil, nil, err
	}
	if folder := c.String("validation"); folder != "" {
		if held, err = training.Load(ctx, folder, heldSide, warn); err != nil {
			return nil, nil, err
		}
	}
	return data, held, nil
}

// heldOut returns what is told of the validation at some rates.
func heldOut(p training.Progress, points []string) string {
	if points == nil {
		return ""
	}
	return fmt.Sprintf("; held out %.4f: %s", p.Score, strings.Join(points, ", "))
}

// A pictureTrainer trains a network on crops of pictures.
type pictureTrainer[N any] interface {
	Step() int
	Run(context.Context) error
	Network() N
	Close()
}

// trainedNetwork returns the network of --from, which read reads, or else the one that the
// trainer makes, and what frees it.
func trainedNetwork[N any, T pictureTrainer[N]](ctx context.Context, s *streams, c *cli.Command, read func(io.Reader, int64, *nn.Pool) (N, error), trainer func() (T, error)) (net N, done func(), err error) {
	if from := c.String("from"); from != "" {
		pool := nn.NewPool(c.Int("workers"))
		if net, err = readWeights(from, pool, read); err != nil {
			pool.Close()
			return net, nil, err
		}
		return net, pool.Close, nil
	}
	t, err := trainer()
	if err != nil {
		return net, nil, err
	}
	if t.Step() > 0 {
		fmt.Fprintf(s.stderr, "going on after step %d of %d\n", t.Step(), c.Int("steps"))
	}
	if err := t.Run(ctx); err != nil {
		t.Close()
		return net, nil, err
	}
	return t.Network(), t.Close, nil
}

// maxWeights is how large a file of weights may be.
const maxWeights = 1 << 30

// readWeights reads a network's weights.
func readWeights[N any](name string, pool *nn.Pool, read func(io.Reader, int64, *nn.Pool) (N, error)) (net N, err error) {
	f, err := os.Open(name)
	if err != nil {
		return net, err
	}
	defer f.Close()
	if net, err = read(f, maxWeights, pool); err != nil {
		return net, fmt.Errorf("%s: %w", name, err)
	}
	return net, nil
}
