package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
		Flags: append(pictureTrainingFlags(o.Steps, o.Batch, o.Side, o.Every, o.Rate, o.Decay, o.Seed),
			&cli.StringFlag{Name: "start", Usage: "weights (safetensors) to start from, instead of principal components", TakesFile: true},
			&cli.StringFlag{Name: "config", Usage: "architecture in JSON, of which fields may be missing; with --start, one with more blocks grows the network (default: that of --start, or of the shipped model)"},
		),
		Action: s.trainLearned,
	}
}

func (s *streams) trainLearned(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("train learned: unexpected argument %q", c.Args().First())
	}
	out, checkpoint := c.String("out"), c.String("checkpoint")
	if out == "" || c.String("data") == "" {
		return usagef("train learned: empty file name")
	}
	if err := mayWrite(c, out); err != nil {
		return err
	}
	o := train.DefaultOptions()
	o.Steps, o.Batch, o.Side, o.Every = c.Int("steps"), c.Int("batch"), c.Int("side"), c.Int("every")
	o.Rate, o.Decay, o.Seed, o.Workers = c.Float64("rate"), c.Float64("decay"), c.Uint64("seed"), c.Int("workers")
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	var start *network.Network
	if name := c.String("start"); name != "" {
		var err error
		if start, err = readNetwork(name, pool); err != nil {
			return err
		}
		o.Config = start.Config
	}
	if text := c.String("config"); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Config); err != nil {
			return usagef("train learned: --config: %v", err)
		}
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	warn := func(err error) { fmt.Fprintf(s.stderr, "burin: left out: %v\n", err) }
	data, err := train.Load(ctx, c.String("data"), o.Side, warn)
	if err != nil {
		return err
	}
	var held *train.Data
	if folder := c.String("validation"); folder != "" {
		if held, err = train.Load(ctx, folder, 64, warn); err != nil {
			return err
		}
	}
	o.Progress = func(p train.Progress) {
		line := fmt.Sprintf("step %d of %d: loss %.4f, %.3f bpp", p.Step, p.Steps, p.Loss, p.BPP)
		if p.Points != nil {
			var points []string
			for _, q := range p.Points {
				points = append(points, fmt.Sprintf("%.4f (%.4f) %.2f", q.BPP, q.HyperBPP, q.PSNR))
			}
			line += fmt.Sprintf("; held out %.4f: %s", p.Score, strings.Join(points, ", "))
		}
		fmt.Fprintf(s.stderr, "%s; %v\n", line, p.Time.Round(time.Second))
	}
	if checkpoint != "" {
		o.Checkpoint = func(t *train.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	net, done, err := s.learnedNetwork(ctx, c, start, data, held, o)
	if err != nil {
		return err
	}
	defer done()
	if strings.HasSuffix(out, ".safetensors") {
		return s.write(ctx, out, net.WriteSafetensors)
	}
	m, err := learned.NewModel(net, data.Crops(calibrationCrops, 256, o.Seed), learned.DefaultBits())
	if err != nil {
		return err
	}
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

// calibrationCrops are what magnitudes and frequencies are taken from: 6 million pixels, some
// 40 seconds.
const calibrationCrops = 96

// learnedNetwork returns the trained network, and what frees it.
func (s *streams) learnedNetwork(ctx context.Context, c *cli.Command, start *network.Network, data, held *train.Data, o train.Options) (*network.Network, func(), error) {
	if from := c.String("from"); from != "" {
		pool := nn.NewPool(o.Workers)
		net, err := readNetwork(from, pool)
		if err != nil {
			pool.Close()
			return nil, nil, err
		}
		return net, pool.Close, nil
	}
	t, err := learnedTrainer(c.String("checkpoint"), start, data, held, o)
	if err != nil {
		return nil, nil, err
	}
	if t.Step() > 0 {
		fmt.Fprintf(s.stderr, "going on after step %d of %d\n", t.Step(), o.Steps)
	}
	if err := t.Run(ctx); err != nil {
		t.Close()
		return nil, nil, err
	}
	return t.Network(), t.Close, nil
}

// readNetwork reads weights.
func readNetwork(name string, pool *nn.Pool) (*network.Network, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	net, err := network.ReadSafetensors(f, maxWeights, pool)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return net, nil
}

// maxWeights is how large a file of weights may be.
const maxWeights = 1 << 30

// learnedTrainer goes on from a checkpoint if there is one.
func learnedTrainer(checkpoint string, start *network.Network, data, held *train.Data, o train.Options) (*train.Trainer, error) {
	if checkpoint != "" {
		f, err := os.Open(checkpoint)
		if err == nil {
			defer f.Close()
			return train.Resume(f, data, held, o)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if start != nil {
		return train.NewFrom(start, data, held, o)
	}
	return train.New(data, held, o)
}
