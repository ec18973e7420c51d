package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/tokens/reduce"
)

// patch is the side of the squares of luma that are the tokens of a frame.
const patch = 16

// readClip returns the tokens of a y4m clip of 4:2:0: squares of luma, as they are.
func readClip(r io.Reader) (*reduce.Tokens, error) {
	in := bufio.NewReader(io.LimitReader(r, 1<<28))
	head, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	var w, h int
	for _, f := range bytes.Fields([]byte(head)) {
		switch f[0] {
		case 'W':
			fmt.Sscan(string(f[1:]), &w)
		case 'H':
			fmt.Sscan(string(f[1:]), &h)
		}
	}
	if w < patch || h < patch || w > 1<<13 || h > 1<<13 {
		return nil, fmt.Errorf("a clip of %dx%d", w, h)
	}
	t := &reduce.Tokens{D: patch * patch}
	frame := make([]byte, w*h+2*((w+1)/2)*((h+1)/2))
	for f := int32(0); ; f++ {
		if _, err := in.ReadString('\n'); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(in, frame); err != nil {
			return nil, err
		}
		for y := range h / patch {
			for x := range w / patch {
				for r := range patch {
					for _, v := range frame[(y*patch+r)*w+x*patch:][:patch] {
						t.X = append(t.X, (float32(v)-128)/64)
					}
				}
				t.Pos = append(t.Pos, reduce.Position{X: int32(x), Y: int32(y)})
				t.Frame = append(t.Frame, f)
				t.N++
			}
		}
	}
	return t, nil
}

// video measures how well a clip's patches come back from those kept: not how well a
// model understands it.
func video(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("video", flag.ContinueOnError)
	clip := f.String("clip", "", "a y4m clip of 4:2:0")
	if err := f.Parse(args); err != nil {
		return err
	}
	file, err := os.Open(*clip)
	if err != nil {
		return err
	}
	defer file.Close()
	t, err := readClip(file)
	if err != nil {
		return err
	}
	// A question that is answered by the frame in the middle: its patches.
	per := t.N / (int(t.Frame[t.N-1]) + 1)
	t.Query = t.X[t.N/2/per*per*t.D:][:per*t.D]
	// Sound that matters in the second half only.
	t.Audio = &reduce.Audio{}
	for f := range t.Frame[t.N-1] + 1 {
		t.Audio.Frame = append(t.Audio.Frame, f)
		t.Audio.Attention = append(t.Audio.Attention, float32(f/(t.Frame[t.N-1]/2+1)))
	}
	var variance, mean float64
	for _, v := range t.X {
		mean += float64(v) / float64(len(t.X))
	}
	for _, v := range t.X {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	fmt.Fprintf(out, "%d tokens of %d numbers, %d a frame\n", t.N, t.D, per)
	fmt.Fprintln(out, "| method | share | kept | error, all | error, standing for | coverage | time, ms |\n|---|---|---|---|---|---|---|")
	generic := make([]float32, 4*t.D) // generic queries: no question, only noise
	r := rand.New(rand.NewPCG(1, 1))
	for i := range generic {
		generic[i] = float32(r.NormFloat64())
	}
	for _, m := range reduce.Methods() {
		if needs(m, "attention") || m.Name == "sparsevlm" {
			continue
		}
		for _, share := range []float64{0.5, 0.25, 0.15} {
			start := cpuTime()
			got, err := m.New(reduce.Options{Seed: 1, Queries: generic}).Reduce(t, reduce.Share(share))
			took := cpuTime() - start
			if errors.Is(err, reduce.ErrKeep) {
				fmt.Fprintf(out, "| %s | %.0f %% | out of the method's range |\n", m.Name, 100*share)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			nearest, err := got.Nearest(t)
			if err != nil {
				return err
			}
			whole, err := unmergeError(t, got, nearest, variance)
			if err != nil {
				return err
			}
			own, err := unmergeError(t, got, got.Source, variance)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %s | %.0f %% | %d | %.4f | %.4f | %.4f | %.0f |\n", m.Name, 100*share, got.N, whole, own, coverage(t, got, nearest), 1e3*took.Seconds())
		}
	}
	return nil
}

// unmergeError returns the squared error of undoing a reduction over the variance;
// dropped tokens come back as zeros.
func unmergeError(t *reduce.Tokens, r *reduce.Reduced, source []int32, variance float64) (float64, error) {
	back, err := reduce.Unmerge(source, r.X, t.D)
	if err != nil {
		return 0, err
	}
	var sum float64
	for i, v := range back {
		d := float64(v) - float64(t.X[i])
		sum += d * d
	}
	return sum / variance, nil
}

// coverage returns the mean cosine of the tokens to what stands for them or, where they
// were dropped, is most similar.
func coverage(t *reduce.Tokens, r *reduce.Reduced, source []int32) float64 {
	var sum float64
	for i, s := range source {
		var dot, a, b float64
		for c, v := range t.X[i*t.D : (i+1)*t.D] {
			w := r.X[int(s)*t.D+c]
			dot += float64(v) * float64(w)
			a += float64(v) * float64(v)
			b += float64(w) * float64(w)
		}
		if a > 0 && b > 0 {
			sum += dot / math.Sqrt(a*b)
		}
	}
	return sum / float64(t.N)
}

// documents measures how often the right page is found by codes rather than numbers, on
// pages made up: each has patches around a dozen topics of its own and some that all pages
// share. Its topics are from a vocabulary that all pages draw on, or no other page has
// them: codes can tell apart only what has centroids of its own.
func documents(_ context.Context, _ []string, out io.Writer) error {
	for _, vocabulary := range []int{200, 0} {
		if err := retrieve(vocabulary, out); err != nil {
			return err
		}
	}
	return nil
}

func retrieve(vocabulary int, out io.Writer) error {
	const pages, patches, d, topics, shared, queries, terms = 400, 196, 128, 12, 40, 500, 8
	r := rand.New(rand.NewPCG(1, 2))
	unit := func(v []float32) {
		var s float64
		for _, f := range v {
			s += float64(f) * float64(f)
		}
		for i := range v {
			v[i] /= float32(math.Sqrt(s))
		}
	}
	near := func(centre []float32, noise float64) []float32 {
		v := make([]float32, d)
		for i := range v {
			v[i] = float32(noise * r.NormFloat64() / math.Sqrt(d))
			if centre != nil {
				v[i] += centre[i]
			}
		}
		unit(v)
		return v
	}
	common := make([][]float32, shared)
	for i := range common {
		common[i] = near(nil, 1)
	}
	words := make([][]float32, vocabulary)
	for i := range words {
		words[i] = near(nil, 1)
	}
	var all []*reduce.Tokens
	var flat []float32
	for range pages {
		own := make([][]float32, topics)
		for i := range own {
			if own[i] = near(common[r.IntN(shared)], 1); vocabulary > 0 {
				own[i] = words[r.IntN(vocabulary)]
			}
		}
		t := &reduce.Tokens{N: patches, D: d}
		for range patches {
			if r.IntN(2) == 0 { // half of the patches are what other pages have, too
				t.X = append(t.X, near(common[r.IntN(shared)], 0.4)...)
				t.Attention = append(t.Attention, float32(0.5*r.ExpFloat64()))
			} else {
				t.X = append(t.X, near(own[r.IntN(topics)], 0.4)...)
				t.Attention = append(t.Attention, float32(r.ExpFloat64()))
			}
		}
		all, flat = append(all, t), append(flat, t.X...)
	}
	type question struct {
		page int
		x    []float32
	}
	var asked []question
	for range queries {
		q := question{page: r.IntN(pages)}
		t := all[q.page]
		for range terms {
			i := r.IntN(patches)
			q.x = append(q.x, near(t.X[i*d:(i+1)*d], 1)...)
		}
		asked = append(asked, q)
	}
	fmt.Fprintf(out, "\ntopics from a vocabulary of %d (0: each page has its own): %d pages of %d patches of %d numbers, %d questions of %d tokens\n", vocabulary, pages, patches, d, queries, terms)
	fmt.Fprintln(out, "| held | bytes a page | first | among 10 | time a question, ms |\n|---|---|---|---|---|")
	print := func(name string, size float64, search func(q []float32) ([]reduce.Hit, error)) error {
		first, ten := 0, 0
		start := cpuTime()
		for _, q := range asked {
			found, err := search(q.x)
			if err != nil {
				return err
			}
			for i, h := range found {
				if h.Page == q.page {
					ten++
					if i == 0 {
						first++
					}
				}
			}
		}
		took := cpuTime() - start
		fmt.Fprintf(out, "| %s | %.0f | %.3f | %.3f | %.2f |\n", name, size, float64(first)/queries, float64(ten)/queries, 1e3*took.Seconds()/queries)
		return nil
	}
	if err := print("float32", patches*d*4, func(q []float32) ([]reduce.Hit, error) { return exact(all, q), nil }); err != nil {
		return err
	}
	for _, k := range []int{256, 64} {
		book, err := reduce.TrainCodebook(flat, d, k, 20, 1)
		if err != nil {
			return err
		}
		for _, keep := range []float64{1, 0.6, 0.4} {
			x, err := reduce.NewDocumentIndex(book, false)
			if err != nil {
				return err
			}
			signs, err := reduce.NewDocumentIndex(book, true)
			if err != nil {
				return err
			}
			for _, t := range all {
				if _, err := x.Add(t, reduce.Share(keep)); err != nil {
					return err
				}
				if _, err := signs.Add(t, reduce.Share(keep)); err != nil {
					return err
				}
			}
			name := fmt.Sprintf("codes of %d centroids, %.0f %% of patches", k, 100*keep)
			if err := print(name, float64(x.Bytes())/pages, func(q []float32) ([]reduce.Hit, error) { return x.Search(q, 10) }); err != nil {
				return err
			}
			if k != 256 {
				continue
			}
			name = fmt.Sprintf("signs, %.0f %% of patches", 100*keep)
			if err := print(name, float64(signs.Bytes()-x.Bytes())/pages, func(q []float32) ([]reduce.Hit, error) { return signs.SearchBinary(q, 10) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// exact returns the ten best pages by the products with all patches.
func exact(pages []*reduce.Tokens, q []float32) []reduce.Hit {
	var best []reduce.Hit
	var g kernels.Gemm
	var dots []float32
	for p, t := range pages {
		n := len(q) / t.D
		dots = append(dots[:0], make([]float32, n*t.N)...)
		g.NT(dots, t.N, q, t.D, t.X, t.D, n, t.N, t.D, false)
		var score float64
		for i := range n {
			score += float64(slices.Max(dots[i*t.N : (i+1)*t.N]))
		}
		at := len(best)
		for at > 0 && best[at-1].Score < score {
			at--
		}
		if at < 10 {
			best = append(best, reduce.Hit{})
			copy(best[at+1:], best[at:])
			best[at] = reduce.Hit{Page: p, Score: score}
			best = best[:min(len(best), 10)]
		}
	}
	return best
}
