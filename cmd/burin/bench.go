package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/bench"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

// What burin bench measures unless asked otherwise. Programs that are not
// installed are left out of it.
const (
	defaultCodecs  = "lossless:e1,lossless:e5,png,jpeg,webp,avif,jxl"
	defaultMetrics = "psnr,ms_ssim"
	defaultOut     = "burin-bench"

	demoPictures          = 4
	demoWidth, demoHeight = 512, 384
)

// Files that burin bench keeps in its folder.
const (
	journalFile    = "journal.jsonl"
	picturesFolder = "pictures"
	tempFolder     = "tmp"
)

func (s *streams) benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure codecs on pictures: size, quality, time and memory",
		UsageText: "burin bench [options]\n" +
			"burin bench report [options] JOURNAL...\n" +
			"burin bench bdrate --anchor CURVE [options] JOURNAL...\n" +
			"burin bench atsize [options] JOURNAL...\n" +
			"burin bench small [options] IN\n" +
			"burin bench loss [options] IN\n" +
			"burin bench vq [options]",
		Description: "Codes all pictures of a corpus with codecs of burin and with programs on the PATH,\n" +
			"appends a row for each to DIR/" + journalFile + ", and writes tables, plots and a page there.\n" +
			"Without --corpus it runs a demonstration of half a minute on generated pictures.\n\n" +
			"Codecs and their options:\n  " + strings.Join(bench.Families(), "\n  ") + "\n\n" +
			"Rates are numbers in the codec's own unit; those of burin's lossy codecs may also be bpp0.5\n" +
			"or psnr38: --rates 20/50/80 for all, --rates webp=30/60,avif=40/20 for some.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "corpus", DefaultText: "generated pictures", TakesFile: true, Usage: "folder, picture, IDX file, PDF or video; - for y4m on standard input"},
			&cli.StringSliceFlag{Name: "codecs", Value: strings.Split(defaultCodecs, ","), DefaultText: defaultCodecs, Usage: "what to measure"},
			&cli.StringSliceFlag{Name: "rates", Usage: "rates to measure at (default: the codec's own)"},
			&cli.StringFlag{Name: "metrics", Value: defaultMetrics, Usage: "what to measure beside size and time: " + strings.Join(metricNames(), ", ") + " or all"},
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Value: 1, Usage: "pictures coded at once; with more than one, codecs of burin have wall times only", Validator: atLeast(1)},
			&cli.IntFlag{Name: "workers", Value: 1, Usage: "goroutines a codec of burin may use", Validator: atLeast(1)},
			&cli.IntFlag{Name: "repeat", Value: 1, Usage: "times to code each picture; costs are medians", Validator: atLeast(1)},
			&cli.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "limit for coding one picture"},
			&cli.StringFlag{Name: "shard", Usage: "`I/N`: of N parts of the corpus measure the I-th; burin bench report merges their journals"},
			&cli.IntFlag{Name: "subset", Usage: "measure this many pictures, chosen by --seed", HideDefault: true, Validator: atLeast(1)},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "which subset"},
			&cli.IntFlag{Name: "keep", Value: 2, Usage: "pictures whose decoded versions are kept and shown in the page", Validator: atLeast(0)},
			&cli.BoolFlag{Name: "resume", Usage: "go on with the journal in DIR"},
			&cli.BoolFlag{Name: "retry-failed", Usage: "with --resume: measure again what failed"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "begin anew if DIR has a journal"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: defaultOut, TakesFile: true, Usage: "`DIR` for the journal and the reports"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON instead of a table"},
		}, reportFlags()...),
		Commands: []*cli.Command{s.benchReportCommand(), s.benchBDRateCommand(), s.benchAtSizeCommand(), s.benchSmallCommand(), s.benchLossCommand(), s.benchVQCommand()},
		Action:   s.bench,
	}
}

func atLeast(low int) func(int) error {
	return func(n int) error {
		if n < low {
			return fmt.Errorf("%d is less than %d", n, low)
		}
		return nil
	}
}

// metricSets are the names of --metrics.
var metricSets = map[string]metric.Set{
	"psnr":    metric.PSNR,
	"ssim":    metric.SSIM,
	"ms_ssim": metric.MSSSIM,

	"ssimulacra2": metric.SSIMULACRA2,
	"butteraugli": metric.Butteraugli,
}

func metricNames() []string { return slices.Sorted(maps.Keys(metricSets)) }

func parseMetrics(list string) (metric.Set, error) {
	if list == "all" {
		return metric.All, nil
	}
	var set metric.Set
	for name := range strings.SplitSeq(list, ",") {
		m, ok := metricSets[name]
		if !ok {
			return 0, usagef("bench: no metric %q, only %s", name, strings.Join(metricNames(), ", "))
		}
		set |= m
	}
	return set, nil
}

// parseShard reads I/N.
func parseShard(s string) (i, n int, err error) {
	a, b, ok := strings.Cut(s, "/")
	i, errI := strconv.Atoi(a)
	n, errN := strconv.Atoi(b)
	if !ok || errI != nil || errN != nil || i < 1 || i > n {
		return 0, 0, usagef("bench: shard %q is not I/N with I from 1 to N", s)
	}
	return i, n, nil
}

// benchCodecs makes the codecs that the flags ask for. Of the default ones those
// not installed are left out with a note.
func (s *streams) benchCodecs(c *cli.Command) ([]*bench.Codec, error) {
	specs, rates := c.StringSlice("codecs"), c.StringSlice("rates")
	if c.IsSet("codecs") {
		list, err := bench.Parse(specs, rates)
		if errors.Is(err, bench.ErrNotFound) {
			return nil, err
		}
		if err != nil {
			return nil, usageError{err}
		}
		return list, nil
	}
	var there []string
	for _, spec := range specs {
		_, err := bench.Parse([]string{spec}, nil)
		if errors.Is(err, bench.ErrNotFound) {
			fmt.Fprintf(s.stderr, "burin: %s is left out: %v\n", spec, err)
			continue
		}
		there = append(there, spec)
	}
	list, err := bench.Parse(there, rates)
	if err != nil {
		return nil, usageError{err}
	}
	return list, nil
}

// benchCorpus opens what the flags name.
func (s *streams) benchCorpus(c *cli.Command) (*dataset.Corpus, error) {
	var corpus *dataset.Corpus
	if name := c.String("corpus"); c.IsSet("corpus") {
		var err error
		o := dataset.Options{Limits: codec.DefaultLimits(), Stdin: s.stdin}
		if corpus, err = dataset.Open(name, &o); err != nil {
			return nil, err
		}
	} else {
		corpus = dataset.Samples(demoPictures, demoWidth, demoHeight)
	}
	var err error
	if c.IsSet("subset") {
		if corpus, err = corpus.Subset(c.Int("subset"), c.Uint64("seed")); err != nil {
			return nil, err
		}
	}
	if c.IsSet("shard") {
		i, n, err := parseShard(c.String("shard"))
		if err != nil {
			return nil, err
		}
		return corpus.Shard(i, n)
	}
	return corpus, nil
}

func (s *streams) bench(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("bench: unexpected argument %q", c.Args().First())
	}
	o := bench.Options{
		Jobs: c.Int("jobs"), Workers: c.Int("workers"), Repeat: c.Int("repeat"),
		Timeout: c.Duration("timeout"), Keep: c.Int("keep"), RetryFailed: c.Bool("retry-failed"),
	}
	if o.Timeout <= 0 {
		return usagef("bench: a timeout of %v", o.Timeout)
	}
	if c.Bool("resume") && c.Bool("force") {
		return usagef("bench: --resume and --force exclude each other")
	}
	var err error
	if o.Metrics, err = parseMetrics(c.String("metrics")); err != nil {
		return err
	}
	if o.Codecs, err = s.benchCodecs(c); err != nil {
		return err
	}
	if o.Corpus, err = s.benchCorpus(c); err != nil {
		return err
	}
	dir := c.String("out")
	o.Journal, o.Temp, o.Pictures = filepath.Join(dir, journalFile), filepath.Join(dir, tempFolder), filepath.Join(dir, picturesFolder)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := s.prepareJournal(c, o.Journal); err != nil {
		return err
	}

	points := 0
	for _, k := range o.Codecs {
		points += len(k.Rates)
	}
	bar := newProgress(s.stderr, "measuring")
	defer bar.finish()
	unreadable := 0
	o.Progress = func(p bench.Progress) {
		for ; unreadable < len(p.Unreadable); unreadable++ {
			bar.note(fmt.Sprintf("burin: left out: %v", p.Unreadable[unreadable]))
		}
		if p.Row != nil && p.Row.Error != "" {
			bar.note(fmt.Sprintf("burin: %s: %s %s: %s", p.Row.Name, p.Row.Curve, p.Row.Rate, p.Row.Error))
		}
		if p.Total > 0 {
			bar.report(float64(p.Measured+p.Reused+p.Same) / float64(p.Total*points))
		}
	}
	p, err := bench.Run(ctx, &o)
	bar.finish()
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted; --resume goes on with %s", o.Journal)
		}
		return err
	}
	fmt.Fprintf(s.stderr, "burin: %d pictures: %d rows measured, %d of them failed, %d were there", p.Pictures-len(p.Unreadable), p.Measured, p.Failed, p.Reused)
	if p.Same > 0 {
		fmt.Fprintf(s.stderr, ", %d are of equal pictures and count once", p.Same)
	}
	fmt.Fprintln(s.stderr)
	if p.Measured+p.Reused == 0 {
		return fmt.Errorf("no picture in %s could be read", cmp.Or(c.String("corpus"), "the corpus"))
	}
	r, err := s.newReport(c, []string{o.Journal})
	if err != nil {
		return err
	}
	if err := s.writeReports(ctx, r, dir); err != nil {
		return err
	}
	if c.Bool("json") {
		return r.JSON(s.stdout)
	}
	if err := r.Text(s.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "\n%s has the tables, plots and the page index.html.\n", dir)
	return err
}

// prepareJournal makes sure that a journal there is goes on only if that is asked
// for.
func (s *streams) prepareJournal(c *cli.Command, name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if c.Bool("force") {
		return os.Truncate(name, 0)
	}
	if !c.Bool("resume") {
		return fmt.Errorf("%s exists; --resume goes on with it, -f begins anew, --out names another folder", name)
	}
	return nil
}
