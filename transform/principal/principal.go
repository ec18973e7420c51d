// Package principal finds the principal components of vectors, the basis in which the
// learned codecs' transforms start (Karhunen and Loève).
package principal

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/mat"
)

// Components are the strongest principal components of a distribution.
type Components struct {
	Vectors    [][]float64 // orthonormal
	Deviations []float64   // about zero
}

// Find returns the n strongest components of the vectors of length d that each adds. Moments are
// taken about zero, which the mean of pictures is near.
func Find(d, n int, each func(add func([]float32))) (*Components, error) {
	sum := make([]float64, d*d)
	count := 0
	each(func(v []float32) {
		count++
		for i, a := range v {
			row := sum[i*d : i*d+i+1]
			for j, b := range v[:i+1] {
				row[j] += float64(a) * float64(b)
			}
		}
	})
	if count < d {
		return nil, fmt.Errorf("principal: %d samples of %d numbers are too few", count, d)
	}
	m := mat.NewSymDense(d, nil)
	for i := range d {
		for j := range i + 1 {
			m.SetSym(i, j, sum[i*d+j]/float64(count))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(m, true) {
		return nil, fmt.Errorf("principal: no principal components")
	}
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	order := make([]int, d)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return values[order[i]] > values[order[j]] })
	c := &Components{}
	for _, k := range order[:n] {
		c.Vectors = append(c.Vectors, mat.Col(nil, k, &vectors))
		c.Deviations = append(c.Deviations, math.Sqrt(max(values[k], 1e-10)))
	}
	return c, nil
}

// Project sets y to the components of x.
func (c *Components) Project(y, x []float32) {
	for i, v := range c.Vectors {
		var s float64
		for j, a := range v {
			s += a * float64(x[j])
		}
		y[i] = float32(s)
	}
}
