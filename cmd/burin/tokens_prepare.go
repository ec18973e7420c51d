package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens"
	"github.com/burin-codec/burin/tokens/prepare"
)

func (s *streams) tokensPrepareCommand() *cli.Command {
	return &cli.Command{
		Name:      "prepare",
		Usage:     "make the tensors that a model reads of pictures",
		ArgsUsage: "FILE...",
		Description: "Does what the model's own image processor does: converts to RGB, resizes, cuts, pads,\n" +
			"normalises and lays out patches. Several files make a batch, or with --video the frames of a\n" +
			"video. The output is safetensors with all the inputs of the model, or, if its name ends in\n" +
			".npy, the pixels only.\n" +
			"Models: " + strings.Join(prepare.Models(), ", ") + ".",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "`MODEL`, by a name that burin tokens plan knows"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o", "out"}, TakesFile: true, DefaultText: "FILE.safetensors",
				Usage: "output file, .safetensors or .npy, - for safetensors on standard output"},
			&cli.BoolFlag{Name: "video", Usage: "the files are the frames of a video, in order (Qwen-VL, GLM-V)"},
			&cli.StringFlag{Name: "backend", Value: prepare.PIL.String(), Usage: "arithmetic of `LIBRARIES`: pil (Pillow 13), pil12 (Pillow up to 12) or torchvision"},
			&cli.StringFlag{Name: "alpha", Value: prepare.AlphaDefault.String(), Usage: "transparent pixels: white lays them on white, drop keeps their colour, default does what the model's processor does"},
			&cli.BoolFlag{Name: "scale-grey16", Usage: "bring 16-bit grey to 8 bits, where processors clip it"},
			&cli.BoolFlag{Name: "pad-square", Usage: "pad to a square, where the processor cuts to one (LLaVA-1.5)"},
			&cli.IntFlag{Name: "max-tiles", Usage: "most `TILES`, where a model cuts some", Validator: atLeast(1)},
			&cli.IntFlag{Name: "min-pixels", Usage: "least `PIXELS` after resizing (Qwen-VL, GLM-V)", Validator: atLeast(1)},
			&cli.IntFlag{Name: "max-pixels", Usage: "most `PIXELS` after resizing (Qwen-VL, GLM-V)", Validator: atLeast(1)},
			&cli.IntFlag{Name: "max-edge", Usage: "longest side after resizing in `PIXELS` (Pixtral, Mistral, Idefics3, SmolVLM)", Validator: atLeast(1)},
			&cli.BoolFlag{Name: "pan-and-scan", Usage: "cut elongated pictures into crops beside the whole (Gemma 3)"},
			workersFlag(), jsonFlag(), forceFlag(),
		},
		Action: s.tokensPrepare,
	}
}

// A prepareReport is what prepare prints.
type prepareReport struct {
	Inputs  []string        `json:"inputs"`
	Output  string          `json:"output"`
	Model   string          `json:"model"`
	Tokens  int             `json:"tokens"` // of all inputs
	Tensors []prepareTensor `json:"tensors"`
}

type prepareTensor struct {
	Name  string           `json:"name"`
	DType tensorfile.DType `json:"dtype"`
	Shape []int            `json:"shape"`
}

func (s *streams) tokensPrepare(ctx context.Context, c *cli.Command) error {
	files := c.Args().Slice()
	switch {
	case len(files) == 0:
		return usagef("prepare: missing file")
	case slices.Contains(files, ""):
		return usagef("prepare: empty file name")
	case c.String("model") == "":
		return usagef("prepare: --model is missing")
	}
	o := prepare.Options{
		Tokens: tokens.Options{
			MinPixels: c.Int("min-pixels"), MaxPixels: c.Int("max-pixels"), MaxTiles: c.Int("max-tiles"),
			MaxEdge: c.Int("max-edge"), PanAndScan: c.Bool("pan-and-scan"),
		},
		ScaleGrey16: c.Bool("scale-grey16"), PadSquare: c.Bool("pad-square"), Workers: c.Int("workers"),
	}
	var err error
	if o.Backend, err = prepare.ParseBackend(c.String("backend")); err != nil {
		return usageError{err}
	}
	if o.Alpha, err = prepare.ParseAlpha(c.String("alpha")); err != nil {
		return usageError{err}
	}
	other := stdio
	if files[0] != stdio {
		other = strings.TrimSuffix(files[0], filepath.Ext(files[0])) + ".safetensors"
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(out))
	if out != stdio && ext != ".safetensors" && ext != ".npy" {
		return usagef("prepare: cannot write %q, only .safetensors and .npy", out)
	}

	report := &prepareReport{Inputs: files, Output: out}
	r, err := await(ctx, func() (*prepare.Result, error) { return s.prepareFiles(ctx, c, files, &o, report) })
	if err != nil {
		if errors.Is(err, tokens.ErrOption) || errors.Is(err, tokens.ErrModel) || errors.Is(err, prepare.ErrOption) || errors.Is(err, prepare.ErrUnsupported) {
			return usageError{err}
		}
		return err
	}
	report.Model = r.Plan.Model
	for _, t := range r.Tensors {
		report.Tensors = append(report.Tensors, prepareTensor{t.Name, t.DType, t.Shape})
	}
	err = s.write(ctx, out, func(w io.Writer) error {
		if ext == ".npy" {
			return tensorfile.WriteNPY(w, r.Tensors[0])
		}
		return tensorfile.WriteSafetensors(w, r.Tensors, map[string]string{
			"model": report.Model, "backend": o.Backend.String(), "tokens": strconv.Itoa(report.Tokens), "format": "pt",
		})
	})
	if err != nil {
		return err
	}
	return s.printPrepared(c, report)
}

// prepareFiles prepares the files as one batch or video.
func (s *streams) prepareFiles(ctx context.Context, c *cli.Command, files []string, o *prepare.Options, report *prepareReport) (*prepare.Result, error) {
	model := c.String("model")
	if m, err := tokens.Lookup(model); err != nil {
		return nil, err
	} else if !slices.Contains(prepare.Models(), m.Name) {
		return nil, fmt.Errorf("%w %s", prepare.ErrUnsupported, m.Name)
	}
	var frames []image.Image
	var results []*prepare.Result
	left := int64(prepare.DefaultMaxBytes)
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := s.readPicture(name)
		if err != nil {
			return nil, err
		}
		if p.More {
			fmt.Fprintf(s.stderr, "burin: %s holds more than one picture; the first is prepared\n", name)
		}
		if c.Bool("video") {
			if len(frames) > 0 && p.Orientation != o.Orientation {
				return nil, fmt.Errorf("%s: the frames of a video have different EXIF orientations", name)
			}
			o.Orientation = p.Orientation
			frames = append(frames, p.Image)
			continue
		}
		o.Orientation, o.MaxBytes = p.Orientation, left
		r, err := prepare.Prepare(model, p.Image, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, t := range r.Tensors {
			left -= int64(len(t.Data))
		}
		if left <= 0 && name != files[len(files)-1] {
			return nil, fmt.Errorf("%w: the batch has more than %d bytes", prepare.ErrTooLarge, prepare.DefaultMaxBytes)
		}
		report.Tokens += r.Plan.Tokens
		results = append(results, r)
	}
	if c.Bool("video") {
		r, err := prepare.PrepareVideo(model, frames, o)
		if err == nil {
			report.Tokens = r.Plan.Tokens
		}
		return r, err
	}
	return prepare.Batch(results...)
}

func (s *streams) printPrepared(c *cli.Command, r *prepareReport) error {
	w := s.stdout
	if r.Output == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(r)
	}
	if strings.EqualFold(filepath.Ext(r.Output), ".npy") {
		r.Tensors = r.Tensors[:1]
	}
	var shapes []string
	for _, t := range r.Tensors {
		shapes = append(shapes, fmt.Sprintf("%s %s%v", t.Name, t.DType, t.Shape))
	}
	_, err := fmt.Fprintf(w, "%s: %s, %d tokens; %s\n", r.Output, r.Model, r.Tokens, strings.Join(shapes, ", "))
	return err
}
