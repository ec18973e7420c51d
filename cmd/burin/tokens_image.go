package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

func (s *streams) tokensImageCommand() *cli.Command {
	return &cli.Command{
		Name:      "image",
		Usage:     "write a picture's tokens, the numbers of words in the codebooks of the vector codec",
		ArgsUsage: "IN",
		Description: "A .safetensors file has one tensor of int32 for each size of cells, cells64 to cells8, of shape\n" +
			"[rows][columns][stages]: 0 for no word, or the number of the word in the stage's codebook and 1.\n" +
			"A .npy file has all in one array [stages][rows][columns] on the grid of the smallest cells, the\n" +
			"stages of the largest first; larger cells' tokens are repeated over what they cover.",
		Flags: []cli.Flag{
			modelFlag("trained model of the vector codec, a file (default: the one that is built in)"),
			&cli.FloatFlag{Name: "quality", Aliases: []string{"q"}, HideDefault: true, Usage: "aim at a quality of 0 to 100 (default: 50)"},
			&cli.FloatFlag{Name: "bpp", HideDefault: true, Usage: "aim at a number of bits per pixel, if tokens were coded"},
			&cli.FloatFlag{Name: "psnr", HideDefault: true, Usage: "aim at a PSNR in dB"},
			&cli.Int64Flag{Name: "size", HideDefault: true, Usage: "aim at so many bytes, if tokens were coded"},
			&cli.IntFlag{Name: "effort", Aliases: []string{"e"}, Value: codec.DefaultEffort, Usage: fmt.Sprintf("how hard to try, %d to %d", codec.MinEffort, codec.MaxEffort)},
			workersFlag(), jsonFlag(), forceFlag(),
			outputFlag("output file, .npy or .safetensors, - for .npy on standard output (default: IN with .npy for its extension)"),
		},
		Action: s.tokensImage,
	}
}

// A tokenMapReport is what tokens image prints of a size of cells.
type tokenMapReport struct {
	Cell    int `json:"cell"`
	Rows    int `json:"rows"`
	Columns int `json:"columns"`
	Stages  int `json:"stages"`
	Words   int `json:"words"`
	Tokens  int `json:"tokens"` // other than none
}

func (s *streams) tokensImage(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	o := codec.DefaultOptions()
	o.Codec, o.Effort, o.Workers = vector.Name, c.Int("effort"), c.Int("workers")
	if o.Target, err = target(c); err != nil {
		return err
	}
	if o.Target.Kind == codec.TargetLossless {
		o.Target = codec.Target{Kind: codec.TargetQuality, Value: 50}
	}
	w, err := s.weights(c)
	if err != nil {
		return err
	}
	o.Weights = listed(w)
	other := stdio
	if in != stdio {
		other = strings.TrimSuffix(in, filepath.Ext(in)) + ".npy"
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(out))
	if out != stdio && ext != ".safetensors" && ext != ".npy" {
		return usagef("tokens image: cannot write %q, only .safetensors and .npy", out)
	}
	maps, err := await(ctx, func() ([]vector.TokenMap, error) {
		p, err := s.readPicture(in)
		if err != nil {
			return nil, err
		}
		return vector.Tokens(ctx, p.Image, o)
	})
	if err != nil {
		return err
	}
	err = s.write(ctx, out, func(w io.Writer) error {
		if ext != ".safetensors" {
			return tensorfile.WriteNPY(w, stackedTokens(maps))
		}
		var tensors []tensorfile.Tensor
		for _, m := range maps {
			if m.Stages > 0 {
				tensors = append(tensors, int32Tensor(fmt.Sprintf("cells%d", m.Cell), m.Tokens, m.H, m.W, m.Stages))
			}
		}
		return tensorfile.WriteSafetensors(w, tensors, nil)
	})
	if err != nil {
		return err
	}
	return s.printTokenMaps(c, out, maps)
}

func (s *streams) printTokenMaps(c *cli.Command, out string, maps []vector.TokenMap) error {
	var reports []tokenMapReport
	for _, m := range maps {
		r := tokenMapReport{Cell: m.Cell, Rows: m.H, Columns: m.W, Stages: m.Stages, Words: m.Words}
		for _, t := range m.Tokens {
			if t != 0 {
				r.Tokens++
			}
		}
		reports = append(reports, r)
	}
	w := s.stdout
	if out == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(reports)
	}
	for _, r := range reports {
		if _, err := fmt.Fprintf(w, "cells of %d: %d x %d, %d stages of %d words, %d tokens\n", r.Cell, r.Rows, r.Columns, r.Stages, r.Words, r.Tokens); err != nil {
			return err
		}
	}
	return nil
}

// stackedTokens returns all tokens on the grid of the smallest cells.
func stackedTokens(maps []vector.TokenMap) tensorfile.Tensor {
	finest := maps[len(maps)-1]
	var all []int32
	stages := 0
	for _, m := range maps {
		each := finest.H / m.H
		for s := range m.Stages {
			for y := range finest.H {
				for x := range finest.W {
					all = append(all, m.Tokens[(y/each*m.W+x/each)*m.Stages+s])
				}
			}
		}
		stages += m.Stages
	}
	return int32Tensor("tokens", all, stages, finest.H, finest.W)
}

func int32Tensor(name string, v []int32, shape ...int) tensorfile.Tensor {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, uint32(x))
	}
	return tensorfile.Tensor{Name: name, DType: tensorfile.I32, Shape: shape, Data: data}
}
