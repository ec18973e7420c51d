package priors

import (
	"math"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/overfit"
	"github.com/burin-codec/burin/corpus/dataset"
)

// TestPriors checks that fits of each of the ranges start from a prior, which the file names,
// and cost no more than from nothing, though the scene is no photograph, as those are that
// priors were learnt on.
func TestPriors(t *testing.T) {
	const width, height = 144, 128
	m := dataset.DeadLeaves(width, height, 1)
	cost := func(quality float64, w ...codec.Weights) (float64, overfit.Info) {
		o := codec.DefaultOptions()
		o.Codec, o.Effort, o.Weights = overfit.Name, 1, w
		o.Target = codec.Target{Kind: codec.TargetQuality, Value: quality}
		file := codectest.Encode(t, m, o)
		mse := math.Pow(10, -codectest.PSNR(t, m, codectest.MustDecode(t, file, nil))/10)
		h, sections := codectest.Scan(t, file)
		info, ok := overfit.Describe(&h, sections)
		if !ok {
			t.Fatal("not described")
		}
		return 8*float64(len(file))/(width*height) + mse/overfit.Lambda(quality), info
	}
	qualities := []float64{35, 80}
	if testing.Short() {
		qualities = qualities[:1] // four fits take long without assembly
	}
	for _, quality := range qualities {
		with, info := cost(quality)
		without, _ := cost(quality, overfit.WithoutPrior)
		t.Logf("quality %v: %.4f, %.4f from nothing", quality, with, without)
		if len(info.Priors) != 1 {
			t.Errorf("quality %v: priors %v", quality, info.Priors)
		}
		if with > without {
			t.Errorf("quality %v costs %.4f, %.4f from nothing", quality, with, without)
		}
	}
}
