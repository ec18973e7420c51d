package main

import (
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

// tinyNetwork is the smallest architecture with every part.
const tinyNetwork = `{"fine": 8, "coarse": 16, "latents": 8, "hyper": 4, "hyper_width": 8, "context": 8,
	"analysis_fine": 1, "analysis_coarse": 1, "synthesis_coarse": 1, "synthesis_fine": 1, "anchors": 3}`

// TestTrainLearned trains a few steps, makes a model in integers of the weights, and codes
// with it.
func TestTrainLearned(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("in", 0o777); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"in/a.png", "in/b.png"} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dataset.Write(f, &dataset.Picture{Image: dataset.DeadLeaves(300, 280, uint64(i)), Orientation: 1}, ".png"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := mustRun(t, nil, "train", "learned", "--data", "in", "--validation", "in", "--out", "w.safetensors", "--checkpoint", "c.check",
		"--steps", "2", "--every", "1", "--batch", "1", "--side", "64", "--config", tinyNetwork)
	if !strings.Contains(r.stderr, "step 2 of 2: loss ") || !strings.Contains(r.stderr, "held out") {
		t.Errorf("printed %q", r.stderr)
	}
	if r = mustRun(t, nil, "train", "learned", "--data", "in", "--out", "again.safetensors", "--checkpoint", "c.check", "--steps", "2", "--side", "64"); !strings.Contains(r.stderr, "going on after step 2 of 2") {
		t.Errorf("printed %q", r.stderr)
	}
	if r = mustRun(t, nil, "train", "learned", "--data", "in", "--start", "w.safetensors", "--config", `{"synthesis_fine": 2}`, "--out", "grown.safetensors", "--steps", "1", "--batch", "1", "--side", "64"); !strings.Contains(r.stderr, "step 1 of 1") {
		t.Errorf("printed %q", r.stderr)
	}
	if r = mustRun(t, nil, "train", "learned", "--data", "in", "--from", "w.safetensors", "--out", "m.model", "--side", "64"); !strings.Contains(r.stdout, "m.model: ") {
		t.Errorf("printed %q", r.stdout)
	}
	mustRun(t, nil, "encode", "--codec", "learned", "--model", "m.model", "--quality", "50", "-e", "1", "in/a.png", "-o", "a.burin")
	if r := burin(nil, "decode", "a.burin", "-o", "a.png"); r.code == exitOK || !strings.Contains(r.stderr, "another trained model") {
		t.Errorf("without the model: exit %d, %q", r.code, r.stderr)
	}
	mustRun(t, nil, "decode", "--model", "m.model", "a.burin", "-o", "a.png")
	for name, config := range map[string]string{"low": `{"high": 0.6}`, "high": `{"low": 0.4, "high": 1}`} {
		mustRun(t, nil, "train", "learned", "--data", "in", "--from", "w.safetensors", "--config", config, "--out", name+".model", "--side", "64")
	}
	if r := burin(nil, "train", "learned", "--data", "in", "--from", "w.safetensors", "--config", `{"fine": 16}`, "--out", "other.model", "--side", "64"); r.code != exitUsage {
		t.Errorf("another architecture was taken: exit %d", r.code)
	}
	mustRun(t, nil, "train", "join", "low.model", "high.model", "--out", "joined.model")
	mustRun(t, nil, "encode", "--codec", "learned", "--model", "joined.model", "--quality", "30", "in/a.png", "-o", "b.burin")
	mustRun(t, nil, "decode", "--model", "joined.model", "b.burin", "-o", "b.png")
	if r := burin(nil, "train", "join", "high.model", "low.model", "--out", "wrong.model"); r.code == exitOK || !strings.Contains(r.stderr, "joined") {
		t.Errorf("joined the wrong way round: exit %d, %q", r.code, r.stderr)
	}
	if r = mustRun(t, nil, "info", "a.burin"); !strings.Contains(r.stdout, "at quality 50.0") {
		t.Errorf("printed %q", r.stdout)
	}
}

func TestTrainLearnedRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"--data", ".", "--out", "x", "--side", "100"},
		{"--data", ".", "--out", "x"},
		{"--data", "nowhere", "--out", "x"},
		{"--data", ".", "--out", ""},
		{"--data", ".", "--out", "x", "--config", "{"},
		{"--data", ".", "--out", "x", "--config", `{"latents": 7}`},
		{"--data", ".", "--out", "x", "--start", "nowhere"},
		{"--data", ".", "--out", "x", "--config", `{"low": 0.5, "high": 0.2}`},
	} {
		if r := burin(nil, append([]string{"train", "learned"}, args...)...); r.code == exitOK {
			t.Errorf("%v: taken", args)
		}
	}
}
