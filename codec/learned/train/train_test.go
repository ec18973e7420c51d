package train

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/corpus/dataset"
)

// tinyOptions trains the smallest network with every part.
func tinyOptions() Options {
	o := DefaultOptions()
	o.Config = network.Config{
		Fine: 8, Coarse: 16, Latents: 8, Hyper: 4, HyperWidth: 8, Context: 8,
		AnalysisFine: 1, AnalysisCoarse: 1, SynthesisCoarse: 1, SynthesisFine: 1, Anchors: 3,
	}
	o.Steps, o.Batch, o.Side, o.Every, o.Warm, o.Workers = 60, 2, 64, 20, 5, 1
	return o
}

// leaves returns generated pictures, in memory.
func leaves(t testing.TB, n int, seed uint64) *training.Data {
	t.Helper()
	d := &training.Data{}
	for i := range n {
		if !d.Add(dataset.DeadLeaves(160, 128, seed+uint64(i)), 64) {
			t.Fatal("a picture was not taken")
		}
	}
	return d
}

func weights(t testing.TB, tr *Trainer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tr.Network().WriteSafetensors(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTrainingLowersTheScore(t *testing.T) {
	o := tinyOptions()
	o.Steps, o.Every, o.Rate, o.Average = 90, 30, 5e-3, 0.8
	var scores []float64
	o.Progress = func(p Progress) { scores = append(scores, p.Score) }
	tr, err := New(leaves(t, 4, 1), leaves(t, 2, 100), o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(scores) != 3 || !(scores[2] < 0.99*scores[0]) {
		t.Errorf("scores %v", scores)
	}
}

// TestResume checks that training that is interrupted and goes on from a checkpoint ends
// with the same weights, with any number of workers.
func TestResume(t *testing.T) {
	data := leaves(t, 3, 1)
	o := tinyOptions()
	whole, err := New(data, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	if err := whole.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	var saved bytes.Buffer
	o.Checkpoint = func(tr *Trainer) error {
		if _, err := tr.WriteTo(&saved); err != nil {
			return err
		}
		return stop
	}
	part, err := New(data, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if err := part.Run(t.Context()); err != stop {
		t.Fatal(err)
	}
	o.Checkpoint, o.Workers = nil, 2
	rest, err := Resume(&saved, data, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	if rest.Step() != 20 {
		t.Fatalf("the checkpoint is of step %d", rest.Step())
	}
	if err := rest.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weights(t, whole), weights(t, rest)) {
		t.Error("training that was interrupted gave other weights")
	}
}

// TestNewFrom goes on from a trained network with more blocks: at first with its score.
func TestNewFrom(t *testing.T) {
	data, held := leaves(t, 2, 1), leaves(t, 1, 100)
	o := tinyOptions()
	o.Steps = 10
	first, err := New(data, held, o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := first.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	net := first.Network()
	_, want := first.validate()
	o.Config.AnalysisFine, o.Config.SynthesisCoarse = 2, 3
	second, err := NewFrom(net, data, held, o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, got := second.validate(); math.Abs(got-want) > 1e-3*want {
		t.Errorf("score %v, not %v", got, want)
	}
	if err := second.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Config.Latents *= 2
	if _, err := NewFrom(net, data, held, o); err == nil {
		t.Error("a network of other widths was taken")
	}
}

func TestResumeRefuses(t *testing.T) {
	data := leaves(t, 1, 1)
	tr, err := New(data, nil, tinyOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := Resume(bytes.NewReader(weights(t, tr)), data, nil, tinyOptions()); err == nil {
		t.Error("weights were taken for a checkpoint")
	}
	var b bytes.Buffer
	if _, err := tr.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(bytes.NewReader(b.Bytes()[:b.Len()/2]), data, nil, tinyOptions()); err == nil {
		t.Error("half a checkpoint was taken")
	}
}

func TestOptionsChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"side":   func(o *Options) { o.Side = 100 },
		"batch":  func(o *Options) { o.Batch = 0 },
		"rate":   func(o *Options) { o.Rate = 0 },
		"decay":  func(o *Options) { o.Decay = 2 },
		"config": func(o *Options) { o.Config.Latents = 9 },
	} {
		o := tinyOptions()
		change(&o)
		if o.Check() == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	if _, err := New(nil, nil, tinyOptions()); err == nil {
		t.Error("no data: not refused")
	}
}
