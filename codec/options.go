package codec

import (
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// The effort scale is one for all codecs: 1 takes milliseconds a megapixel, each
// step takes longer and codes smaller or better, 9 takes all it can use.
const (
	MinEffort     = 1
	DefaultEffort = 5
	MaxEffort     = 9
)

// A TargetKind is what an encoder aims at.
type TargetKind uint8

const (
	// TargetLossless keeps every sample. It is the zero value.
	TargetLossless TargetKind = iota
	// TargetQuality aims at a visual quality from 0 to 100.
	TargetQuality
	// TargetBPP aims at a number of bits per pixel, more than 0 and at most
	// 1024, the whole file counted.
	TargetBPP
	// TargetPSNR aims at a peak signal-to-noise ratio in dB, more than 0 and at
	// most 200.
	TargetPSNR
	// TargetSize aims at a file of at most this many bytes, a whole number of 1
	// or more.
	TargetSize
)

func (k TargetKind) String() string {
	switch k {
	case TargetLossless:
		return "lossless"
	case TargetQuality:
		return "quality"
	case TargetBPP:
		return "bits per pixel"
	case TargetPSNR:
		return "PSNR"
	case TargetSize:
		return "size"
	}
	return "TargetKind(" + strconv.Itoa(int(k)) + ")"
}

// A Target is what an encoder aims at and how much of it. The zero Target is
// lossless.
type Target struct {
	Kind  TargetKind
	Value float64 // in the unit of Kind; 0 for TargetLossless
}

func (t Target) check() error {
	v := t.Value
	var ok bool
	switch t.Kind {
	case TargetLossless:
		ok = v == 0
	case TargetQuality:
		ok = v >= 0 && v <= 100
	case TargetBPP:
		ok = v > 0 && v <= 1024
	case TargetPSNR:
		ok = v > 0 && v <= 200
	case TargetSize:
		ok = v >= 1 && v <= 1<<53 && v == math.Trunc(v)
	default:
		return OptionError("target of unknown kind " + strconv.Itoa(int(t.Kind)))
	}
	if !ok {
		return OptionError(fmt.Sprintf("target %v of %v", t.Kind, v))
	}
	return nil
}

// Options control an encoder. Begin from [DefaultOptions]: the zero Options are
// not valid, since 0 is neither an effort nor an orientation.
type Options struct {
	// Codec is the name of a registered codec. Empty means the one of lowest
	// ID that can aim at Target.
	Codec string

	// Effort is how hard to try, from MinEffort to MaxEffort.
	Effort int

	// Target is what to aim at. The zero Target is lossless.
	Target Target

	// Workers is how many goroutines may work at once. 0 means GOMAXPROCS. The
	// file is the same for any number.
	Workers int

	// Weights are the trained models that the codec may encode with, of which it
	// takes the best. Nil means those it comes with. A codec that uses none ignores
	// them, and one that does refuses those of another.
	Weights []Weights

	// EmbedWeights puts the trained model that was used into the file, which by default
	// holds no more of it than its name.
	EmbedWeights bool

	// Packets, if above 1, cuts what is coded into that many parts, at most
	// MaxPackets, any of which a decoder that conceals can do without, see
	// DecodeOptions.Conceal. Files are larger for it. 0 and 1 mean one part. A codec
	// that cannot do so (see [Codec].Packets) is refused.
	Packets int

	// Metadata is stored beside the picture. Nil means none.
	Metadata *Metadata

	// Orientation is the EXIF orientation to note in the header, 1 to 8.
	// 1 means that the picture is upright.
	Orientation int

	// TimeLimit, if above 0, is how long Encode may take: the best that can be done by
	// then is coded, by the clock and not by the byte the same each time. 0 means as
	// long as Effort and Target take. A codec that cannot keep to a limit (see
	// [Codec].Anytime) is refused rather than late. What cannot be cut, which is about
	// the time to decode the file, may come on top.
	TimeLimit time.Duration

	// Stop, unless nil, ends Encode soon after it is closed, with the best file so far
	// if the codec is Anytime, and with ErrStopped if not. That is other than
	// cancelling the context, after which there is no file.
	Stop <-chan struct{}

	// Progress, unless nil, is called with the share done, from 0 to 1, never
	// falling. Calls do not overlap but may come from different goroutines, and
	// the encoder waits for them.
	Progress func(done float64)

	// Status, unless nil, is called as Progress is, by codecs that have more to tell,
	// perhaps many times a second.
	Status func(Status)
}

// MaxPackets is the largest Options.Packets.
const MaxPackets = 64

// Weights are a trained model of a codec that needs one. The codec's package says
// which types it takes.
type Weights interface {
	// Hash returns the SHA-256 that names the model in files.
	Hash() [sha256.Size]byte
}

// DefaultOptions returns what nil Options mean: the first registered lossless
// codec, DefaultEffort, as many workers as GOMAXPROCS, no metadata, orientation
// 1, no time limit and no progress.
func DefaultOptions() *Options {
	return &Options{Effort: DefaultEffort, Orientation: 1}
}

// resolve returns a checked copy of o in which Workers is at least 1, Metadata
// is not nil and Progress may be called at any time.
func (o *Options) resolve() (*Options, error) {
	if o == nil {
		o = DefaultOptions()
	}
	c := *o
	if c.Effort < MinEffort || c.Effort > MaxEffort {
		return nil, OptionError(fmt.Sprintf("effort %d is not from %d to %d", c.Effort, MinEffort, MaxEffort))
	}
	if c.Orientation < 1 || c.Orientation > 8 {
		return nil, OptionError(fmt.Sprintf("orientation %d is not from 1 to 8", c.Orientation))
	}
	if err := c.Target.check(); err != nil {
		return nil, err
	}
	if c.Packets < 0 || c.Packets > MaxPackets {
		return nil, OptionError(fmt.Sprintf("%d packets, want 0 to %d", c.Packets, MaxPackets))
	}
	if c.TimeLimit < 0 {
		return nil, OptionError(fmt.Sprintf("time limit %v is negative", c.TimeLimit))
	}
	if err := resolveWorkers(&c.Workers); err != nil {
		return nil, err
	}
	if c.Metadata == nil {
		c.Metadata = new(Metadata)
	}
	if err := c.Metadata.check(); err != nil {
		return nil, err
	}
	c.Progress = monotonic(c.Progress)
	return &c, nil
}

// Limits bound what a decoder may spend. All must be more than 0; there is no
// value that means no limit.
type Limits struct {
	MaxPixels     int64 // width times height
	MaxBytes      int64 // of the decoded picture, and of the file
	MaxFrames     int   // of a film
	MaxModelBytes int64 // of weights that travel with the picture
}

// DefaultLimits returns the limits of [DefaultDecodeOptions]: 1<<28 pixels, 1<<30
// bytes, 1<<16 frames and 1<<26 bytes of weights.
func DefaultLimits() Limits {
	return Limits{MaxPixels: 1 << 28, MaxBytes: 1 << 30, MaxFrames: 1 << 16, MaxModelBytes: 1 << 26}
}

func (l *Limits) check() error {
	if l.MaxPixels < 1 || l.MaxBytes < 1 || l.MaxFrames < 1 || l.MaxModelBytes < 1 {
		return OptionError(fmt.Sprintf("limits %+v: each must be more than 0", *l))
	}
	return nil
}

// DecodeOptions control a decoder. Begin from [DefaultDecodeOptions]: the zero
// DecodeOptions are not valid, since their limits are 0.
type DecodeOptions struct {
	// Workers is how many goroutines may work at once. 0 means GOMAXPROCS. The
	// picture is the same for any number.
	Workers int

	// Limits bound the memory that a file can ask for.
	Limits Limits

	// Weights are trained models that the file may name, beside those that its codec
	// comes with.
	Weights []Weights

	// Conceal makes up for parts of the picture that are missing or fail their
	// checksum, of files that were coded with Options.Packets: what they would have
	// been is guessed from the rest. Without it, and of other files, damage is an
	// error.
	Conceal bool

	// Progress is as in Options.
	Progress func(done float64)
}

// DefaultDecodeOptions returns what nil DecodeOptions mean: as many workers as
// GOMAXPROCS, DefaultLimits and no progress.
func DefaultDecodeOptions() *DecodeOptions {
	return &DecodeOptions{Limits: DefaultLimits()}
}

// resolve is as the one of Options.
func (o *DecodeOptions) resolve() (*DecodeOptions, error) {
	if o == nil {
		o = DefaultDecodeOptions()
	}
	c := *o
	if err := c.Limits.check(); err != nil {
		return nil, err
	}
	if err := resolveWorkers(&c.Workers); err != nil {
		return nil, err
	}
	c.Progress = monotonic(c.Progress)
	return &c, nil
}

func resolveWorkers(n *int) error {
	switch {
	case *n < 0:
		return OptionError("workers " + strconv.Itoa(*n))
	case *n == 0:
		*n = runtime.GOMAXPROCS(0)
	}
	return nil
}

// monotonic returns a function that passes on to f only what is more than
// before and at most 1, one call at a time.
func monotonic(f func(float64)) func(float64) {
	if f == nil {
		return func(float64) {}
	}
	var mu sync.Mutex
	last := math.Inf(-1)
	return func(done float64) {
		mu.Lock()
		defer mu.Unlock()
		if done = min(max(done, 0), 1); done > last {
			last = done
			f(done)
		}
	}
}
