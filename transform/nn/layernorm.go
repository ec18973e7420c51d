package nn

import (
	"fmt"
	"math"
)

// layerNormEpsilon is added to the variance.
const layerNormEpsilon = 1e-5

// A LayerNorm shifts and scales each row to mean zero and variance one, and then each
// column by learned numbers: y = g (x - mean)/sqrt(variance + 1e-5) + b (Ba, Kiros and
// Hinton, "Layer Normalization", 2016).
type LayerNorm struct {
	width      int
	gain, bias *Param
	pool       *Pool
	partials   *Partials
	scratch    [][]float32 // [workers][width]: a row that is normalised
}

// NewLayerNorm returns a layer on rows of the given width, with gains of one and
// biases of zero, named after name.
func NewLayerNorm(name string, width int, pool *Pool) (*LayerNorm, error) {
	if width < 1 {
		return nil, fmt.Errorf("nn: LayerNorm %s has a width of %d", name, width)
	}
	l := &LayerNorm{width: width, pool: pool, gain: NewParam(name+".weight", 1, width), bias: NewParam(name+".bias", 1, width)}
	for i := range l.gain.Data {
		l.gain.Data[i] = 1
	}
	l.partials = NewPartials(l.Params())
	for range pool.Workers() {
		l.scratch = append(l.scratch, make([]float32, width))
	}
	return l, nil
}

// Params returns gain and bias.
func (l *LayerNorm) Params() []*Param { return []*Param{l.gain, l.bias} }

// moments returns the mean of a row and one over its deviation.
func moments(x []float32) (mean, inverse float32) {
	var s float32
	for _, v := range x {
		s += v
	}
	mean = s / float32(len(x))
	s = 0
	for _, v := range x {
		s += (v - mean) * (v - mean)
	}
	return mean, 1 / float32(math.Sqrt(float64(s/float32(len(x))+layerNormEpsilon)))
}

// Forward sets y to the output for x, both [rows][width]; they may be the same.
func (l *LayerNorm) Forward(y, x []float32, rows int) {
	needRows("input of a layer norm", x, rows, l.width)
	needRows("output of a layer norm", y, rows, l.width)
	l.pool.Run(rowPieces(rows), func(_, piece int) {
		from, to := rowRange(piece, rows)
		gain, bias := l.gain.Data, l.bias.Data
		for i := from; i < to; i++ {
			x, y := x[i*l.width:(i+1)*l.width], y[i*l.width:(i+1)*l.width]
			mean, inverse := moments(x)
			for j, v := range x {
				y[j] = (v-mean)*inverse*gain[j] + bias[j]
			}
		}
	})
}

// Backward goes back from the gradient dy with respect to the output for x. It sets dx
// to the gradient with respect to x, and adds the parameters' gradients to theirs if
// weights is true. dx may be dy.
func (l *LayerNorm) Backward(dx, dy, x []float32, rows int, weights bool) {
	needRows("input of a layer norm", x, rows, l.width)
	needRows("gradient of a layer norm's output", dy, rows, l.width)
	needRows("gradient of a layer norm's input", dx, rows, l.width)
	pieces := rowPieces(rows)
	if weights {
		l.partials.Resize(pieces)
	}
	l.pool.Run(pieces, func(worker, piece int) {
		from, to := rowRange(piece, rows)
		var dgain, dbias []float32
		if weights {
			grad := l.partials.Piece(piece)
			dgain, dbias = grad[:l.width], grad[l.width:]
		}
		gain, h := l.gain.Data, l.scratch[worker]
		for i := from; i < to; i++ {
			x, dy, dx := x[i*l.width:(i+1)*l.width], dy[i*l.width:(i+1)*l.width], dx[i*l.width:(i+1)*l.width]
			// With h the normalised row and e = g dy:
			// dx = (e - mean(e) - h mean(e h)) / deviation.
			mean, inverse := moments(x)
			var sum, dot float32
			for j, v := range x {
				h[j] = (v - mean) * inverse
				e := gain[j] * dy[j]
				sum += e
				dot += e * h[j]
			}
			if weights {
				for j, d := range dy {
					dgain[j] += d * h[j]
					dbias[j] += d
				}
			}
			sum /= float32(l.width)
			dot /= float32(l.width)
			for j, d := range dy {
				dx[j] = (gain[j]*d - sum - h[j]*dot) * inverse
			}
		}
	})
	if weights {
		l.partials.Reduce()
	}
}
