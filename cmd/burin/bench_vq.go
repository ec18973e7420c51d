package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/vq/vqbench"
)

func (s *streams) benchVQCommand() *cli.Command {
	o := vqbench.DefaultGridOptions()
	return &cli.Command{
		Name:  "vq",
		Usage: "error, bits and speed of the vector quantisers",
		Description: "Measures the quantisers of package vq that need no codebook on normally distributed numbers,\n" +
			"beside what is published, and with --data those that learn codebooks on patches of 4 x 4 pixels\n" +
			"of pictures. Speeds are in millions of numbers or pixels a second of processor time, one core.\n\n" +
			"Names for --only:\n  " + strings.Join(vqNames(), ", "),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", TakesFile: true, Usage: "pictures to train codebooks on, and to test them on by other patches: a folder or what else bench --corpus takes"},
			&cli.StringFlag{Name: "test", TakesFile: true, Usage: "other pictures to test codebooks on"},
			&cli.IntFlag{Name: "patches", Value: 40_000, Usage: "to train codebooks on; a fifth as many to test", Validator: atLeast(vqbench.MinPatches)},
			&cli.IntSliceFlag{Name: "bits", Value: o.Bits, Usage: fmt.Sprintf("a number, of the quantisers without codebooks: 1 to %d", vqbench.MaxGridBits)},
			&cli.IntFlag{Name: "numbers", Value: o.Numbers, Usage: "to measure those on; slow ones take fewer", Validator: atLeast(1 << 16)},
			&cli.StringSliceFlag{Name: "only", Usage: "measure these `NAMES` only"},
			&cli.DurationFlag{Name: "time", Value: o.Time, Usage: "to measure each speed for, at least"},
			&cli.Uint64Flag{Name: "seed", Value: o.Seed, Usage: "of numbers, patches and training: all but the times are the same for the same seed"},
			jsonFlag(),
		},
		Action: s.benchVQ,
	}
}

// vqNames returns the names of all grids, then those of all books.
func vqNames() (names []string) {
	for bits := 1; bits <= vqbench.MaxGridBits; bits++ {
		for _, g := range vqbench.Grids(bits) {
			names = append(names, g.Name)
		}
	}
	for _, b := range vqbench.Books() {
		names = append(names, b.Name)
	}
	var unique []string
	for _, n := range names {
		if !slices.Contains(unique, n) {
			unique = append(unique, n)
		}
	}
	return unique
}

type vqReport struct {
	Seed  uint64            `json:"seed"`
	Grids []vqbench.GridRow `json:"grids,omitempty"`
	Books *vqBooks          `json:"books,omitempty"`
}

type vqBooks struct {
	Train        string            `json:"train"`
	TrainPatches int               `json:"train_patches"`
	Test         string            `json:"test"`
	TestPatches  int               `json:"test_patches"`
	Rows         []vqbench.BookRow `json:"rows"`
}

func (s *streams) benchVQ(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("bench vq: unexpected argument %q", c.Args().First())
	}
	if c.IsSet("test") && !c.IsSet("data") {
		return usagef("bench vq: --test without --data")
	}
	names := vqNames()
	for _, n := range c.StringSlice("only") {
		if !slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, n) }) {
			return usagef("bench vq: no quantiser %q, only %s", n, strings.Join(names, ", "))
		}
	}
	seed := c.Uint64("seed")
	r := &vqReport{Seed: seed}
	train, test, err := r.patches(ctx, c, seed)
	if err != nil {
		return err
	}
	bar := newProgress(s.stderr, "measuring")
	defer bar.finish()
	grids := 1.
	if r.Books != nil {
		grids = .2 // of the time
	}
	g := vqbench.DefaultGridOptions()
	g.Bits, g.Numbers, g.Only, g.Seed, g.Time = c.IntSlice("bits"), c.Int("numbers"), c.StringSlice("only"), seed, c.Duration("time")
	g.Report = func(_ vqbench.GridRow, done float64) { bar.report(grids * done) }
	if r.Grids, err = vqbench.MeasureGrids(ctx, &g); err != nil {
		if errors.Is(err, vqbench.ErrOptions) {
			return usageError{err}
		}
		return err
	}
	if r.Books != nil {
		b := vqbench.DefaultBookOptions()
		b.Only, b.Seed, b.Time = g.Only, seed, g.Time
		b.Report = func(row vqbench.BookRow, done float64) {
			bar.note(fmt.Sprintf("burin: %s, %s: trained in %.1f s, %.2f dB", row.Name, row.Detail, row.Train, row.PSNR))
			bar.report(grids + (1-grids)*done)
		}
		if r.Books.Rows, err = vqbench.MeasureBooks(ctx, train, test, &b); err != nil {
			return err
		}
	}
	bar.finish()
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(r)
	}
	return r.print(s.stdout)
}

// patches sets r.Books as the flags say, and returns the patches to train and test on.
func (r *vqReport) patches(ctx context.Context, c *cli.Command, seed uint64) (train, test []float32, err error) {
	if !c.IsSet("data") {
		return nil, nil, nil
	}
	n := c.Int("patches")
	b := &vqBooks{Train: c.String("data"), TrainPatches: n, Test: c.String("data"), TestPatches: n / 5}
	r.Books = b
	if !c.IsSet("test") {
		p, err := vqPatches(ctx, b.Train, seed, b.TrainPatches, b.TestPatches)
		if err != nil {
			return nil, nil, err
		}
		return p[0], p[1], nil
	}
	b.Test = c.String("test")
	p, err := vqPatches(ctx, b.Train, seed, b.TrainPatches)
	if err != nil {
		return nil, nil, err
	}
	q, err := vqPatches(ctx, b.Test, seed+1, b.TestPatches)
	if err != nil {
		return nil, nil, err
	}
	return p[0], q[0], nil
}

// vqPatches returns, for each of counts, so many patches of the pictures that a path
// names, about as many of each picture; no two have a pixel in common.
func vqPatches(ctx context.Context, path string, seed uint64, counts ...int) ([][]float32, error) {
	corpus, err := dataset.Open(path, nil)
	if err != nil {
		return nil, err
	}
	pictures := corpus.Len()
	if pictures < 0 {
		return nil, fmt.Errorf("%s: the number of pictures is not known", path)
	}
	if pictures == 0 {
		return nil, fmt.Errorf("%s: no pictures", path)
	}
	random := rand.New(rand.NewPCG(seed, 77))
	all := make([][]float32, len(counts))
	i := 0
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return nil, err
		}
		part := make([]int, len(counts))
		for j, n := range counts {
			part[j] = int(int64(n)*int64(i+1)/int64(pictures) - int64(n)*int64(i)/int64(pictures))
		}
		p, err := vqbench.Patches(e.Picture.Image, vqbench.PatchSize, part, random)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; --patches asks for fewer", e.Name, err)
		}
		for j := range all {
			all[j] = append(all[j], p[j]...)
		}
		i++
	}
	return all, nil
}

// vqSpeed formats millions a second.
func vqSpeed(v float64) string {
	switch {
	case v >= 99.5:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// vqTable is a table whose columns but for the first so many are numbers.
func vqTable(left int, header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(header)
	var config []table.ColumnConfig
	for i := left; i < len(header); i++ {
		config = append(config, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(config)
	return t
}

func (r *vqReport) print(w io.Writer) error {
	var tables []string
	if len(r.Grids) > 0 {
		t := vqTable(1, "normal numbers", "bits", "MSE", "published", "off by", "gap, dB", "enc M/s", "dec M/s")
		for i, g := range r.Grids {
			if i > 0 && g.Rate != r.Grids[i-1].Rate {
				t.AppendRow(table.Row{""})
			}
			published, off := "", ""
			if g.Published > 0 {
				published, off = fmt.Sprintf("%.4g", g.Published), fmt.Sprintf("%+.2f %%", g.Deviation)
			}
			t.AppendRow(table.Row{g.Name, fmt.Sprintf("%.2f", g.Bits), fmt.Sprintf("%.4g", g.MSE), published, off,
				fmt.Sprintf("%.2f", g.Gap), vqSpeed(g.Encode), vqSpeed(g.Decode)})
		}
		tables = append(tables, t.Render())
	}
	if r.Books != nil && len(r.Books.Rows) > 0 {
		t := vqTable(2, "patches", "", "bits", "entropy", "PSNR, dB", "used", "train, s", "enc M/s", "dec M/s")
		for _, b := range r.Books.Rows {
			t.AppendRow(table.Row{b.Name, b.Detail, fmt.Sprintf("%.3f", b.Bits), fmt.Sprintf("%.2f", b.Entropy), fmt.Sprintf("%.2f", b.PSNR),
				fmt.Sprintf("%.0f %%", 100*b.Utilisation), fmt.Sprintf("%.1f", b.Train), vqSpeed(b.Encode), vqSpeed(b.Decode)})
		}
		tables = append(tables, fmt.Sprintf("%d patches of %s to train, %d of %s to test\n\n%s",
			r.Books.TrainPatches, r.Books.Train, r.Books.TestPatches, r.Books.Test, t.Render()))
	}
	_, err := fmt.Fprintln(w, strings.Join(tables, "\n\n"))
	return err
}
