package vq

import (
	"math"
	"testing"
)

func must[Q any](q Q, err error) Q {
	if err != nil {
		panic(err)
	}
	return q
}

// Trained on numbers of another distribution, a trellis is better on these.
func TestTrainTrellis(t *testing.T) {
	x := normals(64*300, 6)
	for i, v := range x {
		x[i] = 3 * v * v * v
	}
	plain, err := NewTrellis(64, 2, 7, float32(norm(x)/math.Sqrt(float64(len(x)))))
	if err != nil {
		t.Fatal(err)
	}
	trained := must(TrainTrellis(x[:64*200], 64, 2, 7, 8))
	if a, b := MSE(trained, x[64*200:]), MSE(plain, x[64*200:]); a > .8*b {
		t.Errorf("trained %.5f, before %.5f", a, b)
	}
	again := must(Unmarshal(must(trained.MarshalBinary())))
	if a, b := MSE(again, x), MSE(trained, x); a != b {
		t.Errorf("error %g once read again, %g before", a, b)
	}
}
