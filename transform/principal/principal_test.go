package principal

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFind finds the axes of a distribution that was turned.
func TestFind(t *testing.T) {
	axes := [][]float64{{0.6, 0.8, 0}, {-0.8, 0.6, 0}, {0, 0, 1}}
	deviations := []float64{1, 5, 2}
	r := rand.New(rand.NewPCG(1, 2))
	c, err := Find(3, 2, func(add func([]float32)) {
		v := make([]float32, 3)
		for range 20000 {
			clear(v)
			for k, axis := range axes {
				x := r.NormFloat64() * deviations[k]
				for i, a := range axis {
					v[i] += float32(x * a)
				}
			}
			add(v)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Vectors) != 2 || len(c.Deviations) != 2 {
		t.Fatalf("%d vectors, %d deviations", len(c.Vectors), len(c.Deviations))
	}
	for k, want := range []int{1, 2} {
		y := make([]float32, 2)
		x := make([]float32, 3)
		for i, a := range axes[want] {
			x[i] = float32(a)
		}
		c.Project(y, x)
		if math.Abs(math.Abs(float64(y[k]))-1) > 1e-3 || math.Abs(c.Deviations[k]-deviations[want]) > 0.1 {
			t.Errorf("component %d: %v along %v, deviation %v", k, c.Vectors[k], axes[want], c.Deviations[k])
		}
	}
	if _, err := Find(3, 2, func(add func([]float32)) { add(make([]float32, 3)) }); err == nil {
		t.Error("one sample was enough")
	}
}
