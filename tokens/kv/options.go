package kv

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

var (
	// ErrOption is wrapped by the errors about options that make no sense.
	ErrOption = errors.New("kv: unsuitable option")

	// ErrShape is wrapped by the errors about tensors that do not fit.
	ErrShape = errors.New("kv: unsuitable shape")

	// ErrValue is wrapped by the errors about numbers that are not finite, or beyond
	// [MaxMagnitude].
	ErrValue = errors.New("kv: unsuitable number")

	// ErrFormat is wrapped by the errors about files that no encoder wrote.
	ErrFormat = errors.New("kv: malformed file")

	// ErrTooLarge is wrapped by the errors about files that exceed the [Limits].
	ErrTooLarge = errors.New("kv: file exceeds the limits")
)

// A Format is how precisely a number is kept.
type Format uint8

const (
	Dropped Format = iota + 1 // not at all
	Bits1                     // 2 levels
	Mixed                     // "1.5": 4 levels for the half of the channels with the largest range, 2 for the rest
	Ternary                   // "1.58": 3 levels
	Bits2                     // 4 levels
	Bits3                     // 8 levels
	Bits4                     // 16 levels
	Full                      // not quantised, see Options.Storage
)

var formatNames = [...]string{Dropped: "0", Bits1: "1", Mixed: "1.5", Ternary: "1.58", Bits2: "2", Bits3: "3", Bits4: "4", Full: "full"}

// String returns the bits of a number, or "full".
func (f Format) String() string {
	if f >= Dropped && f <= Full {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// MarshalText returns String's name.
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ParseFormat returns the format that String gives a name.
func ParseFormat(s string) (Format, error) {
	if i := slices.Index(formatNames[:], s); i >= int(Dropped) {
		return Format(i), nil
	}
	return 0, fmt.Errorf("%w: %q is not among the formats %v", ErrOption, s, formatNames[Dropped:])
}

// levels returns the number of levels of a quantised format, the larger for Mixed.
func (f Format) levels() int {
	return [...]int{Bits1: 2, Mixed: 4, Ternary: 3, Bits2: 4, Bits3: 8, Bits4: 16}[f]
}

func (f Format) quantised() bool { return f >= Bits1 && f <= Bits4 }

// An Axis says along what the groups lie that share a scale.
type Axis uint8

const (
	PerChannel Axis = iota + 1 // a group is consecutive tokens of one channel
	PerToken                   // a group is consecutive channels of one token
)

var axisNames = [...]string{PerChannel: "channel", PerToken: "token"}

// String returns "channel" or "token".
func (a Axis) String() string {
	if a == PerChannel || a == PerToken {
		return axisNames[a]
	}
	return fmt.Sprintf("Axis(%d)", uint8(a))
}

// MarshalText returns String's name.
func (a Axis) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// A Fit says how the levels of a group are laid over its numbers.
type Fit uint8

const (
	// LeastSquares makes the squared error of the group's numbers small.
	LeastSquares Fit = iota + 1

	// Unbiased spreads the levels that LeastSquares chooses so far that numbers do not
	// shrink on average. Single numbers err more, sums of many, as attention forms of
	// values, less.
	Unbiased

	// MinMax lays the lowest level on the smallest number and the highest on the
	// largest. Extremes stay what they are, which keys need more than small errors.
	MinMax
)

var fitNames = [...]string{LeastSquares: "lsq", Unbiased: "unbiased", MinMax: "minmax"}

// String returns "lsq", "unbiased" or "minmax".
func (f Fit) String() string {
	if f >= LeastSquares && f <= MinMax {
		return fitNames[f]
	}
	return fmt.Sprintf("Fit(%d)", uint8(f))
}

// MarshalText returns String's name.
func (f Fit) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// MaxGroup is the largest group.
const MaxGroup = 1 << 16

// A Side says how the keys, or the values, are quantised.
type Side struct {
	Axis  Axis `json:"axis"`
	Group int  `json:"group"` // numbers that share a scale, 1 to MaxGroup; the last of a channel or token may be smaller
	Fit   Fit  `json:"fit"`

	Normalise bool `json:"normalise"` // divide each token by the root of its mean square
	Shift     bool `json:"shift"`     // subtract the mean of each channel
	Rotate    bool `json:"rotate"`    // then transform each token by a Hadamard matrix
}

// A Class is the formats of the tokens that belong to it. Formats of keys and values
// are both Dropped or neither.
type Class struct {
	Keys   Format `json:"keys"`
	Values Format `json:"values"`
}

// A Coding says how levels and grids are written to a file.
type Coding uint8

const (
	Packed Coding = iota + 1 // as they are in memory: large tensors that any program can read
	Coded                    // arithmetically coded
)

var codingNames = [...]string{Packed: "packed", Coded: "coded"}

// String returns "packed" or "coded".
func (c Coding) String() string {
	if c == Packed || c == Coded {
		return codingNames[c]
	}
	return fmt.Sprintf("Coding(%d)", uint8(c))
}

// MaxClasses is how many classes there may be.
const MaxClasses = 16

// Options say how to quantise.
type Options struct {
	Keys, Values Side

	// Classes are the formats of the classes of tokens, from 1 to MaxClasses.
	Classes []Class

	// Assign has the class of every token of every layer, layers x tokens. If it is
	// empty, all tokens belong to class 0.
	Assign []uint8

	// Residual is how many tokens at the end of each layer are kept Full whatever
	// their class.
	Residual int

	// Storage is how numbers of the format Full are stored: tensorfile.F32, F16 or
	// BF16. They are rounded to the nearest, ties to even; what came from such a type
	// is kept exactly. Numbers too large for it are an error.
	Storage tensorfile.DType

	// Coding says how the cache is written.
	Coding Coding

	// Row is how many tokens lie in a row of the picture, so that a Coded token has
	// the one above it for context besides the one before. It is at least 2, which
	// also serves where there are no rows.
	Row int

	// Workers is how many goroutines quantise, write and dequantise, at least 1. No
	// result depends on it.
	Workers int
}

// Defaults returns the options that Quantise uses if it is given none: keys at 2 bits
// per channel between the extremes, as the largest decide what a query looks at, and
// values at 2 bits per token, less their channels' means and without bias, in groups of
// 64, nothing kept as it is, coded without rows, one worker a processor. At 1 bit a key
// is better Unbiased.
func Defaults() *Options {
	return &Options{
		Keys:    Side{Axis: PerChannel, Group: 64, Fit: MinMax},
		Values:  Side{Axis: PerToken, Group: 64, Fit: Unbiased, Shift: true},
		Classes: []Class{{Bits2, Bits2}},
		Storage: tensorfile.F32,
		Coding:  Coded,
		Row:     2,
		Workers: runtime.GOMAXPROCS(0),
	}
}

func (s *Side) validate(name string, dim int) error {
	switch {
	case s.Axis != PerChannel && s.Axis != PerToken:
		return fmt.Errorf("%w: %s: axis %v", ErrOption, name, s.Axis)
	case s.Group < 1 || s.Group > MaxGroup:
		return fmt.Errorf("%w: %s: groups of %d", ErrOption, name, s.Group)
	case s.Fit < LeastSquares || s.Fit > MinMax:
		return fmt.Errorf("%w: %s: %v", ErrOption, name, s.Fit)
	case s.Rotate && hadamardBlock(dim) < minHadamard:
		return fmt.Errorf("%w: %s: no rotation for %d channels, which are no multiple of %d", ErrOption, name, dim, minHadamard)
	}
	return nil
}

func (o *Options) validate(keys, values *Tensor) error {
	if err := o.Keys.validate("keys", keys.Dim); err != nil {
		return err
	}
	if err := o.Values.validate("values", values.Dim); err != nil {
		return err
	}
	if len(o.Classes) < 1 || len(o.Classes) > MaxClasses {
		return fmt.Errorf("%w: %d classes, not 1 to %d", ErrOption, len(o.Classes), MaxClasses)
	}
	for i, c := range o.Classes {
		for _, f := range []Format{c.Keys, c.Values} {
			if f < Dropped || f > Full {
				return fmt.Errorf("%w: class %d: %v", ErrOption, i, f)
			}
		}
		switch {
		case (c.Keys == Dropped) != (c.Values == Dropped):
			return fmt.Errorf("%w: class %d drops keys or values, not both", ErrOption, i)
		case c.Keys == Mixed && o.Keys.Axis != PerChannel, c.Values == Mixed && o.Values.Axis != PerChannel:
			return fmt.Errorf("%w: class %d has 1.5 bits, which are by channel, on groups per token", ErrOption, i)
		}
	}
	if len(o.Assign) != 0 && len(o.Assign) != keys.Layers*keys.Tokens {
		return fmt.Errorf("%w: classes of %d tokens, not %d x %d", ErrOption, len(o.Assign), keys.Layers, keys.Tokens)
	}
	for i, c := range o.Assign {
		if int(c) >= len(o.Classes) {
			return fmt.Errorf("%w: token %d of layer %d has class %d of %d", ErrOption, i%keys.Tokens, i/keys.Tokens, c, len(o.Classes))
		}
	}
	if o.Residual < 0 {
		return fmt.Errorf("%w: %d residual tokens", ErrOption, o.Residual)
	}
	if !storable(o.Storage) {
		return fmt.Errorf("%w: storage %q", ErrOption, o.Storage)
	}
	if o.Coding != Packed && o.Coding != Coded {
		return fmt.Errorf("%w: %v", ErrOption, o.Coding)
	}
	if o.Row < 2 || o.Row > maxSize {
		return fmt.Errorf("%w: rows of %d tokens", ErrOption, o.Row)
	}
	if o.Workers < 1 {
		return fmt.Errorf("%w: %d workers", ErrOption, o.Workers)
	}
	return nil
}
