package reduce

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limits of what a reducer takes.
const (
	// MaxTokens is the most tokens of a matrix.
	MaxTokens = 1 << 24
	// MaxDim is the most features of a token.
	MaxDim = 1 << 16
	// maxElements bounds the product of the two: 4 GiB of float32.
	maxElements = 1 << 30
	// MaxValue is the largest magnitude of a feature: sums of squares of larger ones
	// might not fit a float32.
	MaxValue = 1e15
)

// Errors that a reducer returns are wrapped around one of these.
var (
	// ErrShape says that the slices of Tokens do not fit one another.
	ErrShape = errors.New("shapes do not fit")
	// ErrValue says that a feature is NaN, infinite or beyond MaxValue, or a mass
	// negative, or a size not positive.
	ErrValue = errors.New("value out of range")
	// ErrKeep says that the number of tokens to keep is out of the method's range.
	ErrKeep = errors.New("number of tokens to keep out of range")
	// ErrMissing says that the method needs what Tokens lacks, such as attention.
	ErrMissing = errors.New("missing input")
	// ErrOption says that a field of a method is out of its range.
	ErrOption = errors.New("option out of range")
)

// A Position is a place in the grid of patches: column and row.
type Position struct{ X, Y int32 }

// Tokens is a matrix of n tokens of d features and what is known of them. All but X may
// be absent (nil); each method says what it needs. Reducers do not change it.
type Tokens struct {
	N, D int
	X    []float32 // [N][D], row-major: the features

	Attention []float32 // [N]: the attention each token draws, such as that of the class token or of a prompt's last token, averaged over heads; not negative
	Keys      []float32 // [N][KeyDim]: what similarity is measured on; without them it is X
	KeyDim    int
	Values    []float32 // [N][ValueDim]: values of a cache
	ValueDim  int
	Frame     []int32    // [N]: the frame of each token, not falling
	Pos       []Position // [N]: where in its frame
	Size      []float32  // [N]: how many tokens of the original it stands for; without it 1
	Query     []float32  // [queries][D]: a question's tokens, in the space of X
	Audio     *Audio
}

// Audio is the tokens of the sound of a video.
type Audio struct {
	Frame     []int32   // [n]: the frame at which each is heard
	Attention []float32 // [n]: the attention each draws; not negative
}

// Queries returns the number of query tokens.
func (t *Tokens) Queries() int {
	if t.D == 0 {
		return 0
	}
	return len(t.Query) / t.D
}

// Validate returns an error, wrapped around [ErrShape] or [ErrValue], unless t is what
// its comments say. Reducers call it.
func (t *Tokens) Validate() error {
	if t == nil {
		return fmt.Errorf("reduce: no tokens: %w", ErrShape)
	}
	if t.N < 1 || t.N > MaxTokens || t.D < 1 || t.D > MaxDim || int64(t.N)*int64(t.D) > maxElements {
		return fmt.Errorf("reduce: %d tokens of %d features: %w", t.N, t.D, ErrShape)
	}
	for _, w := range []struct {
		what  string
		width int
		is    bool
	}{{"keys", t.KeyDim, t.Keys != nil}, {"values", t.ValueDim, t.Values != nil}} {
		if w.is && (w.width < 1 || w.width > MaxDim || int64(t.N)*int64(w.width) > maxElements) {
			return fmt.Errorf("reduce: %d %s of %d features: %w", t.N, w.what, w.width, ErrShape)
		}
	}
	for _, s := range []struct {
		name      string
		got, want int
		need      bool
	}{
		{"features", len(t.X), t.N * t.D, true},
		{"attention", len(t.Attention), t.N, t.Attention != nil},
		{"keys", len(t.Keys), t.N * t.KeyDim, t.Keys != nil},
		{"values", len(t.Values), t.N * t.ValueDim, t.Values != nil},
		{"frames", len(t.Frame), t.N, t.Frame != nil},
		{"positions", len(t.Pos), t.N, t.Pos != nil},
		{"sizes", len(t.Size), t.N, t.Size != nil},
	} {
		if s.need && s.got != s.want {
			return fmt.Errorf("reduce: %d %s, want %d: %w", s.got, s.name, s.want, ErrShape)
		}
	}
	if len(t.Query)%t.D != 0 {
		return fmt.Errorf("reduce: query of %d numbers for tokens of %d: %w", len(t.Query), t.D, ErrShape)
	}
	for _, s := range []struct {
		name string
		v    []float32
	}{{"feature", t.X}, {"key", t.Keys}, {"value", t.Values}, {"query", t.Query}, {"attention", t.Attention}, {"size", t.Size}} {
		if i := firstBad(s.v); i >= 0 {
			return fmt.Errorf("reduce: %s %d is %v: %w", s.name, i, s.v[i], ErrValue)
		}
	}
	for i, v := range t.Attention {
		if v < 0 {
			return fmt.Errorf("reduce: attention %d is %v: %w", i, v, ErrValue)
		}
	}
	for i, v := range t.Size {
		if v <= 0 {
			return fmt.Errorf("reduce: size %d is %v: %w", i, v, ErrValue)
		}
	}
	for i := 1; i < len(t.Frame); i++ {
		if t.Frame[i] < t.Frame[i-1] {
			return fmt.Errorf("reduce: frame %d comes after frame %d: %w", t.Frame[i], t.Frame[i-1], ErrValue)
		}
	}
	if a := t.Audio; a != nil {
		if len(a.Frame) != len(a.Attention) || len(a.Frame) == 0 {
			return fmt.Errorf("reduce: %d frames and %d masses of audio tokens: %w", len(a.Frame), len(a.Attention), ErrShape)
		}
		if i := firstBad(a.Attention); i >= 0 {
			return fmt.Errorf("reduce: audio attention %d is %v: %w", i, a.Attention[i], ErrValue)
		}
		for i, v := range a.Attention {
			if v < 0 {
				return fmt.Errorf("reduce: audio attention %d is %v: %w", i, v, ErrValue)
			}
		}
	}
	return nil
}

// firstBad returns the index of the first element that is NaN, infinite or beyond
// MaxValue, or -1.
func firstBad(s []float32) int {
	limit := math.Float32bits(MaxValue)
	for at := 0; at < len(s); at += 1 << 12 {
		chunk := s[at:min(at+1<<12, len(s))]
		// The sign bit of limit - |v| as integers, four at a time.
		var a, b, c, d uint32
		i := 0
		for ; i+4 <= len(chunk); i += 4 {
			q := chunk[i : i+4 : i+4]
			a |= limit - math.Float32bits(q[0])&^(1<<31)
			b |= limit - math.Float32bits(q[1])&^(1<<31)
			c |= limit - math.Float32bits(q[2])&^(1<<31)
			d |= limit - math.Float32bits(q[3])&^(1<<31)
		}
		for ; i < len(chunk); i++ {
			a |= limit - math.Float32bits(chunk[i])&^(1<<31)
		}
		if (a|b|c|d)>>31 != 0 {
			for i, v := range chunk {
				if math.Float32bits(v)&^(1<<31) > limit {
					return at + i
				}
			}
		}
	}
	return -1
}

// size returns how many tokens token i stands for.
func (t *Tokens) size(i int) float32 {
	if t.Size == nil {
		return 1
	}
	return t.Size[i]
}

// row returns the features of token i.
func (t *Tokens) row(i int) []float32 { return t.X[i*t.D : (i+1)*t.D : (i+1)*t.D] }

// metric returns what similarity is measured on: the keys, or else the features.
func (t *Tokens) metric() rows {
	if t.Keys != nil {
		return rows{t.Keys, t.N, t.KeyDim, t.KeyDim}
	}
	return rows{t.X, t.N, t.D, t.D}
}

// A Keep says how many tokens to keep: see [Count], [Share] and [Auto].
type Keep struct {
	kind  keepKind
	count int
	share float64
}

type keepKind uint8

const (
	keepUnset keepKind = iota
	keepCount
	keepShare
	keepAuto
)

// Count keeps n tokens.
func Count(n int) Keep { return Keep{kind: keepCount, count: n} }

// Share keeps a share of the tokens, in (0, 1], rounded to the nearest number but at
// least one.
func Share(p float64) Keep { return Keep{kind: keepShare, share: p} }

// Auto leaves the number to the method, which must be one that has a rule for it:
// [AttentionMass] or [PruMerge].
func Auto() Keep { return Keep{kind: keepAuto} }

// ParseKeep reads "64", "25%" or "auto".
func ParseKeep(s string) (Keep, error) {
	if s == "auto" {
		return Auto(), nil
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v > 0 && v <= 100) {
			return Keep{}, fmt.Errorf("reduce: %q is no percentage above 0 and up to 100: %w", s, ErrKeep)
		}
		return Share(v / 100), nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return Keep{}, fmt.Errorf("reduce: %q is no number of tokens, percentage or \"auto\": %w", s, ErrKeep)
	}
	return Count(n), nil
}

// String returns what [ParseKeep] reads.
func (k Keep) String() string {
	switch k.kind {
	case keepCount:
		return strconv.Itoa(k.count)
	case keepShare:
		return strconv.FormatFloat(100*k.share, 'g', -1, 64) + "%"
	case keepAuto:
		return "auto"
	}
	return "unset"
}

// Of returns how many of n tokens to keep, or an error if that is not 1 to n, or if it
// is left to the method.
func (k Keep) Of(n int) (int, error) {
	c := k.count
	switch k.kind {
	case keepShare:
		if !(k.share > 0 && k.share <= 1) {
			return 0, fmt.Errorf("reduce: to keep a share of %v: %w", k.share, ErrKeep)
		}
		c = max(1, int(math.Round(k.share*float64(n))))
	case keepCount:
	default:
		return 0, fmt.Errorf("reduce: to keep %v tokens, which the method does not choose: %w", k, ErrKeep)
	}
	if c < 1 || c > n {
		return 0, fmt.Errorf("reduce: to keep %d of %d tokens: %w", c, n, ErrKeep)
	}
	return c, nil
}

// begin validates the tokens and returns how many to keep.
func begin(t *Tokens, keep Keep) (int, error) {
	if err := t.Validate(); err != nil {
		return 0, err
	}
	return keep.Of(t.N)
}

// need returns an error unless the tokens have what a method needs.
func (t *Tokens) need(method string, what ...string) error {
	for _, w := range what {
		missing := false
		switch w {
		case "attention":
			missing = t.Attention == nil
		case "query":
			missing = len(t.Query) == 0
		case "frames":
			missing = t.Frame == nil
		case "audio":
			missing = t.Audio == nil
		}
		if missing {
			return fmt.Errorf("reduce: %s needs %s: %w", method, w, ErrMissing)
		}
	}
	return nil
}
