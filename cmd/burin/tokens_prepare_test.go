package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens"
	"github.com/burin-codec/burin/tokens/prepare"
)

// readTensors reads a file that prepare wrote.
func readTensors(t *testing.T, file []byte) map[string]tensorfile.Tensor {
	t.Helper()
	list, metadata, err := tensorfile.ReadSafetensors(bytes.NewReader(file), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if metadata["tokens"] == "" || metadata["model"] == "" {
		t.Errorf("metadata %v", metadata)
	}
	m := map[string]tensorfile.Tensor{}
	for _, a := range list {
		m[a.Name] = a
	}
	return m
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTokensPrepare(t *testing.T) {
	m := inFolder(t) // 20 x 30 pixels, to be turned by a quarter
	r := mustRun(t, nil, "tokens", "prepare", "--model", "Qwen/Qwen2.5-VL-7B-Instruct", "in.png")
	if !strings.HasPrefix(r.stdout, "in.safetensors: qwen2.5-vl, 6 tokens; pixel_values F32[24 1176], image_grid_thw I64[1 3]") {
		t.Error(r.stdout)
	}
	got := readTensors(t, mustRead(t, "in.safetensors"))
	want, err := prepare.Prepare("qwen2.5-vl", m, &prepare.Options{Orientation: 6})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got["pixel_values"], want.Tensors[0]) || !reflect.DeepEqual(got["image_grid_thw"], want.Tensors[1]) {
		t.Error("the file has other tensors than the library makes of the turned picture")
	}

	// An existing file stays unless it is named or forced.
	if r := burin(nil, "tokens", "prepare", "-m", "pixtral", "in.png"); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Error(r)
	}
	mustRun(t, nil, "tokens", "prepare", "-m", "pixtral", "-f", "in.png")
	r = mustRun(t, mustRead(t, "in.png"), "tokens", "prepare", "-m", "pixtral", "-o", "-", "-")
	if a := readTensors(t, []byte(r.stdout)); !reflect.DeepEqual(a, readTensors(t, mustRead(t, "in.safetensors"))) {
		t.Error("standard output has other tensors")
	}

	r = mustRun(t, nil, "tokens", "prepare", "-m", "paligemma", "--out", "p.npy", "--json", "in.png")
	var report prepareReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || report.Tokens != 256 || report.Tensors[0].Name != "pixel_values" {
		t.Errorf("%s: %v", r.stdout, err)
	}
	a, err := tensorfile.ReadNPY(bytes.NewReader(mustRead(t, "p.npy")), 1<<30)
	if err != nil || !reflect.DeepEqual(a.Shape, []int{1, 3, 224, 224}) {
		t.Errorf("%v: %v", a.Shape, err)
	}
}

func TestTokensPrepareBatchAndVideo(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, size := range [][2]int{{100, 60}, {40, 80}, {100, 60}} {
		m := image.NewGray(image.Rect(0, 0, size[0], size[1]))
		m.SetGray(i, i, color.Gray{200})
		var b bytes.Buffer
		if _, err := dataset.Write(&b, &dataset.Picture{Image: m}, ".png"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, []string{"a.png", "b.png", "c.png"}[i], b.Bytes())
	}
	mustRun(t, nil, "tokens", "prepare", "-m", "pixtral", "-o", "batch.safetensors", "a.png", "b.png")
	got := readTensors(t, mustRead(t, "batch.safetensors"))
	if s := got["pixel_values"].Shape; !reflect.DeepEqual(s, []int{2, 3, 80, 112}) {
		t.Errorf("a batch of %v", s)
	}
	mustRun(t, nil, "tokens", "prepare", "-m", "qwen2-vl", "--video", "-o", "video.safetensors", "a.png", "c.png")
	got = readTensors(t, mustRead(t, "video.safetensors"))
	plan, err := tokens.PlanVideo("qwen2-vl", tokens.Clip{Width: 100, Height: 60, Frames: 2}, nil)
	if s := got["pixel_values_videos"].Shape; err != nil || s[0] != 4*plan.Tokens {
		t.Errorf("a video of %v, planned %d tokens, %v", s, plan.Tokens, err)
	}
	if r := burin(nil, "tokens", "prepare", "-m", "qwen2-vl", "--video", "-o", "v.safetensors", "a.png", "b.png"); r.code == exitOK {
		t.Error("frames of two sizes are a video")
	}
}

func TestTokensPrepareRefuses(t *testing.T) {
	inFolder(t)
	writeFile(t, "bad.png", []byte("\x89PNG\r\n\x1a\nno picture"))
	for _, c := range []struct {
		code int
		args string
	}{
		{exitUsage, "-m qwen2-vl"},
		{exitUsage, "in.png"},
		{exitUsage, "-m qwen9 in.png"},
		{exitUsage, "-m gpt-4o in.png"},
		{exitUsage, "-m qwen2-vl --backend numpy in.png"},
		{exitUsage, "-m qwen2-vl --alpha red in.png"},
		{exitUsage, "-m qwen2-vl --max-tiles 3 in.png"},
		{exitUsage, "-m qwen2-vl --pad-square in.png"},
		{exitUsage, "-m pixtral --video in.png"},
		{exitUsage, "-m qwen2-vl -o x.pt in.png"},
		{exitFailure, "-m qwen2-vl -o x.npy none.png"},
		{exitFailure, "-m qwen2-vl -o x.npy bad.png"},
		{exitFailure, "-m qwen2-vl -o none/x.npy in.png"},
	} {
		if r := burin(nil, append([]string{"tokens", "prepare"}, strings.Fields(c.args)...)...); r.code != c.code {
			t.Errorf("%s: exit %d, want %d: %s", c.args, r.code, c.code, r.stderr)
		}
	}
	if left, _ := os.ReadDir("."); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}
