package reduce

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// frameSource makes frames of tokens without allocating: a slowly turning picture.
type frameSource struct {
	t *Tokens
	r *rand.Rand
	n int
}

func newFrameSource(w, h, d int) *frameSource {
	t := &Tokens{N: w * h, D: d, X: make([]float32, w*h*d), KeyDim: 4, Keys: make([]float32, w*h*4), ValueDim: 4, Values: make([]float32, w*h*4)}
	for i := range w * h {
		t.Pos = append(t.Pos, Position{int32(i % w), int32(i / w)})
	}
	return &frameSource{t: t, r: rand.New(rand.NewPCG(1, 4))}
}

func (s *frameSource) next() *Tokens {
	s.n++
	for _, x := range [][]float32{s.t.X, s.t.Keys, s.t.Values} {
		for i := range x {
			x[i] = float32(math.Sin(float64(i)+1e-3*float64(s.n))) + 0.1*float32(s.r.NormFloat64())
		}
	}
	return s.t
}

var policies = map[string]StreamConfig{
	"redundancy": {Capacity: 60, Compressed: 30, Recent: 0.25, Redundant: 0.5, PoolSide: 3},
	"queries":    {Capacity: 60, Compressed: 30, Policy: ByQueries, Queries: []float32{1, 0, 0, 1, 0, 1, -1, 0}, Similar: 0.9999},
}

// A hundred thousand frames take the memory of a hundred.
func TestStreamMemory(t *testing.T) {
	frames := 100_000
	if testing.Short() {
		frames = 5_000
	}
	for name, c := range policies {
		s, err := NewStream(c)
		if err != nil {
			t.Fatal(err)
		}
		src := newFrameSource(3, 2, 4)
		var early, late runtime.MemStats
		for f := range frames {
			if _, err := s.Push(src.next()); err != nil {
				t.Fatal(err)
			}
			if s.Len() > c.Capacity {
				t.Fatalf("%s: %d tokens held after frame %d", name, s.Len(), f)
			}
			if f == 100 {
				runtime.GC()
				runtime.ReadMemStats(&early)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&late)
		if late.HeapAlloc > early.HeapAlloc+64<<10 {
			t.Errorf("%s: %d bytes held after 100 frames, %d after %d", name, early.HeapAlloc, late.HeapAlloc, frames)
		}
		if len(s.byPlace) > c.Capacity || len(s.places) > c.Capacity {
			t.Errorf("%s: maps of %d and %d places", name, len(s.byPlace), len(s.places))
		}
		if s.Frames() != int64(frames) || s.Compressions() == 0 {
			t.Errorf("%s: %d frames, %d compressions", name, s.Frames(), s.Compressions())
		}
	}
}

// What stays and what is reported gone are all that came, once each.
func TestStreamAccounts(t *testing.T) {
	for name, c := range policies {
		s, err := NewStream(c)
		if err != nil {
			t.Fatal(err)
		}
		gone := map[int64]int64{}
		s.Merged = func(id, into int64) {
			if _, ok := gone[id]; ok {
				t.Fatalf("%s: token %d goes twice", name, id)
			}
			gone[id] = into
		}
		src := newFrameSource(3, 2, 4)
		var all [][]float32
		for range 300 {
			f := src.next()
			for i := range f.N {
				all = append(all, slices.Clone(f.row(i)))
			}
			if _, err := s.Push(f); err != nil {
				t.Fatal(err)
			}
		}
		held, ids := s.Tokens()
		if err := held.Validate(); err != nil {
			t.Fatal(err)
		}
		if len(ids) != held.N || len(ids)+len(gone) != len(all) {
			t.Fatalf("%s: %d held and %d gone of %d", name, len(ids), len(gone), len(all))
		}
		if !slices.IsSorted(ids) {
			t.Errorf("%s: out of order", name)
		}
		for i, id := range ids {
			if held.Pos[i] != src.t.Pos[id%6] {
				t.Fatalf("%s: token %d is at %v", name, id, held.Pos[i])
			}
			if held.Size[i] == 1 && !slices.Equal(held.row(i), all[id]) {
				t.Fatalf("%s: token %d is not what came", name, id)
			}
		}
		for id, into := range gone {
			if _, ok := gone[id]; into != Dropped && (into == id || !ok || into < 0 || into >= int64(len(all))) {
				t.Fatalf("%s: token %d merges into %d", name, id, into)
			}
		}
	}
}

// Of older frames, what differs from the recent ones stays, and then large values.
func TestStreamRedundancy(t *testing.T) {
	s, err := NewStream(StreamConfig{Capacity: 12, Compressed: 6, Recent: 0.3, Redundant: 0.34, PoolSide: 1})
	if err != nil {
		t.Fatal(err)
	}
	same, other := []float32{1, 0}, []float32{0, 1}
	frame := func(keys [3][]float32, values [3]float32) *Tokens {
		f := &Tokens{N: 3, D: 1, X: []float32{0, 0, 0}, KeyDim: 2, Values: values[:], ValueDim: 1}
		for i, k := range keys {
			f.Keys = append(f.Keys, k...)
			f.Pos = append(f.Pos, Position{int32(i), 0})
		}
		return f
	}
	for _, f := range []*Tokens{
		frame([3][]float32{same, other, same}, [3]float32{1, 1, 1}), // token 1 differs
		frame([3][]float32{same, same, same}, [3]float32{5, 1, 2}),  // 3 has the largest value
		frame([3][]float32{same, same, same}, [3]float32{1, -9, 1}), // but for 7
		frame([3][]float32{same, same, same}, [3]float32{1, 1, 1}),  // recent
		frame([3][]float32{same, same, same}, [3]float32{1, 1, 1}),
	} {
		if _, err := s.Push(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, ids := s.Tokens(); !slices.Equal(ids, []int64{1, 3, 7, 9, 10, 11, 12, 13, 14}) {
		t.Error(ids)
	}
}

// What the queries attend to stays, and the rest of each new frame is one prototype.
func TestStreamQueries(t *testing.T) {
	s, err := NewStream(StreamConfig{Capacity: 9, Compressed: 4, Policy: ByQueries, Queries: []float32{10, 0}, Similar: 1})
	if err != nil {
		t.Fatal(err)
	}
	frame := func(a, b, c float32) *Tokens {
		return &Tokens{N: 3, D: 2, X: []float32{a, 1, b, 2, c, 3}}
	}
	for _, f := range []*Tokens{frame(0, 3, 0), frame(0, 0, 2), frame(0, 0, 2), frame(0, 0, 0.5), frame(1, 1, 1)} {
		if _, err := s.Push(f); err != nil {
			t.Fatal(err)
		}
	}
	// The third is the same as the second and skipped: 1 and 5 stay, and prototypes of
	// the fourth (9 to 11) and second frame.
	held, ids := s.Tokens()
	if !slices.Equal(ids, []int64{1, 3, 5, 9, 12, 13, 14}) || !slices.Equal(held.Size, []float32{1, 2, 1, 3, 1, 1, 1}) {
		t.Error(ids, held.Size)
	}
	if !slices.Equal(held.row(1), []float32{0, 1.5}) {
		t.Error("the prototype is", held.row(1))
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, c := range []StreamConfig{
		{}, {Capacity: 5, Compressed: 5, Recent: 1, PoolSide: 1}, {Capacity: MaxTokens + 1, Compressed: 1, Recent: 1, PoolSide: 1},
		{Capacity: 5, Compressed: 1, PoolSide: 1}, {Capacity: 5, Compressed: 1, Recent: 1}, {Capacity: 5, Compressed: 1, Recent: 1, PoolSide: 1, Redundant: 2},
		{Capacity: 5, Compressed: 1, Recent: 1, PoolSide: 1, Similar: float64(math.NaN())}, {Capacity: 5, Compressed: 1, Policy: ByQueries},
		{Capacity: 5, Compressed: 1, Policy: ByQueries, Queries: []float32{float32(math.NaN())}},
	} {
		if _, err := NewStream(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	s, err := NewStream(policies["redundancy"])
	if err != nil {
		t.Fatal(err)
	}
	src := newFrameSource(3, 2, 4)
	if _, err := s.Push(src.next()); err != nil {
		t.Fatal(err)
	}
	before, _ := s.Tokens()
	for name, change := range map[string]func(*Tokens){
		"NaN":          func(f *Tokens) { f.X[0] = float32(math.NaN()) },
		"other keys":   func(f *Tokens) { f.Keys, f.KeyDim = f.Keys[:12], 2 },
		"no keys":      func(f *Tokens) { f.Keys = nil },
		"no positions": func(f *Tokens) { f.Pos = nil },
		"other width":  func(f *Tokens) { f.X, f.D = f.X[:12], 2 },
		"too many":     func(f *Tokens) { *f = *newFrameSource(31, 1, 4).t },
	} {
		f := clone(src.next())
		change(f)
		if _, err := s.Push(f); !errors.Is(err, ErrShape) && !errors.Is(err, ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, _ := s.Tokens(); !slices.Equal(after.X, before.X) || s.Frames() != 1 {
		t.Error("a frame that was refused changed the stream")
	}
	s, err = NewStream(StreamConfig{Capacity: 60, Compressed: 5, Policy: ByQueries, Queries: make([]float32, 6)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Push(src.next()); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}

// 100,000 frames of 64 tokens of 64 features under a cap of 1,024.
func BenchmarkStream(b *testing.B) {
	for name, c := range policies {
		b.Run(name, func(b *testing.B) {
			c.Capacity, c.Compressed, c.Similar = 1024, 512, 0
			s, err := NewStream(c)
			if err != nil {
				b.Fatal(err)
			}
			src := newFrameSource(8, 8, 64)
			frame := src.next()
			var before, after runtime.MemStats
			b.SetBytes(64 * 64 * 4)
			for b.Loop() {
				for i := range frame.Keys { // a cheap change
					frame.Keys[i] = -frame.Keys[i]
				}
				if _, err := s.Push(frame); err != nil {
					b.Fatal(err)
				}
				if s.Frames() == 100 {
					runtime.GC()
					runtime.ReadMemStats(&before)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(s.Frames()), "frames")
			if s.Frames() > 100 {
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)), "heap-growth-B")
			}
		})
	}
}
