package main

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// layerFile returns a safetensors file of normally distributed weights.
func layerFile(t *testing.T) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	w := tensorfile.Tensor{Name: "layer.weight", DType: tensorfile.BF16, Shape: []int{300, 1000}}
	for range 300000 {
		v := math.Float32bits(float32(0.02 * r.NormFloat64()))
		w.Data = append(w.Data, byte(v>>16), byte(v>>24))
	}
	var b bytes.Buffer
	list := []tensorfile.Tensor{w, tensorfile.FromFloat32s("bias", make([]float32, 1000), 1000)}
	if err := tensorfile.WriteSafetensors(&b, list, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTensor(t *testing.T) {
	t.Chdir(t.TempDir())
	in := layerFile(t)
	writeFile(t, "w.safetensors", in)
	r := mustRun(t, nil, "tensor", "compress", "w.safetensors", "--json")
	var report tensorReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	out := readFile(t, "w.safetensors.burt")
	if report.Bytes != int64(len(in)) || report.Stored != int64(len(out)) || len(report.Tensors) != 2 || report.Metadata["format"] != "pt" {
		t.Errorf("report is %+v", report)
	}
	if ratio := float64(len(out)) / float64(len(in)); ratio > 0.68 {
		t.Errorf("weights shrink to %.3f", ratio)
	}

	info := mustRun(t, nil, "tensor", "info", "w.safetensors.burt").stdout
	for _, want := range []string{`"layer.weight"`, "BF16", "[300 1000]", "600000", `"format": "pt"`} {
		if !strings.Contains(info, want) {
			t.Errorf("no %s in\n%s", want, info)
		}
	}
	mustRun(t, nil, "tensor", "decompress", "w.safetensors.burt", "-o", "back")
	if !bytes.Equal(readFile(t, "back"), in) {
		t.Error("another file comes back")
	}
	if r := burin(nil, "tensor", "decompress", "w.safetensors.burt"); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("a file is overwritten: %+v", r)
	}
	mustRun(t, nil, "tensor", "decompress", "w.safetensors.burt", "-f")

	// Through pipes.
	piped := mustRun(t, in, "tensor", "compress", "-", "-j", "2")
	if piped.stdout != string(out) || !strings.Contains(piped.stderr, "bytes of") {
		t.Errorf("through a pipe, %d bytes and %q", len(piped.stdout), piped.stderr)
	}
	if back := mustRun(t, out, "tensor", "decompress", "-"); back.stdout != string(in) {
		t.Error("another file comes back through a pipe")
	}
}

// Nothing is left of a file that could not be written to its end.
func TestTensorFails(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "w.safetensors", layerFile(t))
	mustRun(t, nil, "tensor", "compress", "w.safetensors", "-o", "w.burt")
	out := readFile(t, "w.burt")
	writeFile(t, "cut.burt", out[:len(out)-1])
	bad := bytes.Clone(out)
	bad[len(bad)/2] ^= 1
	writeFile(t, "bad.burt", bad)
	writeFile(t, "cut.safetensors", readFile(t, "w.safetensors")[:1000])
	before := folder(t)
	for name, args := range map[string][]string{
		"cut off":         {"decompress", "cut.burt", "-o", "x"},
		"damaged":         {"decompress", "bad.burt", "-o", "x"},
		"weights cut off": {"compress", "cut.safetensors", "-o", "x"},
		"not compressed":  {"decompress", "w.safetensors", "-o", "x"},
		"too large":       {"decompress", "w.burt", "-o", "x", "--max-bytes", "1000"},
		"no info":         {"info", "cut.burt"},
		"not there":       {"info", "none.burt"},
	} {
		if r := burin(nil, append([]string{"tensor"}, args...)...); r.code != exitFailure || r.stderr == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, args := range map[string][]string{
		"no command":     {},
		"no file":        {"compress"},
		"no name":        {"decompress", "w.safetensors"},
		"negative limit": {"info", "w.burt", "--max-bytes", "-1"},
		"other command":  {"squeeze"},
	} {
		if r := burin(nil, append([]string{"tensor"}, args...)...); r.code != exitUsage {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if after := folder(t); after != before {
		t.Errorf("the folder held %q, now %q", before, after)
	}
}
