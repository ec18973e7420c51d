package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

// Programs on the PATH. Times and memory are those of whole processes, with the
// start of the process and the reading and writing of PNG, PPM or raw files. All
// run on one thread.

// A program is how to run an encoder and its decoder. In the arguments IN and OUT
// stand for files and RATE for the number of the rate.
type program struct {
	encoder, decoder []string
	file             string // name of the coded file
	decoded          string // name of the file that the decoder writes
	png              bool   // the encoder reads PNG; otherwise PGM and PPM
	pickPPM          bool   // the decoder writes PPM, which is quicker, to a file of that name
	unit             string // of the rates; empty for a lossless codec
	version          string
}

// codec makes the Codec of a program.
func (p *program) codec(curve string) (*Codec, error) {
	for _, args := range [][]string{p.encoder, p.decoder} {
		if len(args) == 0 {
			continue
		}
		if _, err := exec.LookPath(args[0]); err != nil {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, args[0])
		}
	}
	c := &Codec{Curve: curve, Version: p.version}
	c.Code = func(ctx context.Context, in *Input, rate string) (*Output, error) {
		return p.code(ctx, in, curve, rate)
	}
	if p.unit == "" {
		c.Rates = []string{""}
	}
	c.Command = func(rate string) string {
		_, number := splitRate(rate)
		return strings.Join(fill(p.encoder, "IN", "OUT", number), " ")
	}
	return c, nil
}

func fill(args []string, in, out, rate string) []string {
	filled := make([]string, len(args))
	for i, a := range args {
		switch a {
		case "IN":
			a = in
		case "OUT":
			a = out
		}
		filled[i] = strings.ReplaceAll(a, "RATE", rate)
	}
	return filled
}

func (p *program) code(ctx context.Context, in *Input, curve, rate string) (*Output, error) {
	number, err := numberOf(rate, p.unit)
	if err != nil {
		return nil, err
	}
	source := in.PNM
	if p.png {
		source = in.PNG
	}
	path, err := source()
	if err != nil {
		return nil, err
	}
	dir, err := in.folder(PictureFile(curve, rate))
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var out Output
	if out.Encode, err = process(ctx, dir, fill(p.encoder, path, p.file, number)); err != nil {
		return nil, err
	}
	if out.Bytes, err = fileSize(filepath.Join(dir, p.file)); err != nil {
		return nil, err
	}
	decoded := p.file
	if p.decoder != nil {
		decoded = p.decoded
		if p.pickPPM && in.Planes == 3 {
			decoded = strings.TrimSuffix(decoded, filepath.Ext(decoded)) + ".ppm"
		}
		if out.Decode, err = process(ctx, dir, fill(p.decoder, p.file, decoded, number)); err != nil {
			return nil, err
		}
	}
	out.Decoded, err = readImage(filepath.Join(dir, decoded))
	return &out, err
}

func readImage(path string) (image.Image, error) {
	p, err := dataset.ReadFile(path, codec.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return p.Image, nil
}

// versions caches what programs said of themselves.
var versions sync.Map

// firstLines asks a program for its version and keeps the lines that match, or
// the first one.
func firstLines(pattern string, args ...string) string {
	key := strings.Join(args, " ")
	if v, ok := versions.Load(key); ok {
		return v.(string)
	}
	// Some of them fail when asked for their version, and still tell it.
	b, _ := exec.Command(args[0], args[1:]...).CombinedOutput()
	var found []string
	re := regexp.MustCompile(pattern)
	for line := range strings.Lines(string(b)) {
		if m := re.FindString(line); m != "" && pattern != "" {
			found = append(found, strings.TrimSpace(m))
		}
	}
	if found == nil {
		line, _, _ := strings.Cut(string(b), "\n")
		found = []string{strings.TrimSpace(line)}
	}
	v := strings.Join(found, ", ")
	versions.Store(key, v)
	return v
}

func peerFamilies() []family {
	return []family{
		{name: "jpegturbo", make: jpegTurbo, unit: "q", rates: []string{"q10", "q20", "q35", "q50", "q65", "q80", "q90", "q95"},
			help: "cjpeg, progressive, optimised: 420 or 444"},
		{name: "webp", make: webP, unit: "q", rates: []string{"q5", "q15", "q30", "q45", "q60", "q75", "q85", "q95"},
			help: "cwebp: m0 to m6 (6), sharp; or lossless, z0 to z9 (6)"},
		{name: "avif", make: avif, unit: "cq", rates: []string{"cq60", "cq54", "cq48", "cq42", "cq36", "cq30", "cq24", "cq18", "cq12"},
			help: "avifenc with aom: s0 to s10 (6), 444, 422 or 420, ssim or psnr (the tune)"},
		{name: "jxl", make: jxl, unit: "d", rates: []string{"d8", "d5", "d3.5", "d2.5", "d1.8", "d1.2", "d0.8", "d0.5"},
			help: "cjxl: e1 to e9 (7); lossless"},
		{name: "x265", make: x265, unit: "qp", rates: []string{"qp39", "qp34", "qp29", "qp24", "qp19"},
			help: "x265 intra, raw stream, preset slow, tune psnr: 444 or 420; needs ffmpeg to decode"},
		{name: "heif", make: heif, unit: "q", rates: []string{"q10", "q20", "q35", "q50", "q65", "q80"},
			help: "heif-enc with x265: 444 or 420"},
		{name: "vtm", make: vtm, unit: "qp", rates: []string{"qp47", "qp42", "qp37", "qp32", "qp27", "qp22"},
			help: "EncoderApp of VTM (H.266) intra, 444; $VTM_CFG names encoder_intra_vtm.cfg"},
		{name: "optipng", make: optiPNG, help: "optipng, lossless: o0 to o7 (2)"},
	}
}

func jpegTurbo(words []string) (*Codec, error) {
	o := optionSet{words: words}
	sample := map[string]string{"420": "2x2", "444": "1x1"}[o.choose("420", "444")]
	curve, err := o.curve("jpegturbo")
	if err != nil {
		return nil, err
	}
	p := program{
		encoder: []string{"cjpeg", "-quality", "RATE", "-optimize", "-progressive", "-sample", sample, "-outfile", "OUT", "IN"},
		decoder: []string{"djpeg", "-pnm", "-outfile", "OUT", "IN"},
		file:    "coded.jpg", decoded: "decoded.pnm", unit: "q",
		version: firstLines("", "cjpeg", "-version"),
	}
	return p.codec(curve)
}

func webP(words []string) (*Codec, error) {
	o := optionSet{words: words}
	p := program{
		decoder: []string{"dwebp", "IN", "-nodither", "-pam", "-o", "OUT"},
		file:    "coded.webp", decoded: "decoded.pam", png: true,
		version: "cwebp " + firstLines("", "cwebp", "-version"),
	}
	if o.choose("", "lossless") != "" {
		level, err := o.take("z", 6, 0, 9)
		if err != nil {
			return nil, err
		}
		p.encoder = []string{"cwebp", "-quiet", "-lossless", "-exact", "-z", fmt.Sprint(level), "IN", "-o", "OUT"}
	} else {
		method, err := o.take("m", 6, 0, 6)
		if err != nil {
			return nil, err
		}
		p.unit = "q"
		p.encoder = []string{"cwebp", "-quiet", "-m", fmt.Sprint(method), "-q", "RATE", "IN", "-o", "OUT"}
		if o.choose("", "sharp") != "" {
			p.encoder = append(p.encoder, "-sharp_yuv")
		}
	}
	curve, err := o.curve("webp")
	if err != nil {
		return nil, err
	}
	return p.codec(curve)
}

// avif names the tune in all cases: the help of avifenc 0.11 says that it is psnr
// by default, and it is ssim.
func avif(words []string) (*Codec, error) {
	o := optionSet{words: words}
	speed, err := o.take("s", 6, 0, 10)
	if err != nil {
		return nil, err
	}
	chroma := o.choose("444", "422", "420")
	tune := o.choose("ssim", "psnr")
	curve, err := o.curve("avif")
	if err != nil {
		return nil, err
	}
	p := program{
		encoder: []string{"avifenc", "-c", "aom", "-s", fmt.Sprint(speed), "-j", "1", "-y", chroma, "--min", "0", "--max", "63",
			"-a", "end-usage=q", "-a", "cq-level=RATE", "-a", "tune=" + tune, "IN", "OUT"},
		decoder: []string{"avifdec", "-j", "1", "--png-compress", "0", "IN", "OUT"},
		file:    "coded.avif", decoded: "decoded.png", png: true, unit: "cq",
		version: "avifenc " + firstLines(`\d+\.\d+\.\d+ \(.*\)`, "avifenc", "--version"),
	}
	return p.codec(curve)
}

func jxl(words []string) (*Codec, error) {
	o := optionSet{words: words}
	lossless := o.choose("", "lossless") != ""
	effort, err := o.take("e", 7, 1, 9)
	if err != nil {
		return nil, err
	}
	curve, err := o.curve("jxl")
	if err != nil {
		return nil, err
	}
	p := program{
		encoder: []string{"cjxl", "IN", "OUT", "-d", "RATE", "-e", fmt.Sprint(effort), "--num_threads=0"},
		decoder: []string{"djxl", "IN", "OUT", "--num_threads=1"},
		file:    "coded.jxl", decoded: "decoded.png", png: true, pickPPM: true, unit: "d",
		version: firstLines(`cjxl v\S+`, "cjxl", "--version"),
	}
	if lossless {
		p.encoder[4], p.unit = "0", ""
	}
	return p.codec(curve)
}

func heif(words []string) (*Codec, error) {
	o := optionSet{words: words}
	chroma := o.choose("444", "420")
	curve, err := o.curve("heif")
	if err != nil {
		return nil, err
	}
	p := program{
		encoder: []string{"heif-enc", "-q", "RATE", "-p", "chroma=" + chroma, "-o", "OUT", "IN"},
		decoder: []string{"heif-convert", "IN", "OUT"},
		file:    "coded.heic", decoded: "decoded.png", png: true, unit: "q",
		version: firstLines(`libheif version: \S+`, "heif-enc", "--help") + ", " + firstLines(`x265 = .*\)`, "heif-enc", "--list-encoders"),
	}
	return p.codec(curve)
}

func optiPNG(words []string) (*Codec, error) {
	o := optionSet{words: words}
	level, err := o.take("o", 2, 0, 7)
	if err != nil {
		return nil, err
	}
	curve, err := o.curve("optipng")
	if err != nil {
		return nil, err
	}
	p := program{
		encoder: []string{"optipng", "-quiet", fmt.Sprintf("-o%d", level), "-clobber", "-out", "OUT", "IN"},
		file:    "coded.png", png: true,
		version: firstLines(`OptiPNG version \S+`, "optipng", "--version"),
	}
	return p.codec(curve)
}

// raw codes with a video encoder that reads and writes raw planes. The conversion
// to Y'CbCr and back is ours and not in the times.
func raw(curve, chroma, unit string, encode, decode func(in, out string, w, h int, rate string) []string) func(context.Context, *Input, string) (*Output, error) {
	return func(ctx context.Context, in *Input, rate string) (*Output, error) {
		number, err := numberOf(rate, unit)
		if err != nil {
			return nil, err
		}
		path, w, h, err := in.YUV(chroma)
		if err != nil {
			return nil, err
		}
		dir, err := in.folder(PictureFile(curve, rate))
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		const file, decoded = "coded.bin", "decoded.yuv"
		var out Output
		if out.Encode, err = process(ctx, dir, encode(path, file, w, h, number)); err != nil {
			return nil, err
		}
		if out.Bytes, err = fileSize(filepath.Join(dir, file)); err != nil {
			return nil, err
		}
		if out.Decode, err = process(ctx, dir, decode(file, decoded, w, h, number)); err != nil {
			return nil, err
		}
		out.Decoded, err = in.readYUV(filepath.Join(dir, decoded), chroma, w, h)
		return &out, err
	}
}

func x265(words []string) (*Codec, error) {
	o := optionSet{words: words}
	chroma := o.choose(chroma444, chroma420)
	curve, err := o.curve("x265")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"x265", "ffmpeg"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
		}
	}
	args := func(in, out, size, rate string) []string {
		return []string{"x265", "--input", in, "--input-res", size, "--fps", "25", "--input-csp", "i" + chroma,
			"--preset", "slow", "--tune", "psnr", "--keyint", "1", "--frames", "1", "--qp", rate, "--no-info",
			"--pools", "none", "--frame-threads", "1", "--log-level", "error", "-o", out}
	}
	encode := func(in, out string, w, h int, rate string) []string {
		return args(in, out, fmt.Sprintf("%dx%d", w, h), rate)
	}
	decode := func(in, out string, _, _ int, _ string) []string {
		return []string{"ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-f", "hevc", "-i", in, "-f", "rawvideo", "-pix_fmt", "yuv" + chroma + "p", out}
	}
	return &Codec{
		Curve:   curve,
		Version: firstLines(`x265 \[info\]: HEVC encoder version \S+`, "x265", "--version") + ", " + firstLines(`^ffmpeg version \S+`, "ffmpeg", "-version"),
		Command: func(rate string) string {
			_, number := splitRate(rate)
			return strings.Join(args("IN", "OUT", "WxH", number), " ")
		},
		Code: raw(curve, chroma, "qp", encode, decode),
	}, nil
}

func vtm(words []string) (*Codec, error) {
	o := optionSet{words: words}
	curve, err := o.curve("vtm")
	if err != nil {
		return nil, err
	}
	// The programs are called so as they are built with and without shared
	// libraries.
	find := func(name string) (string, error) {
		for _, n := range []string{name + "Static", name} {
			if _, err := exec.LookPath(n); err == nil {
				return n, nil
			}
		}
		return "", fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	encoder, errE := find("EncoderApp")
	decoder, errD := find("DecoderApp")
	if err := cmp.Or(errE, errD); err != nil {
		return nil, err
	}
	cfg := os.Getenv("VTM_CFG")
	if cfg == "" {
		return nil, errors.New("$VTM_CFG must name VTM's encoder_intra_vtm.cfg")
	}
	args := func(in, out, w, h, rate string) []string {
		return []string{encoder, "-c", cfg, "-i", in, "-b", out, "-o", os.DevNull, "-q", rate, "-f", "1", "-fr", "1",
			"-wdt", w, "-hgt", h, "--InputBitDepth=8", "--OutputBitDepth=8",
			"--InputChromaFormat=444", "--ChromaFormatIDC=444", "--ConformanceWindowMode=1"}
	}
	encode := func(in, out string, w, h int, rate string) []string {
		return args(in, out, fmt.Sprint(w), fmt.Sprint(h), rate)
	}
	decode := func(in, out string, _, _ int, _ string) []string {
		return []string{decoder, "-b", in, "-o", out, "-d", "8"}
	}
	return &Codec{
		Curve:   curve,
		Version: firstLines(`VTM Encoder Version \[\S+\]`, encoder, "--help"),
		Command: func(rate string) string {
			_, number := splitRate(rate)
			return strings.Join(args("IN", "OUT", "W", "H", number), " ")
		},
		Code: raw(curve, chroma444, "qp", encode, decode),
	}, nil
}
