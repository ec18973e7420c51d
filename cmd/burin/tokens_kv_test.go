package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// writeCache writes keys, values, queries and weights of 2 layers, and the keys and
// values of each layer apart.
func writeCache(t *testing.T, name string) {
	t.Helper()
	const heads, tokens, dim = 2, 48, 16
	wave := func(n int, f float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(math.Sin(f*float64(i)) * (1 + float64(i%dim)))
		}
		return x
	}
	size := heads * tokens * dim
	keys, values := wave(2*size, 1.7), wave(2*size, 0.9)
	for i := range values {
		values[i] += 8 // outputs that are no mean of nothing
	}
	queries := wave(2*heads*4*dim, 0.3)
	for i := range queries {
		queries[i] /= 100
	}
	weights := make([]float32, 2*tokens)
	weights[3], weights[tokens+5] = 1, 2
	list := []tensorfile.Tensor{
		tensorfile.FromFloat32s("keys", keys, 2, heads, tokens, dim),
		tensorfile.FromFloat32s("values", values, 2, heads, tokens, dim),
		tensorfile.FromFloat32s("queries", queries, 2, heads, 4, dim),
		tensorfile.FromFloat32s("weights", weights, 2, tokens),
		tensorfile.FromFloat32s("layer.0.k", keys[:size], heads, tokens, dim),
		tensorfile.FromFloat32s("layer.1.k", keys[size:], heads, tokens, dim),
		tensorfile.FromFloat32s("layer.0.v", values[:size], 1, heads, tokens, dim),
		tensorfile.FromFloat32s("layer.1.v", values[size:], 1, heads, tokens, dim),
	}
	var b bytes.Buffer
	if err := tensorfile.WriteSafetensors(&b, list, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, b.Bytes())
}

func TestTokensKV(t *testing.T) {
	t.Chdir(t.TempDir())
	writeCache(t, "in.safetensors")
	r := mustRun(t, nil, "tokens", "kv", "compress", "in.safetensors", "-o", "out.safetensors", "--keys", "2", "--values", "1.58",
		"--important", "0.9", "--weights", "weights", "--residual", "7", "--queries", "queries", "--json")
	var report map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	if report["tokens"] != 48.0 || report["layers"] != 2.0 || report["bytes_in"] != 4.0*2*2*2*48*16 {
		t.Errorf("report is %v", report)
	}
	if e := report["attention"].(map[string]any)["Attention"].(map[string]any)["Relative"].(float64); !(e > 0 && e < 0.1) {
		t.Errorf("attention error is %v", e)
	}

	// The same from layers apart, to standard output, from standard input.
	piped := mustRun(t, readFile(t, "in.safetensors"), "tokens", "kv", "compress", "-", "-o", "-", "--keys", "2", "--values", "1.58",
		"--important", "0.9", "--weights", "weights", "--residual", "7", "--keys-name", "layer.{}.k", "--values-name", "layer.{}.v")
	if !bytes.Equal([]byte(piped.stdout), readFile(t, "out.safetensors")) {
		t.Error("layers apart compress otherwise")
	}
	if !strings.Contains(piped.stderr, "bits per number") {
		t.Errorf("report is %q", piped.stderr)
	}

	info := mustRun(t, nil, "tokens", "kv", "info", "out.safetensors").stdout
	for _, want := range []string{"keys at 2 bits, values at 1.58: 80 tokens", "keys at 4 bits, values at 4: 2 tokens", "7 tokens as F32", "2 heads of 16 channels"} {
		if !strings.Contains(info, want) {
			t.Errorf("info has no %q:\n%s", want, info)
		}
	}
	r = mustRun(t, nil, "tokens", "kv", "info", "--json", "out.safetensors")
	var details struct {
		Classes []struct {
			Keys   string
			Tokens int
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &details); err != nil || len(details.Classes) != 2 || details.Classes[1].Keys != "4" || details.Classes[1].Tokens != 2 {
		t.Errorf("%v in %s", err, r.stdout)
	}

	mustRun(t, nil, "tokens", "kv", "decompress", "out.safetensors", "-o", "back.safetensors")
	in, _, err := tensorfile.ReadSafetensors(bytes.NewReader(readFile(t, "in.safetensors")), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := tensorfile.ReadSafetensors(bytes.NewReader(readFile(t, "back.safetensors")), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"keys", "values"} {
		if back[i].Name != name || len(back[i].Data) != len(in[i].Data) {
			t.Fatalf("tensor %d is %q of %v", i, back[i].Name, back[i].Shape)
		}
		x, _ := in[i].Float32s()
		y, _ := back[i].Float32s()
		var errs, squares float64
		for j := range x {
			errs += float64(x[j]-y[j]) * float64(x[j]-y[j])
			squares += float64(x[j]) * float64(x[j])
			if token := j / 16 % 48; token >= 41 && x[j] != y[j] {
				t.Fatalf("%s: number %d of the last tokens is %v, want %v", name, j, y[j], x[j])
			}
		}
		if key := name + "_relative_error"; math.Abs(errs/squares-report[key].(float64)) > 1e-6 {
			t.Errorf("%s: squared error %v, reported %v", name, errs/squares, report[key])
		}
	}
	mustRun(t, nil, "tokens", "kv", "decompress", "out.safetensors", "-o", "half.safetensors", "--dtype", "f16")
	if a, b := len(readFile(t, "half.safetensors")), len(readFile(t, "back.safetensors")); a > b*6/10 {
		t.Errorf("%d bytes of F16, %d of F32", a, b)
	}
}

func TestTokensKVFails(t *testing.T) {
	t.Chdir(t.TempDir())
	writeCache(t, "in.safetensors")
	mustRun(t, nil, "tokens", "kv", "compress", "in.safetensors", "-o", "small.safetensors")
	compress := func(args ...string) []string {
		return append([]string{"tokens", "kv", "compress", "in.safetensors", "-o", "out.safetensors"}, args...)
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"tokens", "kv"}, exitUsage, "missing command"},
		{[]string{"tokens", "kv", "grow"}, exitUsage, "grow"},
		{[]string{"tokens", "kv", "compress", "in.safetensors"}, exitUsage, "-o"},
		{[]string{"tokens", "kv", "compress"}, exitUsage, "missing file"},
		{[]string{"tokens", "kv", "decompress", "in.safetensors"}, exitUsage, "-o"},
		{[]string{"tokens", "kv", "decompress", "in.safetensors", "-o", "x", "--dtype", "I8"}, exitUsage, "I8"},
		{[]string{"tokens", "kv", "decompress", "in.safetensors", "-o", "x"}, exitFailure, "not a cache"},
		{[]string{"tokens", "kv", "info", "small.safetensors", "--max-numbers", "6143"}, exitFailure, "6144 numbers"},
		{[]string{"tokens", "kv", "info", "missing"}, exitFailure, "missing"},
		{compress("--keys", "5"), exitUsage, `"5"`},
		{compress("--values", "0"), exitUsage, "not both"},
		{compress("--values", "1.5"), exitUsage, "1.5"},
		{compress("--keys-axis", "row"), exitUsage, "row"},
		{compress("--keys-group", "0"), exitUsage, "groups of 0"},
		{compress("--keys-fit", "best"), exitUsage, "best"},
		{compress("--keys-transform", "none,shift"), exitUsage, "none"},
		{compress("--keys-transform", "turn"), exitUsage, "turn"},
		{compress("--weights", "weights"), exitUsage, "--important"},
		{compress("--important", "2"), exitUsage, "share 2"},
		{compress("--important", "0.5", "--weights", "keys"), exitFailure, "shape"},
		{compress("--important", "0.5", "--important-keys", "x"), exitUsage, "--important-keys"},
		{compress("--residual", "-1"), exitUsage, "-1"},
		{compress("--keys-name", "k"), exitFailure, `no tensor "k"`},
		{compress("--keys-name", "weights"), exitFailure, "not [layers, heads, tokens, dim]"},
		{compress("--keys-name", "layer.0.k"), exitFailure, "layers"},
		{compress("--queries", "missing"), exitFailure, "missing"},
	} {
		r := burin(nil, c.args...)
		if r.code != c.status || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%q: status %d, want %d, %q lacks %q", c.args, r.code, c.status, r.stderr, c.says)
		}
	}
	if _, err := os.Stat("out.safetensors"); err == nil {
		t.Error("a failure left a file")
	}
}
