package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec/learned"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/codec/learned/train"
	"github.com/burin-codec/burin/transform/nn"
)

func (s *streams) trainLearnedCommand() *cli.Command {
	o := train.DefaultOptions()
	return &cli.Command{
		Name:  "learned",
		Usage: "train the networks of the learned codec on a folder of pictures",
		Description: "What the held out pictures cost at six rates is printed every so many steps: bits per pixel,\n" +
			"those of the hyperprior among them, and RGB PSNR. With --checkpoint, training that was\n" +
			"interrupted goes on when it is started again, also with more steps or other rates.\n" +
			"A model in integers is what burin encode --codec learned --model takes; magnitudes and\n" +
			"frequencies for it are taken from crops of the data.",
		Flags: append(pictureTrainingFlags(o.Options),
			&cli.StringFlag{Name: "start", Usage: "weights (safetensors) to start from, instead of principal components", TakesFile: true},
			&cli.StringFlag{Name: "config", Usage: "architecture in JSON, of which fields may be missing; with --start, one with more blocks grows the network; with --from, the rates low and high to use it for (default: that of --start or --from, or a small one)"},
		),
		Action: s.trainLearned,
	}
}

func (s *streams) trainLearned(ctx context.Context, c *cli.Command) error {
	out, checkpoint, err := trainingFiles(c)
	if err != nil {
		return err
	}
	o := train.DefaultOptions()
	setTrainingOptions(c, &o.Options)
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	var start *network.Network
	if name := c.String("start"); name != "" {
		if start, err = readWeights(name, pool, network.ReadSafetensors); err != nil {
			return err
		}
		o.Config = start.Config
	}
	if err := setConfig(c, &o.Config); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	data, held, err := s.trainingData(ctx, c, o.Side, 64)
	if err != nil {
		return err
	}
	o.Progress = func(p train.Progress) { fmt.Fprintln(s.stderr, learnedProgress(p)) }
	if checkpoint != "" {
		o.Checkpoint = func(t *train.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	net, done, err := trainedNetwork(ctx, s, c, network.ReadSafetensors, func() (*train.Trainer, error) {
		return trainer(checkpoint, func(r io.Reader) (*train.Trainer, error) {
			return train.Resume(r, data, held, o)
		}, func() (*train.Trainer, error) {
			if start != nil {
				return train.NewFrom(start, data, held, o)
			}
			return train.New(data, held, o)
		})
	})
	if err != nil {
		return err
	}
	defer done()
	if c.String("from") != "" {
		if err := setRates(c, &net.Config); err != nil {
			return err
		}
	}
	if strings.HasSuffix(out, ".safetensors") {
		return s.write(ctx, out, net.WriteSafetensors)
	}
	m, err := learned.NewModel(net, data.Crops(calibrationCrops, o.Side, o.Seed), learned.DefaultBits())
	if err != nil {
		return err
	}
	return s.writeModel(ctx, out, m)
}

// setRates takes over --config where it is about rates alone.
func setRates(c *cli.Command, config *network.Config) error {
	set := *config
	if err := setConfig(c, &set); err != nil {
		return err
	}
	if err := set.Check(); err != nil {
		return usageError{err}
	}
	same := set
	same.Low, same.High = config.Low, config.High
	if same != *config {
		return usagef("train learned: --from names its architecture; --config may set low and high beside it")
	}
	*config = set
	return nil
}

// calibrationCrops are what magnitudes and frequencies are taken from: of 256 pixels a side,
// 6 million pixels and some 40 seconds.
const calibrationCrops = 96

// learnedProgress returns a line on the training.
func learnedProgress(p train.Progress) string {
	var points []string
	for _, q := range p.Points {
		points = append(points, fmt.Sprintf("%.4f (%.4f) %.2f", q.BPP, q.HyperBPP, q.PSNR))
	}
	return fmt.Sprintf("step %d of %d: loss %.4f, %.3f bpp%s; %v",
		p.Step, p.Steps, p.Loss, p.BPP, heldOut(p.Progress, points), p.Time.Round(time.Second))
}

func (s *streams) trainJoinCommand() *cli.Command {
	return &cli.Command{
		Name:  "join",
		Usage: "make one model of the learned codec of several, each for a range of rates",
		Description: "Models are given by rising rates. Where the ranges of two overlap, each serves the half on its\n" +
			"side. Ranges are what --config '{\"low\":0.3,\"high\":1}' sets in training, rates being a hundredth\n" +
			"of the quality.",
		ArgsUsage: "MODEL MODEL...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Required: true, Usage: "model file to write", TakesFile: true},
			forceFlag(),
		},
		Action: s.trainJoin,
	}
}

func (s *streams) trainJoin(ctx context.Context, c *cli.Command) error {
	out := c.String("out")
	if out == "" || c.Args().Len() < 2 {
		return usagef("train join: two models or more, and --out, are needed")
	}
	if err := mayWrite(c, out); err != nil {
		return err
	}
	var models []*learned.Model
	for _, name := range c.Args().Slice() {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		m, err := learned.ReadModel(data, math.MaxInt64)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		models = append(models, m)
	}
	m, err := learned.Join(models...)
	if err != nil {
		return err
	}
	return s.writeModel(ctx, out, m)
}
