package lattice

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"testing"
)

// dataDir returns the folder of test pictures: $BURIN_DATA, or shared/data
// beside the repository. It skips the test if there is none.
func dataDir(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("BURIN_DATA"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		d := filepath.Join(dir, "shared", "data")
		if fi, err := os.Stat(d); err == nil && fi.IsDir() {
			return d
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("no test pictures: set BURIN_DATA or put shared/data beside the repository")
	return ""
}

// rgb is a picture in planes.
type rgb struct {
	r, g, b []uint16
	w, h    int
}

func newRGB(w, h int) rgb {
	return rgb{make([]uint16, w*h), make([]uint16, w*h), make([]uint16, w*h), w, h}
}

// crop returns a copy of a part.
func (m rgb) crop(x, y, w, h int) rgb {
	c := newRGB(w, h)
	for j := range h {
		at := (y+j)*m.w + x
		copy(c.r[j*w:], m.r[at:at+w])
		copy(c.g[j*w:], m.g[at:at+w])
		copy(c.b[j*w:], m.b[at:at+w])
	}
	return c
}

// load reads a picture as 8-bit RGB.
func load(t testing.TB, name string) rgb {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(name, err)
	}
	bounds := img.Bounds()
	m := newRGB(bounds.Dx(), bounds.Dy())
	i := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			m.r[i], m.g[i], m.b[i] = uint16(r>>8), uint16(g>>8), uint16(b>>8)
			i++
		}
	}
	return m
}
