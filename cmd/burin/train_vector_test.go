package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// tinyVector is a small architecture of the vector codec.
const tinyVector = `{"levels": [{"dim": 8, "stages": 1, "words": 8}, {"dim": 8, "stages": 1, "words": 8}, {"dim": 8, "stages": 2, "words": 8}, {"dim": 4, "stages": 1, "words": 8}],
	"fine": 8, "coarse": 16, "width": 8, "analysis": 1, "predictor": 1, "synthesis_fine": 1, "synthesis_inner": 1, "anchors": 2}`

// TestVector trains a model of the vector codec a little and uses it.
func TestVector(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("in", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		var b bytes.Buffer
		if _, err := dataset.Write(&b, &dataset.Picture{Image: dataset.DeadLeaves(150, 140, uint64(i)), Orientation: 1}, ".png"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, "in/"+string(rune('a'+i))+".png", b.Bytes())
	}
	train := []string{"train", "vector", "--data", "in", "--validation", "in", "--config", tinyVector,
		"--side", "64", "--batch", "2", "--start-crops", "60", "--every", "2", "--steps", "4", "--checkpoint", "c", "--out", "v.model"}
	r := mustRun(t, nil, train...)
	if !strings.Contains(r.stderr, "step 4 of 4") || !strings.Contains(r.stderr, "held out") || !strings.Contains(r.stdout, "5 codebooks") {
		t.Errorf("printed %q and %q", r.stdout, r.stderr)
	}
	if r := burin(nil, train...); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("over a file: exit %d, %q", r.code, r.stderr)
	}
	if r := mustRun(t, nil, append(train, "-f")...); !strings.Contains(r.stderr, "going on after step 4") {
		t.Errorf("printed %q", r.stderr)
	}
	for _, wrong := range [][]string{{"--side", "65"}, {"--config", "{"}, {"--config", `{"fine": 0}`}, {"--ms-ssim", "1"}, {"extra"}} {
		if r := burin(nil, append([]string{"train", "vector", "--data", "in", "--out", "w", "--side", "64"}, wrong...)...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %q", wrong, r.code, r.stderr)
		}
	}

	// Packets, of which some are lost.
	mustRun(t, nil, "encode", "--codec", "vector", "--model", "v.model", "-q", "80", "-e", "2", "--packets", "5", "-o", "p.burin", "in/a.png")
	if r := mustRun(t, nil, "info", "p.burin"); !strings.Contains(r.stdout, "at quality 80.0") || !strings.Contains(r.stdout, "5 of 5") {
		t.Errorf("info printed %q", r.stdout)
	}
	mustRun(t, nil, "decode", "--model", "v.model", "-o", "whole.png", "p.burin")
	writeFile(t, "lost.burin", lastPacketDamaged(mustRead(t, "p.burin")))
	if r := burin(nil, "decode", "--model", "v.model", "-o", "lost.png", "lost.burin"); r.code != exitFailure || !strings.Contains(r.stderr, "checksum") {
		t.Errorf("damaged: exit %d, %q", r.code, r.stderr)
	}
	mustRun(t, nil, "decode", "--model", "v.model", "--conceal", "-o", "lost.png", "lost.burin")
	for _, wrong := range [][]string{{"--packets", "1"}, {"--packets", "1000"}} {
		if r := burin(nil, append([]string{"encode", "--codec", "vector", "--model", "v.model", "-q", "1", "-o", "w", "in/a.png"}, wrong...)...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %q", wrong, r.code, r.stderr)
		}
	}

	// Tokens.
	var maps []tokenMapReport
	r = mustRun(t, nil, "tokens", "image", "--model", "v.model", "-q", "80", "-e", "2", "--json", "-o", "t.npy", "in/a.png")
	if err := json.Unmarshal([]byte(r.stdout), &maps); err != nil || len(maps) != 4 {
		t.Fatalf("%q: %v", r.stdout, err)
	}
	stacked, err := tensorfile.ReadNPY(bytes.NewReader(mustRead(t, "t.npy")), 1<<20)
	if err != nil || len(stacked.Shape) != 3 || stacked.Shape[0] != 5 || stacked.Shape[1] != 24 || stacked.Shape[2] != 24 || stacked.DType != tensorfile.I32 {
		t.Fatalf("%v of %v, %v", stacked.DType, stacked.Shape, err)
	}
	mustRun(t, nil, "tokens", "image", "--model", "v.model", "-q", "80", "-e", "2", "-o", "t.safetensors", "in/a.png")
	tensors, _, err := tensorfile.ReadSafetensors(bytes.NewReader(mustRead(t, "t.safetensors")), 1<<20)
	if err != nil || len(tensors) != 4 {
		t.Fatalf("%d tensors, %v", len(tensors), err)
	}
	at := func(t tensorfile.Tensor, i int) int32 { return int32(binary.LittleEndian.Uint32(t.Data[4*i:])) }
	some := 0
	for _, m := range tensors {
		if m.Name != "cells64" {
			continue
		}
		for i := range 9 {
			v := at(m, i)
			if v != 0 {
				some++
			}
			if got := at(stacked, (i/3*8+3)*24+i%3*8+5); got != v {
				t.Errorf("cell %d: %d stacked, %d in its map", i, got, v)
			}
		}
	}
	if some == 0 || some > maps[0].Tokens {
		t.Errorf("%d tokens of the largest cells, %+v", some, maps)
	}
	if r := burin(nil, "tokens", "image", "--model", "v.model", "-o", "t.txt", "in/a.png"); r.code != exitUsage {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if _, err := vector.ReadModel(mustRead(t, "v.model"), 1<<24); err != nil {
		t.Error(err)
	}
}

// lastPacketDamaged flips a bit of a file's last packet, before its checksum.
func lastPacketDamaged(file []byte) []byte {
	file[len(file)-codec.EndSize-6] ^= 1
	return file
}
