package network

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
	"github.com/burin-codec/burin/transform/principal"
	"github.com/burin-codec/burin/vq"
)

// Start sets the networks to the transform of Karhunen and Loève, and the codebooks to
// the means of what it leaves:
//
//   - the analysis is that of squares of 8 x 8 pixels, of which it keeps the strongest
//     coefficients; the synthesis has the transpose;
//   - each pool is that of 2 x 2 vectors; predictors have the transposes;
//   - inside the networks coefficients are divided by the square root of their
//     deviation, which leaves them within a few octaves of each other;
//   - the words of each stage are k-means of what the stages before leave of cells that
//     are worth a word.
//
// Pictures are [H][W][3] in the units of PixelUnit, of one size, a multiple of 64: some
// hundreds, as each has few large cells. Codebooks of levels that have fewer cells than
// words are filled by repeated cells, moved a little.
func (n *Network) Start(pictures []Picture, r *rand.Rand) error {
	c := n.Config
	d := c.Levels[Finest].Dim
	if c.Fine < d || c.Fine > 192 || c.Coarse < 4*d {
		return fmt.Errorf("network: no start for %d and %d channels and vectors of %d", c.Fine, c.Coarse, d)
	}
	first, err := principal.Find(192, c.Fine, func(add func([]float32)) {
		v := make([]float32, 192)
		for _, p := range pictures {
			p.Squares(8, func(y, x int) { p.Square(v, y, x); add(v) })
		}
	})
	if err != nil {
		return err
	}
	a := scales(first)
	set := func(net *convnet.Net, index int, value func(o, i int) (float64, bool)) {
		p := weightOf(net, index)
		for o := range p.Rows {
			for i := range p.Cols {
				if v, ok := value(o, i); ok {
					p.Data[o*p.Cols+i] = float32(v)
				}
			}
		}
	}
	set(n.Analysis, 0, func(o, i int) (float64, bool) { return first.Vectors[o][i] * a[o], true })
	set(n.Analysis, 1, func(o, i int) (float64, bool) { return one(o == i) / a[i], true })
	set(n.Reference, 0, func(o, i int) (float64, bool) { return first.Vectors[o][i], true })
	// Channels beyond the coefficients keep their random inputs, for blocks to use.
	set(n.Synthesis, 0, func(o, i int) (float64, bool) { return one(o == i) * a[i%d], o < 4*d })
	set(n.Synthesis, 1, func(o, i int) (float64, bool) {
		k, j := o/c.Fine, o%c.Fine
		return one(j < d && i == k*d+j), j < d
	})
	set(n.Synthesis, 2, func(o, i int) (float64, bool) {
		if i >= d {
			return 0, true
		}
		return first.Vectors[i][o] / a[i], true
	})
	n.Refresh()
	below := scales(first)[:d]
	for l := Finest - 1; l >= 0; l-- {
		if below, err = n.startPool(l, below, pictures); err != nil {
			return err
		}
	}
	return n.startBooks(pictures, r)
}

// startPool sets a pool and the predictor that undoes it. below are the scales of the
// level after, and it returns those of this one.
func (n *Network) startPool(l int, below []float64, pictures []Picture) ([]float64, error) {
	c := n.Config
	d, finer := c.Levels[l].Dim, c.Levels[l+1].Dim
	if d > 4*finer || finer > c.Width {
		return nil, fmt.Errorf("network: no start for vectors of %d, of four of %d in %d channels", d, finer, c.Width)
	}
	comps, err := principal.Find(4*finer, d, func(add func([]float32)) {
		v := make([]float32, 4*finer)
		for _, p := range pictures {
			y, s := n.Analysis.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{0.5})
			for k := Finest - 1; k > l; k-- {
				y, s = n.Pools[k].Forward(y, s, nil)
			}
			for row := 0; row < s.H; row += 2 {
				for column := 0; column < s.W; column += 2 {
					for k := range 4 {
						at := ((row+k/2)*s.W + column + k%2) * finer
						copy(v[k*finer:(k+1)*finer], y[at:at+finer])
					}
					add(v)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	pool := weightOf(n.Pools[l], 0)
	for o := range d {
		for i, v := range comps.Vectors[o] {
			pool.Data[o*pool.Cols+i] = float32(v)
		}
	}
	predictor := n.Predictors[l+1]
	up, out := weightOf(predictor, 0), weightOf(predictor, 1)
	for o := range up.Rows {
		if k, j := o/c.Width, o%c.Width; j < finer {
			for i := range d {
				up.Data[o*d+i] = float32(comps.Vectors[i][k*finer+j] * below[j])
			}
		} else {
			for i := range d { // their inputs are as large as the vectors
				up.Data[o*d+i] *= float32(scales(comps)[i])
			}
		}
	}
	clear(out.Data)
	for o := range finer {
		out.Data[o*out.Cols+o] = float32(1 / below[o])
	}
	n.Refresh()
	return scales(comps), nil
}

// startRate is the rate for which cells are worth a word at the start.
const startRate = 0.6

// maxStart is how many cells there are for each word at most.
const maxStart = 30

func (n *Network) startBooks(pictures []Picture, r *rand.Rand) error {
	kappa := float32(Lambda(startRate) / 3 * PixelUnit * PixelUnit)
	// All the pictures' vectors, and what is decoded of them.
	var y, decoded [Levels][][]float32
	var shapes [Levels]convnet.Shape
	for _, p := range pictures {
		v, s := n.Analysis.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{startRate})
		for l := Finest; ; l-- {
			y[l] = append(y[l], append([]float32(nil), v...))
			shapes[l] = s
			if l == 0 {
				break
			}
			v, s = n.Pools[l-1].Forward(v, s, nil)
		}
	}
	for l, level := range n.Config.Levels {
		d, rows := level.Dim, shapes[l].Rows()
		left := make([]float32, 0, len(pictures)*rows*d)
		var sum float64
		for k := range pictures {
			p := make([]float32, rows*d)
			if l > 0 {
				out, _ := n.Predictors[l].Forward(decoded[l-1][k], shapes[l-1], []float32{startRate})
				for i := range rows {
					copy(p[i*d:(i+1)*d], out[i*(d+1):])
				}
			}
			decoded[l] = append(decoded[l], p)
			at := len(left)
			left = append(left, y[l][k]...)
			kernels.AxpbyF32(left[at:], 1, p, -1)
			for i := at; i < len(left); i += d {
				sum += math.Log(kernels.DotF32(left[i:i+d], left[i:i+d]) + lowestEnergy)
			}
		}
		mean := sum / float64(len(pictures)*rows)
		n.LowEnergy[l] = float32(mean) - energySpan
		if l > 0 {
			p := n.Predictors[l].Params()
			bias := p[len(p)-1].Data
			bias[d] = float32(mean)
		}
		active := make([]cell, 0, len(pictures)*rows)
		for i := range len(pictures) * rows {
			active = append(active, cell{Row: i, Kappa: kappa})
		}
		for _, book := range n.Books[l] {
			if err := book.start(left, active, r, n.pool); err != nil {
				return err
			}
			next := active[:0]
			for _, c := range book.choose(left, active, false) {
				if c.word < 0 {
					continue
				}
				w := book.Data[c.word*d : (c.word+1)*d]
				kernels.AxpbyF32(decoded[l][c.Row/rows][c.Row%rows*d:][:d], 1, w, 1)
				kernels.AxpbyF32(left[c.Row*d:(c.Row+1)*d], 1, w, -1)
				next = append(next, c)
			}
			active = next
		}
	}
	n.Refresh()
	return nil
}

// start sets the words to the means of what is left of the cells.
func (b *Book) start(left []float32, cells []cell, r *rand.Rand, pool *nn.Pool) error {
	d := b.Dim
	least := float32(math.Log2(float64(b.Words))) / 2 // bits: about what half a word costs
	var x []float32
	for _, c := range cells {
		v := left[c.Row*d : (c.Row+1)*d]
		if c.Kappa*float32(kernels.DotF32(v, v)) > least {
			x = append(x, v...)
		}
	}
	if len(x) == 0 {
		x = append(x, left[:d]...)
	}
	rows := len(x) / d
	if want := maxStart * b.Words; rows > want {
		r.Shuffle(rows, func(i, j int) {
			for k := range d {
				x[i*d+k], x[j*d+k] = x[j*d+k], x[i*d+k]
			}
		})
		x = x[:want*d]
	}
	for i := 0; len(x)/d < 2*b.Words; i++ {
		for _, v := range x[i%rows*d : i%rows*d+d] {
			x = append(x, v*float32(1+0.1*r.NormFloat64()))
		}
	}
	o := vq.DefaultKMeansOptions()
	o.Iterations, o.Seed, o.Pool = 8, r.Uint64(), pool
	book, err := vq.TrainKMeans(x, d, b.Words, &o)
	if err != nil {
		return err
	}
	copy(b.Data, book.Words())
	b.fresh = false
	return nil
}

// weightOf returns the weights of linear operation number index of a network.
func weightOf(net *convnet.Net, index int) *nn.Param {
	params, at := net.Params(), 0
	for _, op := range net.Ops {
		switch op.Kind {
		case convnet.OpLinear:
			if index == 0 {
				return params[at]
			}
			index--
			at += 2
		case convnet.OpBlock:
			at += 6
		case convnet.OpRate:
			at++
		}
	}
	panic("network: no such operation")
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// scales returns the factors that coefficients are multiplied by.
func scales(c *principal.Components) []float64 {
	s := make([]float64, len(c.Deviations))
	for i, d := range c.Deviations {
		s[i] = 1 / math.Sqrt(max(d, 1e-3))
	}
	return s
}
