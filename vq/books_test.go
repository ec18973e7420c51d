package vq

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// TestOPQNeverLoses: on what it was trained on, whatever that is.
func TestOPQNeverLoses(t *testing.T) {
	const d, m, k = 6, 3, 8
	constant := make([]float32, 100*d)
	split := gaussian(300, d, 1)
	for i := range split {
		split[i] *= float32(1 + 10*(i%2)) // axes are as they should be
	}
	for name, x := range map[string][]float32{"normal": gaussian(300, d, 2), "constant": constant, "independent": split} {
		pq, err := TrainPQ(x, d, m, k, nil)
		if err != nil {
			t.Fatal(err)
		}
		opq, err := TrainOPQ(x, d, m, k, nil)
		if err != nil {
			t.Fatal(err)
		}
		// A rotation rounds, which counts where nothing else does.
		if a, b := MSE(opq, x), MSE(pq, x); a > b*(1+1e-5) {
			t.Errorf("%s: OPQ %v, PQ %v", name, a, b)
		}
	}
}

// books trains one of each kind on vectors of d elements, d at least 4, with k words.
func books(t testing.TB, x []float32, d, k int, pool *nn.Pool) map[string]Quantiser {
	t.Helper()
	km := KMeansOptions{Iterations: 8, Seed: 3, Pool: pool}
	rq := RQOptions{km, 3, 1}
	cosine := km
	cosine.Metric = Cosine
	learn := LearnOptions{Steps: 20, Batch: 300, Rate: 0.02, Seed: 3, Pool: pool}
	all := map[string]Quantiser{}
	add := func(name string, q Quantiser, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = q
	}
	c, err := TrainKMeans(x, d, k, &km)
	add("k-means", c, err)
	c, err = TrainKMeans(x, d, k, &cosine)
	add("k-means by cosine", c, err)
	pq, err := TrainPQ(x, d, 3, k, &km)
	add("PQ", pq, err)
	opq, err := TrainOPQ(x, d, 2, k, &OPQOptions{km, 3})
	add("OPQ", opq, err)
	r, err := TrainRQ(x, d, 3, k, &rq)
	add("RQ", r, err)
	g, err := TrainGRVQ(x, d, 2, 2, k, &rq)
	add("GRVQ", g, err)
	mc, err := TrainMCRVQ(x, d, 3, 1, k, &rq)
	add("MCRVQ", mc, err)
	l, err := TrainLSQ(x, d, 3, k, &LSQOptions{rq, 2, 2, LSQSearch{2, 4, 3, 2}})
	add("LSQ", l, err)
	s, err := TrainSSVQ(x, d, k, &km)
	add("SSVQ", s, err)
	c, err = TrainSimVQ(x, d, k, &learn)
	add("SimVQ", c, err)
	c, err = TrainVQGANLC(x, d, x, d, k, &km, &learn)
	add("VQGAN-LC", c, err)
	c, err = TrainIBQ(x, d, k, nil, &learn)
	add("IBQ", c, err)
	return all
}

// TestBooks: for every kind, the same quantiser for any number of workers; the same
// codes and vectors from what was stored; codes that fit, and that packing keeps; and
// an error smaller than the vectors.
func TestBooks(t *testing.T) {
	const d, k = 18, 24 // more signs than one code holds
	x, other := gaussian(2500, d, 1), gaussian(1500, d, 2)
	pool := nn.NewPool(3)
	defer pool.Close()
	pooled := books(t, x, d, k, pool)
	for name, q := range books(t, x, d, k, nil) {
		data, err := q.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if p, err := pooled[name].MarshalBinary(); err != nil || !bytes.Equal(p, data) {
			t.Errorf("%s depends on the workers", name)
		}
		codes := make([]uint32, 1500*len(q.Sizes()))
		q.Encode(codes, other)
		if err := CheckCodes(q, codes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again := make([]uint32, len(codes))
		EncodePool(pool, q, again, other)
		if !slices.Equal(again, codes) {
			t.Errorf("%s: codes depend on the workers", name)
		}
		packed := Pack(nil, q, codes)
		clear(again)
		if err := Unpack(again, q, packed); err != nil || !slices.Equal(again, codes) {
			t.Errorf("%s: packed codes differ, %v", name, err)
		}
		y := make([]float32, len(other))
		q.Decode(y, codes)
		e, most := squaredError(other, y)/float64(len(y)), 0.95
		if name == "IBQ" { // hardly trained, and not for the smallest error
			most = 1.3
		}
		if e > most || math.Abs(e-MSE(q, other)) > 1e-9 {
			t.Errorf("%s: mean squared errors %v and %v", name, e, MSE(q, other))
		}
		stored, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stored.Encode(again, other)
		z := make([]float32, len(y))
		stored.Decode(z, codes)
		if !slices.Equal(again, codes) || !slices.Equal(z, y) || stored.Dim() != d || !slices.Equal(stored.Sizes(), q.Sizes()) {
			t.Errorf("%s: differs once stored", name)
		}
		if _, err := Read(bytes.NewReader(data), int64(len(data)-1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: over the limit: %v", name, err)
		}
		for _, n := range []int{0, 3, len(data) / 2, len(data) - 1} {
			if _, err := Unmarshal(data[:n]); !errors.As(err, new(FormatError)) {
				t.Errorf("%s: %d bytes of %d: %v", name, n, len(data), err)
			}
		}
		bad := bytes.Clone(data)
		bad[len(bad)/2] ^= 1
		if _, err := Unmarshal(bad); !errors.As(err, new(FormatError)) {
			t.Errorf("%s: a bit changed: %v", name, err)
		}
	}
}

// TestDecodeTiers: the same codes give the same bits on every tier.
func TestDecodeTiers(t *testing.T) {
	const d, k = 18, 24
	x := gaussian(600, d, 1)
	for name, q := range books(t, x, d, k, nil) {
		codes := make([]uint32, 600*len(q.Sizes()))
		q.Encode(codes, x)
		data, err := q.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var want []float32
		for _, l := range kernels.Tiers() {
			restore, err := kernels.SetTier(l)
			if err != nil {
				t.Fatal(err)
			}
			stored, err := Unmarshal(data)
			y := make([]float32, len(x))
			if err == nil {
				stored.Decode(y, codes)
			}
			restore()
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = y
			}
			if !slices.Equal(y, want) {
				t.Errorf("%s decodes to other bits on %v", name, l)
			}
		}
	}
}

// TestAdditiveDecode holds decoders that sum to the words that they sum.
func TestAdditiveDecode(t *testing.T) {
	const d, k = 7, 5
	x := gaussian(200, d, 1)
	all := books(t, x, d, k, nil)
	g, mc := all["GRVQ"].(*GRVQ), all["MCRVQ"].(*MCRVQ)
	y := make([]float32, d)
	g.Decode(y, []uint32{1, 2, 3, 4}) // layer 0 of both groups, then layer 1
	for j := range y {
		group, at := 0, j
		if j >= g.starts[1] {
			group, at = 1, j-g.starts[1]
		}
		b := g.Groups()[group].Books()
		w := g.Groups()[group].Dim()
		if want := b[0].Words()[(1+group)*w+at] + b[1].Words()[(3+group)*w+at]; y[j] != want {
			t.Errorf("GRVQ: element %d is %v, want %v", j, y[j], want)
		}
	}
	mc.Decode(y, []uint32{1, 2, 3, 4})
	for j := range y {
		p := 0
		for j >= mc.masked.starts[p+1] {
			p++
		}
		b := mc.masked.books[p]
		if want := b.words[(1+p)*b.d+j-mc.masked.starts[p]] + mc.rest.books[0].words[4*d+j]; y[j] != want {
			t.Errorf("MCRVQ: element %d is %v, want %v", j, y[j], want)
		}
	}
	s := all["SSVQ"].(*SSVQ)
	s.Decode(y, []uint32{2, 0b0100101})
	for j := range y {
		want := s.book.words[2*d+j]
		if 0b0100101>>j&1 != 0 {
			want = -want
		}
		if y[j] != want {
			t.Errorf("SSVQ: element %d is %v, want %v", j, y[j], want)
		}
	}
}

// TestBeam: a beam wide enough finds the best of all sums.
func TestBeam(t *testing.T) {
	const d, m, k = 3, 3, 4
	x := gaussian(400, d, 1)
	q, err := TrainRQ(x, d, m, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := q.WithBeam(k * k)
	if err != nil {
		t.Fatal(err)
	}
	// So does local search from enough starts, all but always.
	lsq := newLSQ(q.books, LSQSearch{Beam: 1, Rounds: 256, Sweeps: 8, Changes: 3}, 1)
	codes, searched := make([]uint32, 400*m), make([]uint32, 400*m)
	wide.Encode(codes, x)
	lsq.Encode(searched, x)
	missed := 0
	y := make([]float32, d)
	for i := range 400 {
		v := x[i*d : (i+1)*d]
		least := math.Inf(1)
		for c := range uint32(k * k * k) {
			q.Decode(y, []uint32{c % k, c / k % k, c / k / k})
			least = min(least, squaredError(v, y))
		}
		q.Decode(y, codes[i*m:(i+1)*m])
		if e := squaredError(v, y); e > least+1e-5 {
			t.Errorf("vector %d: beam search leaves %v, the best sum %v", i, e, least)
		}
		q.Decode(y, searched[i*m:(i+1)*m])
		if squaredError(v, y) > least+1e-5 {
			missed++
		}
	}
	if missed > 8 {
		t.Errorf("local search missed the best of %d vectors of 400", missed)
	}
}

// TestFirst: fewer stages are a valid quantiser with a larger error.
func TestFirst(t *testing.T) {
	const d = 4
	x := gaussian(500, d, 1)
	q, err := TrainRQ(x, d, 4, 16, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := 1.0
	for m := 1; m <= 4; m++ {
		f, err := q.First(m)
		if err != nil {
			t.Fatal(err)
		}
		e := MSE(f, x)
		if e >= last {
			t.Errorf("%d stages leave %v, one less %v", m, e, last)
		}
		last = e
	}
}

// TestLeastSquares: with the codes of words from which the vectors were made, it finds
// words that give the vectors back.
func TestLeastSquares(t *testing.T) {
	const d, m, k, n = 5, 3, 8, 800
	books := make([]*Codebook, m)
	for i := range books {
		books[i] = newCodebook(gaussian(k, d, uint64(i)), d, Euclidean)
	}
	r := newRand(1, 79)
	codes := make([]uint32, n*m)
	for i := range codes {
		codes[i] = uint32(r.IntN(k))
	}
	truth := newAdditive(books)
	x := make([]float32, n*d)
	truth.Decode(x, codes)
	for i := range books {
		books[i] = newCodebook(gaussian(k, d, uint64(10+i)), d, Euclidean)
	}
	a := newAdditive(books)
	left := make([]float32, len(x))
	before := a.residuals(nil, left, x, codes)
	a = newAdditive(a.leastSquares(nil, left, codes))
	if after := a.residuals(nil, left, x, codes); after > 1e-5*before {
		t.Errorf("squared error %v, before %v", after, before)
	}
}

// TestTrainingErrors: what trainers must refuse.
func TestTrainingErrors(t *testing.T) {
	x := gaussian(20, 4, 1)
	nan, huge := slices.Clone(x), slices.Clone(x)
	nan[7], huge[7] = float32(math.NaN()), 1e20
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"dimension 0":        {second(TrainKMeans(x, 0, 2, nil)), ErrOptions},
		"no words":           {second(TrainKMeans(x, 4, 0, nil)), ErrOptions},
		"too many words":     {second(TrainKMeans(x, 4, MaxSize+1, nil)), ErrOptions},
		"too few vectors":    {second(TrainKMeans(x, 4, 21, nil)), ErrTraining},
		"a part of a vector": {second(TrainKMeans(x[:79], 4, 2, nil)), ErrTraining},
		"not a number":       {second(TrainKMeans(nan, 4, 2, nil)), ErrTraining},
		"huge":               {second(TrainKMeans(huge, 4, 2, nil)), ErrTraining},
		"weights":            {second(TrainKMeans(x, 4, 2, &KMeansOptions{Weights: []float32{1}})), ErrOptions},
		"negative weight":    {second(TrainKMeans(x, 4, 2, &KMeansOptions{Weights: append(make([]float32, 19), -1)})), ErrOptions},
		"inner product":      {second(TrainKMeans(x, 4, 2, &KMeansOptions{Metric: InnerProduct})), ErrOptions},
		"PQ by cosine":       {second(TrainPQ(x, 4, 2, 2, &KMeansOptions{Metric: Cosine})), ErrOptions},
		"too many parts":     {second(TrainPQ(x, 4, 5, 2, nil)), ErrOptions},
		"OPQ rounds":         {second(TrainOPQ(x, 4, 2, 2, &OPQOptions{Rounds: -1})), ErrOptions},
		"no beam":            {second(TrainRQ(x, 4, 2, 2, &RQOptions{})), ErrOptions},
		"no stages":          {second(TrainRQ(x, 4, 0, 2, nil)), ErrOptions},
		"LSQ words":          {second(TrainLSQ(x, 4, 256, 17, nil)), ErrOptions},
		"LSQ sweeps":         {second(TrainLSQ(x, 4, 2, 2, &LSQOptions{RQOptions: DefaultRQOptions()})), ErrOptions},
		"no groups":          {second(TrainGRVQ(x, 4, 0, 2, 2, nil)), ErrOptions},
		"no masks":           {second(TrainMCRVQ(x, 4, 0, 2, 2, nil)), ErrOptions},
		"signs of too few":   {second(TrainSSVQ(x, 4, 50, nil)), ErrTraining},
		"no steps":           {second(TrainSimVQ(x, 4, 4, &LearnOptions{Batch: 1, Rate: 1})), ErrOptions},
		"no batch":           {second(TrainIBQ(x, 4, 4, nil, &LearnOptions{Steps: 1, Rate: 1})), ErrOptions},
		"no temperature":     {second(TrainIBQ(x, 4, 4, &IBQOptions{}, nil)), ErrOptions},
		"words of no length": {second(NewCodebook(x, 0, Euclidean)), ErrOptions},
		"no words at all":    {second(NewCodebook(nil, 4, Euclidean)), ErrOptions},
		"a word of zeros":    {second(NewCodebook(make([]float32, 4), 4, Cosine)), ErrTraining},
		"unknown metric":     {second(NewCodebook(x, 4, 9)), ErrOptions},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
