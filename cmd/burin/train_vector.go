package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/codec/vector/train"
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
		Flags: append(pictureTrainingFlags(o.Options),
			&cli.StringFlag{Name: "config", Usage: "what differs in the architecture, as JSON"},
			&cli.IntFlag{Name: "start-crops", Value: o.Start, Usage: "crops that the first codebooks are made of"},
			&cli.Float64Flag{Name: "ms-ssim", Value: o.MSSSIM, Usage: "what 1 - MS-SSIM of luma costs, in squared errors of 8-bit samples"},
		),
		Action: s.trainVector,
	}
}

func (s *streams) trainVector(ctx context.Context, c *cli.Command) error {
	out, checkpoint, err := trainingFiles(c)
	if err != nil {
		return err
	}
	o := train.DefaultOptions()
	setTrainingOptions(c, &o.Options)
	o.Start, o.MSSSIM = c.Int("start-crops"), c.Float64("ms-ssim")
	if err := setConfig(c, &o.Config); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	data, held, err := s.trainingData(ctx, c, o.Side, o.Side)
	if err != nil {
		return err
	}
	o.Progress = func(p train.Progress) { fmt.Fprintln(s.stderr, vectorProgress(p)) }
	if checkpoint != "" {
		o.Checkpoint = func(t *train.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	net, done, err := trainedNetwork(ctx, s, c, network.ReadSafetensors, func() (*train.Trainer, error) {
		return trainer(checkpoint, func(r io.Reader) (*train.Trainer, error) {
			return train.Resume(r, data, held, o)
		}, func() (*train.Trainer, error) {
			return train.New(data, held, o)
		})
	})
	if err != nil {
		return err
	}
	defer done()
	if strings.HasSuffix(out, ".safetensors") {
		return s.write(ctx, out, net.WriteSafetensors)
	}
	m, err := vector.NewModel(net, data.Crops(vectorCrops, o.Side, o.Seed), vector.DefaultBits)
	if err != nil {
		return err
	}
	return s.writeModel(ctx, out, m)
}

// vectorCrops are what frequencies are taken from.
const vectorCrops = 800

// vectorProgress returns a line on the training.
func vectorProgress(p train.Progress) string {
	var points, used []string
	for _, q := range p.Points {
		points = append(points, fmt.Sprintf("%.4f %.2f %.4f", q.BPP, q.PSNR, q.MSSSIM))
	}
	for _, level := range p.Used {
		for _, u := range level {
			used = append(used, fmt.Sprintf("%.0f %%", 100*u))
		}
	}
	return fmt.Sprintf("step %d of %d: loss %.4f, %.4f bpp%s; words used %s; weight %.2f; %v",
		p.Step, p.Steps, p.Loss, p.BPP, heldOut(p.Progress, points), strings.Join(used, " "), p.Weight, p.Time.Round(time.Second))
}
