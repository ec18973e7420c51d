package vq

import (
	"flag"
	"testing"
	"time"

	"github.com/burin-codec/burin/transform/nn"
)

var (
	study        = flag.Bool("study", false, "run the long measurements of doc/vq-books.md")
	studyVectors = flag.Int("vectors", 400_000, "vectors that the large codebook is trained on")
	studyRounds  = flag.Int("iterations", 6, "iterations of k-means for it")
)

// TestLargeCodebook trains 65,536 words on patches of the training photographs, and
// says how many of them are used: by the vectors of training, by other patches of the
// same photographs, and by patches of others.
func TestLargeCodebook(t *testing.T) {
	if !*study {
		t.Skip("takes minutes: -args -study")
	}
	const size, k = 4, 1 << 16
	x := patches(t, "train", size, *studyVectors, 1)
	pool := nn.NewPool(1)
	defer pool.Close()
	start := time.Now()
	c, err := TrainKMeans(x, size*size, k, &KMeansOptions{Iterations: *studyRounds, Seed: 1, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("trained in %.0f s", time.Since(start).Seconds())
	codes := make([]uint32, len(x)/(size*size))
	for _, set := range []struct {
		name string
		x    []float32
	}{
		{"training", x},
		{"other patches", patches(t, "train", size, *studyVectors, 2)},
		{"other photographs", patches(t, "photos", size, *studyVectors/4, 3)},
	} {
		codes := codes[:len(set.x)/(size*size)]
		c.Encode(codes, set.x)
		u := Usages(c, codes)[0]
		y := make([]float32, len(set.x))
		c.Decode(y, codes)
		t.Logf("%-17s %8d vectors: %.2f %% of words used, entropy %.2f bits, MSE %.3e",
			set.name, len(codes), 100*u.Utilisation, u.Entropy, squaredError(set.x, y)/float64(len(y)))
		if set.name == "training" && u.Utilisation < 0.95 {
			t.Errorf("%.2f %% of words used", 100*u.Utilisation)
		}
	}
}
