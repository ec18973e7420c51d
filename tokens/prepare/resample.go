package prepare

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"
)

// Resizing as Pillow does it (Resample.c), to the bit. Output pixel x of an axis
// that shrinks from n to m has its centre at c = (x + ½)·n/m in the input. The
// filter, made wider by s = max(n/m, 1), is evaluated at the centres of the
// input pixels within its support,
//
//	w_i = f((i − c + ½) / s),  i from trunc(c − r·s + ½) to trunc(c + r·s + ½) − 1,
//
// which makes it an antialiasing filter and not an interpolation. The weights are
// divided by their sum and rounded, half away from zero, to fixed point; the sum
// of weight × byte is an int32, rounded half up and clamped to a byte. Each axis
// is brought to a byte before the other follows, and one that keeps its length is
// not touched.
//
// PyTorch's antialiased resize of bytes, which torchvision's processors use, is
// the same but for the weights: 16 bits, with as many fractional bits as the
// largest weight leaves room for, where Pillow has 22 fractional bits of 32.
//
// Rows come first, but for Pillow 13, which begins with the columns if they lose
// pixels, and more than twice as many as the rows lose (python-pillow/Pillow#9549;
// the factor was found by comparing 8,787 random sizes).

// A filter is a resampling kernel.
type filter int

const (
	bilinear filter = iota
	bicubic         // Keys' kernel with a = −½
	lanczos         // of three lobes
)

// support returns the radius outside which the filter is zero.
func (f filter) support() float64 {
	switch f {
	case bilinear:
		return 1
	case bicubic:
		return 2
	}
	return 3
}

// at evaluates the filter. Products are wrapped so that no compiler fuses them
// with a sum: the weights are the same on every CPU.
func (f filter) at(x float64) float64 {
	switch f {
	case bilinear:
		if x < 0 {
			x = -x
		}
		if x < 1 {
			return 1 - x
		}
	case bicubic:
		const a = -.5
		if x < 0 {
			x = -x
		}
		if x < 1 {
			return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
		}
		if x < 2 {
			return (float64((float64((x-5)*x)+8)*x) - 4) * a
		}
	case lanczos:
		if -3 <= x && x < 3 {
			return sinc(x) * sinc(x/3)
		}
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// weights are the fixed-point weights of one axis. Output pixel x is the sum of
// w[x·taps+i] times input pixel first[x]+i for i < count[x].
type weights struct {
	taps         int // room for one output pixel
	first, count []int
	w            []int32
	precision    uint // fractional bits
}

// newWeights computes the weights that bring n pixels to m.
func newWeights(f filter, b Backend, n, m int) *weights {
	scale := float64(n) / float64(m)
	wide := max(scale, 1)
	support := f.support() * wide
	inverse := 1 / wide
	ws := &weights{taps: 2*int(math.Ceil(support)) + 1, first: make([]int, m), count: make([]int, m), precision: 32 - 8 - 2}
	exact := make([]float64, m*ws.taps)
	largest := 0.0
	for x := range m {
		centre := (float64(x) + .5) * scale
		first := max(int(centre-support+.5), 0)
		count := min(int(centre+support+.5), n) - first
		k := exact[x*ws.taps:][:count]
		sum := 0.0
		for i := range k {
			k[i] = f.at((float64(i+first) - centre + .5) * inverse)
			sum += k[i]
		}
		for i := range k {
			if sum != 0 {
				k[i] /= sum
			}
			largest = max(largest, k[i])
		}
		ws.first[x], ws.count[x] = first, count
	}
	if b == Torchvision {
		ws.precision = 0
		for ws.precision < 22 && int(.5+float64(largest*float64(int(1)<<(ws.precision+1)))) < 1<<15 {
			ws.precision++
		}
	}
	one := float64(int(1) << ws.precision)
	ws.w = make([]int32, len(exact))
	for i, v := range exact {
		half := .5
		if v < 0 {
			half = -.5
		}
		ws.w[i] = int32(half + float64(v*one))
	}
	return ws
}

// resize returns the picture brought to w × h pixels, by at most workers
// goroutines; it is p itself if it has that size.
func (p *raster) resize(w, h int, f filter, b Backend, workers int) *raster {
	if columnsFirst(b, p.w, p.h, w, h) {
		return p.resizeColumns(h, f, b, workers).resizeRows(w, f, b, workers)
	}
	return p.resizeRows(w, f, b, workers).resizeColumns(h, f, b, workers)
}

// columnsFirst reports whether the columns are resized before the rows.
func columnsFirst(b Backend, fromW, fromH, w, h int) bool {
	return b == PIL && fromH-h > max(2*(fromW-w), 0)
}

func (p *raster) resizeRows(w int, f filter, b Backend, workers int) *raster {
	if w == p.w {
		return p
	}
	out := newRaster(w, p.h)
	ws := newWeights(f, b, p.w, w)
	parallel(p.h, w*ws.taps, workers, func(from, to int) { horizontal(out, p, ws, from, to) })
	return out
}

func (p *raster) resizeColumns(h int, f filter, b Backend, workers int) *raster {
	if h == p.h {
		return p
	}
	out := newRaster(p.w, h)
	ws := newWeights(f, b, p.h, h)
	parallel(h, p.w*ws.taps, workers, func(from, to int) { vertical(out, p, ws, from, to) })
	return out
}

// parallel calls f for ranges that together are [0, n), of at least some work.
func parallel(n, work, workers int, f func(from, to int)) {
	const enough = 1 << 18
	workers = min(workers, runtime.GOMAXPROCS(0), n*work/enough)
	if workers <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { f(i*n/workers, (i+1)*n/workers) })
	}
	wg.Wait()
}

// Sums are computed two at a time: a uint64 holds one in each half, and adding
// weight × (a | b<<32) adds weight × a to the lower and weight × b to the upper.
// A negative lower sum borrows one from the upper, which halves gives back.
const bytesOfHalves = 0xff_0000_00ff

func halves(sum uint64) (lower, upper int32) {
	lower = int32(uint32(sum))
	return lower, int32(uint32((sum - uint64(int64(lower))) >> 32))
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31)) // 0 if negative, 255 if not
	}
	return uint8(v)
}

// horizontal computes rows from to to−1 of out from those of in, two rows at a
// time, whose samples it first puts side by side.
func horizontal(out, in *raster, ws *weights, from, to int) {
	round := uint64(1) << (ws.precision - 1)
	round |= round << 32
	pairs := make([]uint64, 3*in.w)
	for y := from; y < to; y += 2 {
		// An odd last row is paired with itself.
		y2 := min(y+1, to-1)
		b := in.row(y2)
		for i, v := range in.row(y)[:len(b)] {
			pairs[i] = uint64(v) | uint64(b[i])<<32
		}
		ra, rb := out.row(y), out.row(y2)
		for x, first := range ws.first {
			w := ws.w[x*ws.taps:][:ws.count[x]]
			p := pairs[3*first:][:3*len(w)]
			s0, s1, s2 := round, round, round
			for _, k := range w {
				if len(p) < 3 {
					break // never; it spares checks of the indices
				}
				k := uint64(int64(k))
				s0 += k * p[0]
				s1 += k * p[1]
				s2 += k * p[2]
				p = p[3:]
			}
			a, b := ra[3*x:3*x+3], rb[3*x:3*x+3]
			a0, b0 := halves(s0)
			a1, b1 := halves(s1)
			a2, b2 := halves(s2)
			a[0], b[0] = clamp(a0>>ws.precision), clamp(b0>>ws.precision)
			a[1], b[1] = clamp(a1>>ws.precision), clamp(b1>>ws.precision)
			a[2], b[2] = clamp(a2>>ws.precision), clamp(b2>>ws.precision)
		}
	}
}

// vertical computes rows from to to−1 of out from in, eight bytes at a time.
func vertical(out, in *raster, ws *weights, from, to int) {
	round := uint64(1) << (ws.precision - 1)
	round |= round << 32
	for y := from; y < to; y++ {
		w := ws.w[y*ws.taps:][:ws.count[y]]
		rows := in.pix[ws.first[y]*in.stride:]
		row := out.pix[y*out.stride:][:out.stride]
		for i := 0; i+8 <= len(row); i += 8 {
			s0, s1, s2, s3 := round, round, round, round
			at := i
			for _, k := range w {
				v := binary.LittleEndian.Uint64(rows[at : at+8])
				k := uint64(int64(k))
				s0 += k * (v & bytesOfHalves)
				s1 += k * (v >> 8 & bytesOfHalves)
				s2 += k * (v >> 16 & bytesOfHalves)
				s3 += k * (v >> 24 & bytesOfHalves)
				at += in.stride
			}
			o := row[i : i+8]
			for c, s := range [4]uint64{s0, s1, s2, s3} {
				lower, upper := halves(s)
				o[c] = clamp(lower >> ws.precision)
				o[c+4] = clamp(upper >> ws.precision)
			}
		}
	}
}
