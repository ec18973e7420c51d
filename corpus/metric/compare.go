package metric

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// A Set is a set of metrics.
type Set uint

const (
	PSNR        Set = 1 << iota // mse, psnr, mse_y, mse_u, mse_v, psnr_yuv and alpha_mse, which are measured always
	SSIM                        // ssim
	MSSSIM                      // ms_ssim, ms_ssim_db
	SSIMULACRA2                 // ssimulacra2
	Butteraugli                 // butteraugli, butteraugli_3norm

	All     = PSNR | SSIM | MSSSIM | SSIMULACRA2 | Butteraugli
	Default = PSNR | MSSSIM // what published rate-distortion curves show
)

// Values are measurements by name; see the package comment.
type Values map[string]float64

// MaxPixels is the largest number of pixels of a picture.
const MaxPixels = 1 << 28

// ErrSize reports that pictures of different sizes were compared, or ones that are
// empty or too large.
var ErrSize = errors.New("metric: pictures cannot be compared")

// Compare measures how far b is from the original a. The metrics of which are
// measured if the pictures are large enough for them, and those of PSNR always.
// It fails with ErrSize for pictures of different sizes, for empty ones and for
// those of more than MaxPixels, and on a set with unknown metrics.
//
// It needs about 12 bytes for each pixel, 20 with MS-SSIM, 45 with
// SSIMULACRA 2 and 220 with Butteraugli.
func Compare(a, b image.Image, which Set) (Values, error) {
	if which&^All != 0 {
		return nil, fmt.Errorf("metric: unknown metrics in set %#x", uint(which))
	}
	sa, sb := a.Bounds().Size(), b.Bounds().Size()
	if sa != sb || sa.X < 1 || sa.Y < 1 || sa.X > MaxPixels/sa.Y {
		return nil, fmt.Errorf("%w: %dx%d and %dx%d pixels", ErrSize, sa.X, sa.Y, sb.X, sb.Y)
	}
	p, q := newSamples(a), newSamples(b)
	v := Values{}
	comparePSNR(v, p, q)
	if which&(SSIM|MSSSIM) != 0 {
		compareSSIM(v, p, q, which)
	}
	if which&SSIMULACRA2 != 0 && min(p.w, p.h) >= minSSIMULACRA2 {
		v.set("ssimulacra2", ssimulacra2(p, q))
	}
	if which&Butteraugli != 0 && min(p.w, p.h) >= minButteraugli {
		largest, norm := butteraugli(p, q)
		v.set("butteraugli", largest)
		v.set("butteraugli_3norm", norm)
	}
	return v, nil
}

// channels returns how many different planes of colour a pair of pictures has.
func channels(p, q *samples) int {
	if p.gray && q.gray {
		return 1
	}
	return 3
}

// set stores a value if it is finite.
func (v Values) set(name string, value float64) {
	if !math.IsInf(value, 0) && !math.IsNaN(value) {
		v[name] = value
	}
}
