package training

import (
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, m image.Image) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, m); err != nil {
			t.Fatal(err)
		}
	}
	write("large.png", dataset.DeadLeaves(200, 150, 1))
	write("small.png", dataset.DeadLeaves(30, 90, 2))
	file, err := os.ReadFile(filepath.Join(dir, "large.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.png"), file[:len(file)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	var warned int
	d, err := Load(context.Background(), dir, 64, func(error) { warned++ })
	if err != nil {
		t.Fatal(err)
	}
	// 200 x 150, 140 x 105 and 100 x 75.
	if len(d.pictures) != 3 || warned != 2 {
		t.Errorf("%d pictures, %d warnings", len(d.pictures), warned)
	}
	if _, err := Load(context.Background(), dir, 512, nil); err == nil {
		t.Error("no picture of 512 x 512: not refused")
	}
}
