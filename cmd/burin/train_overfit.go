package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec/overfit/train"
	"github.com/burin-codec/burin/inr"
)

func (s *streams) trainOverfitCommand() *cli.Command {
	o := train.DefaultOptions()
	var presets []string
	for _, p := range inr.Presets {
		presets = append(presets, p.Name)
	}
	return &cli.Command{
		Name:  "overfit",
		Usage: "train a prior of the overfit codec: networks that fits of pictures start from",
		Description: "A prior is for one preset and a range of qualities. Crops are fitted from it one after the\n" +
			"other, and after each it moves a part of the way to where the fit went. What fits of held out\n" +
			"crops cost from the prior and from nothing is printed every so many visits: the squared error\n" +
			"divided by lambda, plus bits per pixel. With --checkpoint, training that was interrupted goes\n" +
			"on when it is started again.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Required: true, Usage: "folder of pictures to train on", TakesFile: true},
			&cli.StringFlag{Name: "out", Required: true, Usage: "file of the prior to write", TakesFile: true},
			&cli.StringFlag{Name: "validation", Usage: "folder of other pictures, to report on", TakesFile: true},
			&cli.StringFlag{Name: "checkpoint", Usage: "file to go on from, written at every report", TakesFile: true},
			&cli.StringFlag{Name: "start", Usage: "prior to start from: of the preset, such as that of a neighbouring range, or of a smaller one", TakesFile: true},
			&cli.StringFlag{Name: "preset", Value: o.Preset, Usage: "of networks: " + strings.Join(presets, ", ")},
			&cli.Float64Flag{Name: "low-quality", Value: o.LowQuality, Usage: "the lowest that the prior is for, 0 to 100"},
			&cli.Float64Flag{Name: "high-quality", Value: o.HighQuality, Usage: "the highest"},
			&cli.IntFlag{Name: "visits", Value: o.Visits, Usage: "crops to fit in all"},
			&cli.IntFlag{Name: "batch", Value: o.Batch, Usage: "crops between moves of the prior"},
			&cli.IntFlag{Name: "side", Value: o.Side, Usage: "of a crop, in pixels: a multiple of 64"},
			&cli.IntFlag{Name: "iterations", Value: o.Iterations, Usage: "of a fit"},
			&cli.Float64Flag{Name: "rate", Value: o.Rate, Usage: "how far the prior moves at first, as a part of the way; it falls to nothing"},
			&cli.Float64Flag{Name: "net-rate", Value: o.NetRate, Usage: "learning rate of networks in fits from the prior, in that of fits from nothing; 0 for what the codec takes"},
			&cli.IntFlag{Name: "held", Value: o.Held, Usage: "held out crops that a report is about"},
			&cli.IntFlag{Name: "every", Value: o.Every, Usage: "visits between reports"},
			&cli.Uint64Flag{Name: "seed", Value: o.Seed, Usage: "of the first networks, the crops and the noise"},
			workersFlag(),
			forceFlag(),
		},
		Action: s.trainOverfit,
	}
}

func (s *streams) trainOverfit(ctx context.Context, c *cli.Command) error {
	out, checkpoint, err := trainingFiles(c)
	if err != nil {
		return err
	}
	o := train.DefaultOptions()
	o.Preset, o.LowQuality, o.HighQuality = c.String("preset"), c.Float64("low-quality"), c.Float64("high-quality")
	o.Visits, o.Batch, o.Side, o.Iterations = c.Int("visits"), c.Int("batch"), c.Int("side"), c.Int("iterations")
	o.Rate, o.NetRate, o.Held, o.Every = c.Float64("rate"), c.Float64("net-rate"), c.Int("held"), c.Int("every")
	o.Seed, o.Workers = c.Uint64("seed"), c.Int("workers")
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	if name := c.String("start"); name != "" {
		file, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if o.Start, err = inr.ReadPrior(file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	data, held, err := s.trainingData(ctx, c, o.Side, o.Side)
	if err != nil {
		return err
	}
	o.Progress = func(p train.Progress) { fmt.Fprintln(s.stderr, overfitProgress(p)) }
	if checkpoint != "" {
		o.Checkpoint = func(t *train.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	t, err := trainer(checkpoint, func(r io.Reader) (*train.Trainer, error) {
		return train.Resume(r, data, held, o)
	}, func() (*train.Trainer, error) {
		return train.New(data, held, o)
	})
	if err != nil {
		return err
	}
	defer t.Close()
	if t.Visit() > 0 {
		fmt.Fprintf(s.stderr, "going on after visit %d of %d\n", t.Visit(), o.Visits)
	}
	if err := t.Run(ctx); err != nil {
		return err
	}
	p, err := t.Prior()
	if err != nil {
		return err
	}
	return s.writeModel(ctx, out, p)
}

// overfitProgress returns a line on the training.
func overfitProgress(p train.Progress) string {
	held := ""
	if p.Scratch > 0 {
		held = fmt.Sprintf("; held out %.4f, %.4f from nothing, %.1f %% less; networks of %.0f bits, %.0f from nothing",
			p.Prior, p.Scratch, 100*p.Gain, p.PriorBits, p.ScratchBits)
	}
	return fmt.Sprintf("visit %d of %d%s; %v", p.Visit, p.Visits, held, p.Time.Round(time.Second))
}
