package prepare

import (
	"errors"
	"fmt"

	"github.com/burin-codec/burin/tokens"
)

// A Backend is the pair of libraries whose arithmetic a processor is run with.
// Models whose processor exists for one of them only (Llama 4, Phi-4, and those
// that bring their own code: MiniCPM-V to 4.5, Phi-3.5, DeepSeek-OCR) use that
// one, but for the order of Pillow's passes.
type Backend int

const (
	// PIL is Pillow 13 and NumPy, as transformers' PIL processors ("slow" ones
	// before version 5) use them. It is the default.
	PIL Backend = iota
	// PIL12 is the same with Pillow 12 or older, which always resizes rows before
	// columns.
	PIL12
	// Torchvision is PyTorch's antialiased resize and fused normalisation, on a CPU,
	// as transformers' torchvision processors ("fast" ones) use them: torchvision
	// 0.27 or later, which has Lanczos filters.
	Torchvision
)

var backendNames = [...]string{"pil", "pil12", "torchvision"}

// String returns "pil", "pil12" or "torchvision".
func (b Backend) String() string {
	if b >= 0 && int(b) < len(backendNames) {
		return backendNames[b]
	}
	return fmt.Sprintf("Backend(%d)", int(b))
}

// ParseBackend returns the Backend of a name that String returns.
func ParseBackend(name string) (Backend, error) {
	for i, s := range backendNames {
		if s == name {
			return Backend(i), nil
		}
	}
	return 0, fmt.Errorf("%w: no backend %q; there are %q", ErrOption, name, backendNames)
}

// Alpha is what becomes of transparent pixels.
type Alpha int

const (
	// AlphaDefault is what the model's processor does: transformers (5.23) lays
	// them on white, the processors that models bring themselves drop the alpha.
	AlphaDefault Alpha = iota
	// AlphaWhite lays pixels on white.
	AlphaWhite
	// AlphaDrop keeps the colours that transparent pixels have, as transformers
	// did before version 5 for most models.
	AlphaDrop
)

var alphaNames = [...]string{"default", "white", "drop"}

// String returns "default", "white" or "drop".
func (a Alpha) String() string {
	if a >= 0 && int(a) < len(alphaNames) {
		return alphaNames[a]
	}
	return fmt.Sprintf("Alpha(%d)", int(a))
}

// ParseAlpha returns the Alpha of a name that String returns.
func ParseAlpha(name string) (Alpha, error) {
	for i, s := range alphaNames {
		if s == name {
			return Alpha(i), nil
		}
	}
	return 0, fmt.Errorf("%w: no alpha %q; there are %q", ErrOption, name, alphaNames)
}

var (
	// ErrOption reports an option out of range or one that the model does not have.
	ErrOption = errors.New("prepare: invalid option")
	// ErrTooLarge reports a picture or tensors beyond the limits.
	ErrTooLarge = errors.New("prepare: larger than the limits")
	// ErrUnsupported reports a model of the planner's table that has no processor
	// here, as the hosted ones have none.
	ErrUnsupported = errors.New("prepare: no processor for the model")
)

// DefaultMaxPixels and DefaultMaxBytes are the limits that zero Options mean.
const (
	DefaultMaxPixels = 1 << 28
	DefaultMaxBytes  = 1 << 30
)

// Options change how pictures are prepared. The zero value, and nil, mean what the
// model is released with.
type Options struct {
	// Tokens are the limits of the model's processor, as package tokens has them:
	// pixels, tiles, longest edge, pan and scan, number of pictures.
	Tokens tokens.Options

	Backend Backend
	Alpha   Alpha
	// Orientation is the EXIF orientation, 1 to 8, by which a picture is turned upright
	// first, as transformers' loading of files does; 0 and 1 are upright.
	Orientation int
	// ScaleGrey16 takes the upper byte of 16-bit grey samples. Without it they are
	// clipped at 255, as Pillow's conversion to RGB does, which turns most such
	// pictures white: models in use see them so.
	ScaleGrey16 bool
	// PadSquare lays a picture on a square of the mean colour before it is
	// resized, and crops nothing (LLaVA-1.5, as its original code and
	// not its processor in transformers does).
	PadSquare bool

	// MaxPixels bounds the pixels of a picture and of any that it is resized to; 0
	// is DefaultMaxPixels.
	MaxPixels int
	// MaxBytes bounds the bytes of the tensors of a picture or video; 0 is
	// DefaultMaxBytes.
	MaxBytes int64
	// Workers bounds the goroutines at work; 0 is one for each CPU. Results do not
	// depend on it.
	Workers int
}

// complete returns the options with zeros replaced, or an error.
func (o *Options) complete() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	switch {
	case c.Backend < PIL || c.Backend > Torchvision:
		return c, fmt.Errorf("%w: %v", ErrOption, c.Backend)
	case c.Alpha < AlphaDefault || c.Alpha > AlphaDrop:
		return c, fmt.Errorf("%w: %v", ErrOption, c.Alpha)
	case c.Orientation < 0 || c.Orientation > 8:
		return c, fmt.Errorf("%w: orientation %d", ErrOption, c.Orientation)
	case c.MaxPixels < 0 || c.MaxBytes < 0 || c.Workers < 0:
		return c, fmt.Errorf("%w: a negative limit", ErrOption)
	}
	if c.MaxPixels == 0 {
		c.MaxPixels = DefaultMaxPixels
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Workers == 0 {
		c.Workers = 1 << 16 // GOMAXPROCS is less
	}
	return c, nil
}
