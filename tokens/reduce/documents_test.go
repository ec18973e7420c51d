package reduce

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestCodebook(t *testing.T) {
	const n, d, k = 400, 10, 8
	r := rand.New(rand.NewPCG(1, 7))
	x := make([]float32, n*d)
	centre := func(j, c int) float64 { return 5 * math.Sin(float64(1+j*31+c*c*7)) }
	for i := range n {
		for c := range d {
			x[i*d+c] = float32(centre(i%k, c) + 0.1*r.NormFloat64())
		}
	}
	book, err := TrainCodebook(x, d, k, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	codes, mse, err := book.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	// The clusters are found: their noise is what is lost.
	if want := 0.01 * d; math.Abs(mse-want) > 0.1*want {
		t.Errorf("error of %v, want about %v", mse, want)
	}
	for i := range n {
		if codes[i] != codes[i%k] || (i > 0 && i < k && slices.Contains(codes[:i], codes[i])) {
			t.Fatalf("embedding %d has code %d", i, codes[i])
		}
	}
	back, err := book.Decode(codes)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i, v := range back {
		sum += float64(v-x[i]) * float64(v-x[i]) / n
	}
	if math.Abs(sum-mse) > 1e-3*mse {
		t.Errorf("decoding loses %v, encoding says %v", sum, mse)
	}
	again, err := TrainCodebook(x, d, k, 50, 1)
	if err != nil || !slices.Equal(again.Centroids, book.Centroids) {
		t.Error("not the same twice")
	}
	// Copies of one embedding leave clusters empty.
	if same, err := TrainCodebook(make([]float32, 20), 2, 5, 10, 1); err != nil || len(same.Centroids) != 10 {
		t.Error(err)
	}
	nan := float32(math.NaN())
	for name, f := range map[string]func() error{
		"nothing":       func() error { _, err := TrainCodebook(nil, 2, 1, 1, 1); return err },
		"ragged":        func() error { _, err := TrainCodebook(x[:3], 2, 1, 1, 1); return err },
		"too many":      func() error { _, err := TrainCodebook(x, d, 257, 1, 1); return err },
		"more than are": func() error { _, err := TrainCodebook(x[:20], d, 3, 1, 1); return err },
		"no rounds":     func() error { _, err := TrainCodebook(x, d, 2, 0, 1); return err },
		"NaN":           func() error { _, err := TrainCodebook([]float32{nan}, 1, 1, 1, 1); return err },
		"encode NaN":    func() error { _, _, err := (&Codebook{1, []float32{0}}).Encode([]float32{nan}); return err },
		"encode ragged": func() error { _, _, err := book.Encode(x[:3]); return err },
		"decode":        func() error { _, err := book.Decode([]uint8{k}); return err },
		"empty book":    func() error { _, err := (&Codebook{}).Decode(nil); return err },
	} {
		if err := f(); !errors.Is(err, ErrShape) && !errors.Is(err, ErrValue) && !errors.Is(err, ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocumentIndex(t *testing.T) {
	const pages, patches, d = 30, 20, 70
	r := rand.New(rand.NewPCG(1, 8))
	var all []float32
	var page []*Tokens
	vocabulary := make([]float32, 50*d)
	for i := range vocabulary {
		vocabulary[i] = float32(r.NormFloat64())
	}
	for range pages {
		p := &Tokens{N: patches, D: d}
		for range patches {
			w := r.IntN(50)
			for c := range d {
				p.X = append(p.X, vocabulary[w*d+c]+0.1*float32(r.NormFloat64()))
			}
			p.Attention = append(p.Attention, float32(r.ExpFloat64()))
		}
		page, all = append(page, p), append(all, p.X...)
	}
	book, err := TrainCodebook(all, d, 50, 30, 1)
	if err != nil {
		t.Fatal(err)
	}
	x, err := NewDocumentIndex(book, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range page {
		if n, err := x.Add(p, Share(1)); n != i || err != nil {
			t.Fatal(n, err)
		}
	}
	if x.Len() != pages || x.Bytes() != pages*patches*(1+2*8) {
		t.Errorf("%d pages, %d bytes", x.Len(), x.Bytes())
	}
	// The scores are those of the definition on the centroids.
	query := page[17].X[:5*d]
	hits, err := x.Search(query, pages)
	if err != nil || len(hits) != pages || hits[0].Page != 17 {
		t.Fatal(hits, err)
	}
	for _, h := range hits {
		codes, _, err := book.Encode(page[h.Page].X)
		if err != nil {
			t.Fatal(err)
		}
		var want float64
		for q := range 5 {
			best := math.Inf(-1)
			for _, c := range codes {
				best = max(best, dot64(query[q*d:(q+1)*d], book.Centroids[int(c)*d:(int(c)+1)*d]))
			}
			want += best
		}
		if math.Abs(h.Score-want) > 1e-3 {
			t.Fatalf("page %d has %v, want %v", h.Page, h.Score, want)
		}
	}
	if hits, err = x.SearchBinary(query, 3); err != nil || len(hits) != 3 || hits[0].Page != 17 || hits[0].Score != 5 {
		t.Error(hits, err)
	}
	// Pruned, the patches that draw attention are still found.
	y, err := NewDocumentIndex(book, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range page {
		if _, err := y.Add(p, Share(0.5)); err != nil {
			t.Fatal(err)
		}
	}
	if y.Bytes() != pages*patches/2 {
		t.Errorf("%d bytes pruned", y.Bytes())
	}
	if _, err := y.SearchBinary(query, 1); !errors.Is(err, ErrNotBinary) {
		t.Error(err)
	}
	if _, err := y.Search(query[:3], 1); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	if _, err := y.Search([]float32{}, 1); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	query[0] = float32(math.Inf(1))
	if _, err := y.Search(query, 1); !errors.Is(err, ErrValue) {
		t.Error(err)
	}
	if _, err := y.Add(page[0], Count(0)); !errors.Is(err, ErrKeep) {
		t.Error(err)
	}
	if _, err := y.Add(&Tokens{N: 1, D: 1, X: []float32{0}}, Count(1)); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	page[3].Attention = nil
	if _, err := y.Add(page[3], Count(2)); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if _, err := NewDocumentIndex(nil, false); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}
