package dataset

import (
	"image"
	"math/bits"
	"math/rand/v2"
)

// The dead-leaves model covers the plane with discs, each hiding what lies
// behind it. With radii of density r^-3 the scene is the same at every scale, and
// its edges, its power spectrum of 1/f^2 and its heavy-tailed gradients are those
// of photographs (Ruderman 1997; Lee, Mumford and Huang 2001). Shading, texture
// and noise make up for what discs of one colour lack.

const (
	leafOversample = 2  // samples across a pixel, for smooth edges
	leafMinRadius  = 10 // in samples
	leafCover      = 8  // how often, on average, a sample is painted over
)

// A leaf is one disc.
type leaf struct {
	x, y, r2 int    // centre and squared radius, in samples
	color    [3]int // 0 to 255
	gx, gy   int    // brightness added across r, in 1/256
	dome     int    // brightness lost at the rim
	texture  int    // amplitude
	cell     uint   // log2 of the size of the texture
	seed     uint64
}

// MaxLeaves is the largest number of pixels of DeadLeaves.
const MaxLeaves = 1 << 25

// DeadLeaves returns an opaque picture of w x h pixels, which is the same for
// the same seed on every machine. It panics unless both are at least 1 and their
// product at most MaxLeaves.
func DeadLeaves(w, h int, seed uint64) *image.NRGBA {
	if w < 1 || h < 1 || w > MaxLeaves || h > MaxLeaves || w*h > MaxLeaves {
		panic("dataset: DeadLeaves: size out of range")
	}
	rng := rand.New(rand.NewPCG(seed, 0x6465616c65617665))
	sw, sh := w*leafOversample, h*leafOversample
	maxRadius := max(min(sw, sh), leafMinRadius)

	// The squared radius is min^2/t for t even from (min/max)^2 to 1, here in
	// 1/2^32, which gives the radius the density r^-3. Its mean is
	// min^2 ln((max/min)^2).
	const one = 1 << 32
	minT := one / uint64(maxRadius*maxRadius) * leafMinRadius * leafMinRadius
	octaves := max(2*bits.Len(uint(maxRadius/leafMinRadius)), 1)
	area := leafMinRadius * leafMinRadius * octaves * 2 // pi ln 2 is about 2
	canvas := make([][3]uint8, sw*sh)
	for range leafCover*sw*sh/area + 1 {
		t := minT + rng.Uint64N(one-minT+1)
		paint(canvas, sw, sh, newLeaf(rng, sw, sh, int(leafMinRadius*leafMinRadius*one/t)))
	}

	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			// Noise as of a sensor: most of it the same in all channels.
			bits := rng.Uint64()
			common := int(bits&3) + int(bits>>2&3) - 3
			for c := range 3 {
				sum := leafOversample * leafOversample / 2
				for dy := range leafOversample {
					for dx := range leafOversample {
						sum += int(canvas[(y*leafOversample+dy)*sw+x*leafOversample+dx][c])
					}
				}
				v := sum/(leafOversample*leafOversample) + common + int(bits>>(4+c)&1)
				m.Pix[y*m.Stride+4*x+c] = uint8(min(max(v, 0), 255))
			}
			m.Pix[y*m.Stride+4*x+3] = 255
		}
	}
	return m
}

// newLeaf returns a leaf of random place and looks.
func newLeaf(rng *rand.Rand, sw, sh, r2 int) leaf {
	r := isqrt(r2)
	// Colours in nature are mostly dull: bright and dark vary more than hue.
	luma := 24 + rng.IntN(200)
	cb := rng.IntN(32) + rng.IntN(32) - 32
	cr := rng.IntN(32) + rng.IntN(32) - 32
	l := leaf{
		x:       rng.IntN(sw+2*r) - r,
		y:       rng.IntN(sh+2*r) - r,
		r2:      r2,
		color:   [3]int{luma + cr*359/256, luma - (cb*88+cr*183)/256, luma + cb*454/256},
		gx:      (rng.IntN(96) - 48) * 256 / (r + 1),
		gy:      (rng.IntN(96) - 48) * 256 / (r + 1),
		dome:    rng.IntN(40),
		texture: rng.IntN(8) * rng.IntN(8),
		cell:    1 + rng.UintN(5),
		seed:    rng.Uint64(),
	}
	return l
}

// paint draws l over what is on the canvas.
func paint(canvas [][3]uint8, sw, sh int, l leaf) {
	r := isqrt(l.r2)
	for y := max(l.y-r, 0); y < min(l.y+r+1, sh); y++ {
		dy := y - l.y
		if dy*dy > l.r2 {
			continue
		}
		half := isqrt(l.r2 - dy*dy)
		for x := max(l.x-half, 0); x < min(l.x+half+1, sw); x++ {
			dx := x - l.x
			light := (dx*l.gx+dy*l.gy)>>8 - l.dome*((dx*dx+dy*dy)>>6)/(l.r2>>6+1)
			if l.texture > 0 {
				light += l.texture * (smoothNoise(x, y, l.cell, l.seed) - 128) >> 7
			}
			at := &canvas[y*sw+x]
			for c := range at {
				at[c] = uint8(min(max(l.color[c]+light, 0), 255))
			}
		}
	}
}

// smoothNoise returns a value from 0 to 255 that is random at the points of a
// grid of 2^cell and interpolated between them.
func smoothNoise(x, y int, cell uint, seed uint64) int {
	size := 1 << cell
	gx, gy := x>>cell, y>>cell
	fx, fy := x&(size-1), y&(size-1)
	top := gridNoise(gx, gy, seed)*(size-fx) + gridNoise(gx+1, gy, seed)*fx
	bottom := gridNoise(gx, gy+1, seed)*(size-fx) + gridNoise(gx+1, gy+1, seed)*fx
	return (top*(size-fy) + bottom*fy) >> (2 * cell)
}

// gridNoise hashes a grid point to a value from 0 to 255.
func gridNoise(x, y int, seed uint64) int {
	h := seed ^ uint64(x)*0x9e3779b97f4a7c15 ^ uint64(y)*0xc2b2ae3d27d4eb4f
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int(h >> 56)
}

// isqrt returns the integer part of the square root of n.
func isqrt(n int) int {
	if n < 1 {
		return 0
	}
	r := 1 << ((bits.Len(uint(n)) + 1) / 2)
	for {
		next := (r + n/r) / 2
		if next >= r {
			return r
		}
		r = next
	}
}
