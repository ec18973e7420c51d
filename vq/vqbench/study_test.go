package vqbench

import (
	"flag"
	"testing"

	"github.com/burin-codec/burin/vq"
)

var (
	study        = flag.Bool("study", false, "run the long measurements of doc/vq-books.md")
	studyVectors = flag.Int("vectors", 400_000, "vectors that the large codebook is trained on")
	studyRounds  = flag.Int("iterations", 6, "iterations of k-means for it")
	studyOthers  = flag.Int("others", 8, "as many times that of other vectors to count words on")
)

// TestLargeCodebook trains 65,536 words on patches of the training photographs, and
// says how many of them are used: by the vectors of training, and by ever more other
// patches of the same photographs.
func TestLargeCodebook(t *testing.T) {
	if !*study {
		t.Skip("takes minutes: -args -study")
	}
	const d, k = patchDim, 1 << 16
	x := photoPatches(t, "train", 1, *studyVectors)[0]
	start := cpuTime()
	c, err := vq.TrainKMeans(x, d, k, &vq.KMeansOptions{Iterations: *studyRounds, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("trained in %.0f s", (cpuTime() - start).Seconds())
	count := func(name string, codes []uint32, x []float32) {
		u := vq.Usages(c, codes)[0]
		t.Logf("%-15s %8d vectors: %.2f %% of words used, entropy %.2f bits, MSE of the last %.3e",
			name, len(codes), 100*u.Utilisation, u.Entropy, vq.MSE(c, x))
		if name == "of training" && u.Utilisation < 0.95 {
			t.Errorf("%.2f %% of words used", 100*u.Utilisation)
		}
	}
	codes := make([]uint32, len(x)/d)
	c.Encode(codes, x)
	count("of training", codes, x)
	codes = codes[:0]
	for seed := range *studyOthers {
		x := photoPatches(t, "train", uint64(2+seed), *studyVectors)[0]
		more := make([]uint32, len(x)/d)
		c.Encode(more, x)
		codes = append(codes, more...)
		count("other patches", codes, x)
	}
}
