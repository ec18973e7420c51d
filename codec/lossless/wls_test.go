package lossless

import (
	"hash/crc32"
	"math"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// runWLS runs a predictor over a plane of numbers by its nearest neighbours, W,
// N, NW and so on, and calls f with each prediction and target.
func runWLS(c wlsConfig, s *grid, f func(x, y int, p, target float32)) {
	o := newWLS(c, 0, s.w)
	for y := range s.h {
		o.beginRow()
		for x := range s.w {
			i := s.at(x, y)
			base := s.v[i-1]
			for k, d := range nearOffsets[1:c.near] {
				o.v[k] = float32(s.v[i+d.y*s.stride+d.x] - base)
			}
			p, target := o.predict(x), float32(s.v[i]-base)
			f(x, y, p, target)
			o.update(x, target)
		}
		o.endRow()
	}
}

func gridOf(w, h int, f func(x, y int) int) *grid {
	g := newGrid(w, h)
	for y := range h {
		for x := range w {
			g.v[g.at(x, y)] = int32(f(x, y))
		}
	}
	g.extend()
	return g
}

// TestWLSWindow compares the state of the recursions with the sum that they
// stand for, in float64.
func TestWLSWindow(t *testing.T) {
	c := wlsConfig{near: 4, lambda: 0.9, rho: 0.8, every: 1}
	const w, h = 29, 7
	s := newScene(w, h, 4000, 3)
	g := gridOf(w, h, func(x, y int) int { return s.at(x, y, 0) >> 8 })
	o := newWLS(c, 0, w)
	n := o.n
	type sample struct{ v []float64 } // the regressors, then the target; weighted by their root
	var seen [h][w]sample
	for y := range h {
		o.beginRow()
		for x := range w {
			i := g.at(x, y)
			base := g.v[i-1]
			energy := 0.0
			v := make([]float64, n+1)
			for k, d := range nearOffsets[1:c.near] {
				e := g.v[i+d.y*g.stride+d.x] - base
				o.v[k], v[k] = float32(e), float64(e)
				energy += v[k] * v[k]
			}
			v[n] = float64(g.v[i] - base)

			// The sum as the comment in wls.go has it. Rows above count by
			// blocks: the distance is that from the block's last column for
			// columns up to it and from the block's first beyond.
			want := make([]float64, (n+1)*(n+1))
			for yy := 0; yy <= y; yy++ {
				for xx := range w {
					var influence float64
					last := min(x/wlsBlock*wlsBlock+wlsBlock-1, w-1)
					switch {
					case yy == y && xx < x:
						influence = math.Pow(float64(c.lambda), float64(x-1-xx))
					case yy < y && xx <= last:
						influence = math.Pow(float64(c.lambda), float64(last-xx)) * math.Pow(float64(c.rho), float64(y-yy))
					case yy < y:
						influence = math.Pow(float64(c.lambda), float64(blockDistance(xx, last, w))) * math.Pow(float64(c.rho), float64(y-yy))
					}
					q := seen[yy][xx].v
					for a := 0; q != nil && influence > 0 && a <= n; a++ {
						for b := 0; b <= n; b++ {
							want[a*(n+1)+b] += influence * q[a] * q[b]
						}
					}
				}
			}
			b := x / wlsBlock * o.size
			for a := range n {
				for k := 0; k <= n; k++ {
					at := a*o.stride + k
					if k == n {
						at = o.stride*o.stride + a
					} else if k > a {
						continue // the lower triangle is what the solver reads
					}
					got := float64(o.row[at]) + float64(o.above[b+at])
					if d := math.Abs(got - want[a*(n+1)+k]); d > 1e-3*(1+math.Abs(want[a*(n+1)+k])) {
						t.Fatalf("(%d,%d): entry %d,%d is %v, want %v", x, y, a, k, got, want[a*(n+1)+k])
					}
				}
			}
			o.predict(x)
			o.update(x, float32(v[n]))
			root := math.Sqrt(1 / math.Sqrt(energy/float64(n)+4))
			for k := range v {
				v[k] *= root
			}
			seen[y][x].v = v
		}
		o.endRow()
	}
}

// blockDistance is the power of lambda of a column right of a block: from the
// column back to the end of its own block, then by whole blocks.
func blockDistance(x, last, w int) int {
	own := min(x/wlsBlock*wlsBlock+wlsBlock-1, w-1)
	blocks := x/wlsBlock - last/wlsBlock
	return own - x + blocks*wlsBlock
}

// TestWLSLearns checks that a linear rule that the samples follow is found, and
// found again after it changes.
func TestWLSLearns(t *testing.T) {
	g := newGrid(64, 96)
	for y := range 96 {
		for x := range 64 {
			i := g.at(x, y)
			if x < 3 || y < 2 {
				g.v[i] = int32(hash(x, y)%200) + 300
				continue
			}
			w, n, nw, ne := g.v[i-1], g.v[i-g.stride], g.v[i-g.stride-1], g.v[i-g.stride+1]
			v := (2*w + n - nw + 2*ne) / 4
			if y > 48 {
				v = (3*w + 4*n - 3*nw) / 4
			}
			g.v[i] = min(max(v+int32(hash(x, y, 2)%41)-20, 0), 1000)
		}
	}
	var sum [4]float64
	var count [4]float64
	runWLS(wlsConfig{near: 6, lambda: .95, rho: .9, every: 1}, g, func(x, y int, p, target float32) {
		if x >= 3 && y >= 2 && x < 60 {
			sum[y/24] += math.Abs(float64(p - target))
			count[y/24]++
		}
	})
	// The noise alone has a mean magnitude of 10.2.
	for k, limit := range []float64{14, 12, 14, 12} {
		if mean := sum[k] / count[k]; mean > limit {
			t.Errorf("quarter %d: mean error %.1f, want at most %v", k, mean, limit)
		}
	}
}

// TestWLSGolden holds the predictions to the last bit, in every tier and on every
// machine: a difference makes files unreadable there.
func TestWLSGolden(t *testing.T) {
	s := newScene(53, 21, 3000, 4)
	g := gridOf(53, 21, func(x, y int) int { return s.at(x, y, 0) >> 8 })
	flat := gridOf(40, 9, func(x, y int) int { return 200 })
	for _, c := range []struct {
		name   string
		config wlsConfig
		g      *grid
		want   uint32
	}{
		{"near 6", wlsConfig{near: 6, lambda: .8, rho: .75, every: 1}, g, 0x9b790585},
		{"near 12", wlsConfig{near: 12, lambda: .9, rho: .85, every: 4}, g, 0xce2e5982},
		{"near 18", wlsConfig{near: 18, lambda: .96, rho: .94, every: 1}, g, 0xb7eb17cb},
		{"flat", wlsConfig{near: 12, lambda: .9, rho: .85, every: 1}, flat, 0xaa11169a},
	} {
		for _, tier := range kernels.Tiers() {
			restore, err := kernels.SetTier(tier)
			if err != nil {
				t.Fatal(err)
			}
			sum := crc32.NewIEEE()
			runWLS(c.config, c.g, func(_, _ int, p, _ float32) {
				if p != p {
					t.Fatalf("%s, %v: not a number", c.name, tier)
				}
				b := math.Float32bits(p)
				sum.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			})
			restore()
			if got := sum.Sum32(); got != c.want {
				t.Errorf("%s, %v: predictions sum to %#x, want %#x", c.name, tier, got, c.want)
			}
		}
	}
}

func BenchmarkWLS(b *testing.B) {
	s := newScene(512, 4, 3000, 4)
	g := gridOf(512, 4, func(x, y int) int { return s.at(x, y, 0) >> 8 })
	for _, c := range []struct {
		name string
		wlsConfig
	}{
		{"n=11/every=4", wlsConfig{near: 12, lambda: .9, rho: .85, every: 4}},
		{"n=11", wlsConfig{near: 12, lambda: .92, rho: .88, every: 1}},
		{"n=23", wlsConfig{near: 24, lambda: .96, rho: .94, every: 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				runWLS(c.wlsConfig, g, func(int, int, float32, float32) {})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(512*4), "ns/sample")
		})
	}
}
