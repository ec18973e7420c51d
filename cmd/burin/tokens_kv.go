package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens/kv"
)

// maxTensorBytes bounds the files of keys and values that are compressed.
const maxTensorBytes = 16 << 30

func (s *streams) tokensKVCommand() *cli.Command {
	return &cli.Command{
		Name:     "kv",
		Usage:    "compress the keys and values that a model keeps of visual tokens",
		Commands: []*cli.Command{s.kvCompressCommand(), s.kvDecompressCommand(), s.kvInfoCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("tokens kv: unknown command %q", c.Args().First())
			}
			return usagef("tokens kv: missing command")
		},
	}
}

func (s *streams) kvCompressCommand() *cli.Command {
	d := kv.Defaults()
	return &cli.Command{
		Name:      "compress",
		Usage:     "quantise and code keys and values",
		ArgsUsage: "IN",
		Description: "IN is a safetensors file, or - for standard input, whose keys and values are tensors of\n" +
			"[layers, heads, tokens, dim], or of [heads, tokens, dim] for each layer: then {} in their\n" +
			"names stands for the layer, counted from 0. FORMAT is 0 (dropped), 1, 1.5, 1.58, 2, 3, 4 or\n" +
			"full. TRANSFORMS are none, or some of normalise,shift,rotate.",
		Flags: []cli.Flag{
			outputFlag("the file to write"),
			forceFlag(),
			&cli.StringFlag{Name: "keys", Value: d.Classes[0].Keys.String(), Usage: "`FORMAT` of keys"},
			&cli.StringFlag{Name: "values", Value: d.Classes[0].Values.String(), Usage: "`FORMAT` of values"},
			&cli.StringFlag{Name: "keys-axis", Value: d.Keys.Axis.String(), Usage: "quantise keys per channel or token"},
			&cli.StringFlag{Name: "values-axis", Value: d.Values.Axis.String(), Usage: "quantise values per channel or token"},
			&cli.IntFlag{Name: "keys-group", Value: d.Keys.Group, Usage: "`NUMBERS` that share a scale"},
			&cli.IntFlag{Name: "values-group", Value: d.Values.Group, Usage: "`NUMBERS` that share a scale"},
			&cli.StringFlag{Name: "keys-transform", Value: transforms(d.Keys), Usage: "`TRANSFORMS` before keys are quantised"},
			&cli.StringFlag{Name: "values-transform", Value: transforms(d.Values), Usage: "`TRANSFORMS` before values are quantised"},
			&cli.StringFlag{Name: "keys-fit", Value: d.Keys.Fit.String(), Usage: "lay levels by least squares (lsq), so without bias (unbiased), or from the smallest number to the largest (minmax)"},
			&cli.StringFlag{Name: "values-fit", Value: d.Values.Fit.String(), Usage: "as --keys-fit"},
			&cli.IntFlag{Name: "residual", Usage: "keep the last `TOKENS` as they are"},
			&cli.FloatFlag{Name: "important", Usage: "keep the tokens that hold this `SHARE` of the weights in a format of their own"},
			&cli.StringFlag{Name: "weights", Usage: "`TENSOR` of [layers, tokens] of weights, the attention that tokens receive, say, instead of norms of values"},
			&cli.StringFlag{Name: "important-keys", Value: "4", Usage: "`FORMAT` of important keys"},
			&cli.StringFlag{Name: "important-values", Value: "4", Usage: "`FORMAT` of important values"},
			&cli.IntFlag{Name: "row", Value: d.Row, Usage: "`TOKENS` in a row of the picture, so that the one above helps to code one"},
			&cli.BoolFlag{Name: "packed", Usage: "do not code: tensors that any program can read"},
			&cli.StringFlag{Name: "keys-name", Value: "keys", Usage: "`NAME` of the keys"},
			&cli.StringFlag{Name: "values-name", Value: "values", Usage: "`NAME` of the values"},
			&cli.StringFlag{Name: "queries", Usage: "report the error of attention outputs for the queries in this `TENSOR`, too"},
			jsonFlag(),
		},
		Action: s.kvCompress,
	}
}

// transforms names the transforms of a side.
func transforms(s kv.Side) string {
	var names []string
	for _, t := range []struct {
		on   bool
		name string
	}{{s.Normalise, "normalise"}, {s.Shift, "shift"}, {s.Rotate, "rotate"}} {
		if t.on {
			names = append(names, t.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// kvSide returns what the flags say of keys or values.
func kvSide(c *cli.Command, name string) (kv.Side, error) {
	s := kv.Side{Group: c.Int(name + "-group")}
	switch axis := c.String(name + "-axis"); axis {
	case kv.PerChannel.String():
		s.Axis = kv.PerChannel
	case kv.PerToken.String():
		s.Axis = kv.PerToken
	default:
		return s, usagef("--%s-axis: %q is neither channel nor token", name, axis)
	}
	fits := []kv.Fit{kv.LeastSquares, kv.Unbiased, kv.MinMax}
	i := slices.IndexFunc(fits, func(f kv.Fit) bool { return f.String() == c.String(name+"-fit") })
	if i < 0 {
		return s, usagef("--%s-fit: %q is not among %v", name, c.String(name+"-fit"), fits)
	}
	s.Fit = fits[i]
	list := c.String(name + "-transform")
	for t := range strings.SplitSeq(list, ",") {
		switch t {
		case "none":
			if list != t {
				return s, usagef("--%s-transform: none beside others in %q", name, list)
			}
		case "normalise":
			s.Normalise = true
		case "shift":
			s.Shift = true
		case "rotate":
			s.Rotate = true
		default:
			return s, usagef("--%s-transform: %q is not among normalise, shift, rotate and none", name, t)
		}
	}
	return s, nil
}

// kvOptions returns the options that the flags give, but for the classes of tokens.
func kvOptions(c *cli.Command) (*kv.Options, error) {
	o := kv.Defaults()
	var err error
	if o.Keys, err = kvSide(c, "keys"); err != nil {
		return nil, err
	}
	if o.Values, err = kvSide(c, "values"); err != nil {
		return nil, err
	}
	class := func(prefix string) (class kv.Class, err error) {
		if class.Keys, err = kv.ParseFormat(c.String(prefix + "keys")); err != nil {
			return class, usagef("--%skeys: %w", prefix, err)
		}
		if class.Values, err = kv.ParseFormat(c.String(prefix + "values")); err != nil {
			return class, usagef("--%svalues: %w", prefix, err)
		}
		return class, nil
	}
	if o.Classes[0], err = class(""); err != nil {
		return nil, err
	}
	if c.IsSet("important") {
		important, err := class("important-")
		if err != nil {
			return nil, err
		}
		o.Classes = append(o.Classes, important)
	}
	if c.IsSet("weights") && !c.IsSet("important") {
		return nil, usagef("--weights is for --important")
	}
	o.Residual, o.Row = c.Int("residual"), c.Int("row")
	if c.Bool("packed") {
		o.Coding = kv.Packed
	}
	return o, nil
}

// A kvReport is what compress prints.
type kvReport struct {
	File            string      `json:"file"`
	Layers          int         `json:"layers"`
	Tokens          int         `json:"tokens"`
	Values          int64       `json:"values"` // numbers, of keys and values
	BytesIn         int64       `json:"bytes_in"`
	Bytes           int64       `json:"bytes"`
	BitsPerValue    float64     `json:"bits_per_value"`
	MemoryPerValue  float64     `json:"bits_per_value_in_memory"`
	KeysRelative    float64     `json:"keys_relative_error"` // squared error by squares
	ValuesRelative  float64     `json:"values_relative_error"`
	AttentionErrors *kv.Quality `json:"attention,omitempty"`
}

func (s *streams) kvCompress(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	if !c.IsSet("output") {
		return usagef("%s: missing -o with the file to write", c.Name)
	}
	out, err := outputName(c, "")
	if err != nil {
		return err
	}
	o, err := kvOptions(c)
	if err != nil {
		return err
	}
	report, err := await(ctx, func() (*kvReport, error) {
		f, err := s.readTensors(in)
		if err != nil {
			return nil, err
		}
		return s.kvCompressTensors(ctx, c, f, o, out)
	})
	if err != nil {
		if errors.Is(err, kv.ErrOption) {
			return usageError{err}
		}
		return err
	}
	// The file itself may go to standard output.
	w := s.stdout
	if out == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(report)
	}
	return report.print(w)
}

func (s *streams) kvCompressTensors(ctx context.Context, c *cli.Command, f tensors, o *kv.Options, out string) (*kvReport, error) {
	keys, dtype, err := f.cache(c.String("keys-name"))
	if err != nil {
		return nil, err
	}
	values, _, err := f.cache(c.String("values-name"))
	if err != nil {
		return nil, err
	}
	switch dtype {
	case tensorfile.F32, tensorfile.F16, tensorfile.BF16:
		o.Storage = dtype
	}
	var queries *kv.Tensor
	if c.IsSet("queries") {
		if queries, _, err = f.cache(c.String("queries")); err != nil {
			return nil, err
		}
	}
	if c.IsSet("important") {
		var weights []float64
		if c.IsSet("weights") {
			weights, err = f.weights(c.String("weights"), keys)
		} else {
			weights, err = kv.ValueNorms(values)
		}
		if err != nil {
			return nil, err
		}
		if o.Assign, err = kv.Important(weights, keys.Tokens, c.Float("important")); err != nil {
			return nil, err
		}
	}
	cache, err := kv.Quantise(keys, values, o)
	if err != nil {
		return nil, err
	}
	quantisedKeys, quantisedValues, err := cache.Dequantise()
	if err != nil {
		return nil, err
	}
	quality, err := kv.Compare(keys, values, quantisedKeys, quantisedValues, queries, cache.Kept)
	if err != nil {
		return nil, err
	}
	var n int64
	err = s.write(ctx, out, func(w io.Writer) error {
		n, err = cache.WriteTo(w)
		return err
	})
	if err != nil {
		return nil, err
	}
	info := cache.Info()
	r := &kvReport{
		File: out, Layers: info.Layers, Tokens: info.Tokens, Values: info.Numbers,
		BytesIn: info.Numbers * int64(dtype.Size()), Bytes: n,
		BitsPerValue: 8 * float64(n) / float64(info.Numbers), MemoryPerValue: 8 * float64(info.Bytes) / float64(info.Numbers),
		KeysRelative: quality.Keys.Relative, ValuesRelative: quality.Values.Relative,
	}
	if queries != nil {
		r.AttentionErrors = &quality
	}
	return r, nil
}

func (r *kvReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\n", r.File)
	fmt.Fprintf(w, "cache\t%d layers, %d tokens, %d numbers\n", r.Layers, r.Tokens, r.Values)
	fmt.Fprintf(w, "bytes\t%d of %d, %.2f times smaller\n", r.Bytes, r.BytesIn, float64(r.BytesIn)/float64(r.Bytes))
	fmt.Fprintf(w, "bits per number\t%.3f, in memory %.3f\n", r.BitsPerValue, r.MemoryPerValue)
	fmt.Fprintf(w, "squared error\tkeys %.5f, values %.5f of their squares\n", r.KeysRelative, r.ValuesRelative)
	if q := r.AttentionErrors; q != nil {
		fmt.Fprintf(w, "attention outputs\tsquared error %.5f of their squares, cosine %.5f\n", q.Attention.Relative, q.Attention.Cosine)
	}
	return w.Flush()
}

func (s *streams) kvDecompressCommand() *cli.Command {
	return &cli.Command{
		Name:      "decompress",
		Usage:     "write the keys and values that a compressed cache stands for",
		ArgsUsage: "IN",
		Description: "IN is what compress wrote, or - for standard input. The tensors keys and values of the output\n" +
			"are of [layers, heads, tokens, dim]; tokens that were dropped are zeros.",
		Flags: []cli.Flag{
			outputFlag("the file to write"),
			forceFlag(),
			&cli.StringFlag{Name: "dtype", Value: string(tensorfile.F32), Usage: "`TYPE` of the numbers: F32, F16 or BF16"},
			maxNumbersFlag(),
		},
		Action: s.kvDecompress,
	}
}

func (s *streams) kvDecompress(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	if !c.IsSet("output") {
		return usagef("%s: missing -o with the file to write", c.Name)
	}
	out, err := outputName(c, "")
	if err != nil {
		return err
	}
	dtype := tensorfile.DType(strings.ToUpper(c.String("dtype")))
	if !slices.Contains([]tensorfile.DType{tensorfile.F32, tensorfile.F16, tensorfile.BF16}, dtype) {
		return usagef("--dtype: %q is not among F32, F16 and BF16", c.String("dtype"))
	}
	_, err = await(ctx, func() (struct{}, error) {
		var none struct{}
		cache, err := s.readCache(c, in)
		if err != nil {
			return none, err
		}
		keys, values, err := cache.Dequantise()
		if err != nil {
			return none, err
		}
		var list []tensorfile.Tensor
		for _, t := range []struct {
			name string
			t    *kv.Tensor
		}{{"keys", keys}, {"values", values}} {
			file, err := t.t.File(t.name, dtype)
			if err != nil {
				return none, err
			}
			list = append(list, file)
		}
		return none, s.write(ctx, out, func(w io.Writer) error { return tensorfile.WriteSafetensors(w, list, nil) })
	})
	return err
}

func (s *streams) kvInfoCommand() *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "describe a compressed cache",
		ArgsUsage:   "IN",
		Description: "IN is what compress wrote, or - for standard input.",
		Flags:       []cli.Flag{maxNumbersFlag(), jsonFlag()},
		Action: func(ctx context.Context, c *cli.Command) error {
			in, err := oneArg(c)
			if err != nil {
				return err
			}
			info, err := await(ctx, func() (*kv.Info, error) {
				cache, err := s.readCache(c, in)
				if err != nil {
					return nil, err
				}
				return cache.Info(), nil
			})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(s.stdout).Encode(info)
			}
			return printKVInfo(s.stdout, in, info)
		},
	}
}

func printKVInfo(out io.Writer, name string, info *kv.Info) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\n", name)
	fmt.Fprintf(w, "layers\t%d\n", info.Layers)
	fmt.Fprintf(w, "tokens\t%d\n", info.Tokens)
	for _, s := range []struct {
		name string
		s    *kv.SideInfo
	}{{"keys", &info.Keys}, {"values", &info.Values}} {
		fmt.Fprintf(w, "%s\t%d heads of %d channels; groups of %d per %s, %s; transforms: %s\n",
			s.name, s.s.Heads, s.s.Dim, s.s.Side.Group, s.s.Side.Axis, s.s.Side.Fit, transforms(s.s.Side))
	}
	for i, c := range info.Classes {
		fmt.Fprintf(w, "class %d\tkeys at %v bits, values at %v: %d tokens of all layers\n", i, c.Keys, c.Values, c.Tokens)
	}
	fmt.Fprintf(w, "residual\t%d tokens as %s\n", info.Residual, info.Storage)
	fmt.Fprintf(w, "numbers\t%d\n", info.Numbers)
	fmt.Fprintf(w, "in memory\t%d bytes, %.3f bits per number\n", info.Bytes, 8*float64(info.Bytes)/float64(info.Numbers))
	return w.Flush()
}

// maxNumbersFlag bounds the memory that a hostile file can take.
func maxNumbersFlag() cli.Flag {
	return &cli.Int64Flag{Name: "max-numbers", Value: kv.DefaultReadOptions().MaxValues, Usage: "refuse caches of more than `N` keys and values"}
}

// readCache reads a compressed cache.
func (s *streams) readCache(c *cli.Command, name string) (*kv.Cache, error) {
	o := kv.DefaultReadOptions()
	o.MaxBytes, o.MaxValues = maxTensorBytes, c.Int64("max-numbers")
	r, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cache, err := kv.Read(r, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cache, nil
}

// tensors are those of a file, by name.
type tensors struct {
	file string
	m    map[string]tensorfile.Tensor
}

func (s *streams) readTensors(name string) (tensors, error) {
	r, err := s.open(name)
	if err != nil {
		return tensors{}, err
	}
	defer r.Close()
	list, _, err := tensorfile.ReadSafetensors(r, maxTensorBytes)
	if err != nil {
		return tensors{}, fmt.Errorf("%s: %w", name, err)
	}
	f := tensors{name, map[string]tensorfile.Tensor{}}
	for _, t := range list {
		f.m[t.Name] = t
	}
	return f, nil
}

func (f tensors) get(name string) (*tensorfile.Tensor, error) {
	if t, ok := f.m[name]; ok {
		return &t, nil
	}
	names := make([]string, 0, len(f.m))
	for n := range f.m {
		names = append(names, n)
	}
	slices.Sort(names)
	more := ""
	if len(names) > 8 {
		more = fmt.Sprintf(" and %d more", len(names)-8)
		names = names[:8]
	}
	return nil, fmt.Errorf("%s has no tensor %q; it has %q%s", f.file, name, names, more)
}

// cache returns keys, values or queries: one tensor, or one for each layer whose
// number stands in the name in place of {}. It returns the type of the numbers, too.
func (f tensors) cache(name string) (*kv.Tensor, tensorfile.DType, error) {
	if !strings.Contains(name, "{}") {
		t, err := f.get(name)
		if err != nil {
			return nil, "", err
		}
		x, err := kv.FromFile(t)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.file, err)
		}
		return x, t.DType, nil
	}
	var all *kv.Tensor
	var dtype tensorfile.DType
	for layer := 0; ; layer++ {
		n := strings.ReplaceAll(name, "{}", strconv.Itoa(layer))
		t, err := f.get(n)
		if err != nil {
			if layer > 0 {
				return all, dtype, nil
			}
			return nil, "", err
		}
		x, err := kv.FromFile(t)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", f.file, err)
		}
		if layer == 0 {
			all, dtype = x, t.DType
			continue
		}
		if t.DType != dtype || x.Heads != all.Heads || x.Tokens != all.Tokens || x.Dim != all.Dim {
			return nil, "", fmt.Errorf("%s: tensor %q is of another type or shape than that of layer 0", f.file, n)
		}
		all.Layers += x.Layers
		all.Data = append(all.Data, x.Data...)
	}
}

// weights returns the weights of tokens.
func (f tensors) weights(name string, keys *kv.Tensor) ([]float64, error) {
	t, err := f.get(name)
	if err != nil {
		return nil, err
	}
	x, err := t.Float32s()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.file, err)
	}
	if !slices.Equal(t.Shape, []int{keys.Layers, keys.Tokens}) {
		return nil, fmt.Errorf("%s: tensor %q has the shape %v, not [%d %d]", f.file, name, t.Shape, keys.Layers, keys.Tokens)
	}
	weights := make([]float64, len(x))
	for i, v := range x {
		if math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("%s: tensor %q has a NaN", f.file, name)
		}
		weights[i] = float64(v)
	}
	return weights, nil
}
