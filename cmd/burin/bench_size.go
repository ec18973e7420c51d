package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/corpus/report"
)

func (s *streams) benchAtSizeCommand() *cli.Command {
	return &cli.Command{
		Name:      "atsize",
		Usage:     "compare the curves of journals at equal size, and how low they go",
		ArgsUsage: "JOURNAL...",
		Description: "Prints the mean quality of each curve at the sizes of --bpp, each picture's interpolated\n" +
			"between its own files, and the lowest mean size. Nothing is extrapolated: where not all\n" +
			"pictures can have a size, how many can is printed in place of the mean.",
		Flags: []cli.Flag{
			&cli.FloatSliceFlag{Name: "bpp", Value: []float64{0.03, 0.06, 0.1, 0.15}, DefaultText: "0.03,0.06,0.1,0.15", Usage: "`SIZES` in bits per pixel"},
			&cli.StringSliceFlag{Name: "metrics", Value: []string{report.PSNR, report.MSSSIM}, DefaultText: "psnr,ms_ssim", Usage: "which of " + strings.Join(report.SizeMetrics(), ", ")},
			&cli.StringFlag{Name: "anchor", Usage: "compare with this `CURVE` over the pictures that both have at a size; the start of its name will do"},
			jsonFlag(),
		},
		Action: func(_ context.Context, c *cli.Command) error {
			r, err := s.newReport(c, c.Args().Slice())
			if err != nil {
				return err
			}
			t, err := r.AtSize(c.FloatSlice("bpp"), c.StringSlice("metrics"), c.String("anchor"))
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", c.Name, err)}
			}
			if c.Bool("json") {
				return t.JSON(s.stdout)
			}
			return t.Text(s.stdout)
		},
	}
}
