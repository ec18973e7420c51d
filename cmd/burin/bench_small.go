package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/corpus/dataset"
)

func (s *streams) benchSmallCommand() *cli.Command {
	return &cli.Command{
		Name:      "small",
		Usage:     "lossless sizes of many small pictures of one size: one by one, as one tall picture, as an archive",
		ArgsUsage: "IN",
		Description: "IN is an IDX file or a folder of gray pictures of one size. Each method codes every picture\n" +
			"as a file of its own, and all of them below each other as one picture, or as the fewest pieces\n" +
			"of about the same height where the format has a limit. What comes back is compared: of the\n" +
			"programs on the PATH the tall picture and the first " + fmt.Sprint(smallChecked) + " small ones, of all others everything.",
		Flags: []cli.Flag{
			modelFlag("trained model of the circuit codec: a file or one that is built in" + builtIn() + " (default: the one of those that codes smallest)"),
			&cli.IntFlag{Name: "subset", HideDefault: true, Usage: "measure this many of the pictures, chosen at random", Validator: atLeast(1)},
			&cli.IntFlag{Name: "singles", HideDefault: true, Usage: "code only this many one by one, chosen at random; their bits per pixel stand for those of all", Validator: atLeast(1)},
			&cli.IntFlag{Name: "effort", Aliases: []string{"e"}, Value: codec.DefaultEffort, Usage: "effort of burin's lossless codec"},
			&cli.BoolFlag{Name: "only-archive", Usage: "measure nothing but the archive"},
			workersFlag(), jsonFlag(),
		},
		Action: s.benchSmall,
	}
}

// smallChecked is how many small pictures of a program are decoded.
const smallChecked = 10

// A smallMethod codes a picture without loss and returns the size in bytes.
type smallMethod struct {
	name    string
	rows    int  // the most a picture may have, 0 for no limit
	program bool // not in this process
	size    func(ctx context.Context, m *image.Gray, check bool) (int64, error)
	help    string
}

// A smallRow is what one method made of the pictures.
type smallRow struct {
	Method   string  `json:"method"`
	Single   int64   `json:"one_by_one_bytes"`
	SingleBP float64 `json:"one_by_one_bpp"`
	Tall     int64   `json:"tall_bytes"`
	TallBP   float64 `json:"tall_bpp"`
	Pieces   int     `json:"tall_pieces"`
	Archive  int64   `json:"archive_bytes,omitempty"`
	ArchBP   float64 `json:"archive_bpp,omitempty"`
	Seconds  float64 `json:"seconds"` // of all of it, checks included
	Command  string  `json:"command"`
}

type smallReport struct {
	Input    string     `json:"input"`
	Pictures int        `json:"pictures"`
	Singles  int        `json:"singles"` // how many of them were coded one by one
	Width    int        `json:"width"`
	Height   int        `json:"height"`
	Checksum string     `json:"checksum"`
	Model    string     `json:"trained_model"`
	Bytes    int        `json:"trained_model_bytes"`
	Ideal    float64    `json:"ideal_bpp"` // the likelihood of the pictures
	Rows     []smallRow `json:"rows"`
}

func (s *streams) benchSmall(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	corpus, err := dataset.Open(in, nil)
	if err == nil && c.IsSet("subset") {
		corpus, err = corpus.Subset(c.Int("subset"), 1)
	}
	if err != nil {
		return err
	}
	pictures, err := grayPictures(ctx, corpus)
	if err != nil {
		return err
	}
	singles := pictures
	if n := c.Int("singles"); c.IsSet("singles") && n < len(pictures) {
		part, err := corpus.Subset(n, 1)
		if err == nil {
			singles, err = grayPictures(ctx, part)
		}
		if err != nil {
			return err
		}
	}
	size := pictures[0].Bounds()
	m, err := s.model(c)
	if err == nil && m == nil {
		m, err = chooseModel(ctx, corpus, size)
	}
	if err != nil {
		return err
	}
	sum, err := corpus.Checksum(ctx)
	if err != nil {
		return err
	}
	r := &smallReport{Input: in, Pictures: len(pictures), Width: size.Dx(), Height: size.Dy(), Checksum: sum, Model: newModelReport(m.ID(), 0).String(), Bytes: m.Size()}
	r.Singles = len(singles)
	bpp := func(n int64, pictures int) float64 {
		return 8 * float64(n) / float64(pictures) / float64(size.Dx()*size.Dy())
	}
	temp, err := os.MkdirTemp("", "burin-bench-small-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	bar := newProgress(s.stderr, "measuring")
	defer bar.finish()
	methods := s.smallMethods(temp, m, c.Int("effort"))
	for k, method := range methods {
		start := time.Now()
		row := smallRow{Method: method.name, Command: method.help}
		if !c.Bool("only-archive") {
			if row.Single, err = smallSizes(ctx, method, singles, c.Int("workers"), func(done float64) { bar.report((float64(k) + 0.7*done) / float64(len(methods))) }); err != nil {
				return fmt.Errorf("%s: %w", method.name, err)
			}
			row.SingleBP = bpp(row.Single, len(singles))
			if !strings.HasPrefix(method.name, circuit.Name) {
				tall := tallPictures(pictures, method.rows)
				row.Pieces = len(tall)
				for _, t := range tall {
					n, err := method.size(ctx, t, true)
					if err != nil {
						return fmt.Errorf("%s, tall: %w", method.name, err)
					}
					row.Tall += n
				}
				row.TallBP = bpp(row.Tall, len(pictures))
			}
		}
		if strings.HasPrefix(method.name, circuit.Name) {
			if row.Archive, err = archiveSize(ctx, m, pictures, c.Int("workers")); err != nil {
				return err
			}
			row.ArchBP = bpp(row.Archive, len(pictures))
		} else if c.Bool("only-archive") {
			continue
		}
		row.Seconds = time.Since(start).Seconds()
		bar.note(fmt.Sprintf("burin: %s: %.4f bpp one by one, %.4f together, %.0f s", row.Method, row.SingleBP, row.TallBP+row.ArchBP, row.Seconds))
		r.Rows = append(r.Rows, row)
	}
	bits, err := circuit.Cost(ctx, m, pictures)
	if err != nil {
		return err
	}
	r.Ideal = bits / float64(len(pictures)*size.Dx()*size.Dy())
	bar.finish()
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(r)
	}
	return r.print(s.stdout)
}

// grayPictures reads a corpus of gray pictures of one size.
func grayPictures(ctx context.Context, corpus *dataset.Corpus) (pictures []image.Image, err error) {
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return nil, err
		}
		m, ok := e.Picture.Image.(*image.Gray)
		if !ok || len(pictures) > 0 && m.Bounds() != pictures[0].Bounds() {
			return nil, fmt.Errorf("%s: a picture of %T, %v, not gray or not of the size of the first", e.Name, e.Picture.Image, e.Picture.Image.Bounds())
		}
		pictures = append(pictures, m)
	}
	if pictures == nil {
		return nil, errors.New("no pictures")
	}
	return pictures, nil
}

// smallSizes codes every picture by itself.
func smallSizes(ctx context.Context, method *smallMethod, pictures []image.Image, workers int, report func(float64)) (sum int64, err error) {
	if workers == 0 {
		workers = 1
	}
	work := func(ctx context.Context, i int) (int64, error) {
		return method.size(ctx, pictures[i].(*image.Gray), !method.program || i < smallChecked)
	}
	err = codec.RunOrdered(ctx, len(pictures), workers, work, func(i int, n int64) error {
		sum += n
		report(float64(i+1) / float64(len(pictures)))
		return nil
	})
	return sum, err
}

// tallPictures puts pictures below each other, in the fewest pieces of at most so many
// rows.
func tallPictures(pictures []image.Image, rows int) (tall []*image.Gray) {
	b := pictures[0].Bounds()
	pieces := 1
	if rows > 0 {
		most := rows / b.Dy()
		pieces = (len(pictures) + most - 1) / most
	}
	for p := range pieces {
		from, to := p*len(pictures)/pieces, (p+1)*len(pictures)/pieces
		t := image.NewGray(image.Rect(0, 0, b.Dx(), (to-from)*b.Dy()))
		for i, m := range pictures[from:to] {
			copy(t.Pix[i*len(m.(*image.Gray).Pix):], m.(*image.Gray).Pix)
		}
		tall = append(tall, t)
	}
	return tall
}

// smallMethods returns the methods that there are here. Those of programs exchange files
// in a folder.
func (s *streams) smallMethods(temp string, m *circuit.Model, effort int) []*smallMethod {
	list := []*smallMethod{{name: "png (Go)", help: "image/png, BestCompression", size: goPNGSize}}
	const maxWebP = 16383
	for _, p := range []struct {
		name, ext      string
		rows           int
		encode, decode []string
	}{
		{"optipng", ".png", 0, []string{"optipng", "-quiet", "-o2", "-clobber", "-out", "OUT", "IN"}, nil},
		{"webp", ".webp", maxWebP, []string{"cwebp", "-quiet", "-lossless", "-exact", "-z", "9", "IN", "-o", "OUT"}, nil},
		{"jxl", ".jxl", 0, []string{"cjxl", "IN", "OUT", "-d", "0", "-e", "9", "--num_threads=0"}, []string{"djxl", "IN", "OUT"}},
	} {
		if _, err := exec.LookPath(p.encode[0]); err != nil {
			fmt.Fprintf(s.stderr, "burin: %s is left out: %v\n", p.name, err)
			continue
		}
		list = append(list, &smallMethod{
			name: p.name, rows: p.rows, program: true, help: strings.Join(p.encode, " "),
			size: func(ctx context.Context, g *image.Gray, check bool) (int64, error) {
				return programSize(ctx, temp, g, p.ext, p.encode, p.decode, check)
			},
		})
	}
	burinSize := func(o *codec.Options) func(context.Context, *image.Gray, bool) (int64, error) {
		return func(ctx context.Context, g *image.Gray, _ bool) (int64, error) { return burinSize(ctx, g, o) }
	}
	lossless, single := codec.DefaultOptions(), codec.DefaultOptions()
	lossless.Codec, lossless.Effort, lossless.Workers = "lossless", effort, 1
	single.Codec, single.Weights = circuit.Name, circuits(m)
	return append(list,
		&smallMethod{name: "lossless", help: fmt.Sprintf("burin encode --codec lossless --effort %d", effort), size: burinSize(lossless)},
		&smallMethod{name: circuit.Name, help: "burin encode --codec circuit", size: burinSize(single)})
}

func goPNGSize(_ context.Context, m *image.Gray, _ bool) (int64, error) {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&b, m); err != nil {
		return 0, err
	}
	n := int64(b.Len())
	got, err := png.Decode(&b)
	return n, errors.Join(err, sameGray(m, got))
}

func burinSize(ctx context.Context, m *image.Gray, o *codec.Options) (int64, error) {
	var b bytes.Buffer
	e, err := codec.NewEncoder(&b, o)
	if err != nil {
		return 0, err
	}
	if err := e.Encode(ctx, m); err != nil {
		return 0, err
	}
	decode := codec.DefaultDecodeOptions()
	decode.Weights = o.Weights
	d, err := codec.NewDecoder(&b, decode)
	if err != nil {
		return 0, err
	}
	got, err := d.Decode(ctx)
	if err != nil {
		return 0, err
	}
	return e.Written(), sameGray(m, got)
}

// programSize runs a program on a PNG file of the picture.
func programSize(ctx context.Context, temp string, m *image.Gray, ext string, encode, decode []string, check bool) (int64, error) {
	dir, err := os.MkdirTemp(temp, "")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in.png"), filepath.Join(dir, "out"+ext)
	f, err := os.Create(in)
	if err != nil {
		return 0, err
	}
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := errors.Join(e.Encode(f, m), f.Close()); err != nil {
		return 0, err
	}
	run := func(args []string, in, out string) error {
		args = append([]string(nil), args...)
		for i, a := range args {
			switch a {
			case "IN":
				args[i] = in
			case "OUT":
				args[i] = out
			}
		}
		if b, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %.300s", args[0], err, b)
		}
		return nil
	}
	if err := run(encode, in, out); err != nil {
		return 0, err
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, err
	}
	if !check {
		return info.Size(), nil
	}
	if decode != nil {
		back := filepath.Join(dir, "back.png")
		if err := run(decode, out, back); err != nil {
			return 0, err
		}
		out = back
	}
	got, err := dataset.ReadFile(out, codec.DefaultLimits())
	if err != nil {
		return 0, err
	}
	return info.Size(), sameGray(m, got.Image)
}

// sameGray returns an error unless a picture, of any type, has the gray values of m.
func sameGray(m *image.Gray, got image.Image) error {
	if got == nil {
		return nil // there is another error
	}
	b := m.Bounds()
	if got.Bounds().Size() != b.Size() {
		return fmt.Errorf("%v came back of %v", got.Bounds(), b)
	}
	at := got.Bounds().Min
	for y := range b.Dy() {
		for x := range b.Dx() {
			v := uint32(m.GrayAt(b.Min.X+x, b.Min.Y+y).Y) * 0x101
			r, g, bl, a := got.At(at.X+x, at.Y+y).RGBA()
			if r != v || g != v || bl != v || a != 0xffff {
				return fmt.Errorf("another picture came back: %v, not %v, at (%d, %d)", got.At(at.X+x, at.Y+y), color.Gray{uint8(v)}, x, y)
			}
		}
	}
	return nil
}

// archiveSize makes an archive of the pictures and reads it again.
func archiveSize(ctx context.Context, m *circuit.Model, pictures []image.Image, workers int) (int64, error) {
	var b bytes.Buffer
	w, err := circuit.NewArchiveWriter(&b, m, &circuit.ArchiveOptions{Collection: circuit.IDX, Workers: workers})
	if err != nil {
		return 0, err
	}
	for _, p := range pictures {
		if err := w.Write(p, ""); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	o := codec.DefaultDecodeOptions()
	o.Weights, o.Workers = circuits(m), workers
	a, err := circuit.NewArchiveReader(bytes.NewReader(b.Bytes()), int64(b.Len()), o)
	if err != nil {
		return 0, err
	}
	if a.Len() != len(pictures) {
		return 0, fmt.Errorf("%d pictures of %d came back", a.Len(), len(pictures))
	}
	return int64(b.Len()), a.All(ctx, func(i int, p image.Image, err error) error {
		if err != nil {
			return err
		}
		return sameGray(pictures[i].(*image.Gray), p)
	})
}

func (r *smallReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d pictures of %d x %d, SHA-256 %.12s\n", r.Input, r.Pictures, r.Width, r.Height, r.Checksum)
	if r.Singles < r.Pictures {
		fmt.Fprintf(w, "one by one: %d of them, at random\n", r.Singles)
	}
	fmt.Fprintf(w, "circuit: %s, a file of %d bytes; likelihood %.4f bpp\n\n", r.Model, r.Bytes, r.Ideal)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tone by one, bytes\tbpp\ttogether, bytes\tbpp\t\t")
	for _, row := range r.Rows {
		together, bpp, how := row.Tall, row.TallBP, "one tall picture"
		if row.Pieces > 1 {
			how = fmt.Sprintf("%d tall pictures", row.Pieces)
		}
		if row.Archive > 0 {
			together, bpp, how = row.Archive, row.ArchBP, "archive"
		}
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%d\t%.4f\t%s\t\n", row.Method, row.Single, row.SingleBP, together, bpp, how)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s: %s\n", row.Method, row.Command)
	}
	return nil
}
