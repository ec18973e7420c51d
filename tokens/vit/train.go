package vit

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/burin-codec/burin/transform/nn"
)

// A Set is labelled pictures.
type Set struct {
	Side   int
	Pixels []byte  // [len(Labels)][Side*Side]
	Labels []uint8 // [n]
}

// Len returns the number of pictures.
func (s *Set) Len() int { return len(s.Labels) }

// Load sets dst, [Side*Side], to picture i with values of about mean 0 and deviation
// 1 (those of Fashion-MNIST).
func (s *Set) Load(dst []float32, i int) {
	n := s.Side * s.Side
	for j, v := range s.Pixels[i*n : (i+1)*n] {
		dst[j] = normalise(v)
	}
}

func normalise(v byte) float32 { return (float32(v) - 73) / 90 }

// loadShifted is Load with the picture shifted by dy, dx, and mirrored if flip.
func (s *Set) loadShifted(dst []float32, i, dy, dx int, flip bool) {
	p := s.Pixels[i*s.Side*s.Side:]
	for y := range s.Side {
		for x := range s.Side {
			sy, sx := y+dy, x
			if flip {
				sx = s.Side - 1 - x
			}
			sx += dx
			v := byte(0)
			if sy >= 0 && sy < s.Side && sx >= 0 && sx < s.Side {
				v = p[sy*s.Side+sx]
			}
			dst[y*s.Side+x] = normalise(v)
		}
	}
}

// A TrainConfig says how a [Model] is trained.
type TrainConfig struct {
	Epochs int
	Batch  int
	Rate   float64 // the highest learning rate, after a warm-up of a twentieth of the steps
	Decay  float64 // weight decay of matrices
	Seed   uint64
	Flip   bool // pictures are mirrored at random: not for digits
	// Progress, unless nil, is called a few times an epoch with the mean loss since
	// the last call.
	Progress func(step, steps int, loss float64)
}

// Train trains the model with Adam on cross-entropy with label smoothing of 0.1, on
// pictures shifted by up to two pixels. The result depends on the seed and the tier of
// the kernels, not on the number of workers. It returns early with the context's error.
func (m *Model) Train(ctx context.Context, set *Set, c TrainConfig) error {
	if set.Side != m.Side || set.Len() < c.Batch || c.Batch < 1 || c.Epochs < 1 || len(set.Pixels) != set.Len()*set.Side*set.Side {
		return fmt.Errorf("vit: cannot train on %d pictures of side %d in %d epochs of batches of %d", set.Len(), set.Side, c.Epochs, c.Batch)
	}
	for i, l := range set.Labels {
		if int(l) >= m.Classes {
			return fmt.Errorf("vit: label %d of picture %d is none of %d classes", l, i, m.Classes)
		}
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x747261696e))
	matrix := nn.Group{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: 1, WeightDecay: c.Decay}
	vector := matrix
	vector.WeightDecay = 0
	for _, p := range m.params {
		if p.Rows > 1 && p != m.positions {
			matrix.Params = append(matrix.Params, p)
		} else {
			vector.Params = append(vector.Params, p)
		}
	}
	adam := nn.NewAdam(m.pool, matrix, vector)
	perEpoch := set.Len() / c.Batch
	steps := c.Epochs * perEpoch
	warm := max(1, steps/20)
	area := m.Side * m.Side
	pictures := make([]float32, c.Batch*area)
	labels := make([]uint8, c.Batch)
	dlogits := make([]float32, c.Batch*m.Classes)
	sum, count := 0.0, 0
	var order []int
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if step%perEpoch == 0 {
			order = r.Perm(set.Len())
		}
		for i := range c.Batch {
			j := order[step%perEpoch*c.Batch+i]
			set.loadShifted(pictures[i*area:(i+1)*area], j, r.IntN(5)-2, r.IntN(5)-2, c.Flip && r.IntN(2) == 0)
			labels[i] = set.Labels[j]
		}
		logits := m.Forward(pictures, c.Batch)
		sum += nn.CrossEntropy(dlogits, logits, labels, m.Classes, 0.1, 1/float64(c.Batch)) / float64(c.Batch)
		count++
		nn.ZeroGrad(m.params)
		m.Backward(dlogits, c.Batch)
		rate := nn.Cosine(c.Rate, c.Rate/100, step-warm, steps-warm)
		if step < warm {
			rate = c.Rate * float64(step+1) / float64(warm)
		}
		for i := range adam.Groups {
			adam.Groups[i].Rate = rate
		}
		adam.Step()
		m.Refresh()
		if c.Progress != nil && (step+1)%max(1, perEpoch/4) == 0 {
			c.Progress(step+1, steps, sum/float64(count))
			sum, count = 0, 0
		}
	}
	return nil
}

// Accuracy returns the share of pictures that are classified right.
func (m *Model) Accuracy(set *Set) float64 {
	const batch = 200
	area := m.Side * m.Side
	pictures := make([]float32, batch*area)
	right := 0
	for at := 0; at < set.Len(); at += batch {
		n := min(batch, set.Len()-at)
		for i := range n {
			set.Load(pictures[i*area:(i+1)*area], at+i)
		}
		logits := m.Forward(pictures[:n*area], n)
		for i := range n {
			if argmax(logits[i*m.Classes:(i+1)*m.Classes]) == int(set.Labels[at+i]) {
				right++
			}
		}
	}
	return float64(right) / float64(set.Len())
}

func argmax(s []float32) int {
	best := 0
	for i, v := range s {
		if v > s[best] {
			best = i
		}
	}
	return best
}
