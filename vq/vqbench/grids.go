package vqbench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/burin-codec/burin/vq"
)

// MaxGridBits is the most bits that [Grids] knows quantisers of.
const MaxGridBits = 8

// gridDim is the dimension of quantisers of long vectors.
const gridDim = 256

// A Grid is a quantiser without a codebook of vectors, for normally distributed numbers
// of deviation 1.
type Grid struct {
	Name      string
	Published float64 // mean squared error a number, 0 where there is no figure
	Source    string  // who published it
	Slow      int     // how many times fewer numbers it is measured on
	New       func(seed uint64) (vq.Quantiser, error)
}

// Published mean squared errors at 1, 2, ... bits. Those of Lloyd and Max are Max's
// ("Quantizing for Minimum Distortion", 1960), the first in closed form; those of grids
// of pairs and of E8P were measured with the tables that the authors of HIGGS and QuIP#
// publish.
var (
	publishedLloydMax = []float64{1 - 2/math.Pi, .11748, .03454, .009497, .002499}
	publishedPairs    = []float64{1: .10750, 2: .02956, 3: .007745}
	publishedE8P      = []float64{1: .0912}
)

// figure returns the one for so many bits, or 0.
func figure(list []float64, bits int) float64 {
	if bits > len(list) {
		return 0
	}
	return list[bits-1]
}

// grid and seeded make constructors return the interface; those of grid depend on no seed.
func grid[Q vq.Quantiser](f func() (Q, error)) func(uint64) (vq.Quantiser, error) {
	return func(uint64) (vq.Quantiser, error) { return quantiser(f()) }
}

func seeded[Q vq.Quantiser](f func(seed uint64) (Q, error)) func(uint64) (vq.Quantiser, error) {
	return func(seed uint64) (vq.Quantiser, error) { return quantiser(f(seed)) }
}

// Grids returns all that there is at so many bits a dimension, 1..[MaxGridBits], some
// with a little more for scales. FSQ is not among them: what it returns approximates the
// vector once squeezed, not the vector.
func Grids(bits int) []Grid {
	if bits < 1 || bits > MaxGridBits {
		return nil
	}
	pairs := func() (*vq.NormalGrid, error) { return vq.NewNormalGrid(1<<(2*bits), 1) }
	of := func(name string, list []float64, source string, f func(uint64) (vq.Quantiser, error)) Grid {
		g := Grid{Name: name, Slow: 1, New: f}
		if g.Published = figure(list, bits); g.Published > 0 {
			g.Source = source
		}
		return g
	}
	list := []Grid{of("Lloyd-Max", publishedLloydMax, "Max 1960",
		grid(func() (*vq.LloydMax, error) { return vq.NewLloydMax(1<<bits, 1) }))}
	if bits == 1 {
		list = append(list, of("LFQ", publishedLloydMax, "1 - 2/pi",
			grid(func() (*vq.LFQ, error) { return vq.NewLFQ(16, float32(math.Sqrt(2/math.Pi))) })))
	}
	if bits <= 4 {
		list = append(list,
			of("grid p=2", publishedPairs, "HIGGS", grid(pairs)),
			of("HIGGS p=2", publishedPairs, "HIGGS", seeded(func(seed uint64) (*vq.HIGGS, error) {
				inner, err := pairs()
				if err != nil {
					return nil, err
				}
				return vq.NewHIGGS(gridDim, inner, seed)
			})),
			of("NSN p=2", nil, "", seeded(func(seed uint64) (*vq.NSN, error) {
				inner, err := pairs()
				if err != nil {
					return nil, err
				}
				return vq.TrainNSN(Normals(gridDim*2048, seed+1), gridDim, inner, seed)
			})))
	}
	if bits >= 2 && bits <= 4 {
		list = append(list, of("E8P", publishedE8P, "QuIP#", grid(func() (*vq.E8P, error) { return vq.NewE8P(bits, 1) })))
	}
	for _, l := range []struct {
		name    string
		lattice vq.Lattice
		n       int
	}{{"Voronoi Z", vq.LatticeZ, 1}, {"Voronoi A2", vq.LatticeA2, 2}, {"Voronoi D4", vq.LatticeD, 4}, {"Voronoi E8", vq.LatticeE8, 8}} {
		list = append(list, of(l.name, nil, "", seeded(func(seed uint64) (*vq.VoronoiCode, error) {
			return vq.TrainVoronoiCode(l.lattice, Normals(l.n<<11, seed+1), l.n, 1<<bits)
		})))
	}
	var cube []float64
	if bits == 1 {
		cube = publishedLloydMax
	}
	list = append(list,
		of("RaBitQ", cube, "1 - 2/pi", seeded(func(seed uint64) (*vq.RaBitQ, error) {
			return vq.NewRaBitQ(make([]float32, gridDim), bits, seed)
		})),
		of("SAQ", nil, "", seeded(func(seed uint64) (*vq.SAQ, error) {
			return vq.TrainSAQ(Normals(gridDim*2048, seed+1), gridDim, float64(bits)+.125, seed)
		})),
		of("LVQ", nil, "", seeded(func(seed uint64) (*vq.LVQ, error) {
			return vq.TrainLVQ(Normals(gridDim*2048, seed+1), gridDim, bits, 0)
		})),
		of("GLVQ", nil, "", seeded(func(seed uint64) (*vq.GLVQ, error) {
			return vq.TrainGLVQ(Normals(8*1000, seed+1), 8, 8, float64(bits), nil)
		})))
	if bits == 8 {
		list = append(list, of("LVQ 4+4", nil, "", seeded(func(seed uint64) (*vq.LVQ, error) {
			return vq.TrainLVQ(Normals(gridDim*2048, seed+1), gridDim, 4, 4)
		})))
	}
	if bits <= 4 {
		for _, states := range []int{8, 10, 12} {
			list = append(list, Grid{
				Name: fmt.Sprintf("trellis 2^%d", states), Slow: 1 << (states - 6),
				New: grid(func() (*vq.Trellis, error) { return vq.NewTrellis(gridDim, bits, states, 1) }),
			})
		}
	}
	return list
}

// Normals returns n normally distributed numbers of deviation 1.
func Normals(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 99))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// stratified returns n normally distributed numbers of deviation 1 in random order, one
// from each n-th of the distribution. Errors of quantisers on them differ less from their
// mean than those on independent numbers, the more so the fewer numbers are quantised
// together: at 4 bits, few numbers far out make up much of the error.
func stratified(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 99))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(distuv.UnitNormal.Quantile((float64(i) + 1 - r.Float64()) / float64(n)))
	}
	if v := &x[n-1]; *v > math.MaxFloat32 { // the quantile of 1
		*v = -x[0]
	}
	r.Shuffle(n, func(i, j int) { x[i], x[j] = x[j], x[i] })
	return x
}

// GridOptions say what [MeasureGrids] does.
type GridOptions struct {
	Bits    []int    // bits a dimension, each 1..MaxGridBits. Default 2, 3, 4
	Only    []string // names of the grids to measure; nil for all
	Numbers int      // numbers to measure on, at least 2^16. Default 2^22
	Seed    uint64   // of the numbers and of whatever is random in the quantisers. Default 1
	// Time is how long encoding, and decoding, is measured for at least. Default
	// [DefaultTime].
	Time time.Duration
	// Report, if not nil, is given each row, and the share that is done.
	Report func(row GridRow, done float64)
}

// DefaultGridOptions returns what nil options mean.
func DefaultGridOptions() GridOptions {
	return GridOptions{Bits: []int{2, 3, 4}, Numbers: 1 << 22, Seed: 1, Time: DefaultTime}
}

// A GridRow is what a [Grid] comes to.
type GridRow struct {
	Name      string  `json:"name"`
	Rate      int     `json:"rate"`                    // the bits asked for
	Bits      float64 `json:"bits"`                    // of all codes, a number
	Numbers   int     `json:"numbers"`                 // that were measured
	MSE       float64 `json:"mse"`                     // a number
	Published float64 `json:"published_mse,omitempty"` // 0 where there is no figure
	Source    string  `json:"source,omitempty"`
	Deviation float64 `json:"deviation_percent,omitempty"` // of MSE from Published
	Gap       float64 `json:"gap_db"`                      // to 2^(-2 Bits), Shannon's limit
	Encode    float64 `json:"encode_mps"`                  // millions of numbers a second of processor time
	Decode    float64 `json:"decode_mps"`
}

// MeasureGrids encodes and decodes normally distributed numbers by all grids.
func MeasureGrids(ctx context.Context, o *GridOptions) ([]GridRow, error) {
	opt := DefaultGridOptions()
	if o != nil {
		opt = *o
	}
	if opt.Numbers < pieceNumbers || opt.Numbers > 1<<28 {
		return nil, fmt.Errorf("%w: %d numbers, want 2^16 to 2^28", ErrOptions, opt.Numbers)
	}
	type rated struct {
		Grid
		rate int
	}
	var list []rated
	for _, bits := range opt.Bits {
		if bits < 1 || bits > MaxGridBits {
			return nil, fmt.Errorf("%w: %d bits, want 1..%d", ErrOptions, bits, MaxGridBits)
		}
		for _, g := range Grids(bits) {
			if chosen(opt.Only, g.Name) {
				list = append(list, rated{g, bits})
			}
		}
	}
	x := stratified(opt.Numbers, opt.Seed+4)
	var rows []GridRow
	for i, g := range list {
		q, err := g.New(opt.Seed)
		if err != nil {
			return nil, fmt.Errorf("%s of %d bits: %w", g.Name, g.rate, err)
		}
		n, part := opt.Numbers, x
		if g.Slow > 1 {
			n = max(n/g.Slow, 1<<12)
			part = stratified(n, opt.Seed+4)
		}
		n -= n % q.Dim()
		c, err := code(ctx, q, part[:n], opt.Time)
		if err != nil {
			return nil, err
		}
		row := GridRow{
			Name: g.Name, Rate: g.rate, Bits: vq.BitsPerDim(q), Numbers: n, MSE: c.mse,
			Published: g.Published, Source: g.Source, Encode: c.encode, Decode: c.decode,
		}
		row.Gap = gap(row.MSE, row.Bits)
		if g.Published > 0 {
			row.Deviation = 100 * (row.MSE/g.Published - 1)
		}
		rows = append(rows, row)
		if opt.Report != nil {
			opt.Report(row, float64(i+1)/float64(len(list)))
		}
	}
	return rows, nil
}
