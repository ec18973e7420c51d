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

	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/codec/vector/train"
	"github.com/burin-codec/burin/transform/nn"
)

func (s *streams) trainVectorCommand() *cli.Command {
	o := train.DefaultOptions()
	return &cli.Command{
		Name:  "vector",
		Usage: "train the networks and the codebooks of the vector codec on a folder of pictures",
		Description: "What held out crops cost at five rates is printed every so many steps: bits per pixel, as\n" +
			"running statistics have it, RGB PSNR and MS-SSIM of luma; and what share of each codebook's\n" +
			"words is in use. With --checkpoint, training that was interrupted goes on when it is started\n" +
			"again, also with more steps or other rates.",
		Flags: append(pictureTrainingFlags(o.Steps, o.Batch, o.Side, o.Every, o.Rate, o.Decay, o.Seed),
			&cli.StringFlag{Name: "config", Usage: "what differs in the architecture, as JSON"},
			&cli.IntFlag{Name: "start-crops", Value: o.Start, Usage: "crops that the first codebooks are made of"},
			&cli.Float64Flag{Name: "ms-ssim", Value: o.MSSSIM, Usage: "what 1 - MS-SSIM of luma costs, in squared errors of 8-bit samples"},
		),
		Action: s.trainVector,
	}
}

func (s *streams) trainVector(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("train vector: unexpected argument %q", c.Args().First())
	}
	out, checkpoint := c.String("out"), c.String("checkpoint")
	if out == "" || c.String("data") == "" {
		return usagef("train vector: empty file name")
	}
	if err := mayWrite(c, out); err != nil {
		return err
	}
	o := train.DefaultOptions()
	o.Steps, o.Batch, o.Side, o.Every, o.Start = c.Int("steps"), c.Int("batch"), c.Int("side"), c.Int("every"), c.Int("start-crops")
	o.Rate, o.Decay, o.MSSSIM, o.Seed, o.Workers = c.Float64("rate"), c.Float64("decay"), c.Float64("ms-ssim"), c.Uint64("seed"), c.Int("workers")
	if text := c.String("config"); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Config); err != nil {
			return usagef("train vector: --config: %v", err)
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
		if held, err = train.Load(ctx, folder, o.Side, warn); err != nil {
			return err
		}
	}
	o.Progress = func(p train.Progress) { fmt.Fprintln(s.stderr, vectorProgress(p)) }
	if checkpoint != "" {
		o.Checkpoint = func(t *train.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	net, done, err := s.vectorNetwork(ctx, c, data, held, o)
	if err != nil {
		return err
	}
	defer done()
	if strings.HasSuffix(out, ".safetensors") {
		return s.write(ctx, out, net.WriteSafetensors)
	}
	m, err := vector.NewModel(net, train.Crops(data, vectorCrops, o.Side, o.Seed), vector.DefaultBits)
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

// vectorCrops are what frequencies are taken from.
const vectorCrops = 200

// vectorProgress returns a line on the training.
func vectorProgress(p train.Progress) string {
	line := fmt.Sprintf("step %d of %d: loss %.4f, %.4f bpp", p.Step, p.Steps, p.Loss, p.BPP)
	if p.Points != nil {
		var points []string
		for _, q := range p.Points {
			points = append(points, fmt.Sprintf("%.4f %.2f %.4f", q.BPP, q.PSNR, q.MSSSIM))
		}
		line += fmt.Sprintf("; held out %.4f: %s", p.Score, strings.Join(points, ", "))
	}
	var used []string
	for _, level := range p.Used {
		for _, u := range level {
			used = append(used, fmt.Sprintf("%.0f %%", 100*u))
		}
	}
	return line + fmt.Sprintf("; words used %s; weight %.2f; %v", strings.Join(used, " "), p.Weight, p.Time.Round(time.Second))
}

// vectorNetwork returns the trained network, and what frees it.
func (s *streams) vectorNetwork(ctx context.Context, c *cli.Command, data, held *train.Data, o train.Options) (*network.Network, func(), error) {
	if from := c.String("from"); from != "" {
		f, err := os.Open(from)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		pool := nn.NewPool(o.Workers)
		net, err := network.ReadSafetensors(f, maxVectorWeights, pool)
		if err != nil {
			pool.Close()
			return nil, nil, fmt.Errorf("%s: %w", from, err)
		}
		return net, pool.Close, nil
	}
	t, err := vectorTrainer(c.String("checkpoint"), data, held, o)
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

// maxVectorWeights is how large a file of weights may be.
const maxVectorWeights = 1 << 30

// vectorTrainer goes on from a checkpoint if there is one.
func vectorTrainer(checkpoint string, data, held *train.Data, o train.Options) (*train.Trainer, error) {
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
	return train.New(data, held, o)
}
