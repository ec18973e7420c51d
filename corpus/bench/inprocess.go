package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

// Codecs that run in this process: those of burin that are registered, and Go's
// own.

// qualityRates are where a lossy codec of burin is measured unless asked
// otherwise.
var qualityRates = []string{"q10", "q25", "q40", "q55", "q70", "q80", "q90"}

func burinFamilies() (list []family) {
	for _, c := range codec.Codecs() {
		f := family{name: c.Name, unit: "q", rates: qualityRates, help: fmt.Sprintf("e%d to e%d (burin's effort)", codec.MinEffort, codec.MaxEffort)}
		lossy := c.Supports(codec.TargetQuality)
		if c.Supports(codec.TargetLossless) && lossy {
			f.help += ", lossless"
		}
		f.make = func(words []string) (*Codec, error) { return burinCodec(c, words) }
		list = append(list, f)
	}
	return list
}

func burinCodec(c codec.Codec, words []string) (*Codec, error) {
	o := optionSet{words: words}
	effort, err := o.take("e", codec.DefaultEffort, codec.MinEffort, codec.MaxEffort)
	if err != nil {
		return nil, err
	}
	lossless := !c.Supports(codec.TargetQuality)
	if !lossless && c.Supports(codec.TargetLossless) {
		lossless = o.choose("", "lossless") != ""
	}
	curve, err := o.curve(c.Name)
	if err != nil {
		return nil, err
	}
	build, err := buildID()
	if err != nil {
		return nil, err
	}
	out := &Codec{
		Curve:   curve,
		Version: fmt.Sprintf("burin build %s, %s stream %d, %s", build, c.Name, c.Version, goVersion()),
		Command: func(rate string) string {
			line := fmt.Sprintf("burin encode --codec %s --effort %d", c.Name, effort)
			if t, err := burinTarget(rate); err == nil && t.Kind != codec.TargetLossless {
				unit, number := splitRate(rate)
				line += " --" + targetUnits[unit].flag + " " + number
			}
			return line
		},
		Code: func(ctx context.Context, in *Input, rate string) (*Output, error) {
			target, err := burinTarget(rate)
			if err != nil {
				return nil, err
			}
			return codeBurin(ctx, in, c.Name, effort, target)
		},
	}
	if lossless {
		out.Rates = []string{""}
	}
	return out, nil
}

// targetUnits are the units that a rate of a codec of burin may have.
var targetUnits = map[string]struct {
	kind codec.TargetKind
	flag string
}{
	"q":     {codec.TargetQuality, "quality"},
	"bpp":   {codec.TargetBPP, "bpp"},
	"psnr":  {codec.TargetPSNR, "psnr"},
	"bytes": {codec.TargetSize, "size"},
}

func burinTarget(rate string) (codec.Target, error) {
	if rate == "" {
		return codec.Target{}, nil
	}
	unit, number := splitRate(rate)
	kind, ok := targetUnits[unit]
	if !ok {
		return codec.Target{}, fmt.Errorf("rate %q is in none of q, bpp, psnr and bytes", rate)
	}
	v, err := strconv.ParseFloat(number, 64)
	return codec.Target{Kind: kind.kind, Value: v}, err
}

func codeBurin(ctx context.Context, in *Input, name string, effort int, target codec.Target) (*Output, error) {
	var out Output
	var file bytes.Buffer
	var err error
	out.Encode, err = inProcess(in.exclusive, func() error {
		o := codec.DefaultOptions()
		o.Codec, o.Effort, o.Target, o.Workers = name, effort, target, in.workers
		e, err := codec.NewEncoder(&file, o)
		if err != nil {
			return err
		}
		return e.Encode(ctx, in.Image)
	})
	if err != nil {
		return nil, err
	}
	out.Bytes = int64(file.Len())
	out.Decode, err = inProcess(in.exclusive, func() error {
		o := codec.DefaultDecodeOptions()
		o.Workers = in.workers
		d, err := codec.NewDecoder(&file, o)
		if err != nil {
			return err
		}
		out.Decoded, err = d.Decode(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if target.Kind == codec.TargetLossless {
		// The metrics do not see what lies under a zero alpha.
		if err := same(in.Image, out.Decoded); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// same compares all samples.
func same(a, b image.Image) error {
	x, err := dataset.Hash(a)
	if err != nil {
		return err
	}
	y, err := dataset.Hash(b)
	if err != nil {
		return err
	}
	if x != y {
		return errors.New("another picture came back from a lossless codec")
	}
	return nil
}

// buildID returns the start of the hash of this program: any change of a codec
// changes it.
var buildID = sync.OnceValues(func() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4]), nil
})

func goVersion() string {
	return fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func goFamilies() []family {
	return []family{
		{name: "jpeg", unit: "q", rates: []string{"q10", "q20", "q35", "q50", "q65", "q80", "q90", "q95"},
			help: "Go's image/jpeg, 4:2:0", make: func(words []string) (*Codec, error) {
				return goCodec("jpeg", words, nil, func(rate string) string { return "jpeg.Encode quality " + rate[1:] }, goJPEG)
			}},
		{name: "png", help: "Go's image/png, lossless", make: func(words []string) (*Codec, error) {
			return goCodec("png", words, []string{""}, func(string) string { return "png.Encoder BestCompression" }, goPNG)
		}},
	}
}

func goCodec(name string, words, rates []string, command func(string) string, code func(context.Context, *Input, string) (*Output, error)) (*Codec, error) {
	o := optionSet{words: words}
	curve, err := o.curve(name)
	if err != nil {
		return nil, err
	}
	return &Codec{Curve: curve, Rates: rates, Version: goVersion(), Command: command, Code: code}, nil
}

func goJPEG(ctx context.Context, in *Input, rate string) (*Output, error) {
	number, err := numberOf(rate, "q")
	if err != nil {
		return nil, err
	}
	quality, err := strconv.Atoi(number)
	if err != nil || quality < 1 || quality > 100 {
		return nil, fmt.Errorf("quality %s is not within 1 and 100", number)
	}
	if in.Planes%2 == 0 {
		return nil, errors.New("cannot code alpha")
	}
	return goCode(ctx, in,
		func(b *bytes.Buffer) error { return jpeg.Encode(b, in.Image, &jpeg.Options{Quality: quality}) },
		func(b *bytes.Buffer) (image.Image, error) { return jpeg.Decode(b) })
}

func goPNG(ctx context.Context, in *Input, _ string) (*Output, error) {
	e := png.Encoder{CompressionLevel: png.BestCompression}
	return goCode(ctx, in,
		func(b *bytes.Buffer) error { return e.Encode(b, in.Image) },
		func(b *bytes.Buffer) (image.Image, error) { return png.Decode(b) })
}

func goCode(ctx context.Context, in *Input, encode func(*bytes.Buffer) error, decode func(*bytes.Buffer) (image.Image, error)) (*Output, error) {
	var out Output
	var file bytes.Buffer
	var err error
	if out.Encode, err = inProcess(in.exclusive, func() error { return encode(&file) }); err != nil {
		return nil, err
	}
	out.Bytes = int64(file.Len())
	if out.Decode, err = inProcess(in.exclusive, func() error {
		out.Decoded, err = decode(&file)
		return err
	}); err != nil {
		return nil, err
	}
	return &out, ctx.Err()
}
