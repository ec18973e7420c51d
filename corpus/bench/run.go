package bench

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

// Options say what Run measures.
type Options struct {
	Corpus  *dataset.Corpus
	Codecs  []*Codec
	Metrics metric.Set

	// Journal is the file that rows are appended to. What it holds is not measured
	// again.
	Journal string

	// RetryFailed measures again what failed.
	RetryFailed bool

	// Temp is a folder for files to exchange with programs. It is emptied.
	Temp string

	// Pictures is a folder that gets the original and all decoded pictures, as
	// PNG, of the first Keep pictures of the corpus, see PictureDir and
	// PictureFile.
	Pictures string
	Keep     int

	// Jobs is how many pictures are coded at once, at least 1. With more than one,
	// codecs in this process have neither CPU time nor memory.
	Jobs int

	// Workers is how many goroutines codecs of burin may use, at least 1.
	Workers int

	// Repeat is how often a picture is coded, at least 1; the cost is the median.
	Repeat int

	// Timeout ends the coding of one picture and makes it a failed row.
	Timeout time.Duration

	// Progress, unless nil, is called after every row and every picture.
	Progress func(Progress)
}

// A Progress says how far a run has come.
type Progress struct {
	Pictures   int     // read so far
	Total      int     // of pictures to read, -1 if not known
	Measured   int     // rows
	Reused     int     // rows that the journal had
	Failed     int     // rows, of those measured
	Same       int     // rows not measured because an equal picture had been
	Unreadable []error // pictures that could not be read
	Row        *Row    // the last one measured, may be nil
}

// PictureDir returns the name of the folder of a picture among those kept.
func PictureDir(picture string) string { return picture[:min(16, len(picture))] }

// OriginalFile is the name of the original in the folder of a picture.
const OriginalFile = "original.png"

// PictureFile returns the file name, without a folder, of what was decoded of a
// curve at a rate. It consists of ASCII letters, digits, '-', '_' and '.', does not
// start with a dot and differs between different arguments.
func PictureFile(curve, rate string) string {
	name := curve
	if rate != "" {
		name += "-" + rate
	}
	b := []byte(name)
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0) {
			b[i] = '_'
		}
	}
	const longest = 80 // file systems take 255
	hash := sha256.Sum256([]byte(curve + "\x00" + rate))
	return fmt.Sprintf("%s-%x.png", b[:min(len(b), longest)], hash[:4])
}

var errTimeout = errors.New("took longer than it may")

// A task is a row to measure.
type task struct {
	in       *Input
	last     bool // of its picture
	row      Row
	codec    *Codec
	picture  string // file to keep the decoded picture in, or empty
	have     bool   // the journal has the row, only the picture is missing
	progress Progress

	done chan struct{}
	err  error
}

// Run measures all codecs on all pictures. Rows are appended in the order of the
// corpus whatever the number of jobs, so that a run that was ended at any point
// and started again writes the same journal, but for the costs. It ends soon after
// ctx is done. Failed rows are no error.
func Run(ctx context.Context, o *Options) (Progress, error) {
	if o.Jobs < 1 || o.Workers < 1 || o.Repeat < 1 || o.Timeout <= 0 {
		return Progress{}, errors.New("bench: jobs, workers, repeat and timeout must be positive")
	}
	j, err := openJournal(o.Journal)
	if err != nil {
		return Progress{}, err
	}
	defer j.close()
	if err := os.RemoveAll(o.Temp); err != nil {
		return Progress{}, err
	}
	defer os.RemoveAll(o.Temp)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // before waiting

	// Tasks go to the workers and, in order, to this goroutine.
	tasks := make(chan *task)
	ordered := make(chan *task, 2*o.Jobs)
	var readErr error
	wg.Go(func() {
		defer close(ordered)
		defer close(tasks)
		readErr = o.produce(ctx, j, func(t *task) bool {
			for _, c := range []chan *task{ordered, tasks} {
				if c == tasks && t.codec == nil {
					close(t.done)
					break
				}
				select {
				case c <- t:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	})
	for range o.Jobs {
		wg.Go(func() {
			for t := range tasks {
				t.err = o.measure(ctx, t)
				close(t.done)
			}
		})
	}

	var p Progress
	for t := range ordered {
		select {
		case <-t.done:
		case <-ctx.Done():
			// What is complete is kept.
			select {
			case <-t.done:
			default:
				return p, ctx.Err()
			}
		}
		if t.err != nil {
			return p, t.err
		}
		p.Pictures, p.Total, p.Reused, p.Same, p.Unreadable = t.progress.Pictures, t.progress.Total, t.progress.Reused, t.progress.Same, t.progress.Unreadable
		p.Row = nil
		if t.codec != nil && !t.have {
			if err := j.add(&t.row); err != nil {
				return p, err
			}
			p.Row = &t.row
			p.Measured++
			if t.row.Error != "" {
				p.Failed++
			}
		}
		if t.last {
			if err := t.in.close(); err != nil {
				return p, err
			}
		}
		if o.Progress != nil {
			o.Progress(p)
		}
	}
	return p, cmp.Or(readErr, ctx.Err())
}

// produce calls emit with all tasks until it returns false. The last task of a
// picture has no codec: it is there for the progress, and to clear up.
func (o *Options) produce(ctx context.Context, j *journal, emit func(*task) bool) error {
	p := Progress{Total: o.Corpus.Len()}
	fresh := make(map[[16]byte]bool) // claimed in this run
	for e, err := range o.Corpus.All(ctx) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.Pictures++
		if err != nil {
			p.Unreadable = append(p.Unreadable, err)
			if !emit(&task{progress: p, done: make(chan struct{})}) {
				return ctx.Err()
			}
			continue
		}
		in, err := newInput(e.Picture.Image, filepath.Join(o.Temp, fmt.Sprintf("%07d", e.Index)))
		if err != nil {
			return err
		}
		in.workers, in.exclusive = o.Workers, o.Jobs == 1
		hash, err := dataset.Hash(in.Image)
		if err != nil {
			return err
		}
		size := in.Image.Bounds().Size()
		var under *task // the last one under way
		dir := ""
		if o.Pictures != "" && e.Index < o.Keep {
			dir = filepath.Join(o.Pictures, PictureDir(hash))
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			if err := keepPicture(filepath.Join(dir, OriginalFile), in.Image); err != nil {
				return err
			}
		}
		for _, c := range o.Codecs {
			for _, rate := range c.Rates {
				t := &task{in: in, codec: c, done: make(chan struct{}), row: Row{
					Corpus: o.Corpus.Name(), Name: e.Name, Picture: hash,
					Width: size.X, Height: size.Y, Planes: in.Planes, Depth: in.Depth,
					Curve: c.Curve, Rate: rate, Version: c.Version, Command: c.Command(rate),
				}}
				found, failed := j.claim(t.row.Key(), c.Version, o.RetryFailed)
				if dir != "" && !(found && failed) {
					t.picture = filepath.Join(dir, PictureFile(c.Curve, rate))
				}
				d := digest(t.row.Key(), c.Version)
				if found {
					if fresh[d] {
						p.Same++
						continue
					}
					p.Reused++
					if t.picture == "" || exists(t.picture) {
						continue
					}
					t.have = true
				}
				fresh[d] = true
				t.progress = p
				if !emit(t) {
					return ctx.Err()
				}
				under = t
			}
		}
		if in.exclusive && under != nil {
			// Reading the next picture would show in the CPU time.
			select {
			case <-under.done:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if !emit(&task{in: in, last: true, progress: p, done: make(chan struct{})}) {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// keepPicture writes a PNG file unless it is there.
func keepPicture(name string, m image.Image) error {
	if exists(name) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(png.Encode(f, m), f.Close()); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// measure fills in the row of a task. It returns an error if the run cannot go on;
// what goes wrong with the codec is in the row.
func (o *Options) measure(ctx context.Context, t *task) error {
	var encode, decode []Usage
	var decoded image.Image
	for range o.Repeat {
		out, err := o.code(ctx, t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			t.row.Error, t.row.Bytes = err.Error(), 0
			return nil
		}
		if decoded == nil {
			t.row.Bytes, decoded = out.Bytes, out.Decoded
		}
		encode, decode = append(encode, out.Encode), append(decode, out.Decode)
	}
	values, err := metric.Compare(t.in.Image, decoded, o.Metrics)
	if err != nil {
		t.row.Error, t.row.Bytes = err.Error(), 0
		return nil
	}
	e, d := median(encode), median(decode)
	t.row.Metrics = values
	t.row.Cost = Cost{
		Machine: machine(), Runs: o.Repeat,
		EncodeWall: e.Wall, EncodeCPU: e.CPU, EncodeMemory: e.Memory,
		DecodeWall: d.Wall, DecodeCPU: d.CPU, DecodeMemory: d.Memory,
	}
	if t.picture == "" {
		return nil
	}
	return keepPicture(t.picture, decoded)
}

// code runs the codec once. A codec that panics has failed like any other.
func (o *Options) code(ctx context.Context, t *task) (out *Output, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("%w: %v", errTimeout, o.Timeout))
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		} else if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
			err = context.Cause(ctx)
		}
	}()
	return t.codec.Code(ctx, t.in, t.row.Rate)
}
