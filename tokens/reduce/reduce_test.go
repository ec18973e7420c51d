package reduce

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// video returns random tokens with everything that there is: frames of a grid, each like
// the one before but for some tokens.
func video(seed uint64, frames, w, h, d int) *Tokens {
	r := rand.New(rand.NewPCG(seed, 1))
	n := frames * w * h
	t := &Tokens{N: n, D: d, KeyDim: 8, ValueDim: 5}
	normal := func(k int) []float32 {
		s := make([]float32, k)
		for i := range s {
			s[i] = float32(r.NormFloat64())
		}
		return s
	}
	t.X, t.Keys, t.Values = normal(n*d), normal(n*8), normal(n*5)
	for f := range frames {
		for i := range w * h {
			at := f*w*h + i
			if f > 0 && r.IntN(3) > 0 {
				for c := range d {
					t.X[at*d+c] = t.X[(at-w*h)*d+c] + 0.01*float32(r.NormFloat64())
				}
				for c := range 8 {
					t.Keys[at*8+c] = t.Keys[(at-w*h)*8+c] + 0.01*float32(r.NormFloat64())
				}
			}
			t.Frame = append(t.Frame, int32(2*f))
			t.Pos = append(t.Pos, Position{int32(i % w), int32(i / w)})
			t.Attention = append(t.Attention, float32(r.ExpFloat64()))
			t.Size = append(t.Size, float32(1+r.IntN(4)))
		}
	}
	t.Query = normal(3 * d)
	t.Audio = &Audio{}
	for i := range 4 * frames {
		t.Audio.Frame = append(t.Audio.Frame, int32(i/2))
		t.Audio.Attention = append(t.Audio.Attention, float32(r.ExpFloat64()))
	}
	return t
}

func clone(t *Tokens) *Tokens {
	c := *t
	c.X, c.Keys, c.Values, c.Attention = slices.Clone(t.X), slices.Clone(t.Keys), slices.Clone(t.Values), slices.Clone(t.Attention)
	c.Frame, c.Pos, c.Size, c.Query = slices.Clone(t.Frame), slices.Clone(t.Pos), slices.Clone(t.Size), slices.Clone(t.Query)
	return &c
}

// checkReduced holds what every result promises.
func checkReduced(t *testing.T, in *Tokens, r *Reduced) {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Fatalf("the result is no input: %v", err)
	}
	if len(r.Source) != in.N || len(r.Kept) != r.N || len(r.Size) != r.N {
		t.Fatalf("%d sources, %d places, %d sizes for %d of %d tokens", len(r.Source), len(r.Kept), len(r.Size), r.N, in.N)
	}
	size, mass := make([]float64, r.N), make([]float64, r.N)
	for i, s := range r.Source {
		if s == Dropped {
			continue
		}
		if s < 0 || int(s) >= r.N {
			t.Fatalf("source %d of token %d", s, i)
		}
		size[s] += float64(in.size(i))
		if in.Attention != nil {
			mass[s] += float64(in.Attention[i])
		}
	}
	for j, k := range r.Kept {
		if j > 0 && k <= r.Kept[j-1] {
			t.Fatalf("token %d is kept at %d, after %d", j, k, r.Kept[j-1])
		}
		if r.Source[k] != int32(j) {
			t.Fatalf("token %d is kept at %d, whose source is %d", j, k, r.Source[k])
		}
		if math.Abs(size[j]-float64(r.Size[j])) > 1e-4*size[j] {
			t.Fatalf("token %d has size %v, want %v", j, r.Size[j], size[j])
		}
		if in.Attention != nil && math.Abs(mass[j]-float64(r.Attention[j])) > 1e-4*(1+mass[j]) {
			t.Fatalf("token %d has attention %v, want %v", j, r.Attention[j], mass[j])
		}
		if in.Frame != nil && r.Frame[j] != in.Frame[k] && r.Frame[j] != in.Frame[k]-in.Frame[0] {
			t.Fatalf("token %d is of frame %d, want %d", j, r.Frame[j], in.Frame[k])
		}
		if in.Pos != nil && r.Pos[j] != in.Pos[k] {
			t.Fatalf("token %d is at %v, want %v", j, r.Pos[j], in.Pos[k])
		}
	}
	if (in.Keys == nil) != (r.Keys == nil) || (in.Values == nil) != (r.Values == nil) || (in.Pos == nil) != (r.Pos == nil) {
		t.Fatal("something got lost")
	}
	nearest, err := r.Nearest(in)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(nearest, Dropped) {
		t.Fatal("Nearest leaves tokens dropped")
	}
	if _, err := Unmerge(r.Source, r.X, r.D); err != nil {
		t.Fatal(err)
	}
}

func options(in *Tokens) Options {
	d := in.D
	if in.Keys != nil {
		d = in.KeyDim
	}
	q := make([]float32, 2*d)
	for i := range q {
		q[i] = float32(math.Sin(float64(i)))
	}
	return Options{Seed: 7, Queries: q}
}

// Every method, at every number, with and without what it does not need, keeps what it
// promises, the same each time, and leaves its input alone.
func TestMethods(t *testing.T) {
	full := video(1, 9, 4, 3, 6)
	still := video(2, 1, 5, 5, 16)
	one := video(3, 1, 1, 1, 2)
	zero := video(4, 8, 3, 2, 4)
	clear(zero.X)
	clear(zero.Keys)
	clear(zero.Values)
	clear(zero.Attention)
	clear(zero.Query)
	clear(zero.Audio.Attention)
	for _, m := range Methods() {
		for name, in := range map[string]*Tokens{"full": full, "still": still, "one": one, "zeros": zero} {
			for _, bare := range []bool{false, true} {
				in := clone(in)
				if bare {
					in.Keys, in.Values, in.Size = nil, nil, nil
					if !slices.Contains(m.Needs, "frames") {
						in.Frame = nil
					}
					if !slices.Contains(m.Needs, "attention") && m.Name != "sparsevlm" {
						in.Attention = nil
					}
				}
				before := clone(in)
				reducer := m.New(options(in))
				reached := 0
				for k := 1; k <= in.N; k++ {
					r, err := reducer.Reduce(in, Count(k))
					if err != nil {
						if !errors.Is(err, ErrKeep) {
							t.Fatalf("%s, %s: %d of %d: %v", m.Name, name, k, in.N, err)
						}
						continue
					}
					reached++
					checkReduced(t, in, r)
					if r.N > k || r.N != k && (m.Name != "streammem" && m.Name != "marc") {
						t.Fatalf("%s, %s: %d tokens kept, want %d", m.Name, name, r.N, k)
					}
					again, err := reducer.Reduce(in, Count(k))
					if err != nil || !reflect.DeepEqual(r, again) {
						t.Fatalf("%s, %s: not the same twice", m.Name, name)
					}
				}
				if !reflect.DeepEqual(in, before) {
					t.Fatalf("%s, %s: the input is changed", m.Name, name)
				}
				if name != "still" && reached < (in.N+1)/2 {
					t.Errorf("%s, %s: only %d of %d numbers are in range", m.Name, name, reached, in.N)
				}
			}
		}
	}
}

func TestAuto(t *testing.T) {
	in := video(1, 1, 8, 8, 6)
	for _, m := range Methods() {
		r, err := m.New(options(in)).Reduce(in, Auto())
		if !m.Auto {
			if !errors.Is(err, ErrKeep) && !errors.Is(err, ErrMissing) {
				t.Errorf("%s: %v", m.Name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		checkReduced(t, in, r)
	}
	// The mass that is left is at least what was asked for, and one token less is not.
	r, err := AttentionMass{Tau: 0.8}.Reduce(in, Auto())
	if err != nil {
		t.Fatal(err)
	}
	var all, kept, least float64
	for _, v := range in.Attention {
		all += float64(v)
	}
	least = math.Inf(1)
	for _, v := range r.Attention {
		kept += float64(v)
		least = min(least, float64(v))
	}
	if kept < 0.8*all || kept-least >= 0.8*all {
		t.Errorf("%d tokens hold %v of the mass", r.N, kept/all)
	}
}

func TestRefuses(t *testing.T) {
	good := func() *Tokens { return video(1, 8, 3, 3, 4) }
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	bad := map[string]struct {
		change func(*Tokens)
		want   error
	}{
		"no tokens":          {func(t *Tokens) { t.N, t.X = 0, nil }, ErrShape},
		"negative":           {func(t *Tokens) { t.N = -1 }, ErrShape},
		"too many":           {func(t *Tokens) { t.N = MaxTokens + 1 }, ErrShape},
		"no features":        {func(t *Tokens) { t.D = 0 }, ErrShape},
		"product":            {func(t *Tokens) { t.N, t.D = MaxTokens, MaxDim }, ErrShape},
		"short":              {func(t *Tokens) { t.X = t.X[1:] }, ErrShape},
		"long":               {func(t *Tokens) { t.X = append(t.X, 0) }, ErrShape},
		"NaN":                {func(t *Tokens) { t.X[len(t.X)-1] = nan }, ErrValue},
		"infinite":           {func(t *Tokens) { t.X[5] = inf }, ErrValue},
		"large":              {func(t *Tokens) { t.X[0] = 2e15 }, ErrValue},
		"NaN key":            {func(t *Tokens) { t.Keys[3] = nan }, ErrValue},
		"short keys":         {func(t *Tokens) { t.Keys = t.Keys[1:] }, ErrShape},
		"key width":          {func(t *Tokens) { t.KeyDim = 0; t.Keys = []float32{} }, ErrShape},
		"huge key width":     {func(t *Tokens) { t.KeyDim = math.MaxInt }, ErrShape},
		"infinite value":     {func(t *Tokens) { t.Values[3] = inf }, ErrValue},
		"short attention":    {func(t *Tokens) { t.Attention = t.Attention[1:] }, ErrShape},
		"negative attention": {func(t *Tokens) { t.Attention[2] = -1 }, ErrValue},
		"NaN attention":      {func(t *Tokens) { t.Attention[2] = nan }, ErrValue},
		"size of zero":       {func(t *Tokens) { t.Size[2] = 0 }, ErrValue},
		"short sizes":        {func(t *Tokens) { t.Size = t.Size[1:] }, ErrShape},
		"falling frames":     {func(t *Tokens) { t.Frame[0] = 5 }, ErrValue},
		"short frames":       {func(t *Tokens) { t.Frame = t.Frame[1:] }, ErrShape},
		"short positions":    {func(t *Tokens) { t.Pos = t.Pos[1:] }, ErrShape},
		"query":              {func(t *Tokens) { t.Query = t.Query[1:] }, ErrShape},
		"NaN query":          {func(t *Tokens) { t.Query[0] = nan }, ErrValue},
		"audio":              {func(t *Tokens) { t.Audio.Frame = t.Audio.Frame[1:] }, ErrShape},
		"NaN audio":          {func(t *Tokens) { t.Audio.Attention[0] = nan }, ErrValue},
		"negative audio":     {func(t *Tokens) { t.Audio.Attention[0] = -1 }, ErrValue},
	}
	for _, m := range Methods() {
		for name, b := range bad {
			in := good()
			b.change(in)
			if _, err := m.New(options(good())).Reduce(in, Share(0.5)); !errors.Is(err, b.want) {
				t.Errorf("%s: %s: %v", m.Name, name, err)
			}
		}
		if _, err := m.New(options(good())).Reduce(nil, Count(1)); !errors.Is(err, ErrShape) {
			t.Errorf("%s: nil: %v", m.Name, err)
		}
		for _, k := range []Keep{Count(0), Count(-1), Count(73), Share(0), Share(1.01), Share(math.NaN()), {}} {
			if _, err := m.New(options(good())).Reduce(good(), k); !errors.Is(err, ErrKeep) {
				t.Errorf("%s: to keep %v: %v", m.Name, k, err)
			}
		}
		for _, need := range m.Needs {
			in := good()
			switch need {
			case "attention":
				in.Attention = nil
			case "query":
				in.Query = nil
			case "frames":
				in.Frame = nil
			case "audio":
				in.Audio = nil
			}
			if _, err := m.New(options(good())).Reduce(in, Share(0.5)); !errors.Is(err, ErrMissing) {
				t.Errorf("%s without %s: %v", m.Name, need, err)
			}
		}
	}
	nan64 := math.NaN()
	for _, r := range []Reducer{
		DensityPeaks{}, PruneMerge{Merged: nan64}, PruneMerge{Merged: 1.1}, AttentionMass{}, AttentionMass{Tau: nan64},
		DominantContextual{Contextual: -1}, PruMerge{Neighbours: -1}, PruMerge{Spread: nan64}, QuestionGuided{Recycle: 1},
		QuestionGuided{Temperature: 1, Recycle: 2}, Recycling{Share: nan64}, AudioGuided{}, AudioGuided{Window: 1, Guidance: 2},
		RetrieveClips{}, RetrieveClips{Frames: 1, Clips: 1, Memory: -1}, Chain{}, Chain{First: []Stage{{}}, Last: Uniform{}},
		Streaming{}, Streaming{StreamConfig{Policy: 9}}, Streaming{StreamConfig{Recent: 1, PoolSide: 2}},
	} {
		if _, err := r.Reduce(good(), Share(0.5)); !errors.Is(err, ErrOption) {
			t.Errorf("%#v: %v", r, err)
		}
	}
}

func TestParseKeep(t *testing.T) {
	for s, want := range map[string]Keep{"64": Count(64), "25%": Share(0.25), "0.5%": Share(0.005), "100%": Share(1), "auto": Auto()} {
		k, err := ParseKeep(s)
		if err != nil || k != want || k.String() != s {
			t.Errorf("%q is %v, %v", s, k, err)
		}
	}
	for _, s := range []string{"", "0", "-3", "1.5", "0%", "101%", "NaN%", "x%", "%", "auto%"} {
		if k, err := ParseKeep(s); !errors.Is(err, ErrKeep) {
			t.Errorf("%q is %v, %v", s, k, err)
		}
	}
	if k, err := Share(0.001).Of(10); k != 1 || err != nil {
		t.Error(k, err)
	}
}

// A chain's sources are those of its stages one after the other.
func TestChain(t *testing.T) {
	in := video(1, 8, 4, 4, 6)
	r, err := New("evs:50%,tome:40,density", Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Reduce(in, Share(0.25))
	if err != nil {
		t.Fatal(err)
	}
	checkReduced(t, in, got)
	if got.N != 32 {
		t.Errorf("%d tokens, want a quarter of 128", got.N)
	}
	a, err := ChangeDriven{}.Reduce(in, Count(64))
	if err != nil {
		t.Fatal(err)
	}
	b, err := BipartiteMatching{}.Reduce(&a.Tokens, Count(40))
	if err != nil {
		t.Fatal(err)
	}
	c, err := DensityPeaks{Neighbours: 5}.Reduce(&b.Tokens, Count(32))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.X, c.X) {
		t.Error("a chain differs from its stages")
	}
	for i, s := range a.Source {
		if s >= 0 {
			s = c.Source[b.Source[s]]
		}
		if got.Source[i] != s {
			t.Fatalf("source of %d is %d, want %d", i, got.Source[i], s)
		}
	}
	for _, name := range []string{"", "x", "tome:5", "tome,evs", "tome:x,evs", "tome:50%,", "random:auto:3,tome"} {
		if _, err := New(name, Options{}); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestRandomUniform(t *testing.T) {
	in := &Tokens{N: 10, D: 1, X: make([]float32, 10)}
	r, err := Uniform{}.Reduce(in, Count(5))
	if err != nil || !slices.Equal(r.Kept, []int32{1, 3, 5, 7, 9}) {
		t.Error(r.Kept, err)
	}
	counts := make([]int, 10)
	for seed := range uint64(2000) {
		r, err := Random{seed}.Reduce(in, Count(3))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range r.Kept {
			counts[k]++
		}
	}
	for i, c := range counts {
		if c < 520 || c > 680 { // 600, 4 deviations of 20.5
			t.Errorf("token %d is drawn %d times of 2000, want about 600", i, c)
		}
	}
}

// Where the grid divides evenly, pooling is that by squares.
func TestPool(t *testing.T) {
	const w, h, d = 6, 4, 2
	in := video(1, 3, w, h, d)
	in.Size = nil
	r, err := Pool{}.Reduce(in, Count(3*6))
	if err != nil {
		t.Fatal(err)
	}
	checkReduced(t, in, r)
	for i := range in.N {
		f, p := i/(w*h), in.Pos[i]
		for j := range in.N {
			g, q := j/(w*h), in.Pos[j]
			together := f == g && p.X/2 == q.X/2 && p.Y/2 == q.Y/2
			if (r.Source[i] == r.Source[j]) != together {
				t.Fatalf("%v of frame %d and %v of frame %d", p, f, q, g)
			}
		}
	}
	for j := range r.N {
		var want [d]float64
		for i, s := range r.Source {
			if int(s) == j {
				want[0] += float64(in.X[i*d]) / 4
				want[1] += float64(in.X[i*d+1]) / 4
			}
		}
		if math.Abs(want[0]-float64(r.X[j*d])) > 1e-6 || math.Abs(want[1]-float64(r.X[j*d+1])) > 1e-6 {
			t.Fatalf("cell %d is %v, want %v", j, r.X[j*d:j*d+2], want)
		}
	}
}

// matching is bipartite matching as the paper writes it, in float64.
func matching(in *Tokens, k int) (source []int32, x [][]float64) {
	type edge struct {
		a, b  int
		score float64
	}
	var edges []edge
	m := in.metric()
	for a := 0; a < in.N; a += 2 {
		best := edge{a, -1, math.Inf(-1)}
		for b := 1; b < in.N; b += 2 {
			var dot, na, nb float64
			for c, v := range m.row(a) {
				dot += float64(v) * float64(m.row(b)[c])
				na += float64(v) * float64(v)
				nb += float64(m.row(b)[c]) * float64(m.row(b)[c])
			}
			if s := dot / math.Sqrt(na*nb); s > best.score {
				best = edge{a, b, s}
			}
		}
		edges = append(edges, best)
	}
	slices.SortStableFunc(edges, func(p, q edge) int {
		if p.score > q.score {
			return -1
		}
		return 1
	})
	into := make([]int, in.N)
	for i := range into {
		into[i] = i
	}
	for _, e := range edges[:in.N-k] {
		into[e.a] = e.b
	}
	rank := map[int]int{}
	for i, v := range into {
		if v == i {
			rank[i] = len(rank)
		}
	}
	x = make([][]float64, len(rank))
	size := make([]float64, len(rank))
	for i, v := range into {
		j := rank[v]
		source = append(source, int32(j))
		if x[j] == nil {
			x[j] = make([]float64, in.D)
		}
		for c, f := range in.row(i) {
			x[j][c] += float64(f) * float64(in.size(i))
		}
		size[j] += float64(in.size(i))
	}
	for j := range x {
		for c := range x[j] {
			x[j][c] /= size[j]
		}
	}
	return source, x
}

func TestBipartiteMatching(t *testing.T) {
	in := video(5, 3, 7, 5, 40)
	for _, k := range []int{in.N, in.N - 1, 80, in.N - (in.N+1)/2} {
		r, err := BipartiteMatching{}.Reduce(in, Count(k))
		if err != nil {
			t.Fatal(err)
		}
		source, x := matching(in, k)
		if !slices.Equal(r.Source, source) {
			t.Fatalf("%d: sources differ from the definition", k)
		}
		for j, row := range x {
			for c, v := range row {
				if math.Abs(v-float64(r.row(j)[c])) > 1e-5 {
					t.Fatalf("%d: token %d is %v, want %v", k, j, r.row(j), row)
				}
			}
		}
	}
	// Merging twice is merging once with the sizes carried.
	r, err := BipartiteMatching{}.Reduce(in, Count(20))
	if err != nil {
		t.Fatal(err)
	}
	checkMeans(t, in, r)
}

// checkMeans holds features to be the means of the sources weighted by size.
func checkMeans(t *testing.T, in *Tokens, r *Reduced) {
	t.Helper()
	for j := range r.N {
		mean := make([]float64, in.D)
		for i, s := range r.Source {
			if int(s) == j {
				for c, v := range in.row(i) {
					mean[c] += float64(v) * float64(in.size(i)) / float64(r.Size[j])
				}
			}
		}
		for c, v := range mean {
			if math.Abs(v-float64(r.row(j)[c])) > 1e-4 {
				t.Fatalf("token %d is %v, want %v", j, r.row(j), mean)
			}
		}
	}
}

// Tokens that are exact copies of a few merge into those, by every method that clusters.
func TestClusters(t *testing.T) {
	const n, d, kinds = 60, 16, 5
	r := rand.New(rand.NewPCG(1, 2))
	in := &Tokens{N: n, D: d, X: make([]float32, n*d)}
	kind := make([]int, n)
	for i := range n {
		kind[i] = r.IntN(kinds)
		for c := range d {
			in.X[i*d+c] = float32(math.Sin(float64(1+kind[i]*37+c*c))) + 1e-3*float32(r.NormFloat64())
		}
	}
	for i := range 2 * kinds { // both sets of the matching have all
		kind[i] = i / 2
		for c := range d {
			in.X[i*d+c] = float32(math.Sin(float64(1 + kind[i]*37 + c*c)))
		}
	}
	for name, m := range map[string]Reducer{"density": DensityPeaks{Neighbours: 3}, "matching": BipartiteMatching{}} {
		got, err := m.Reduce(in, Count(kinds))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			for j := range n {
				if (kind[i] == kind[j]) != (got.Source[i] == got.Source[j]) {
					t.Fatalf("%s: tokens %d and %d of kinds %d and %d go to %d and %d", name, i, j, kind[i], kind[j], got.Source[i], got.Source[j])
				}
			}
		}
		checkMeans(t, in, got)
	}
}

func TestAttentionMethods(t *testing.T) {
	// Tokens 2 and 5 draw the attention; 0, 1 are like 2, and 3, 4 like 5.
	in := &Tokens{N: 6, D: 2, X: []float32{1, 0.1, 1, 0.2, 1, 0, 0.1, 1, 0.2, 1, 0, 1}, Attention: []float32{0.3, 0.2, 5, 0.1, 0.4, 4}}
	r, err := PruneMerge{Merged: 1}.Reduce(in, Count(2))
	if err != nil || !slices.Equal(r.Source, []int32{0, 0, 0, 1, 1, 1}) || !slices.Equal(r.Kept, []int32{2, 5}) {
		t.Error(r, err)
	}
	checkMeans(t, in, r)
	if r, err = (PruneMerge{Merged: 0.5}).Reduce(in, Count(2)); err != nil || !slices.Equal(r.Source, []int32{0, Dropped, 0, Dropped, 1, 1}) {
		t.Error(r.Source, err)
	}
	nearest, err := r.Nearest(in)
	if err != nil || !slices.Equal(nearest, []int32{0, 0, 0, 1, 1, 1}) {
		t.Error(nearest, err)
	}
	if r, err = (PruneMerge{}).Reduce(in, Count(2)); err != nil || !slices.Equal(r.Source, []int32{Dropped, Dropped, 0, Dropped, Dropped, 1}) {
		t.Error(r.Source, err)
	}
	// One dominant token, 2; targets of 0, 1, 3, 4, 5 are 0 (of the first half) and 4.
	if r, err = (DominantContextual{Contextual: 0.6}).Reduce(in, Count(3)); err != nil || !slices.Equal(r.Kept, []int32{1, 2, 4}) || !slices.Equal(r.Source, []int32{0, 0, 1, 2, 2, 2}) {
		t.Error(r.Kept, r.Source, err)
	}
	checkMeans(t, in, r)
	// The neighbours are those that are alike.
	if r, err = (PruMerge{Neighbours: 2}).Reduce(in, Count(2)); err != nil || !slices.Equal(r.Kept, []int32{2, 5}) || !slices.Equal(r.Source, []int32{0, 0, 0, 1, 1, 1}) {
		t.Error(r.Kept, r.Source, err)
	}
	want := (1*0.3 + 1*0.2 + 1*5) / 5.5
	if y := (0.1*0.3 + 0.2*0.2) / 5.5; math.Abs(float64(r.X[0])-want) > 1e-6 || math.Abs(float64(r.X[1])-y) > 1e-6 {
		t.Error(r.X, want, y)
	}
}

func TestOutliers(t *testing.T) {
	// Quartiles 3 and 7, so that outliers are above 13.
	v := []float32{1, 2, 3, 4, 5, 6, 7, 13, 13.1}
	if n := outliers(v); n != 1 {
		t.Error(n)
	}
	if v[7] = 14; outliers(v) != 2 {
		t.Error(outliers(v))
	}
	if n := outliers(make([]float32, 5)); n != 1 {
		t.Error(n, "of equals")
	}
}

func TestQuestionMethods(t *testing.T) {
	in := &Tokens{N: 4, D: 2, X: []float32{1, 0, 0.9, 0.1, 0, 1, 0.1, 0.9}, Query: []float32{3, 0.1}}
	r, err := QuestionGuided{Temperature: 0.1}.Reduce(in, Count(2))
	if err != nil || !slices.Equal(r.Source, []int32{0, 1, Dropped, Dropped}) {
		t.Error(r, err)
	}
	r, err = QuestionGuided{Temperature: 0.1, Recycle: 1}.Reduce(in, Count(2))
	if err != nil || !slices.Equal(r.Source, []int32{0, 1, 1, 1}) || r.Size[1] != 3 {
		t.Error(r, err)
	}
	// All that is recycled ends up in one kept token or another.
	r, err = QuestionGuided{Temperature: 1000, Recycle: 1}.Reduce(in, Count(2))
	if err != nil {
		t.Fatal(err)
	}
	// A high temperature divides evenly: (1,0) + half of (0.1,1.9), over two.
	if math.Abs(float64(r.X[0])-(1+0.05)/2) > 1e-3 || math.Abs(float64(r.X[1])-0.95/2) > 1e-3 {
		t.Error(r.X)
	}
	big := video(1, 1, 20, 10, 8)
	for _, attention := range []bool{true, false} {
		if !attention {
			big.Attention = nil
		}
		r, err = Recycling{Share: 0.3}.Reduce(big, Count(60))
		if err != nil || r.N != 60 {
			t.Fatal(err)
		}
		merged, dropped := 0, 0
		for i, s := range r.Source {
			if s == Dropped {
				dropped++
			} else if r.Kept[s] != int32(i) {
				merged++
			}
		}
		// 56 stay, of 144 others 43 are recycled to 5 less one that rounding leaves.
		if merged < 36 || merged > 40 || dropped < 98 || dropped > 104 {
			t.Errorf("%d merged, %d dropped", merged, dropped)
		}
	}
}

func TestTemporalMethods(t *testing.T) {
	// Four frames of three tokens; token 1 changes in each frame, token 2 in the third.
	in := &Tokens{N: 12, D: 2}
	angle := [][]float64{{0, 0, 1}, {0, 1, 1}, {0, 2, 2.5}, {0, 3, 2.5}}
	for f, a := range angle {
		for _, v := range a {
			in.X = append(in.X, float32(math.Cos(v)), float32(math.Sin(v)))
			in.Frame = append(in.Frame, int32(f))
		}
	}
	r, err := ChangeDriven{}.Reduce(in, Count(7))
	if err != nil || !slices.Equal(r.Kept, []int32{0, 1, 2, 4, 7, 8, 10}) || !slices.Equal(r.Source, []int32{0, 1, 2, 0, 3, 2, 0, 4, 5, 0, 6, 5}) {
		t.Error(r.Kept, r.Source, err)
	}
	back, err := Unmerge(r.Source, r.X, 2)
	if err != nil || !slices.Equal(back, in.X) {
		t.Error("what did not change does not come back", err)
	}
	// The first frame, and of each other one token: the fourth is compared with the third.
	r, err = TemporalMerging{}.Reduce(in, Count(6))
	if err != nil || !slices.Equal(r.Kept, []int32{0, 1, 2, 4, 7, 10}) || !slices.Equal(r.Source, []int32{0, 1, 2, 0, 3, 2, 0, 4, 2, 0, 5, 2}) {
		t.Error(r.Kept, r.Source, err)
	}
	for _, m := range []Reducer{ChangeDriven{}, TemporalMerging{}} {
		if _, err := m.Reduce(in, Count(2)); !errors.Is(err, ErrKeep) {
			t.Error(err)
		}
	}
	// Sound in the second window only.
	in.Audio = &Audio{Frame: []int32{0, 1, 2, 3}, Attention: []float32{0, 0, 1, 1}}
	r, err = AudioGuided{Window: 2, Guidance: 1}.Reduce(in, Count(8))
	if err != nil || !slices.Equal(r.Frame, []int32{0, 1, 2, 2, 2, 3, 3, 3}) {
		t.Error(r.Frame, err)
	}
	checkReduced(t, in, r)
}

func TestRetrieveClips(t *testing.T) {
	in := video(1, 12, 4, 4, 8)
	// The question is what the second clip shows.
	in.Query = slices.Clone(in.X[5*16*8+24:][:8])
	for i := 8 * 16; i < in.N; i++ { // frames like those before may show it, too
		for c := range 8 {
			in.X[i*8+c] = float32(math.Sin(float64(i*i + c*7)))
		}
	}
	r, err := RetrieveClips{Frames: 4, Clips: 1, Memory: 2}.Reduce(in, Count(40))
	if err != nil {
		t.Fatal(err)
	}
	checkReduced(t, in, r)
	checkMeans(t, in, r)
	count := make([]int, 3)
	for _, f := range r.Frame {
		count[f/8]++
	}
	if r.N != 40 || !slices.Equal(count, []int{2, 36, 2}) {
		t.Errorf("%v tokens of the clips", count)
	}
	if _, err := (RetrieveClips{Frames: 4, Clips: 1, Memory: 2}).Reduce(in, Count(4)); !errors.Is(err, ErrKeep) {
		t.Error(err)
	}
}

func TestUnmergeRefuses(t *testing.T) {
	for _, f := range []func() error{
		func() error { _, err := Unmerge([]int32{0, 2}, []float32{1, 2}, 1); return err },
		func() error { _, err := Unmerge([]int32{-2}, []float32{1}, 1); return err },
		func() error { _, err := Unmerge([]int32{0}, []float32{1}, 2); return err },
		func() error { _, err := Unmerge([]int32{0}, []float32{1}, 0); return err },
		func() error { _, err := (&Reduced{}).Nearest(video(1, 1, 2, 2, 2)); return err },
	} {
		if err := f(); !errors.Is(err, ErrShape) {
			t.Error(err)
		}
	}
}

func FuzzReduce(f *testing.F) {
	for i := range Methods() {
		f.Add(uint8(i), uint64(i), uint8(3), uint8(4), uint8(2), uint8(5), int16(7), float32(1), uint8(3))
	}
	f.Add(uint8(0), uint64(1), uint8(1), uint8(1), uint8(1), uint8(1), int16(-1), float32(math.Inf(1)), uint8(0))
	f.Fuzz(func(t *testing.T, method uint8, seed uint64, frames, w, h, d uint8, keep int16, poison float32, where uint8) {
		in := video(seed, 1+int(frames%9), 1+int(w%6), 1+int(h%6), 1+int(d%9))
		all := [][]float32{in.X, in.Keys, in.Values, in.Attention, in.Size, in.Query}
		s := all[int(where)%len(all)]
		s[int(seed%uint64(len(s)))] = poison
		m := Methods()[int(method)%len(Methods())]
		r, err := m.New(options(in)).Reduce(in, Count(int(keep)))
		if err == nil {
			checkReduced(t, in, r)
			if math.IsNaN(float64(poison)) || math.IsInf(float64(poison), 0) {
				t.Fatalf("%s takes %v", m.Name, poison)
			}
		}
	})
}

func Example() {
	// Four tokens of two features; the first two are alike.
	t := &Tokens{N: 4, D: 2, X: []float32{1, 0, 1, 0.1, 0, 1, -1, 0}}
	r, err := BipartiteMatching{}.Reduce(t, Count(3))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("features", r.X)
	fmt.Println("sizes   ", r.Size)
	fmt.Println("sources ", r.Source)
	back, _ := Unmerge(r.Source, r.X, 2)
	fmt.Println("undone  ", back)
	// Output:
	// features [1 0.05 0 1 -1 0]
	// sizes    [2 1 1]
	// sources  [0 0 1 2]
	// undone   [1 0.05 1 0.05 0 1 -1 0]
}
