package training

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/nn"
)

// mean is a network of one number, which learns the mean of crops.
type mean struct{ p *nn.Param }

func (m *mean) Params() []*nn.Param { return []*nn.Param{m.p} }
func (m *mean) Refresh()            {}

func (m *mean) learn(data *Data) func(*Batch, *rand.Rand) {
	return func(b *Batch, r *rand.Rand) {
		b.Draw(data, 0, 1, func(float64) float64 { return 1 }, r, r)
		each := len(b.X) / b.Shape.N
		for i := range b.Shape.N {
			var e float64
			for _, v := range b.X[i*each : (i+1)*each] {
				d := float64(m.p.Data[0] - v)
				e += d * d
				m.p.Grad[0] += b.Errors[i] * float32(2*d)
			}
			b.Add(i, 1, e)
		}
	}
}

func options() Options {
	o := Defaults()
	o.Steps, o.Batch, o.Side, o.Every, o.Warm, o.Rate, o.Average, o.Workers = 20, 2, 64, 5, 2, 0.05, 0.5, 1
	return o
}

func newMean() (*mean, *Loop) {
	m := &mean{nn.NewParam("mean", 1, 1)}
	m.p.Data[0] = 5
	return m, NewLoop(m, nn.NewPool(1), options())
}

// TestLoop trains, is interrupted, and goes on to the same numbers.
func TestLoop(t *testing.T) {
	data := &Data{}
	if !data.Add(dataset.DeadLeaves(100, 90, 1), 64) {
		t.Fatal("a picture was not taken")
	}
	none := func() float64 { return 0 }
	m, l := newMean()
	defer l.Close()
	var losses []float64
	var trained, averaged float32
	if err := l.Run(t.Context(), m.learn(data), func() float64 {
		averaged = m.p.Data[0]
		return 7
	}, func(p Progress) error {
		trained = m.p.Data[0]
		losses = append(losses, p.Loss)
		if p.Step%5 != 0 || p.Steps != 20 || p.Score != 7 || math.Abs(p.BPP*64*64-1) > 1e-9 {
			t.Errorf("%+v", p)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(losses) != 4 || losses[3] >= losses[0] {
		t.Errorf("losses %v", losses)
	}
	if trained == averaged || trained != m.p.Data[0] {
		t.Errorf("validated with %v, trained %v, left %v", averaged, trained, m.p.Data[0])
	}
	for _, f := range []Format{{"key", true}, {"key", false}} {
		part, first := newMean()
		defer first.Close()
		ctx, cancel := context.WithCancel(t.Context())
		if err := first.Run(ctx, part.learn(data), none, func(p Progress) error {
			if p.Step == 10 {
				cancel()
			}
			return nil
		}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		var own []tensorfile.Tensor
		if !f.Params {
			own = append(own, tensorfile.FromFloat32s("own", part.p.Data, 1))
		}
		var file bytes.Buffer
		if n, err := f.Write(&file, first, first.State(), own); err != nil || n != int64(file.Len()) {
			t.Fatalf("%d bytes of %d, %v", n, file.Len(), err)
		}
		var s State
		tensors, err := f.Read(&file, &s)
		if err != nil {
			t.Fatal(err)
		}
		rest, second := newMean()
		defer second.Close()
		if err := f.Restore(second, s, tensors); err != nil {
			t.Fatal(err)
		}
		if !f.Params {
			if err := tensorfile.ByName(tensors).Copy(rest.p.Data, "own"); err != nil {
				t.Fatal(err)
			}
		}
		if second.Step() != 10 {
			t.Errorf("the checkpoint is of step %d", second.Step())
		}
		if err := second.Run(t.Context(), rest.learn(data), none, func(Progress) error { return nil }); err != nil {
			t.Fatal(err)
		}
		second.Swap()
		if rest.p.Data[0] != averaged {
			t.Errorf("%+v: %v after an interruption, not %v", f, rest.p.Data[0], averaged)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	m, l := newMean()
	defer l.Close()
	f := Format{Key: "key", Params: true}
	for what, change := range map[string]func(*State){
		"a tensor":  func(*State) { m.p.Data[0] = float32(math.Inf(1)) },
		"a step":    func(s *State) { s.Step = -1 },
		"Adam's":    func(s *State) { s.Adam = -1 },
		"a weight":  func(s *State) { s.Average = 2 },
		"no number": func(s *State) { s.Average = math.NaN() },
	} {
		m.p.Data[0] = 0
		s := l.State()
		change(&s)
		var file bytes.Buffer
		if _, err := f.Write(&file, l, l.State(), nil); err != nil {
			t.Fatal(err)
		}
		var read State
		if _, err := (Format{Key: "other"}).Read(bytes.NewReader(file.Bytes()), &read); err == nil {
			t.Error("a checkpoint without a state was taken")
		}
		tensors, err := f.Read(&file, &read)
		if err != nil {
			t.Fatal(err)
		}
		if f.Restore(l, s, tensors) == nil {
			t.Errorf("%s out of range: taken", what)
		}
	}
}

func TestNotANumber(t *testing.T) {
	_, l := newMean()
	defer l.Close()
	err := l.Run(t.Context(), func(b *Batch, _ *rand.Rand) { b.Loss = math.NaN() }, func() float64 { return 0 }, func(Progress) error { return nil })
	if err == nil || l.Step() != 1 {
		t.Errorf("went on to step %d, %v", l.Step(), err)
	}
}
