package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

func (s *streams) decodeCommand() *cli.Command {
	return &cli.Command{
		Name:      "decode",
		Usage:     "decode a burin file to a picture file, or an archive to what it was made of",
		ArgsUsage: "IN",
		Description: "IN is a burin file, or - for standard input. The extension of the output file chooses\n" +
			"its format, one of " + strings.Join(dataset.Extensions(), " ") + "; standard output gets PNG.\n" +
			"An archive becomes the IDX file or the folder that it was made of.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "conceal", Usage: "make up for packets that are missing or damaged (files of burin encode --packets)"},
			workersFlag(), forceFlag(),
			outputFlag("output file, - for standard output (default: IN with .png for its extension)"),
		}, archiveDecodeFlags()...),
		Action: s.decode,
	}
}

func (s *streams) decode(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	w, err := s.weights(c)
	if err != nil {
		return err
	}
	o := codec.DefaultDecodeOptions()
	o.Workers, o.Weights, o.Limits.MaxModelBytes = c.Int("workers"), listed(w), maxModelMemory
	o.Conceal = c.Bool("conceal")
	a, err := s.openArchive(ctx, in, o)
	if err != nil {
		return err
	}
	if a != nil {
		defer a.close()
		return s.decodeArchive(ctx, c, in, a.ArchiveReader)
	}
	for _, name := range []string{"picture", "salvage"} {
		if c.IsSet(name) {
			return usagef("decode: --%s is for archives", name)
		}
	}
	other := stdio
	if in != stdio {
		other = strings.TrimSuffix(in, ".burin") + ".png"
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	ext := ".png"
	if out != stdio {
		ext = strings.ToLower(filepath.Ext(out))
		if !slices.Contains(dataset.Extensions(), ext) {
			return usagef("decode: cannot write %q, only %s", out, strings.Join(dataset.Extensions(), " "))
		}
	}

	bar := newProgress(s.stderr, "decoding")
	defer bar.finish()
	o.Progress = bar.report
	picture, err := await(ctx, func() (*dataset.Picture, error) {
		r, err := s.open(in)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		d, err := codec.NewDecoder(r, o)
		if err != nil {
			return nil, err
		}
		m, err := d.Decode(ctx)
		if err != nil {
			return nil, err
		}
		return &dataset.Picture{Image: m, Metadata: *d.Metadata(), Orientation: d.Header().Orientation}, nil
	})
	bar.finish()
	if err != nil {
		return err
	}
	var notes []string
	err = s.write(ctx, out, func(w io.Writer) (err error) {
		notes, err = dataset.Write(w, picture, ext)
		return err
	})
	for _, note := range notes {
		fmt.Fprintf(s.stderr, "burin: %s: %s\n", out, note)
	}
	return err
}
