package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"time"

	"github.com/urfave/cli/v3"

	codeccircuit "github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/entropy/circuit"
)

func (s *streams) trainCircuitCommand() *cli.Command {
	o := circuit.DefaultOptions()
	return &cli.Command{
		Name:  "circuit",
		Usage: "train a probabilistic circuit on pictures of one size",
		Description: "The data is an IDX file or a folder of pictures of one size, all gray or all opaque RGB, of\n" +
			"8 bits. Bits a value of the training and the held out pictures are printed after every epoch.\n" +
			"With --checkpoint, training that was interrupted goes on when it is started again.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Required: true, Usage: "IDX file or folder of pictures", TakesFile: true},
			&cli.StringFlag{Name: "out", Required: true, Usage: "model file to write", TakesFile: true},
			&cli.StringFlag{Name: "checkpoint", Usage: "file to go on from, written after every epoch", TakesFile: true},
			&cli.IntFlag{Name: "states", Value: o.States, Usage: "of each hidden variable: 16 to 128"},
			&cli.IntFlag{Name: "epochs", Value: o.Epochs, Usage: "by batches"},
			&cli.IntFlag{Name: "full-epochs", Value: o.FullEpochs, Usage: "by all pictures at once, at the end"},
			&cli.IntFlag{Name: "grow", Value: o.Grow, Usage: "how often to remove the least used states and divide the others in two"},
			&cli.IntFlag{Name: "grow-epochs", Value: o.GrowEpochs, Usage: "by batches, after each time"},
			&cli.Float64Flag{Name: "prune", Value: o.Prune, Usage: "share of the states to remove each time"},
			&cli.IntFlag{Name: "max-states", Value: o.MaxStates, Usage: "of a hidden variable, when growing"},
			&cli.IntFlag{Name: "logistics", Value: o.Logistics, Usage: "of a state: its values are a mixture of so many discretised logistics; 0 for a table"},
			&cli.IntFlag{Name: "share", Usage: "pixels within squares of so many a side share their parameters; 0 for none. Not with --grow"},
			&cli.Float64Flag{Name: "band-prior", Value: o.BandPrior, Usage: "counts that smooth each 16 values of a table towards all states' distribution"},
			&cli.IntFlag{Name: "pictures", Usage: "train on the first so many only; 0 for all"},
			&cli.IntFlag{Name: "batch", Value: o.Batch, Usage: "pictures in a batch"},
			&cli.Float64Flag{Name: "validation", Value: o.Validation, Usage: "share of the pictures that is held out"},
			&cli.Uint64Flag{Name: "seed", Value: o.Seed, Usage: "of the split, the first states and the order"},
			workersFlag(),
			forceFlag(),
		},
		Action: s.trainCircuit,
	}
}

func (s *streams) trainCircuit(ctx context.Context, c *cli.Command) error {
	out, checkpoint, err := trainingFiles(c)
	if err != nil {
		return err
	}
	corpus, err := dataset.Open(c.String("data"), nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"pictures", "share"} {
		if c.Int(name) < 0 {
			return usagef("train circuit: --%s %d", name, c.Int(name))
		}
	}
	data, size, err := circuitData(ctx, corpus, c.Int("pictures"))
	if err != nil {
		return err
	}
	o := circuit.DefaultOptions()
	o.States, o.Epochs, o.FullEpochs, o.Batch = c.Int("states"), c.Int("epochs"), c.Int("full-epochs"), c.Int("batch")
	o.Grow, o.GrowEpochs, o.Prune, o.MaxStates = c.Int("grow"), c.Int("grow-epochs"), c.Float64("prune"), c.Int("max-states")
	o.Logistics, o.BandPrior = c.Int("logistics"), c.Float64("band-prior")
	if side := c.Int("share"); side > 0 {
		o.Share = circuit.ShareSquares(size.X, size.Y, data.Vars/(size.X*size.Y), side)
	}
	o.Validation, o.Seed, o.Workers = c.Float64("validation"), c.Uint64("seed"), c.Int("workers")
	o.Progress = func(p circuit.Progress) {
		held := ""
		if !math.IsNaN(p.Validation) {
			held = fmt.Sprintf(", held out %.4f", p.Validation)
		}
		fmt.Fprintf(s.stderr, "epoch %d of %d: %.4f bits a value%s, %v\n", p.Epoch, p.Epochs, p.Train, held, p.Time.Round(time.Second))
	}
	if checkpoint != "" {
		o.Checkpoint = func(t *circuit.Trainer) error { return s.save(ctx, checkpoint, t) }
	}
	t, err := trainer(checkpoint, func(r io.Reader) (*circuit.Trainer, error) {
		return circuit.ResumeTrainer(r, data, o)
	}, func() (*circuit.Trainer, error) {
		return circuit.NewTrainer(data, o)
	})
	if errors.Is(err, circuit.ErrOptions) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	defer t.Close()
	if done, all := t.Epochs(); done > 0 {
		fmt.Fprintf(s.stderr, "going on after epoch %d of %d\n", done, all)
	}
	if err := t.Run(ctx); err != nil {
		return err
	}
	q, err := t.Circuit().Quantise(circuit.DefaultVectors)
	if err != nil {
		return err
	}
	m, err := codeccircuit.NewModel(q, size.X, size.Y, data.Vars/(size.X*size.Y))
	if err != nil {
		return err
	}
	return s.writeModel(ctx, out, m)
}

// circuitData reads the first pictures of a corpus, of one size, all for most 0. The values of a picture are its
// samples row by row, those of a pixel side by side.
func circuitData(ctx context.Context, corpus *dataset.Corpus, most int) (*circuit.Dataset, image.Point, error) {
	d := &circuit.Dataset{Cats: 256}
	var size image.Point
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return nil, size, err
		}
		m := e.Picture.Image
		var values int
		switch m.(type) {
		case *image.Gray:
			values = 1
		case *image.NRGBA, *image.RGBA, *image.Paletted:
			values = 3
		default:
			return nil, size, fmt.Errorf("%s: pictures of %T are not gray or RGB of 8 bits", e.Name, m)
		}
		b := m.Bounds()
		n := b.Dx() * b.Dy() * values
		if d.Vars > 0 && most > 0 && len(d.Values) == most*d.Vars {
			break
		}
		if d.Vars == 0 {
			size, d.Vars = b.Size(), n
			d.Values = make([]uint16, 0, max(corpus.Len(), 1)*n)
		}
		if b.Size() != size || n != d.Vars {
			return nil, size, fmt.Errorf("%s: %d x %d with %d values a pixel, unlike the pictures before it", e.Name, b.Dx(), b.Dy(), values)
		}
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				if g, ok := m.(*image.Gray); ok {
					d.Values = append(d.Values, uint16(g.GrayAt(x, y).Y))
					continue
				}
				p := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				if p.A != 0xff {
					return nil, size, fmt.Errorf("%s: transparent pictures are not supported", e.Name)
				}
				d.Values = append(d.Values, uint16(p.R), uint16(p.G), uint16(p.B))
			}
		}
	}
	if d.Vars == 0 {
		return nil, size, errors.New("no pictures")
	}
	return d, size, nil
}
