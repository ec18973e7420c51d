package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/entropy/tensor"
)

// tensorSuffix is what compress adds to the name of a file.
const tensorSuffix = ".burt"

func (s *streams) tensorCommand() *cli.Command {
	return &cli.Command{
		Name:     "tensor",
		Usage:    "compress the weights of networks without loss",
		Commands: []*cli.Command{s.tensorCompressCommand(), s.tensorDecompressCommand(), s.tensorInfoCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef("tensor: unknown command %q", c.Args().First())
			}
			return usagef("tensor: missing command")
		},
	}
}

func maxTensorBytesFlag() cli.Flag {
	return &cli.Int64Flag{
		Name: "max-bytes", Value: tensor.DefaultMaxBytes, Usage: "refuse safetensors files of more `BYTES`",
		Validator: func(n int64) error {
			if n < 1 {
				return fmt.Errorf("%d is not positive", n)
			}
			return nil
		},
	}
}

func (s *streams) tensorCompressCommand() *cli.Command {
	return &cli.Command{
		Name:      "compress",
		Usage:     "make a safetensors file smaller",
		ArgsUsage: "IN",
		Description: "IN is a safetensors file, or - for standard input. decompress brings it back byte for byte.\n" +
			"bfloat16 weights shrink by a third, float32 and float16 by a sixth.",
		Flags:  []cli.Flag{outputFlag("the file to write; IN" + tensorSuffix + " unless named"), forceFlag(), maxTensorBytesFlag(), workersFlag(), jsonFlag()},
		Action: s.tensorCompress,
	}
}

func (s *streams) tensorDecompressCommand() *cli.Command {
	return &cli.Command{
		Name:        "decompress",
		Usage:       "bring a safetensors file back",
		ArgsUsage:   "IN",
		Description: "IN is what compress wrote, or - for standard input.",
		Flags:       []cli.Flag{outputFlag("the file to write; IN without " + tensorSuffix + " unless named"), forceFlag(), maxTensorBytesFlag(), workersFlag()},
		Action:      s.tensorDecompress,
	}
}

func (s *streams) tensorInfoCommand() *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "list the tensors of a compressed file and what they take",
		ArgsUsage:   "IN",
		Description: "IN is what compress wrote, or - for standard input. It is read to its end, not decoded.",
		Flags:       []cli.Flag{maxTensorBytesFlag(), jsonFlag()},
		Action:      s.tensorInfo,
	}
}

// tensorOptions returns the options that the flags give.
func tensorOptions(c *cli.Command, p *progress) *tensor.Options {
	return &tensor.Options{
		MaxBytes: c.Int64("max-bytes"), Workers: c.Int("workers"),
		Progress: func(done, total int64) { p.report(float64(done) / float64(total)) },
	}
}

// convert reads in and writes out as f does.
func (s *streams) convert(ctx context.Context, in, out string, f func(w io.Writer, r io.Reader) error) error {
	r, err := s.open(in)
	if err != nil {
		return err
	}
	defer r.Close()
	return s.write(ctx, out, func(w io.Writer) error {
		_, err := await(ctx, func() (struct{}, error) { return struct{}{}, f(w, r) })
		return err
	})
}

func (s *streams) tensorCompress(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	other := in + tensorSuffix
	if in == stdio {
		other = stdio
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	p := newProgress(s.stderr, "compressing")
	var info *tensor.Info
	err = s.convert(ctx, in, out, func(w io.Writer, r io.Reader) (err error) {
		info, err = tensor.Compress(ctx, w, r, tensorOptions(c, p))
		return err
	})
	p.finish()
	if err != nil {
		return err
	}
	// The file itself may go to standard output.
	w := s.stdout
	if out == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(tensorReportOf(out, info))
	}
	_, err = fmt.Fprintf(w, "%s: %d bytes of %d, %.2f %%\n", out, info.Stored, info.Bytes, percentOf(info.Stored, info.Bytes))
	return err
}

func (s *streams) tensorDecompress(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	other, ok := strings.CutSuffix(in, tensorSuffix)
	if in == stdio {
		other, ok = stdio, true
	}
	if !ok && !c.IsSet("output") {
		return usagef("%s: missing -o: %q does not end in %s", c.Name, in, tensorSuffix)
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	p := newProgress(s.stderr, "decompressing")
	defer p.finish()
	return s.convert(ctx, in, out, func(w io.Writer, r io.Reader) error {
		return tensor.Decompress(ctx, w, r, tensorOptions(c, p))
	})
}

// A tensorReport is what compress and info print as JSON.
type tensorReport struct {
	File     string            `json:"file"`
	Bytes    int64             `json:"bytes"`  // of the safetensors file
	Stored   int64             `json:"stored"` // of the compressed one
	Metadata map[string]string `json:"metadata,omitempty"`
	Tensors  []tensorEntry     `json:"tensors"`
}

type tensorEntry struct {
	Name   string `json:"name"`
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	Bytes  int    `json:"bytes"`
	Stored int64  `json:"stored"`
}

func tensorReportOf(file string, info *tensor.Info) *tensorReport {
	r := &tensorReport{File: file, Bytes: info.Bytes, Stored: info.Stored, Metadata: info.Metadata, Tensors: []tensorEntry{}}
	for _, t := range info.Tensors {
		r.Tensors = append(r.Tensors, tensorEntry{t.Name, string(t.DType), t.Shape, t.Bytes, t.Stored})
	}
	return r
}

// percentOf returns part in percent of whole, 100 of nothing.
func percentOf(part, whole int64) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}

func (s *streams) tensorInfo(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	r, err := s.open(in)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := await(ctx, func() (*tensor.Info, error) {
		return tensor.ReadInfo(r, &tensor.Options{MaxBytes: c.Int64("max-bytes")})
	})
	if err != nil {
		return err
	}
	report := tensorReportOf(in, info)
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(report)
	}
	return report.print(s.stdout)
}

func (r *tensorReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "tensor\ttype\tshape\tbytes\tstored\t%%\n")
	for _, t := range r.Tensors {
		fmt.Fprintf(w, "%q\t%s\t%v\t%d\t%d\t%.2f\n", t.Name, t.DType, t.Shape, t.Bytes, t.Stored, percentOf(t.Stored, int64(t.Bytes)))
	}
	fmt.Fprintf(w, "file\t\t%d tensors\t%d\t%d\t%.2f\n", len(r.Tensors), r.Bytes, r.Stored, percentOf(r.Stored, r.Bytes))
	keys := make([]string, 0, len(r.Metadata))
	for k := range r.Metadata {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(w, "metadata\t\t%q: %q\n", k, r.Metadata[k])
	}
	return w.Flush()
}
