package dataset

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/burin-codec/burin/codec"
)

const (
	// maxPictures is the largest number of pictures in a corpus whose number is
	// known.
	maxPictures = 1 << 26
	// maxStep is the largest number of shards, also of shards of shards. The index
	// of a picture plus a step fits an int of 32 bits.
	maxStep = 1 << 29
)

// Options say how a corpus or a clip is opened. Begin from DefaultOptions: the zero
// Options are not valid, since their limits are 0.
type Options struct {
	// Limits bound each picture. MaxBytes is for a picture and for the file of a
	// single picture. Files of many pictures may be larger, and MaxFrames does
	// not count, since their pictures are read one at a time.
	Limits codec.Limits

	// Stdin is read where a path is "-". It may be nil.
	Stdin io.Reader

	// DPI is how many pixels an inch of a PDF page becomes, at most 2400. 0 means
	// DefaultDPI.
	DPI float64
}

// DefaultDPI makes about 1240 x 1754 pixels of a page of A4.
const DefaultDPI = 150

// DefaultOptions returns what nil Options mean: codec.DefaultLimits, no standard
// input and DefaultDPI.
func DefaultOptions() *Options {
	return &Options{Limits: codec.DefaultLimits(), DPI: DefaultDPI}
}

// resolve returns a checked copy of o.
func (o *Options) resolve() (*Options, error) {
	if o == nil {
		o = DefaultOptions()
	}
	c := *o
	l := c.Limits
	if l.MaxPixels < 1 || l.MaxBytes < 1 || l.MaxFrames < 1 || l.MaxModelBytes < 1 {
		return nil, codec.OptionError(fmt.Sprintf("limits %+v: each must be more than 0", l))
	}
	if !(c.DPI >= 0 && c.DPI <= 2400) { // nor NaN
		return nil, codec.OptionError(fmt.Sprintf("DPI %v is not from 0 to 2400", c.DPI))
	}
	if c.DPI == 0 {
		c.DPI = DefaultDPI
	}
	return &c, nil
}

// A Corpus is an ordered collection of pictures that are read one at a time. It may
// be used by several goroutines at once, unless it is read from a pipe.
type Corpus struct {
	name    string
	parts   []part
	total   int // pictures in all parts, or -1 if that is not known
	options *Options

	// Selected are the pictures start, start+step, and so on, where start < step,
	// or, if chosen is not nil, those.
	start, step int
	chosen      []int
}

// A part of a corpus is a file, or what else pictures are read from in sequence.
type part struct {
	name  string // in the corpus
	path  string
	kind  kind
	count int   // pictures, or -1 if that is not known
	err   error // why the part cannot be read
	// open, where it is set, is what opens the part instead.
	open func() (sequence, error)
}

// A sequence reads the pictures of a part in order.
type sequence interface {
	// Next returns io.EOF after the last picture.
	Next() (*Picture, error)
	// Skip passes over the next picture without decoding it.
	Skip() error
}

// An Entry is a picture in a corpus.
type Entry struct {
	Name    string   // unique in the corpus
	Index   int      // in the whole corpus that was opened, from 0
	Picture *Picture // nil where there is an error
}

var (
	errIsFolder     = errors.New("is a folder")
	errPicturesGone = errors.New("dataset: the file has fewer pictures than when it was opened")
	errStdinTwice   = errors.New("dataset: standard input can be read only once")
)

// Open opens what a path names:
//
//   - a picture file that Read knows
//   - an IDX file of pictures, as MNIST has them, plain or compressed by gzip: of
//     unsigned bytes, gray or RGB. Its labels are not read
//   - a y4m clip, each frame a picture in RGB as Frame.RGB converts it
//   - "-": a y4m clip on standard input. Anything else that is neither file nor
//     folder, such as a named pipe, is taken for a y4m clip, too
//   - another video, by way of a program ffmpeg on the PATH, see OpenClip
//   - a PDF file, each page a picture, in a program with package corpus/dataset/fitz
//     and built with -tags fitz; otherwise there is ErrNoPDF
//   - a folder of all that and of folders, in the order of the slash-separated names
//     of its files. Files of unknown format and IDX files of labels are left out, as
//     are hidden files and folders; symbolic links are followed to files, not to
//     folders
//
// The name of a picture is that of its file, relative to the folder if one was
// opened. Pictures in a file of several have a number after it, from 0 in IDX files
// and videos, such as "train-images-idx3-ubyte.gz#00012" and "clip.y4m#0003", from 1
// in PDF files, such as "doc.pdf#1".
//
// Only what is needed to count the pictures is read of the files now. Whatever is
// wrong with one in a folder comes up as an error of All in its place. Nil Options
// are DefaultOptions.
func Open(path string, o *Options) (*Corpus, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c := &Corpus{options: o, step: 1}
	if path == "-" {
		if o.Stdin == nil {
			return nil, errors.New("dataset: no standard input is at hand")
		}
		var used atomic.Bool
		c.name = "stdin"
		c.parts = []part{{name: c.name, path: path, kind: kindStdin, count: -1, open: func() (sequence, error) {
			if used.Swap(true) {
				return nil, errStdinTwice
			}
			return openFrames(context.Background(), path, kindStdin, o)
		}}}
		return c, c.count()
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c.name = filepath.Base(full)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if err := c.walk(path); err != nil {
			return nil, err
		}
		return c, c.count()
	}
	kind, err := sniffFile(path)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindUnknown:
		return nil, fmt.Errorf("%s: %w", path, ErrFormat)
	case kindLabels:
		return nil, fmt.Errorf("%s: dataset: IDX file with fewer than three dimensions, which holds no pictures", path)
	}
	p := newPart(c.name, path, kind, o)
	if p.err != nil {
		return nil, fmt.Errorf("%s: %w", path, p.err)
	}
	c.parts = []part{p}
	return c, c.count()
}

// Samples returns a corpus of n pictures of w x h pixels that look like nature to a
// codec: those of DeadLeaves for the seeds 1 to n, with names such as "sample#0001".
// It panics unless n is from 1 to 1<<26 and the size is one that DeadLeaves makes.
func Samples(n, w, h int) *Corpus {
	if n < 1 || n > maxPictures || w < 1 || h < 1 || w > MaxLeaves || h > MaxLeaves || int64(w)*int64(h) > MaxLeaves {
		panic("dataset: Samples: number or size out of range")
	}
	p := part{name: "sample", kind: kindSample, count: n, open: func() (sequence, error) {
		return &sampleMaker{count: n, w: w, h: h}, nil
	}}
	return &Corpus{name: "sample", parts: []part{p}, total: n, options: DefaultOptions(), step: 1}
}

// walk collects the files of a folder.
func (c *Corpus) walk(root string) error {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != root && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		p := part{name: filepath.ToSlash(name), path: path, count: 1}
		if p.kind, p.err = sniffFile(path); p.err == nil {
			if p.kind == kindUnknown || p.kind == kindLabels {
				return nil
			}
			p = newPart(p.name, path, p.kind, c.options)
		}
		c.parts = append(c.parts, p)
		return nil
	})
	if err != nil {
		return err
	}
	if len(c.parts) == 0 {
		return fmt.Errorf("dataset: no pictures in %s", root)
	}
	slices.SortFunc(c.parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return nil
}

// count adds up the pictures of the parts.
func (c *Corpus) count() error {
	c.total = 0
	for _, p := range c.parts {
		if p.count < 0 {
			c.total = -1
			return nil
		}
		if c.total += p.count; c.total > maxPictures {
			return fmt.Errorf("%w: %s has more than %d pictures", codec.ErrTooLarge, c.name, maxPictures)
		}
	}
	return nil
}

// newPart counts the pictures of a file of a known kind. What it cannot count it
// takes for one picture that cannot be read.
func newPart(name, path string, kind kind, o *Options) part {
	p := part{name: name, path: path, kind: kind, count: 1}
	switch kind {
	case kindIDX:
		d, f, err := openIDX(path, &o.Limits)
		if p.err = err; err == nil {
			p.count = d.count
			f.Close()
		}
	case kindY4M:
		f, err := os.Open(path)
		if p.err = err; err != nil {
			break
		}
		defer f.Close()
		info, err := f.Stat()
		if p.err = err; err != nil {
			break
		}
		p.count, p.err = countY4M(f, info.Size(), o.Limits)
	case kindPDF:
		pages, err := openPDF(path, o)
		if p.err = err; err == nil {
			p.count = pages.Len()
			p.err = pages.Close()
		}
	case kindVideo, kindPipe:
		p.count = -1
	}
	if p.err != nil {
		p.count = 1
	}
	return p
}

// pictureName returns the name of picture i of the part.
func (p *part) pictureName(i int) string {
	switch {
	case p.err != nil || p.kind == kindPicture:
		return p.name
	case p.kind == kindIDX:
		return fmt.Sprintf("%s#%05d", p.name, i)
	case p.kind == kindPDF:
		return fmt.Sprintf("%s#%d", p.name, i+1)
	case p.kind == kindSample:
		return fmt.Sprintf("%s#%04d", p.name, i+1)
	}
	return fmt.Sprintf("%s#%04d", p.name, i)
}

// start opens the part. A sequence that is an io.Closer must be closed.
func (p *part) start(ctx context.Context, o *Options) (sequence, error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.open != nil {
		return p.open()
	}
	switch p.kind {
	case kindPicture:
		return &pictureFile{path: p.path, limits: o.Limits}, nil
	case kindIDX:
		d, f, err := openIDX(p.path, &o.Limits)
		if err != nil {
			return nil, err
		}
		return struct {
			*idxReader
			io.Closer
		}{d, f}, nil
	case kindPDF:
		pages, err := openPDF(p.path, o)
		if err != nil {
			return nil, err
		}
		return &pdfReader{Pages: pages}, nil
	}
	return openFrames(ctx, p.path, p.kind, o)
}

// A pictureFile is a sequence of one picture.
type pictureFile struct {
	path   string
	limits codec.Limits
}

func (f *pictureFile) Next() (*Picture, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return Read(r, f.limits)
}

func (f *pictureFile) Skip() error { return nil }

// clipFrames is a sequence of the frames of a clip.
type clipFrames struct {
	*Clip
	format string
}

func openFrames(ctx context.Context, path string, kind kind, o *Options) (sequence, error) {
	clip, err := openClip(ctx, path, kind, o)
	if err != nil {
		return nil, err
	}
	format := "y4m"
	if kind == kindVideo {
		format = "video"
	}
	return &clipFrames{clip, format}, nil
}

func (c *clipFrames) Next() (*Picture, error) {
	f, err := c.Clip.Next()
	if err != nil {
		return nil, err
	}
	return &Picture{Image: f.RGB(), Orientation: 1, Format: c.format}, nil
}

// A sampleMaker is a sequence of generated pictures.
type sampleMaker struct {
	count, w, h int
	next        int
}

func (s *sampleMaker) Next() (*Picture, error) {
	s.next++
	return &Picture{Image: DeadLeaves(s.w, s.h, uint64(s.next)), Orientation: 1, Format: "sample"}, nil
}

func (s *sampleMaker) Skip() error {
	s.next++
	return nil
}

// Name returns the base name of what was opened, "stdin", or "sample".
func (c *Corpus) Name() string { return c.name }

// Len returns how many pictures are selected, those that cannot be read included, or
// -1 if that is not known before they are read, as of pipes and of videos that
// ffmpeg reads.
func (c *Corpus) Len() int {
	switch {
	case c.chosen != nil:
		return len(c.chosen)
	case c.total < 0:
		return -1
	case c.start >= c.total:
		return 0
	}
	return (c.total-c.start-1)/c.step + 1
}

// Shard returns the part i of n, 1 <= i <= n, of the corpus: its pictures i-1, i-1+n,
// i-1+2n and so on. n is at most 1<<29, also in the product for shards of shards.
func (c *Corpus) Shard(i, n int) (*Corpus, error) {
	if i < 1 || i > n || n > maxStep/c.step {
		return nil, codec.OptionError(fmt.Sprintf("shard %d of %d", i, n))
	}
	s := *c
	if c.chosen != nil {
		s.chosen = []int{}
		for at := i - 1; at < len(c.chosen); at += n {
			s.chosen = append(s.chosen, c.chosen[at])
		}
		return &s, nil
	}
	s.start += c.step * (i - 1)
	s.step *= n
	return &s, nil
}

// Subset returns n of the pictures, in order: those whose names give the smallest
// hashes together with the seed. So the pictures of a smaller subset are in every
// larger one with the same seed. The hash is the first 8 bytes of the SHA-256 of
// the seed, as 8 big-endian bytes, and the name. It is an error if there are fewer
// than n pictures or if their number is not known.
func (c *Corpus) Subset(n int, seed uint64) (*Corpus, error) {
	have := c.Len()
	if have < 0 {
		return nil, fmt.Errorf("dataset: no subset of %s: the number of its pictures is not known", c.name)
	}
	if n < 1 || n > have {
		return nil, codec.OptionError(fmt.Sprintf("subset of %d of the %d pictures of %s", n, have, c.name))
	}
	// The smallest n so far, the largest of them first.
	var kept hashHeap
	sum := binary.BigEndian.AppendUint64(nil, seed)
	cursor := c.cursor()
	base := 0
	for i := range c.parts {
		p := &c.parts[i]
		for ; cursor.index < base+p.count; cursor.advance() {
			hash := sha256.Sum256(append(sum[:8], p.pictureName(cursor.index-base)...))
			h := hashed{binary.BigEndian.Uint64(hash[:]), cursor.index}
			switch {
			case len(kept) < n:
				heap.Push(&kept, h)
			case h.less(kept[0]):
				kept[0] = h
				heap.Fix(&kept, 0)
			}
		}
		base += p.count
	}
	s := *c
	s.chosen = make([]int, len(kept))
	for i, h := range kept {
		s.chosen[i] = h.index
	}
	slices.Sort(s.chosen)
	return &s, nil
}

// hashed is the hash of the name of a picture.
type hashed struct {
	hash  uint64
	index int
}

func (h hashed) less(o hashed) bool {
	return h.hash < o.hash || h.hash == o.hash && h.index < o.index
}

// A hashHeap is a heap.Interface with the largest hash on top.
type hashHeap []hashed

func (h hashHeap) Len() int           { return len(h) }
func (h hashHeap) Less(i, j int) bool { return h[j].less(h[i]) }
func (h hashHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashHeap) Push(x any)        { *h = append(*h, x.(hashed)) }
func (h *hashHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// A cursor goes through the indices of the selected pictures.
type cursor struct {
	corpus *Corpus
	at     int
	index  int // math.MaxInt at the end
}

func (c *Corpus) cursor() *cursor {
	r := &cursor{corpus: c, at: -1}
	r.advance()
	return r
}

func (r *cursor) advance() {
	c := r.corpus
	r.at++
	switch {
	case c.chosen == nil:
		r.index = c.start + r.at*c.step
	case r.at < len(c.chosen):
		r.index = c.chosen[r.at]
	default:
		r.index = math.MaxInt
	}
}

// All reads the selected pictures in order, one at a time; what has been handed out
// is not held on to. With a picture that cannot be read comes an error that names it,
// and an Entry with its name and index, and the next picture follows. Where a file of
// many breaks off, there is one error for all that is missing. When ctx is done, the
// last thing to come is its error, once the picture at hand is read. Standard input
// and pipes can be read only once.
//
// Pictures that are not selected are not decoded, and files without a selected one
// are not opened unless the pictures in them have to be counted.
func (c *Corpus) All(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		r := &run{ctx, c.options, c.cursor(), yield}
		base := 0
		for i := range c.parts {
			p := &c.parts[i]
			n := p.count
			if n < 0 || r.cursor.index < base+n {
				var ok bool
				if n, ok = r.part(p, base); !ok {
					return
				}
			}
			base += n
		}
	}
}

// A run is one iteration over a corpus.
type run struct {
	ctx     context.Context
	options *Options
	cursor  *cursor
	yield   func(*Entry, error) bool
}

// part reads the selected pictures of a part, of which the first has index base in
// the corpus. It returns how many pictures the part has, and whether to go on.
func (r *run) part(p *part, base int) (n int, ok bool) {
	var s sequence
	var err error
	if r.ctx.Err() == nil {
		s, err = p.start(r.ctx, r.options)
	}
	if closer, ok := s.(io.Closer); ok {
		defer closer.Close()
	}
	for at := 0; p.count < 0 || r.cursor.index < base+p.count; at++ {
		want := r.cursor.index - base
		for ; err == nil && at < want && r.ctx.Err() == nil; at++ {
			if err = s.Skip(); err != nil {
				break
			}
		}
		e := &Entry{Name: p.pictureName(want), Index: r.cursor.index}
		if err == nil && r.ctx.Err() == nil {
			e.Picture, err = s.Next()
		}
		if ctxErr := r.ctx.Err(); ctxErr != nil {
			e.Picture = nil
			r.yield(e, ctxErr)
			return 0, false
		}
		if err == io.EOF {
			if p.count < 0 {
				return at, true
			}
			err = errPicturesGone
		}
		if err == nil || p.kind == kindPDF && s != nil {
			// The pages of a document do not depend on each other.
			if err != nil {
				err = fmt.Errorf("%s: %w", e.Name, err)
			}
			if !r.yield(e, err) {
				return 0, false
			}
			r.cursor.advance()
			err = nil
			continue
		}
		// Nothing can be read from here on. In a part of unknown length, this
		// is its last picture.
		n = p.count
		if n < 0 {
			n = at + 1
		}
		if want >= n {
			return n, true
		}
		if !r.yield(e, fmt.Errorf("%s: %w", e.Name, err)) {
			return 0, false
		}
		for r.cursor.index < base+n {
			r.cursor.advance()
		}
		return n, true
	}
	return p.count, true
}
