package main

import (
	"image"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	codeccircuit "github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/corpus/dataset"
)

// writeGray writes a picture of noise in columns.
func writeGray(t *testing.T, name string, w, h int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	m := image.NewGray(image.Rect(0, 0, w, h))
	level := 100 * r.IntN(3)
	for i := range m.Pix {
		m.Pix[i] = uint8(level + r.IntN(20))
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := dataset.Write(f, &dataset.Picture{Image: m, Orientation: 1}, ".png"); err != nil {
		t.Fatal(err)
	}
}

func TestTrainCircuit(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("in", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		writeGray(t, "in/"+string(rune('a'+i))+".png", 5, 3, uint64(i))
	}
	args := []string{"train", "circuit", "--data", "in", "--out", "m.model", "--states", "4", "--epochs", "2", "--full-epochs", "1", "--grow", "1", "--grow-epochs", "1", "--checkpoint", "m.check"}
	r := mustRun(t, nil, args...)
	if !strings.Contains(r.stderr, "epoch 4 of 4: ") || !strings.Contains(r.stderr, "held out") || !strings.Contains(r.stdout, "5 x 3") {
		t.Errorf("printed %q and %q", r.stdout, r.stderr)
	}
	file, err := os.ReadFile("m.model")
	if err != nil {
		t.Fatal(err)
	}
	m, err := codeccircuit.ReadModel(file, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if m.Width() != 5 || m.Height() != 3 || m.Channels() != 1 {
		t.Errorf("model of %v", m)
	}

	r = mustRun(t, nil, "train", "circuit", "--data", "in", "--out", "l.model", "--states", "4", "--epochs", "1", "--full-epochs", "1",
		"--logistics", "2", "--band-prior", "5", "--pictures", "20", "--share", "3")
	logistic, err := os.ReadFile("l.model")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codeccircuit.ReadModel(logistic, 1<<24); err != nil || len(logistic) >= len(file) {
		t.Errorf("a model of logistics of %d bytes, %d with tables: %v, %q", len(logistic), len(file), err, r.stderr)
	}
	for _, wrong := range [][]string{{"--pictures", "-1"}, {"--share", "-1"}, {"--share", "2", "--grow", "1"}, {"--logistics", "9"}, {"--band-prior", "0"}} {
		if r := burin(nil, append([]string{"train", "circuit", "--data", "in", "--out", "w.model"}, wrong...)...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %q", wrong, r.code, r.stderr)
		}
	}

	if r := burin(nil, args...); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("over a file: exit %d, %q", r.code, r.stderr)
	}
	// All is done already.
	r = mustRun(t, nil, append(args, "-f")...)
	if !strings.Contains(r.stderr, "going on after epoch 4 of 4") {
		t.Errorf("printed %q", r.stderr)
	}
	again, err := os.ReadFile("m.model")
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(file) {
		t.Error("another model from the checkpoint")
	}

	writeGray(t, "in/z.png", 3, 5, 1)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitFailure, "unlike the pictures before it", []string{"train", "circuit", "--data", "in", "--out", "n"}},
		{exitFailure, "no such file", []string{"train", "circuit", "--data", "none", "--out", "n"}},
		{exitUsage, "states", []string{"train", "circuit", "--data", "in/a.png", "--out", "n", "--states", "0"}},
		{exitUsage, "unexpected argument", []string{"train", "circuit", "--data", "in", "--out", "n", "more"}},
		{exitUsage, "data", []string{"train", "circuit"}},
		{exitUsage, "missing model", []string{"train"}},
		{exitUsage, "unknown model", []string{"train", "nothing"}},
	} {
		if r := burin(nil, c.args...); r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%q: exit %d, %q", c.args, r.code, r.stderr)
		}
	}
	if _, err := os.Stat("n"); err == nil {
		t.Error("a model was written after an error")
	}
}
