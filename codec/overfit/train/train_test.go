package train

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/inr"
)

func testData(t testing.TB, seeds ...uint64) *training.Data {
	t.Helper()
	d := new(training.Data)
	for _, s := range seeds {
		if !d.Add(dataset.DeadLeaves(80, 70, s), 64) {
			t.Fatal("too small")
		}
	}
	return d
}

func testOptions() Options {
	o := DefaultOptions()
	o.Preset, o.Visits, o.Batch, o.Side, o.Iterations, o.Rate, o.Every, o.Held, o.Workers = "xs", 6, 2, 64, 20, 0.5, 3, 2, 1
	return o
}

// TestTrain: fits from what is learnt are better than from nothing, and reports say so.
func TestTrain(t *testing.T) {
	o := testOptions()
	o.Visits, o.Every = 24, 16
	var reports []Progress
	o.Progress = func(p Progress) { reports = append(reports, p) }
	tr, err := New(testData(t, 1, 2, 3), testData(t, 7), o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(reports) != 2 || reports[0].Visit != 16 || reports[1].Visit != 24 || tr.Visit() != 24 {
		t.Fatalf("%+v", reports)
	}
	last := reports[1]
	if t.Logf("%+v", last); !(last.Gain > 0.03) || !(last.Prior < last.Scratch) || !(last.PriorBits > 0 && last.ScratchBits > 0) || last.Scratch != reports[0].Scratch {
		t.Errorf("%+v", reports)
	}
	p, err := tr.Prior()
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Arch(); a.Preset() != "xs" || a.Channels != 3 {
		t.Errorf("%v", p)
	}
}

// TestStart: training goes on from a prior of a smaller preset, and not from a larger one's.
func TestStart(t *testing.T) {
	o := testOptions()
	prior := func(preset string) (*inr.Prior, error) {
		t.Helper()
		o.Preset = preset
		tr, err := New(testData(t, 1), nil, o)
		if err != nil {
			return nil, err
		}
		defer tr.Close()
		p, err := tr.Prior()
		if err != nil {
			t.Fatal(err)
		}
		return p, nil
	}
	var err error
	if o.Start, err = prior("s"); err != nil {
		t.Fatal(err)
	}
	p, err := prior("m")
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Arch(); a.Preset() != "m" {
		t.Errorf("%v", p)
	}
	if want, err := o.Start.Widen(p.Arch(), o.Seed); err != nil || p.Hash() != want.Hash() {
		t.Errorf("%v is not %v widened: error %v", p, o.Start, err)
	}
	if _, err := prior("xs"); !errors.Is(err, inr.ErrPrior) {
		t.Errorf("a smaller preset from a larger one's: error %v", err)
	}
}

// TestResume: a training that was interrupted ends as one that was not, and the number of
// workers does not matter.
func TestResume(t *testing.T) {
	data := testData(t, 1, 2)
	o := testOptions()
	run := func(tr *Trainer, err error) [32]byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background()); err != nil && !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		p, err := tr.Prior()
		if err != nil {
			t.Fatal(err)
		}
		return p.Hash()
	}
	whole := run(New(data, nil, o))

	var checkpoint bytes.Buffer
	part := o
	part.Checkpoint = func(tr *Trainer) error {
		n, err := tr.WriteTo(&checkpoint)
		if err != nil || n != int64(checkpoint.Len()) {
			t.Errorf("%d bytes of %d, %v", n, checkpoint.Len(), err)
		}
		return errStop
	}
	if run(New(data, nil, part)) == whole {
		t.Fatal("not interrupted")
	}
	file := checkpoint.Bytes()
	o.Workers = 3
	if run(Resume(bytes.NewReader(file), data, nil, o)) != whole {
		t.Error("the result depends on an interruption or the workers")
	}
	other := o
	other.Seed++
	if run(New(data, nil, other)) == whole {
		t.Error("the seed does not matter")
	}

	other = o
	other.Preset = "s"
	for name, c := range map[string]struct {
		file []byte
		o    Options
	}{
		"preset": {file, other}, "cut off": {file[:len(file)/2], o}, "empty": {nil, o},
	} {
		if _, err := Resume(bytes.NewReader(c.file), data, nil, c.o); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

var errStop = errors.New("stop")

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tr, err := New(testData(t, 1), nil, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOptions(t *testing.T) {
	o := DefaultOptions()
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"preset":     func(o *Options) { o.Preset = "xxs" },
		"qualities":  func(o *Options) { o.LowQuality, o.HighQuality = 50, 40 },
		"quality":    func(o *Options) { o.HighQuality = 101 },
		"visits":     func(o *Options) { o.Visits = 0 },
		"batch":      func(o *Options) { o.Batch = 0 },
		"side":       func(o *Options) { o.Side = 100 },
		"iterations": func(o *Options) { o.Iterations = 0 },
		"rate":       func(o *Options) { o.Rate = 1.1 },
		"net rate":   func(o *Options) { o.NetRate = -1 },
		"every":      func(o *Options) { o.Every = 0 },
		"held":       func(o *Options) { o.Held = 0 },
	} {
		o := DefaultOptions()
		change(&o)
		if _, err := New(testData(t, 1), nil, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(nil, nil, testOptions()); !errors.Is(err, training.ErrNoData) {
		t.Errorf("no pictures: error %v", err)
	}
}
