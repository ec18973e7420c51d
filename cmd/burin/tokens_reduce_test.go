package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens/reduce"
)

func writeNPY(t *testing.T, name string, v []float32, shape ...int) {
	t.Helper()
	var b bytes.Buffer
	if err := tensorfile.WriteNPY(&b, tensorfile.FromFloat32s("", v, shape...)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readNPY(t *testing.T, b []byte) ([]float32, []int) {
	t.Helper()
	a, err := tensorfile.ReadNPY(bytes.NewReader(b), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v, a.Shape
}

// aliveTokens writes tokens of two frames of 2x2 and what may come with them.
func aliveTokens(t *testing.T) *reduce.Tokens {
	t.Helper()
	t.Chdir(t.TempDir())
	in := &reduce.Tokens{N: 8, D: 3}
	for i := range 24 {
		in.X = append(in.X, float32(math.Sin(float64(i*i))))
	}
	for i := range 8 {
		in.Attention = append(in.Attention, float32(1+i*5%8))
		in.Frame = append(in.Frame, int32(i/4))
		in.Pos = append(in.Pos, reduce.Position{X: int32(i % 2), Y: int32(i / 2 % 2)})
	}
	in.Query = []float32{1, -1, 0.5}
	in.Audio = &reduce.Audio{Frame: []int32{0, 1}, Attention: []float32{1, 3}}
	writeNPY(t, "in.npy", in.X, 8, 3)
	writeNPY(t, "attention.npy", in.Attention, 8)
	writeNPY(t, "frames.npy", []float32{0, 0, 0, 0, 1, 1, 1, 1}, 8)
	writeNPY(t, "positions.npy", []float32{0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1}, 8, 2)
	writeNPY(t, "query.npy", in.Query, 1, 3)
	writeNPY(t, "generic.npy", []float32{1, 2, 3}, 1, 3)
	writeNPY(t, "audio.npy", in.Audio.Attention, 2)
	writeNPY(t, "audio-frames.npy", []float32{0, 1}, 2)
	return in
}

// Every method does from the command line what it does from Go.
func TestTokensReduce(t *testing.T) {
	in := aliveTokens(t)
	everything := []string{"tokens", "reduce", "in.npy", "--attention", "attention.npy", "--query", "query.npy", "--generic-queries", "generic.npy",
		"--audio-attention", "audio.npy", "--audio-frames", "audio-frames.npy", "--map", "map.npy", "--kept", "kept.npy", "--sizes", "sizes.npy", "-f"}
	for i, m := range reduce.Methods() {
		where := []string{"--frames", "frames.npy", "--positions", "positions.npy"}
		if i%2 == 0 {
			where = []string{"--grid", "2x2"}
		}
		got := mustRun(t, nil, slices.Concat(everything, where, []string{"--method", m.Name, "--keep", "75%"})...)
		want, err := m.New(reduce.Options{Seed: 1, Queries: []float32{1, 2, 3}}).Reduce(in, reduce.Share(0.75))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string][]float32{"in.reduced.npy": want.X, "sizes.npy": want.Size, "map.npy": floats(want.Source), "kept.npy": floats(want.Kept)} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if read, _ := readNPY(t, b); !slices.Equal(read, v) {
				t.Errorf("%s: %s is %v, want %v", m.Name, name, read, v)
			}
		}
		if !strings.Contains(got.stdout, m.Name) {
			t.Errorf("%s: printed %q", m.Name, got.stdout)
		}
	}
	// Through pipes.
	b, err := os.ReadFile("in.npy")
	if err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, b, "tokens", "reduce", "-", "--method", "tome:6,uniform", "--keep", "3")
	if _, shape := readNPY(t, []byte(r.stdout)); !slices.Equal(shape, []int{3, 3}) {
		t.Errorf("the shape is %v", shape)
	}
}

func floats(v []int32) []float32 {
	out := make([]float32, len(v))
	for i, n := range v {
		out[i] = float32(n)
	}
	return out
}

func TestTokensReduceRefuses(t *testing.T) {
	aliveTokens(t)
	writeNPY(t, "nan.npy", []float32{1, float32(math.NaN())}, 2, 1)
	writeNPY(t, "half.npy", []float32{0, 0.5, 1, 1, 1, 1, 1, 1}, 8)
	writeNPY(t, "cube.npy", make([]float32, 8), 2, 2, 2)
	if err := os.WriteFile("bad.npy", []byte("no array"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, "one file"},
		{"in.npy", exitUsage, "--method is missing"},
		{"in.npy --method tome", exitUsage, "--keep is missing"},
		{"in.npy --method tome --keep 0", exitUsage, "no number"},
		{"in.npy --method tome --keep 200%", exitUsage, "percentage"},
		{"in.npy --method nope --keep 3", exitUsage, "no such method"},
		{"in.npy --method tome --keep 9", exitFailure, "out of range"},
		{"in.npy --method tome --keep auto", exitFailure, "does not choose"},
		{"in.npy --method tome --keep 3 --map m.npy --sizes m.npy", exitUsage, "two files"},
		{"in.npy --method zipvl --keep 3", exitFailure, "needs attention"},
		{"in.npy --method evs --keep 4", exitFailure, "needs frames"},
		{"in.npy --method evs --keep 4 --grid 3x2", exitFailure, "multiple"},
		{"in.npy --method evs --keep 4 --grid 2x2x", exitUsage, "WxH"},
		{"in.npy --method evs --keep 4 --grid 2x2 --frames frames.npy", exitUsage, "--grid"},
		{"in.npy --method evs --keep 4 --frames half.npy", exitFailure, "whole number"},
		{"in.npy --method pool --keep 4 --positions query.npy", exitFailure, "whole number"},
		{"in.npy --method qg-vtc --keep 4 --query nan.npy", exitFailure, "features"},
		{"in.npy --method omnizip --keep 4 --audio-frames frames.npy", exitUsage, "go together"},
		{"in.npy --method tome --keep 4 --attention query.npy", exitFailure, "dimensions"},
		{"nan.npy --method tome --keep 1", exitFailure, "out of range"},
		{"cube.npy --method tome --keep 1", exitFailure, "dimensions"},
		{"bad.npy --method tome --keep 1", exitFailure, "bad.npy"},
		{"none.npy --method tome --keep 1", exitFailure, "none.npy"},
	} {
		r := burin(nil, append([]string{"tokens", "reduce"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, r.code, r.stderr)
		}
	}
	if left, _ := filepath.Glob("*reduced*"); left != nil {
		t.Errorf("%v were written", left)
	}
}
