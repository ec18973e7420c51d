package dataset

import (
	"fmt"

	"github.com/burin-codec/burin/codec"
)

// checkSize returns an error unless a picture of what kind keeps the limits when
// a pixel takes so many bytes. Dimensions up to MaxUint32 do not overflow.
func checkSize(kind string, w, h, pixelSize int64, l *codec.Limits) error {
	if w < 1 || h < 1 {
		return fmt.Errorf("dataset: %s of %d x %d pixels", kind, w, h)
	}
	if w > codec.MaxDimension || h > codec.MaxDimension || w*h > l.MaxPixels || w*h*pixelSize > l.MaxBytes {
		return fmt.Errorf("%w: %s of %d x %d pixels", codec.ErrTooLarge, kind, w, h)
	}
	return nil
}
