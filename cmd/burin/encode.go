package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

func (s *streams) encodeCommand() *cli.Command {
	return &cli.Command{
		Name:      "encode",
		Usage:     "encode a picture file, or many small pictures as an archive",
		ArgsUsage: "IN",
		Description: "IN is a PNG, JPEG, GIF, BMP, TIFF, WebP or Netpbm file, or - for standard input.\n" +
			"Without a rate, which is --quality, --bpp, --psnr or --size, the picture is kept exactly.\n" +
			"An interrupt (Ctrl-C) ends a codec that gets better with time with the best so far, a second\n" +
			"one without a file. Other codecs end at the first.\n" +
			"With --codec circuit IN may also be an IDX file, as MNIST has them, or a folder of pictures\n" +
			"of one size; all of it becomes one archive.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "codec", Usage: "codec, one of: " + strings.Join(codecNames(), ", "), DefaultText: "the first that can do it"},
			&cli.IntFlag{Name: "effort", Aliases: []string{"e"}, Value: codec.DefaultEffort, Usage: fmt.Sprintf("how hard to try, %d to %d", codec.MinEffort, codec.MaxEffort)},
			&cli.FloatFlag{Name: "quality", Aliases: []string{"q"}, HideDefault: true, Usage: "aim at a quality of 0 to 100"},
			&cli.FloatFlag{Name: "bpp", HideDefault: true, Usage: "aim at a number of bits per pixel"},
			&cli.FloatFlag{Name: "psnr", HideDefault: true, Usage: "aim at a PSNR in dB"},
			&cli.Int64Flag{Name: "size", HideDefault: true, Usage: "aim at a file of at most this many bytes"},
			&cli.DurationFlag{Name: "time-limit", HideDefault: true, Usage: "code the best that can be had in this time, such as 60s", Validator: func(d time.Duration) error {
				if d <= 0 {
					return fmt.Errorf("%v is no time", d)
				}
				return nil
			}},
			&cli.IntFlag{Name: "packets", HideDefault: true, Usage: fmt.Sprintf("cut into parts, 2 to %d, that burin decode --conceal can do without (--codec vector)", codec.MaxPackets), Validator: func(n int) error {
				if n < 2 || n > codec.MaxPackets {
					return fmt.Errorf("%d packets, want 2 to %d", n, codec.MaxPackets)
				}
				return nil
			}},
			workersFlag(), jsonFlag(), forceFlag(),
			outputFlag("output file, - for standard output (default: IN with .burin for its extension)"),
		}, archiveEncodeFlags()...),
		Action: s.encode,
	}
}

func codecNames() []string {
	var names []string
	for _, c := range codec.Codecs() {
		names = append(names, c.Name)
	}
	return names
}

// target returns what the flags ask to aim at.
func target(c *cli.Command) (codec.Target, error) {
	var t codec.Target
	for name, kind := range map[string]codec.TargetKind{
		"quality": codec.TargetQuality, "bpp": codec.TargetBPP, "psnr": codec.TargetPSNR, "size": codec.TargetSize,
	} {
		if !c.IsSet(name) {
			continue
		}
		if t.Kind != codec.TargetLossless {
			return t, usagef("encode: give one of --quality, --bpp, --psnr and --size")
		}
		t = codec.Target{Kind: kind, Value: c.Float(name)}
		if kind == codec.TargetSize {
			t.Value = float64(c.Int64(name))
		}
	}
	return t, nil
}

// An encodeReport is what encode prints.
type encodeReport struct {
	Input   string   `json:"input"`
	Output  string   `json:"output"`
	Codec   string   `json:"codec"`
	Effort  int      `json:"effort"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Model   string   `json:"model"`
	Depth   int      `json:"depth"`
	Bytes   int64    `json:"bytes"`
	BPP     float64  `json:"bpp"`
	Ratio   float64  `json:"ratio"` // of the samples, uncompressed, to Bytes
	PSNR    *float64 `json:"psnr"`  // of RGB in dB, null when lossless or exact
	Seconds float64  `json:"seconds"`
}

func (s *streams) encode(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	o := codec.DefaultOptions()
	o.Codec, o.Effort, o.Workers = c.String("codec"), c.Int("effort"), c.Int("workers")
	o.TimeLimit, o.Packets = c.Duration("time-limit"), c.Int("packets")
	if o.Target, err = target(c); err != nil {
		return err
	}
	if names := codecNames(); c.IsSet("codec") && !slices.Contains(names, o.Codec) {
		return usagef("encode: no codec %q, only: %s", o.Codec, strings.Join(names, ", "))
	}
	m, err := s.encodeModel(c, o)
	if err != nil {
		return err
	}
	// Tell a mistake before any work.
	trial, err := codec.NewEncoder(io.Discard, o)
	if err != nil {
		return err
	}
	other := stdio
	if in != stdio {
		other = strings.TrimSuffix(in, filepath.Ext(in)) + ".burin"
	}
	var corpus *dataset.Corpus
	var kind circuit.Collection
	if o.Codec == circuit.Name {
		if corpus, kind, err = openCollection(ctx, in); err != nil {
			return err
		}
		if corpus != nil && kind == circuit.Pictures {
			other = filepath.Clean(in) + ".burin"
		}
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	if corpus != nil {
		return s.encodeArchive(ctx, c, in, out, corpus, kind, m)
	}

	picture, err := await(ctx, func() (*dataset.Picture, error) { return s.readPicture(in) })
	if err != nil {
		return err
	}
	if picture.More {
		fmt.Fprintf(s.stderr, "burin: %s holds more than one picture; the first is encoded\n", in)
	}
	o.Metadata, o.Orientation = &picture.Metadata, picture.Orientation
	bar := newProgress(s.stderr, "encoding")
	defer bar.finish()
	o.Progress, o.Status = bar.report, bar.tell
	if anytime(trial.Codec()) {
		o.Stop = ctx.Done()
		second, release := untilSecond(ctx, bar)
		defer release()
		ctx = second
	}

	report := &encodeReport{Input: in, Output: out, Effort: o.Effort}
	err = s.write(ctx, out, func(w io.Writer) error {
		start := time.Now()
		var file bytes.Buffer // to measure what is lost
		if o.Target.Kind != codec.TargetLossless {
			w = io.MultiWriter(w, &file)
		}
		e, err := codec.NewEncoder(w, o)
		if err != nil {
			return err
		}
		if err := e.Encode(ctx, picture.Image); err != nil {
			return err
		}
		report.Seconds = time.Since(start).Seconds()
		h := e.Header()
		report.Codec, report.Width, report.Height = h.Codec, h.Width, h.Height
		report.Model, report.Depth, report.Bytes = h.Model.String(), h.Depth, e.Written()
		report.BPP = 8 * float64(report.Bytes) / (float64(h.Width) * float64(h.Height))
		report.Ratio = float64(rawSize(&h)) / float64(report.Bytes)
		if o.Target.Kind == codec.TargetLossless {
			return nil
		}
		back := codec.DefaultDecodeOptions()
		back.Workers, back.Weights, back.Limits.MaxModelBytes = o.Workers, o.Weights, maxModelMemory
		d, err := codec.NewDecoder(&file, back)
		if err != nil {
			return err
		}
		decoded, err := d.Decode(ctx)
		if err != nil {
			return err
		}
		v, err := metric.Compare(picture.Image, decoded, metric.PSNR)
		if db, ok := v["psnr"]; ok {
			report.PSNR = &db
		}
		return err
	})
	bar.finish()
	if err != nil {
		return err
	}

	w := s.stdout
	if out == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(report)
	}
	lost := "lossless"
	if report.PSNR != nil {
		lost = fmt.Sprintf("%.2f dB", *report.PSNR)
	}
	_, err = fmt.Fprintf(w, "%s: %s effort %d, %d bytes, %.3f bpp, %.2f:1, %s, %.2f s\n",
		out, report.Codec, report.Effort, report.Bytes, report.BPP, report.Ratio, lost, report.Seconds)
	return err
}

// anytime reports whether a codec can end early with a file.
func anytime(name string) bool {
	return slices.ContainsFunc(codec.Codecs(), func(c codec.Codec) bool { return c.Name == name && c.Anytime })
}

// untilSecond returns a context that an interrupt ends which comes after ctx is done,
// that is the second one, and a function to call in the end.
func untilSecond(ctx context.Context, bar *progress) (context.Context, func()) {
	second, cancel := context.WithCancel(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 1)
	ignore := context.AfterFunc(ctx, func() {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		bar.note("burin: ending with the best so far; interrupt again to give it up")
		select {
		case <-signals:
			cancel()
		case <-second.Done():
		}
	})
	return second, func() {
		ignore()
		signal.Stop(signals)
		cancel()
	}
}

func (s *streams) readPicture(name string) (*dataset.Picture, error) {
	if name != stdio {
		return dataset.ReadFile(name, codec.DefaultLimits())
	}
	return dataset.Read(s.stdin, codec.DefaultLimits())
}

// rawSize returns how many bytes the samples of a picture take.
func rawSize(h *codec.Header) int64 {
	var n int64
	for _, p := range h.Planes() {
		n += int64(p.Width) * int64(p.Height) * int64(p.Depth/8)
	}
	return n
}
