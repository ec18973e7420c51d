package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/corpus/dataset"
)

func (s *streams) sampleCommand() *cli.Command {
	return &cli.Command{
		Name:  "sample",
		Usage: "make a picture to try codecs on",
		Description: "The picture has the statistics of a photograph, and is the same for the same seed on\n" +
			"every machine.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "size", Value: "768x512", Usage: "width x height in pixels"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "which picture"},
			forceFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, DefaultText: "sample.png", TakesFile: true, Usage: "output file, - for standard output"},
		},
		Action: s.sample,
	}
}

func (s *streams) sample(ctx context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("sample: unexpected argument %q", c.Args().First())
	}
	ws, hs, _ := strings.Cut(c.String("size"), "x")
	w, errW := strconv.ParseUint(ws, 10, 31)
	h, errH := strconv.ParseUint(hs, 10, 31)
	if errW != nil || errH != nil || w == 0 || h == 0 || w*h > dataset.MaxLeaves {
		return usagef("sample: size %q is not WxH with 1 to %d pixels", c.String("size"), dataset.MaxLeaves)
	}
	out, err := outputName(c, "sample.png")
	if err != nil {
		return err
	}
	ext := ".png"
	if out != stdio {
		ext = strings.ToLower(filepath.Ext(out))
		if !slices.Contains(dataset.Extensions(), ext) {
			return usagef("sample: cannot write %q, only %s", out, strings.Join(dataset.Extensions(), " "))
		}
	}
	picture, err := await(ctx, func() (*dataset.Picture, error) {
		return &dataset.Picture{Image: dataset.DeadLeaves(int(w), int(h), c.Uint64("seed")), Orientation: 1}, nil
	})
	if err != nil {
		return err
	}
	if err := s.write(ctx, out, func(w io.Writer) error {
		_, err := dataset.Write(w, picture, ext)
		return err
	}); err != nil {
		return err
	}
	if out != stdio {
		_, err = fmt.Fprintf(s.stdout, "%s: %d x %d\n", out, w, h)
	}
	return err
}
