package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/codec/learned"
	"github.com/burin-codec/burin/codec/overfit"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/inr"
)

// Archives of many small pictures, which the circuit codec makes of IDX files and of
// folders.

// maxModelMemory is what a model in a file may take in memory. Those of 128 states for
// 28 x 28 pixels take some 300 MB.
const maxModelMemory = 1 << 30

// sampleSize is how many pictures the model is chosen by.
const sampleSize = 256

func modelFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "model", TakesFile: true, Usage: usage}
}

func archiveEncodeFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("trained model of --codec circuit, learned, overfit or vector: a file, for circuit the name of one that is built in" + builtIn() + " (default: of those the one that codes smallest), or for overfit none"),
		&cli.BoolFlag{Name: "embed", Usage: "put the model into the file, which otherwise names it"},
		&cli.IntFlag{Name: "block", HideDefault: true, Usage: fmt.Sprintf("pictures of an archive that are coded, and read, together, 1 to %d (default: %d)", circuit.MaxBlock, circuit.DefaultBlock)},
	}
}

func archiveDecodeFlags() []cli.Flag {
	return []cli.Flag{
		modelFlag("file of the trained model that IN names"),
		&cli.StringFlag{Name: "picture", Usage: "of an archive, decode only the picture of this number, from 0, or name"},
		&cli.BoolFlag{Name: "salvage", Usage: "of a damaged archive, decode what can be; missing pictures are left out of folders and black in IDX files"},
	}
}

func builtIn() string {
	names := circuit.Names()
	if names == nil {
		return ""
	}
	return ", " + strings.Join(names, " or ")
}

// weights returns what --model names, nil if there is no such flag.
func (s *streams) weights(c *cli.Command) (codec.Weights, error) {
	name := c.String("model")
	if !c.IsSet("model") {
		return nil, nil
	}
	if slices.Contains(circuit.Names(), name) {
		return circuit.Named(name)
	}
	if name == "none" {
		return overfit.WithoutPrior, nil
	}
	file, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(name) == name {
		return nil, fmt.Errorf("no model %q: neither a file nor built in%s", name, builtIn())
	}
	if err != nil {
		return nil, err
	}
	var w codec.Weights
	switch {
	case learned.IsModel(file):
		w, err = learned.ReadModel(file, math.MaxInt64)
	case inr.IsPrior(file):
		w, err = inr.ReadPrior(file)
	case vector.IsModel(file):
		w, err = vector.ReadModel(file, math.MaxInt64)
	default:
		w, err = circuit.ReadModel(file, math.MaxInt64)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// model returns the circuit that --model names, nil if there is no such flag.
func (s *streams) model(c *cli.Command) (*circuit.Model, error) {
	w, err := s.weights(c)
	if w == nil || err != nil {
		return nil, err
	}
	m, ok := w.(*circuit.Model)
	if !ok {
		return nil, fmt.Errorf("%s: not a model of the circuit codec", c.String("model"))
	}
	return m, nil
}

// listed returns w as a list, which is empty if there are none.
func listed(w codec.Weights) []codec.Weights {
	if w == nil {
		return nil
	}
	return []codec.Weights{w}
}

// circuits is listed for a circuit, which may be nil.
func circuits(m *circuit.Model) []codec.Weights {
	if m == nil {
		return nil
	}
	return []codec.Weights{m}
}

// encodeModel checks the flags of archiveEncodeFlags and puts the model into o. It returns
// the model if it is a circuit.
func (s *streams) encodeModel(c *cli.Command, o *codec.Options) (*circuit.Model, error) {
	for _, name := range []string{"model", "embed", "block"} {
		trained := o.Codec == learned.Name || o.Codec == overfit.Name || o.Codec == vector.Name
		if c.IsSet(name) && o.Codec != circuit.Name && (!trained || name == "block") {
			only := circuit.Name
			if name != "block" {
				only += ", " + learned.Name + ", " + overfit.Name + " or " + vector.Name
			}
			return nil, usagef("encode: --%s is for --codec %s", name, only)
		}
	}
	o.EmbedWeights = c.Bool("embed")
	w, err := s.weights(c)
	if err != nil {
		return nil, err
	}
	o.Weights = listed(w)
	m, _ := w.(*circuit.Model)
	return m, nil
}

// openCollection opens an IDX file or a folder, of which an archive is made. It returns
// nil for anything else.
func openCollection(ctx context.Context, name string) (corpus *dataset.Corpus, kind circuit.Collection, err error) {
	if name == stdio {
		return nil, 0, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return nil, 0, err
	}
	corpus, err = dataset.Open(name, nil)
	if err != nil {
		if info.IsDir() {
			return nil, 0, err
		}
		return nil, 0, nil // the error of a picture is told better where it is read
	}
	if info.IsDir() {
		return corpus, circuit.Pictures, nil
	}
	for e, err := range corpus.All(ctx) {
		if err == nil && e.Picture.Format == "idx" {
			return corpus, circuit.IDX, nil
		}
		break
	}
	return nil, 0, ctx.Err()
}

// An archiveReport is what encode prints of an archive.
type archiveReport struct {
	Input    string  `json:"input"`
	Output   string  `json:"output"`
	Codec    string  `json:"codec"`
	Pictures int     `json:"pictures"`
	Width    int     `json:"width"`
	Height   int     `json:"height"`
	Channels int     `json:"channels"`
	Bytes    int64   `json:"bytes"`
	BPP      float64 `json:"bpp"`
	Ratio    float64 `json:"ratio"` // of the samples, uncompressed, to Bytes
	Seconds  float64 `json:"seconds"`
	modelReport
}

// A modelReport says which model a file needs.
type modelReport struct {
	Model      string `json:"trained_model"` // name, empty if it is not built in
	ID         string `json:"trained_model_id"`
	ModelBytes int    `json:"trained_model_bytes"` // in the file
}

func newModelReport(id circuit.ID, bytes int) modelReport {
	return modelReport{circuit.NameOf(id), fmt.Sprintf("%x", id), bytes}
}

func (r modelReport) String() string {
	text := cmp.Or(r.Model, "model "+r.ID)
	if r.ModelBytes > 0 {
		return fmt.Sprintf("%s inside, %d bytes", text, r.ModelBytes)
	}
	return text + ", not inside"
}

// encodeArchive makes an archive of a corpus.
func (s *streams) encodeArchive(ctx context.Context, c *cli.Command, in, out string, corpus *dataset.Corpus, kind circuit.Collection, m *circuit.Model) error {
	start := time.Now()
	o := &circuit.ArchiveOptions{
		Block: c.Int("block"), Embed: c.Bool("embed"), Workers: c.Int("workers"),
		Collection: kind, CollectionName: collectionName(in),
	}
	if c.IsSet("block") && o.Block == 0 {
		return usagef("encode: blocks of no pictures")
	}
	first, err := firstPicture(ctx, corpus)
	if err != nil {
		return err
	}
	o.Orientation = first.Orientation
	if m == nil {
		if m, err = chooseModel(ctx, corpus, first.Image.Bounds()); err != nil {
			return err
		}
	}
	bar := newProgress(s.stderr, "encoding")
	defer bar.finish()
	report := &archiveReport{Input: in, Output: out, Codec: circuit.Name, Width: m.Width(), Height: m.Height(), Channels: m.Channels()}
	metadata := 0
	err = s.write(ctx, out, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		a, err := circuit.NewArchiveWriter(b, m, o)
		if err != nil {
			return err
		}
		for e, err := range corpus.All(ctx) {
			if err != nil {
				return err
			}
			if err := addPicture(a, e, o); err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			if e.Picture.More {
				bar.note(fmt.Sprintf("burin: %s holds more than one picture; the first is encoded", e.Name))
			}
			if p := &e.Picture.Metadata; len(p.ICC)+len(p.EXIF)+len(p.XMP) > 0 {
				metadata++
			}
			bar.report(float64(a.Len()) / float64(corpus.Len()))
		}
		if err := a.Close(); err != nil {
			return err
		}
		report.Pictures, report.Bytes = a.Len(), a.Written()
		return b.Flush()
	})
	bar.finish()
	if err != nil {
		return err
	}
	if metadata > 0 {
		fmt.Fprintf(s.stderr, "burin: metadata of %d pictures are left out\n", metadata)
	}
	embedded := 0
	if o.Embed {
		embedded = m.Size()
	}
	report.modelReport = newModelReport(m.ID(), embedded)
	pixels := float64(report.Pictures) * float64(m.Width()*m.Height())
	report.BPP = 8 * float64(report.Bytes) / pixels
	report.Ratio = pixels * float64(m.Channels()) / float64(report.Bytes)
	report.Seconds = time.Since(start).Seconds()
	w := s.stdout
	if out == stdio {
		w = s.stderr
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(report)
	}
	_, err = fmt.Fprintf(w, "%s: %d pictures of %d x %d, %s, %d bytes, %.3f bpp, %.2f:1, lossless, %.2f s\n",
		out, report.Pictures, report.Width, report.Height, report.modelReport, report.Bytes, report.BPP, report.Ratio, report.Seconds)
	return err
}

// collectionName returns what an IDX file or a folder is called in an archive.
func collectionName(in string) string {
	if abs, err := filepath.Abs(in); err == nil {
		in = abs
	}
	name := strings.TrimSuffix(filepath.Base(in), ".gz")
	if name == string(filepath.Separator) || name == "." {
		return ""
	}
	return name
}

func firstPicture(ctx context.Context, corpus *dataset.Corpus) (*dataset.Picture, error) {
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return nil, err
		}
		return e.Picture, nil
	}
	return nil, errors.New("no pictures")
}

// chooseModel returns the built-in model that codes a sample of the pictures smallest:
// of those for gray if all are gray, or else for RGB, or with alpha.
func chooseModel(ctx context.Context, corpus *dataset.Corpus, size image.Rectangle) (*circuit.Model, error) {
	if n := corpus.Len(); n > sampleSize {
		var err error
		if corpus, err = corpus.Subset(sampleSize, 1); err != nil {
			return nil, err
		}
	}
	var sample []image.Image
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return nil, err
		}
		sample = append(sample, e.Picture.Image)
	}
	var last error
	for _, channels := range []int{1, 3, 4} {
		models, err := circuit.ModelsFor(size.Dx(), size.Dy(), channels)
		if err != nil {
			return nil, err
		}
		if models == nil {
			continue
		}
		m, err := circuit.Choose(ctx, models, sample)
		if err == nil || ctx.Err() != nil {
			return m, err
		}
		last = err
	}
	if last == nil {
		last = fmt.Errorf("no built-in model%s is for pictures of %d x %d: train one with burin train circuit and name it with --model", builtIn(), size.Dx(), size.Dy())
	}
	return nil, last
}

// addPicture adds an entry of a corpus to an archive.
func addPicture(a *circuit.ArchiveWriter, e *dataset.Entry, o *circuit.ArchiveOptions) error {
	p := e.Picture
	if p.Orientation != o.Orientation {
		return fmt.Errorf("orientation %d, and %d of the pictures before it: an archive has one for all", p.Orientation, o.Orientation)
	}
	if o.Collection == circuit.IDX {
		return a.Write(p.Image, "")
	}
	switch p.Format {
	case "idx", "y4m", "video", "pdf":
		return fmt.Errorf("a file of many pictures (%s) in a folder: encode it by itself", p.Format)
	}
	return a.Write(p.Image, e.Name)
}

// burinHead is how much of a file tells its codec.
const burinHead = len(codec.Magic) + 2

// circuitFile returns a burin file of the circuit codec for random access, and nil for
// any other. What it has read of standard input can be read again.
func (s *streams) circuitFile(name string) (r io.ReaderAt, size int64, done func(), err error) {
	done = func() {}
	ours := func(head []byte) bool {
		return len(head) == burinHead && string(head[:len(codec.Magic)]) == codec.Magic && head[burinHead-1] == circuitID
	}
	if name == stdio {
		b := bufio.NewReader(s.stdin)
		s.stdin = b
		if head, _ := b.Peek(burinHead); !ours(head) {
			return nil, 0, done, nil
		}
		limit := codec.DefaultLimits().MaxBytes
		file, err := io.ReadAll(io.LimitReader(b, limit+1))
		if err != nil {
			return nil, 0, done, err
		}
		if int64(len(file)) > limit {
			return nil, 0, done, fmt.Errorf("%w: more than %d bytes on standard input", codec.ErrTooLarge, limit)
		}
		s.stdin = bytes.NewReader(file)
		return bytes.NewReader(file), int64(len(file)), done, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, done, nil // told where it is read, after mistakes of usage
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		head := make([]byte, burinHead)
		if _, err := f.ReadAt(head, 0); err == nil && ours(head) {
			return f, info.Size(), func() { f.Close() }, nil
		}
	}
	return nil, 0, done, errors.Join(err, f.Close())
}

// circuitID is the ID of the circuit codec in files.
const circuitID = 5

// An openedArchive is an archive and what closes its file.
type openedArchive struct {
	*circuit.ArchiveReader
	close func()
}

// openArchive opens an archive, and returns nil if the file is none.
func (s *streams) openArchive(ctx context.Context, name string, o *codec.DecodeOptions) (*openedArchive, error) {
	return await(ctx, func() (*openedArchive, error) {
		r, size, done, err := s.circuitFile(name)
		if err != nil || r == nil {
			return nil, err
		}
		a, err := circuit.NewArchiveReader(r, size, o)
		if err == nil {
			return &openedArchive{a, done}, nil
		}
		done()
		if errors.Is(err, circuit.ErrNotArchive) {
			return nil, nil
		}
		return nil, err
	})
}

// decodeArchive restores what an archive was made of, or a picture of it.
func (s *streams) decodeArchive(ctx context.Context, c *cli.Command, in string, a *circuit.ArchiveReader) error {
	salvage := c.Bool("salvage")
	if err := a.Err(); err != nil {
		if !salvage && !c.IsSet("picture") {
			return fmt.Errorf("%s is damaged: %w; --salvage decodes what can be", in, err)
		}
		fmt.Fprintf(s.stderr, "burin: %s is damaged: %v\n", in, err)
	}
	if c.IsSet("picture") {
		return s.decodeOne(ctx, c, in, a)
	}
	info := a.Info()
	other := stdio
	if in != stdio {
		other = strings.TrimSuffix(in, ".burin")
		if info.CollectionName != "" {
			other = filepath.Join(filepath.Dir(in), info.CollectionName)
		}
		if !filepath.IsLocal(filepath.Base(other)) {
			return fmt.Errorf("%q cannot be a file name here; name one with -o", info.CollectionName)
		}
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	bar := newProgress(s.stderr, "decoding")
	defer bar.finish()
	d := &archiveDecoder{s: s, a: a, out: out, salvage: salvage, bar: bar, notes: make(map[string]bool)}
	switch {
	case info.Collection == circuit.IDX:
		err = d.idx(ctx)
	case out == stdio:
		err = usagef("decode: an archive of pictures becomes a folder: name one with -o, or one picture with --picture")
	default:
		err = d.folder(ctx)
	}
	bar.finish()
	if err != nil {
		return err
	}
	if d.lost > 0 {
		return fmt.Errorf("%s: %d of %d pictures are lost", in, d.lost, a.Len())
	}
	return a.Err()
}

// decodeOne decodes one picture of an archive.
func (s *streams) decodeOne(ctx context.Context, c *cli.Command, in string, a *circuit.ArchiveReader) error {
	number, err := pictureNumber(a, c.String("picture"))
	if err != nil {
		return err
	}
	name := pictureName(a, number)
	other := path.Base(name)
	if in == stdio {
		other = stdio
	}
	out, err := outputName(c, other)
	if err != nil {
		return err
	}
	ext := ".png"
	if out != stdio {
		ext = strings.ToLower(filepath.Ext(out))
		if !slices.Contains(dataset.Extensions(), ext) {
			return usagef("decode: cannot write %q, only %s", out, strings.Join(dataset.Extensions(), " "))
		}
	}
	m, err := a.Picture(number)
	if err != nil {
		return err
	}
	d := &archiveDecoder{s: s, a: a, notes: make(map[string]bool)}
	return s.write(ctx, out, func(w io.Writer) error { return d.picture(w, m, ext) })
}

func pictureNumber(a *circuit.ArchiveReader, which string) (int, error) {
	for i := range a.Len() {
		if a.Name(i) == which && which != "" {
			return i, nil
		}
	}
	var n int
	if _, err := fmt.Sscanf(which, "%d", &n); err != nil || fmt.Sprint(n) != which {
		return 0, fmt.Errorf("the archive has no picture of name %q", which)
	}
	if n < 0 || n >= a.Len() {
		return 0, fmt.Errorf("the archive has no picture %d, only 0 to %d", n, a.Len()-1)
	}
	return n, nil
}

// pictureName returns the name of the file that a picture becomes: its own, with .png
// behind it if files of its extension cannot be written without loss.
func pictureName(a *circuit.ArchiveReader, i int) string {
	name := a.Name(i)
	if name == "" {
		return fmt.Sprintf("%0*d.png", len(fmt.Sprint(a.Len()-1)), i)
	}
	switch ext := strings.ToLower(path.Ext(name)); {
	case !slices.Contains(dataset.Extensions(), ext),
		ext == ".pgm" && a.Model().Channels() > 1,
		(ext == ".bmp" || ext == ".ppm" || ext == ".pnm") && a.Model().Channels() == 4:
		return name + ".png"
	}
	return name
}

// An archiveDecoder writes the pictures of an archive.
type archiveDecoder struct {
	s       *streams
	a       *circuit.ArchiveReader
	out     string
	salvage bool
	bar     *progress
	lost    int
	notes   map[string]bool // told
}

// each calls f for every picture, and for damaged ones with nil, if they are not to end
// it all.
func (d *archiveDecoder) each(ctx context.Context, f func(i int, m image.Image) error) error {
	return d.a.All(ctx, func(i int, m image.Image, err error) error {
		if err != nil {
			if !d.salvage {
				return fmt.Errorf("%w; --salvage decodes what can be", err)
			}
			d.lost++
			d.bar.note(fmt.Sprintf("burin: %v", err))
		}
		d.bar.report(float64(i+1) / float64(d.a.Len()))
		return f(i, m)
	})
}

// picture writes a picture as a file of an extension.
func (d *archiveDecoder) picture(w io.Writer, m image.Image, ext string) error {
	p := &dataset.Picture{Image: m, Metadata: *d.a.Metadata(), Orientation: d.a.Header().Orientation}
	notes, err := dataset.Write(w, p, ext)
	for _, note := range notes {
		if !d.notes[note] {
			d.notes[note] = true
			fmt.Fprintf(d.s.stderr, "burin: %s\n", note)
		}
	}
	return err
}

// idx writes an IDX file.
func (d *archiveDecoder) idx(ctx context.Context) error {
	m := d.a.Model()
	return d.s.write(ctx, d.out, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		x, err := dataset.NewIDXWriter(b, d.a.Len(), m.Width(), m.Height(), m.Channels())
		if err != nil {
			return err
		}
		if err := d.each(ctx, func(_ int, p image.Image) error {
			if p == nil {
				p = black(m)
			}
			return x.WritePicture(p)
		}); err != nil {
			return err
		}
		return errors.Join(x.Close(), b.Flush())
	})
}

func black(m *circuit.Model) image.Image {
	r := image.Rect(0, 0, m.Width(), m.Height())
	if m.Channels() == 1 {
		return image.NewGray(r)
	}
	p := image.NewNRGBA(r)
	for i := 3; i < len(p.Pix); i += 4 {
		p.Pix[i] = 255
	}
	return p
}

// folder writes a file for each picture. A folder that is not there yet appears under
// its name only when it is complete; in one that is, every file does.
func (d *archiveDecoder) folder(ctx context.Context) error {
	if info, err := os.Stat(d.out); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is a file, and the archive becomes a folder", d.out)
		}
		return d.files(ctx, d.out, d.s.write)
	}
	temporary := filepath.Join(filepath.Dir(d.out), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(d.out), rand.Uint32()))
	if err := os.Mkdir(temporary, 0o777); err != nil {
		return err
	}
	err := d.files(ctx, temporary, func(_ context.Context, name string, f func(io.Writer) error) error {
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		return errors.Join(f(file), file.Close())
	})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(temporary, d.out)
	}
	if err != nil {
		os.RemoveAll(temporary)
	}
	return err
}

// files writes the pictures into a folder by write.
func (d *archiveDecoder) files(ctx context.Context, dir string, write func(ctx context.Context, name string, f func(w io.Writer) error) error) error {
	used := make(map[string]bool, d.a.Len())
	return d.each(ctx, func(i int, m image.Image) error {
		if m == nil {
			return nil
		}
		name := pictureName(d.a, i)
		local := filepath.FromSlash(name)
		if used[name] || !filepath.IsLocal(local) {
			return fmt.Errorf("picture %d: there cannot be a file %q: --picture decodes it under another name", i, name)
		}
		used[name] = true
		file := filepath.Join(dir, local)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		return write(ctx, file, func(w io.Writer) error { return d.picture(w, m, path.Ext(name)) })
	})
}

// An archiveInfo is what info prints of a file of the circuit codec.
type archiveInfo struct {
	Archive    bool   `json:"archive"`
	Pictures   int    `json:"pictures"`
	Block      int    `json:"block"`
	Collection string `json:"collection,omitempty"` // "idx" or "pictures"
	Name       string `json:"name,omitempty"`
	Named      bool   `json:"named"`
	modelReport
}

// archiveInfo describes a file of the circuit codec, and returns nil for any other.
func (s *streams) archiveInfo(name string) (*archiveInfo, error) {
	r, size, done, err := s.circuitFile(name)
	defer done()
	if err != nil || r == nil {
		return nil, err
	}
	info, err := circuit.Stat(r, size, nil)
	if err != nil {
		return nil, err
	}
	a := &archiveInfo{
		Archive: info.Archive, Pictures: info.Pictures, Block: info.Block, Name: info.CollectionName, Named: info.Named,
		modelReport: newModelReport(info.Model, info.ModelBytes),
	}
	if info.Archive {
		a.Collection = "pictures"
		if info.Collection == circuit.IDX {
			a.Collection = "idx"
		}
	}
	return a, nil
}

// print writes lines for a tabwriter.
func (a *archiveInfo) print(w io.Writer) {
	if a.Archive {
		names := ""
		if a.Named {
			names = ", with names"
		}
		kind := "pictures"
		if a.Collection == "idx" {
			kind = "pictures of an IDX file"
		}
		if a.Name != "" {
			kind += fmt.Sprintf(" %q", a.Name)
		}
		fmt.Fprintf(w, "archive\t%d %s%s, in blocks of %d\n", a.Pictures, kind, names, a.Block)
	}
	fmt.Fprintf(w, "trained model\t%s, %s\n", a.modelReport, a.ID)
}
