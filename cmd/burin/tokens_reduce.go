package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens/reduce"
)

// maxMatrixBytes is the most bytes of a matrix of tokens that is read.
const maxMatrixBytes = 4 << 30

func (s *streams) tokensReduceCommand() *cli.Command {
	var methods strings.Builder
	for _, m := range reduce.Methods() {
		fmt.Fprintf(&methods, "\n  %-12s %s", m.Name, m.Usage)
		if len(m.Needs) > 0 {
			fmt.Fprintf(&methods, "; needs %s", strings.Join(m.Needs, " and "))
		}
	}
	return &cli.Command{
		Name:      "reduce",
		Usage:     "drop or merge visual tokens",
		ArgsUsage: "IN.npy",
		Description: "Reads a matrix of tokens, [n, d], and writes that of those kept, as float32. Methods:" + methods.String() +
			"\nMethods follow one another with commas, each but the last with what it keeps: evs:50%,tome.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "method", Aliases: []string{"m"}, Usage: "`METHOD`, see above"},
			&cli.StringFlag{Name: "keep", Aliases: []string{"k"}, Usage: "`N` tokens, a share such as 25%, or auto where the method can choose"},
			outputFlag("output file, - for standard output (default: IN with .reduced.npy for its extension)"), forceFlag(),
			&cli.StringFlag{Name: "map", Usage: "`FILE` to write for each input token the number of the kept one that stands for it, or -1"},
			&cli.StringFlag{Name: "kept", Usage: "`FILE` to write the numbers of the input tokens in whose place the kept ones are"},
			&cli.StringFlag{Name: "sizes", Usage: "`FILE` to write how many tokens each kept one stands for"},
			&cli.StringFlag{Name: "attention", Usage: "`FILE` with the attention that each token draws, [n]"},
			&cli.StringFlag{Name: "keys", Usage: "`FILE` with keys, [n, any], on which similarity is measured"},
			&cli.StringFlag{Name: "values", Usage: "`FILE` with values, [n, any]"},
			&cli.StringFlag{Name: "frames", Usage: "`FILE` with the frame of each token, [n], not falling"},
			&cli.StringFlag{Name: "positions", Usage: "`FILE` with column and row of each token, [n, 2]"},
			&cli.StringFlag{Name: "grid", Usage: "`WxH` tokens a frame, row by row, instead of frames and positions"},
			&cli.StringFlag{Name: "weights", Usage: "`FILE` with how many tokens each already stands for, [n]"},
			&cli.StringFlag{Name: "query", Usage: "`FILE` with a question's tokens, [any, d]"},
			&cli.StringFlag{Name: "generic-queries", Usage: "`FILE` with queries for streammem, [any, width of keys]"},
			&cli.StringFlag{Name: "audio-attention", Usage: "`FILE` with the attention that each audio token draws, [any]"},
			&cli.StringFlag{Name: "audio-frames", Usage: "`FILE` with the frame at which each audio token is heard"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED` of random choices"},
		},
		Action: s.tokensReduce,
	}
}

func (s *streams) tokensReduce(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() != 1 {
		return usagef("reduce: one file is needed, not %d", c.Args().Len())
	}
	for _, name := range []string{"method", "keep"} {
		if c.String(name) == "" {
			return usagef("reduce: --%s is missing", name)
		}
	}
	keep, err := reduce.ParseKeep(c.String("keep"))
	if err != nil {
		return usageError{err}
	}
	in := c.Args().First()
	other := strings.TrimSuffix(in, ".npy") + ".reduced.npy"
	if in == stdio {
		other = stdio
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	named := map[string]bool{out: true}
	for _, flag := range []string{"map", "kept", "sizes"} {
		name := c.String(flag)
		if name != "" && named[name] {
			return usagef("reduce: two files to write are named %s", name)
		}
		named[name] = true
	}
	var o reduce.Options
	t, err := await(ctx, func() (*reduce.Tokens, error) {
		t, err := s.readTokens(c, in)
		if err == nil && c.IsSet("generic-queries") {
			o.Queries, _, err = s.readMatrix(c.String("generic-queries"), 2)
		}
		return t, err
	})
	if err != nil {
		return err
	}
	o.Seed = c.Uint64("seed")
	method, err := reduce.New(c.String("method"), o)
	if err != nil {
		return usageError{err}
	}
	r, err := method.Reduce(t, keep)
	if err != nil {
		return err
	}
	tensors := []struct {
		name string
		t    tensorfile.Tensor
	}{
		{out, tensorfile.FromFloat32s("", r.X, r.N, r.D)},
		{c.String("map"), integers(r.Source)},
		{c.String("kept"), integers(r.Kept)},
		{c.String("sizes"), tensorfile.FromFloat32s("", r.Size, r.N)},
	}
	for _, f := range tensors {
		if f.name == "" {
			continue
		}
		if err := s.write(ctx, f.name, func(w io.Writer) error { return tensorfile.WriteNPY(w, f.t) }); err != nil {
			return err
		}
	}
	if out == stdio {
		return nil
	}
	dropped := 0
	for _, v := range r.Source {
		if v == reduce.Dropped {
			dropped++
		}
	}
	_, err = fmt.Fprintf(s.stdout, "%s: %d of %d tokens by %s, %.1f %%; %d merged, %d dropped\n", out, r.N, t.N, c.String("method"), 100*float64(r.N)/float64(t.N), t.N-r.N-dropped, dropped)
	return err
}

func integers(v []int32) tensorfile.Tensor {
	wide := make([]int64, len(v))
	for i, n := range v {
		wide[i] = int64(n)
	}
	return tensorfile.FromInt64s("", wide, len(wide))
}

// readMatrix reads a .npy file of the given number of dimensions; a vector may be a
// matrix of one column.
func (s *streams) readMatrix(name string, dims int) ([]float32, []int, error) {
	f, err := s.open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	t, err := tensorfile.ReadNPY(f, maxMatrixBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if dims == 1 && len(t.Shape) == 2 && t.Shape[1] == 1 {
		t.Shape = t.Shape[:1]
	}
	if len(t.Shape) != dims {
		return nil, nil, fmt.Errorf("%s: %d dimensions, want %d", name, len(t.Shape), dims)
	}
	v, err := t.Float32s()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, t.Shape, nil
}

// readIntegers reads whole numbers of up to 2^24, which float32 holds exactly.
func (s *streams) readIntegers(name string, dims int) ([]int32, []int, error) {
	v, shape, err := s.readMatrix(name, dims)
	if err != nil {
		return nil, nil, err
	}
	out := make([]int32, len(v))
	for i, f := range v {
		if out[i] = int32(f); !(math.Abs(float64(f)) <= 1<<24) || float32(out[i]) != f {
			return nil, nil, fmt.Errorf("%s: element %d is %v, no whole number of up to 2^24", name, i, f)
		}
	}
	return out, shape, nil
}

// readTokens reads the tokens and what the flags name beside them.
func (s *streams) readTokens(c *cli.Command, in string) (*reduce.Tokens, error) {
	x, shape, err := s.readMatrix(in, 2)
	if err != nil {
		return nil, err
	}
	t := &reduce.Tokens{N: shape[0], D: shape[1], X: x}
	vector := func(flag string, to *[]float32) {
		if c.IsSet(flag) && err == nil {
			*to, _, err = s.readMatrix(c.String(flag), 1)
		}
	}
	matrix := func(flag string, to *[]float32, width *int) {
		if c.IsSet(flag) && err == nil {
			var shape []int
			if *to, shape, err = s.readMatrix(c.String(flag), 2); err == nil {
				*width = shape[1]
			}
		}
	}
	vector("attention", &t.Attention)
	vector("weights", &t.Size)
	matrix("keys", &t.Keys, &t.KeyDim)
	matrix("values", &t.Values, &t.ValueDim)
	queryWidth := t.D
	matrix("query", &t.Query, &queryWidth)
	if err != nil {
		return nil, err
	}
	if queryWidth != t.D {
		return nil, fmt.Errorf("%s: %d features, but the tokens have %d", c.String("query"), queryWidth, t.D)
	}
	if c.IsSet("audio-attention") != c.IsSet("audio-frames") {
		return nil, usagef("reduce: --audio-attention and --audio-frames go together")
	}
	if c.IsSet("audio-attention") {
		t.Audio = &reduce.Audio{}
		vector("audio-attention", &t.Audio.Attention)
		if err == nil {
			t.Audio.Frame, _, err = s.readIntegers(c.String("audio-frames"), 1)
		}
		if err != nil {
			return nil, err
		}
	}
	if c.IsSet("frames") {
		if t.Frame, _, err = s.readIntegers(c.String("frames"), 1); err != nil {
			return nil, err
		}
	}
	if c.IsSet("positions") {
		p, shape, err := s.readIntegers(c.String("positions"), 2)
		if err != nil {
			return nil, err
		}
		if shape[1] != 2 {
			return nil, fmt.Errorf("%s: %d columns, want 2", c.String("positions"), shape[1])
		}
		for i := 0; i < len(p); i += 2 {
			t.Pos = append(t.Pos, reduce.Position{X: p[i], Y: p[i+1]})
		}
	}
	if !c.IsSet("grid") {
		return t, nil
	}
	if c.IsSet("frames") || c.IsSet("positions") {
		return nil, usagef("reduce: --grid stands for --frames and --positions")
	}
	return t, setGrid(t, c.String("grid"))
}

// setGrid sets frames and positions of tokens that are WxH a frame.
func setGrid(t *reduce.Tokens, grid string) error {
	var w, h int
	if n, err := fmt.Sscanf(grid, "%dx%d", &w, &h); n != 2 || err != nil || fmt.Sprintf("%dx%d", w, h) != grid || w < 1 || h < 1 {
		return usagef("reduce: --grid %q is not WxH", grid)
	}
	if w > reduce.MaxTokens || h > reduce.MaxTokens || t.N%(w*h) != 0 {
		return errors.New("the number of tokens is no multiple of the grid's")
	}
	for i := range t.N {
		p := i % (w * h)
		t.Frame = append(t.Frame, int32(i/(w*h)))
		t.Pos = append(t.Pos, reduce.Position{X: int32(p % w), Y: int32(p / w)})
	}
	return nil
}
