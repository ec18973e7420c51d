package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/corpus/anchor"
	"github.com/burin-codec/burin/corpus/bench"
	"github.com/burin-codec/burin/corpus/report"
)

// reportFlags are of all commands that make a report.
func reportFlags() []cli.Flag {
	o := report.DefaultOptions()
	return []cli.Flag{
		&cli.StringFlag{Name: "anchor", Usage: "`CURVE` to compare with: of the journal or published; the start of its name will do"},
		&cli.StringFlag{Name: "published", DefaultText: "the name of the corpus", Usage: "data set to show published curves of: " + strings.Join(anchor.Datasets(), ", ") + "; or none"},
		&cli.StringFlag{Name: "title", Usage: "of the page and the plots"},
		&cli.IntFlag{Name: "resamples", Value: o.Resamples, Usage: "of the bootstrap that gives the intervals of BD-rates", Validator: atLeast(39)},
	}
}

func (s *streams) benchReportCommand() *cli.Command {
	return &cli.Command{
		Name:        "report",
		Usage:       "make the reports of journals",
		ArgsUsage:   "JOURNAL...",
		Description: "Merges journals, such as those of shards, and writes tables, plots and the page to DIR.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, DefaultText: "the folder of the first journal", TakesFile: true, Usage: "`DIR` for the reports"},
			&cli.StringFlag{Name: "pictures", DefaultText: "pictures beside the first journal", TakesFile: true, Usage: "`DIR` of the pictures for the page"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON instead of a table"},
		}, reportFlags()...),
		Action: func(ctx context.Context, c *cli.Command) error {
			r, err := s.newReport(c, c.Args().Slice())
			if err != nil {
				return err
			}
			dir := filepath.Dir(c.Args().First())
			if c.IsSet("out") {
				dir = c.String("out")
			}
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			if err := s.writeReports(ctx, r, dir); err != nil {
				return err
			}
			if c.Bool("json") {
				return r.JSON(s.stdout)
			}
			return r.Text(s.stdout)
		},
	}
}

func (s *streams) benchBDRateCommand() *cli.Command {
	return &cli.Command{
		Name:      "bdrate",
		Usage:     "compare the curves of journals by Bjøntegaard deltas",
		ArgsUsage: "JOURNAL...",
		Description: "Prints how many per cent more or fewer bits each curve needs than --anchor at the same\n" +
			"quality, with the range of quality that both cover and an interval over the pictures.",
		Flags: append([]cli.Flag{jsonFlag()}, reportFlags()...),
		Action: func(_ context.Context, c *cli.Command) error {
			if !c.IsSet("anchor") {
				return usagef("bdrate: --anchor is missing")
			}
			r, err := s.newReport(c, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return r.BDJSON(s.stdout)
			}
			return r.BDText(s.stdout)
		},
	}
}

// drawn are the published curves that plots show, where the data set has them.
var drawn = []string{
	"VTM (H.266 intra, CompressAI cfg, 4:4:4 8-bit YCbCr)",
	"BPG 4:4:4 (x265)",
	"Cool-Chic v5.0",
	"MLIC++",
}

// newReport reads journals and makes their report.
func (s *streams) newReport(c *cli.Command, journals []string) (*report.Report, error) {
	if len(journals) == 0 {
		return nil, usagef("%s: missing journal", c.Name)
	}
	// The names in the journals come first: the anchor may be the start of one.
	curves, corpora := make(map[string]bool), make(map[string]bool)
	if err := bench.ReadJournals(journals, func(r *bench.Row) error {
		curves[r.Curve], corpora[r.Corpus] = true, true
		return nil
	}); err != nil {
		return nil, err
	}
	o := report.DefaultOptions()
	o.Title, o.Resamples, o.Color = c.String("title"), c.Int("resamples"), isTerminal(s.stdout)
	names := slices.Sorted(maps.Keys(corpora))
	if o.Dataset = c.String("published"); o.Dataset == "" && len(names) == 1 {
		o.Dataset = strings.ToLower(names[0])
		if !slices.Contains(anchor.Datasets(), o.Dataset) {
			o.Dataset = ""
		}
	} else if o.Dataset == "none" {
		o.Dataset = ""
	} else if o.Dataset != "" && !slices.Contains(anchor.Datasets(), o.Dataset) {
		return nil, usagef("%s: nothing is published here of %q, only of %s", c.Name, o.Dataset, strings.Join(anchor.Datasets(), ", "))
	}
	for _, name := range drawn {
		if _, ok := anchor.Find(name, o.Dataset); ok {
			o.Published = append(o.Published, name)
		}
	}
	if c.IsSet("anchor") {
		var err error
		if o.Anchor, err = findAnchor(c.String("anchor"), slices.Sorted(maps.Keys(curves)), o.Dataset); err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", c.Name, err)}
		}
	}
	pictures := filepath.Join(filepath.Dir(journals[0]), picturesFolder)
	if c.IsSet("pictures") {
		pictures = c.String("pictures")
	}
	if info, err := os.Stat(pictures); err == nil && info.IsDir() {
		o.Pictures = os.DirFS(pictures)
	}
	b := report.New(o)
	if err := bench.ReadJournals(journals, func(r *bench.Row) error {
		b.Add(r)
		return nil
	}); err != nil {
		return nil, err
	}
	return b.Report()
}

// findAnchor returns the curve that a name or the start of one means: one of the
// journal, or else a published one.
func findAnchor(name string, curves []string, dataset string) (string, error) {
	var published []string
	for _, c := range anchor.Curves(dataset) {
		published = append(published, c.Name)
	}
	if slices.Contains(curves, name) || slices.Contains(published, name) {
		return name, nil
	}
	for _, list := range [][]string{curves, published} {
		var found []string
		for _, n := range list {
			if strings.HasPrefix(n, name) {
				found = append(found, n)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return "", fmt.Errorf("anchor %q may be any of: %s", name, strings.Join(found, "; "))
		}
	}
	if len(published) > 0 {
		return "", fmt.Errorf("no curve %q, neither in the journal (%s) nor published", name, strings.Join(curves, "; "))
	}
	return "", fmt.Errorf("no curve %q, only %s", name, strings.Join(curves, "; "))
}

// writeReports writes all reports to a folder.
func (s *streams) writeReports(ctx context.Context, r *report.Report, dir string) error {
	files := map[string]func(io.Writer) error{
		"report.md":   r.Markdown,
		"report.csv":  r.CSV,
		"report.json": r.JSON,
		"index.html":  r.HTML,
	}
	for _, metric := range r.Plots() {
		files[metric+".svg"] = func(w io.Writer) error { return r.PlotSVG(w, metric) }
		files[metric+".png"] = func(w io.Writer) error { return r.PlotPNG(w, metric) }
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := s.write(ctx, filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}
