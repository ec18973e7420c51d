package vq

import (
	"math"
	"slices"
	"testing"
)

// TestKMeansClusters: clusters that are far apart are found, each by one word.
func TestKMeansClusters(t *testing.T) {
	const d, k, each = 3, 20, 50
	noise := gaussian(k*each, d, 1)
	centres := gaussian(k, d, 2)
	x := make([]float32, len(noise))
	for i := range x {
		x[i] = 100*centres[i/d%k*d+i%d] + noise[i]
	}
	c, err := TrainKMeans(x, d, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]uint32, k*each)
	c.Encode(codes, x)
	for i, j := range codes {
		if j != codes[i%k] {
			t.Fatalf("vector %d of cluster %d has word %d, the first has %d", i, i%k, j, codes[i%k])
		}
	}
	if u := Usages(c, codes)[0]; u.Used != k || math.Abs(u.Perplexity()-k) > 1e-9 {
		t.Errorf("%d words used, perplexity %v", u.Used, u.Perplexity())
	}
	if e := MSE(c, x); e > 1.05 {
		t.Errorf("mean squared error %v", e)
	}
}

// TestKMeansStart: starting from distances beats starting anywhere, as the mean of some
// seeds, and no start has a vector twice.
func TestKMeansStart(t *testing.T) {
	const d, k = 4, 400 // drawn in batches of two
	x := gaussian(2000, d, 1)
	for i := range x {
		x[i] *= x[i] * x[i] // long tails
	}
	var plus, random float64
	for seed := range uint64(5) {
		c, err := TrainKMeans(x, d, k, &KMeansOptions{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		words := map[[d]float32]bool{}
		for i := range k {
			words[[d]float32(c.word(uint32(i)))] = true
		}
		if len(words) != k {
			t.Errorf("%d different words of %d", len(words), k)
		}
		plus += MSE(c, x)
		some, err := NewCodebook(x[int(seed)*k*d:(int(seed)+1)*k*d], d, Euclidean)
		if err != nil {
			t.Fatal(err)
		}
		random += MSE(some, x)
	}
	if plus > 0.7*random {
		t.Errorf("mean squared error %v, of random words %v", plus/5, random/5)
	}
}

// TestKMeansImproves: no iteration makes it worse, and all words are in use.
func TestKMeansImproves(t *testing.T) {
	const d, k = 6, 100
	x := gaussian(3000, d, 1)
	last := math.Inf(1)
	for _, n := range []int{0, 1, 2, 5, 20} {
		c, err := TrainKMeans(x, d, k, &KMeansOptions{Iterations: n, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		e := MSE(c, x)
		if e > last*(1+1e-6) {
			t.Errorf("%d iterations leave %v, fewer %v", n, e, last)
		}
		last = e
		codes := make([]uint32, 3000)
		c.Encode(codes, x)
		if u := Usages(c, codes)[0]; u.Used != k {
			t.Errorf("%d iterations: %d words used of %d", n, u.Used, k)
		}
	}
}

// TestRevive: words that nothing is near to go where the errors are.
func TestRevive(t *testing.T) {
	const d, k = 2, 16
	x := gaussian(500, d, 1)
	l := newLloyd(x, d, k, KMeansOptions{})
	l.words = make([]float32, k*d)
	for i := range l.words[d:] {
		l.words[d+i] = 1000
	}
	for range 20 {
		l.assign()
		l.move()
	}
	l.assign()
	l.sort()
	for j := range k {
		if l.starts[j] == l.starts[j+1] {
			t.Errorf("word %d has no vectors", j)
		}
	}
}

// TestKMeansFewDistinct: more words than different vectors are no trouble.
func TestKMeansFewDistinct(t *testing.T) {
	x := []float32{1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}
	c, err := TrainKMeans(x, 2, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := MSE(c, x); e != 0 {
		t.Errorf("mean squared error %v", e)
	}
}

// TestKMeansWeights: a vector of weight 3 counts as three, one of 0 not at all.
func TestKMeansWeights(t *testing.T) {
	x := []float32{0, 4, 100}
	c, err := TrainKMeans(x, 1, 1, &KMeansOptions{Iterations: 5, Weights: []float32{1, 3, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if c.words[0] != 3 {
		t.Errorf("the mean is %v, want 3", c.words[0])
	}
}

// TestCosine: lengths do not matter, and words have length 1.
func TestCosine(t *testing.T) {
	const d, k = 5, 12
	x := gaussian(400, d, 1)
	c, err := TrainKMeans(x, d, k, &KMeansOptions{Iterations: 10, Metric: Cosine, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	codes, scaled := make([]uint32, 400), make([]uint32, 400)
	c.Encode(codes, x)
	y := slices.Clone(x)
	for i := range y {
		y[i] *= []float32{0.25, 8}[i/d%2]
	}
	c.Encode(scaled, y)
	if !slices.Equal(codes, scaled) {
		t.Error("lengths count")
	}
	var cos float64
	for i, j := range codes {
		var dot, norm, word float64
		for e, w := range c.word(j) {
			v := float64(x[i*d+e])
			dot += v * float64(w)
			norm += v * v
			word += float64(w) * float64(w)
		}
		if math.Abs(word-1) > 1e-5 {
			t.Fatalf("word %d has the squared length %v", j, word)
		}
		cos += dot / math.Sqrt(norm) / 400
	}
	if cos < 0.75 {
		t.Errorf("mean cosine %v", cos)
	}
}

// TestEMA: batches move words to where the vectors went, and words without vectors come
// back.
func TestEMA(t *testing.T) {
	const d, k = 4, 32
	start := gaussian(1000, d, 1)
	c, err := TrainKMeans(start, d, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Metric{Euclidean, Cosine} {
		far := slices.Clone(c.words)
		if m == Euclidean {
			for i := range far[:k*d/2] {
				far[i] += 1000 // half of the words are out of reach
			}
		}
		book, err := NewCodebook(far, d, m)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEMA(book, &EMAOptions{Decay: 0.9, Epsilon: 1e-5, Dead: 0.5, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		var x []float32
		for batch := range 60 {
			x = gaussian(500, d, uint64(10+batch))
			for i := range x {
				x[i] = 2*x[i] + 3
			}
			if err := e.Update(x); err != nil {
				t.Fatal(err)
			}
		}
		codes := make([]uint32, 500)
		e.Codebook().Encode(codes, x)
		u := Usages(e.Codebook(), codes)[0]
		if u.Used < k*3/4 {
			t.Errorf("%v: %d words used of %d", m, u.Used, k)
		}
		fresh, err := TrainKMeans(x, d, k, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := MSE(e.Codebook(), x), MSE(fresh, x); m == Euclidean && a > 1.5*b {
			t.Errorf("mean squared error %v, of k-means %v", a, b)
		}
		if err := e.Update(x[:3]); err == nil {
			t.Error("a part of a vector is accepted")
		}
	}
}

// TestShrink: codes of the large codebook become codes of the small one that err as
// little as encoding the vectors anew, or nearly.
func TestShrink(t *testing.T) {
	const d, k = 4, 256
	x := gaussian(4000, d, 1)
	c, err := TrainKMeans(x, d, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]uint32, 4000)
	c.Encode(codes, x)
	small, to, err := c.Shrink(32, Usages(c, codes)[0].Counts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, j := range codes {
		codes[i] = to[j]
	}
	y := make([]float32, len(x))
	small.Decode(y, codes)
	if a, b := squaredError(x, y)/float64(len(x)), MSE(small, x); a > 1.2*b {
		t.Errorf("mean squared error %v through the large codebook, %v from the vectors", a, b)
	}
	u := Usages(small, codes)[0]
	if u.Used != 32 || u.Counts[0] < u.Counts[31] {
		t.Errorf("%d words used, the first %d times, the last %d", u.Used, u.Counts[0], u.Counts[31])
	}
}
