// Package pixels brings pictures to what networks take, rows of red, green and blue in
// 16-bit integers, and back: for the codecs whose networks work on RGB.
//
// Gray pictures have the same value in all three, chroma that is subsampled is repeated
// up to the size of luma and averaged on the way back, and samples of 16 bits keep 14 bits'
// precision. All of it is integer arithmetic.
package pixels

import (
	"fmt"
	"image"
	"math"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/transform/convnet"
)

// Pixels go in and out of the networks as [H][W][3] of red, green and blue, in 16-bit
// integers of Bits fractional bits whose zero is the sample 128, H and W being the tile's,
// rounded up to multiples of Align; what is added repeats the last row and column.
const (
	Bits  = 6
	Align = 64

	pixelZero = 128 << Bits
	pixelMax  = 255 << Bits
)

// FromFloats returns a picture of which sides are multiples of Align in the networks'
// integers.
func FromFloats(p convnet.Picture) []int16 {
	x := make([]int16, len(p.Data))
	for i, v := range p.Data {
		x[i] = int16(min(max(math.RoundToEven(float64(v)*(convnet.PixelUnit<<Bits)), math.MinInt16), math.MaxInt16))
	}
	return x
}

// Aligned returns the multiple of Align that holds n rows or columns.
func Aligned(n int) int { return (n + Align - 1) &^ (Align - 1) }

const (
	maxWhole = 1 << 23 // pixels of a picture that is one tile
	tileSide = 2048
)

// Tiles returns the tiles of a picture, row by row: one of up to 1<<23 pixels, others in
// squares of 2048.
func Tiles(w, h int) []image.Rectangle {
	whole := image.Rect(0, 0, w, h)
	if int64(w)*int64(h) <= maxWhole {
		return []image.Rectangle{whole}
	}
	var tiles []image.Rectangle
	for y := 0; y < h; y += tileSide {
		for x := 0; x < w; x += tileSide {
			tiles = append(tiles, image.Rect(x, y, x+tileSide, y+tileSide).Intersect(whole))
		}
	}
	return tiles
}

// AlphaPlane returns the plane of h that holds its alpha, or -1.
func AlphaPlane(h *codec.Header) int {
	if n := len(h.Planes()); n == 4 && h.Model != codec.ModelCMYK {
		return 3
	}
	return -1
}

// Supported returns an error for pictures that the codec of the given name does not take.
func Supported(name string, h *codec.Header) error {
	switch h.Model {
	case codec.ModelPaletted, codec.ModelCMYK:
		return codec.UnsupportedError(fmt.Sprintf("%s: a %v picture: convert it to NRGBA first", name, h.Model))
	}
	return nil
}

// chromaStep returns how many pixels across and down share a sample of plane p.
func chromaStep(h *codec.Header, p int) (dx, dy int) {
	if h.Model != codec.ModelYCbCr && h.Model != codec.ModelNYCbCrA || p == 0 || p == 3 {
		return 1, 1
	}
	switch h.Subsample {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// cells returns the part of a plane that belongs to r, whose corner is a cell's.
func cells(r image.Rectangle, dx, dy int) image.Rectangle {
	return image.Rect(r.Min.X/dx, r.Min.Y/dy, (r.Max.X+dx-1)/dx, (r.Max.Y+dy-1)/dy)
}

// fixed returns sample v, of 8 or 16 bits, with Bits fractional bits of 0..255.
func fixed(v uint16, depth int) int32 {
	if depth == 8 {
		return int32(v) << Bits
	}
	return (int32(v)<<Bits + 128) / 257
}

// sample is the inverse of fixed: the nearest sample for v of 0..pixelMax.
func sample(v int32, depth int) uint16 {
	if depth == 8 {
		return uint16((v + 1<<(Bits-1)) >> Bits)
	}
	return uint16((v*257 + 1<<(Bits-1)) >> Bits)
}

// The conversion of JFIF between RGB and YCbCr, with 16 fractional bits.
const (
	redY, greenY, blueY  = 19595, 38470, 7471 // sum to 1
	redOfCr, blueOfCb    = 91881, 116130      // 1.402, 1.772
	greenOfCb, greenOfCr = 22554, 46802       // 0.344136, 0.714136
	cbOfBlue, crOfRed    = 36985, 46745       // 1/1.772, 1/1.402
	half                 = 1 << 15
)

// Read returns a tile's pixels and the rows and columns that they were brought to.
func Read(src *codec.Source, r image.Rectangle) (x []int16, rows, columns int) {
	h := src.Header()
	planes := h.Planes()
	rows, columns = Aligned(r.Dy()), Aligned(r.Dx())
	x = make([]int16, rows*columns*3)
	colours := 3
	if h.Model == codec.ModelGray || h.Model == codec.ModelAlpha {
		colours = 1
	}
	for p := range colours {
		dx, dy := chromaStep(h, p)
		pr := cells(r, dx, dy)
		buf := make([]uint16, pr.Dx()*pr.Dy())
		src.ReadPlane(p, pr, buf, pr.Dx())
		for y := range r.Dy() {
			row := buf[y/dy*pr.Dx():][:pr.Dx()]
			for i := range r.Dx() {
				v := int16(fixed(min(row[i/dx], planes[p].MaxValue), planes[p].Depth) - pixelZero)
				at := x[(y*columns+i)*3:]
				if colours == 1 {
					at[0], at[1], at[2] = v, v, v
				} else {
					at[p] = v
				}
			}
		}
	}
	if h.Model == codec.ModelYCbCr || h.Model == codec.ModelNYCbCrA {
		for y := range r.Dy() {
			for i := range r.Dx() {
				at := x[(y*columns+i)*3:][:3]
				luma, cb, cr := int64(at[0]), int64(at[1]), int64(at[2])
				at[0] = limit(luma + (cr*redOfCr+half)>>16)
				at[1] = limit(luma - (cb*greenOfCb+cr*greenOfCr+half)>>16)
				at[2] = limit(luma + (cb*blueOfCb+half)>>16)
			}
		}
	}
	pad(x, r.Dy(), r.Dx(), rows, columns)
	return x, rows, columns
}

// limit brings v, whose zero is pixelZero, into the range of pixels.
func limit(v int64) int16 { return int16(min(max(v, -pixelZero), pixelMax-pixelZero)) }

// pad fills what lies beyond h rows and w columns.
func pad(x []int16, h, w, rows, columns int) {
	for y := range h {
		row := x[y*columns*3:][:columns*3]
		for i := w; i < columns; i++ {
			copy(row[i*3:i*3+3], row[(w-1)*3:])
		}
	}
	for y := h; y < rows; y++ {
		copy(x[y*columns*3:(y+1)*columns*3], x[(h-1)*columns*3:])
	}
}

// Write writes the colours of a tile from pixels of the given columns.
func Write(dst *codec.Sink, h *codec.Header, r image.Rectangle, x []int16, columns int) error {
	planes := h.Planes()
	colours := 3
	if h.Model == codec.ModelGray || h.Model == codec.ModelAlpha {
		colours = 1
	}
	n := r.Dx() * r.Dy()
	values := make([]int32, colours*n)
	for y := range r.Dy() {
		for i := range r.Dx() {
			at := x[(y*columns+i)*3:][:3]
			red, green, blue := int32(limit(int64(at[0]))), int32(limit(int64(at[1]))), int32(limit(int64(at[2])))
			to := y*r.Dx() + i
			switch {
			case colours == 1:
				// The mean, halves up: all three are meant to be the same.
				values[to] = floorDiv(2*(red+green+blue)+3, 6) + pixelZero
			case h.Model == codec.ModelYCbCr || h.Model == codec.ModelNYCbCrA:
				luma := (int64(red)*redY + int64(green)*greenY + int64(blue)*blueY + half) >> 16
				values[to] = int32(luma) + pixelZero
				values[n+to] = int32(limit(((int64(blue)-luma)*cbOfBlue+half)>>16)) + pixelZero
				values[2*n+to] = int32(limit(((int64(red)-luma)*crOfRed+half)>>16)) + pixelZero
			default:
				values[to], values[n+to], values[2*n+to] = red+pixelZero, green+pixelZero, blue+pixelZero
			}
		}
	}
	buf := make([]uint16, n)
	for p := range colours {
		dx, dy := chromaStep(h, p)
		pr := cells(r, dx, dy)
		v := values[p*n : (p+1)*n]
		for y := range pr.Dy() {
			for i := range pr.Dx() {
				var sum, count int32
				for b := y * dy; b < min((y+1)*dy, r.Dy()); b++ {
					for _, s := range v[b*r.Dx()+i*dx : b*r.Dx()+min((i+1)*dx, r.Dx())] {
						sum += s
						count++
					}
				}
				buf[y*pr.Dx()+i] = sample((2*sum+count)/(2*count), planes[p].Depth)
			}
		}
		if err := dst.WritePlane(p, pr, buf[:pr.Dx()*pr.Dy()], pr.Dx()); err != nil {
			return err
		}
	}
	return nil
}

// floorDiv returns a/b rounded down, for b above 0.
func floorDiv(a, b int32) int32 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// SquaredError returns the sum of squared differences of decoded pixels and those of a
// tile, of 8-bit samples as the decoder rounds them, and their number.
func SquaredError(decoded, x []int16, r image.Rectangle, columns int) (sum float64, n int) {
	for y := range r.Dy() {
		a, b := decoded[y*columns*3:][:r.Dx()*3], x[y*columns*3:][:r.Dx()*3]
		for i, v := range a {
			got := float64(sample(int32(limit(int64(v)))+pixelZero, 8))
			want := float64(int32(b[i])+pixelZero) / (1 << Bits)
			sum += (got - want) * (got - want)
		}
	}
	return sum, 3 * r.Dx() * r.Dy()
}

// PSNR returns the peak signal-to-noise ratio of a mean squared error of 8-bit samples.
func PSNR(mse float64) float64 { return 10 * math.Log10(255*255/mse) }
