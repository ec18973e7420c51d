package lossless

import (
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// like returns zeroed planes of the sizes and maxima of ps.
func like(ps []plane) []plane {
	qs := make([]plane, len(ps))
	for i, p := range ps {
		qs[i] = newPlane(p.w, p.h, p.max)
	}
	return qs
}

func checkFast(t *testing.T, ps []plane, effort int) int {
	t.Helper()
	before := like(ps)
	for i := range ps {
		copy(before[i].pix, ps[i].pix)
	}
	data := encodeFast(ps, effort)
	for i := range ps {
		if !slices.Equal(ps[i].pix, before[i].pix) {
			t.Fatalf("effort %d: encoding changed plane %d", effort, i)
		}
	}
	if again := encodeFast(ps, effort); !slices.Equal(again, data) {
		t.Fatalf("effort %d: encoding twice gives different bytes", effort)
	}
	qs := like(ps)
	if err := decodeFast(data, qs); err != nil {
		t.Fatalf("effort %d: %v", effort, err)
	}
	for i := range ps {
		if !slices.Equal(ps[i].pix, qs[i].pix) {
			t.Fatalf("effort %d: plane %d differs", effort, i)
		}
	}
	return len(data)
}

// fill sets every sample by a function of its place.
func fill(p plane, f func(x, y int) int) plane {
	for y := range p.h {
		for x := range p.w {
			p.pix[y*p.w+x] = uint16(min(max(f(x, y), 0), int(p.max)))
		}
	}
	return p
}

// natural returns planes with what pictures have: smooth shading, edges, noise
// that grows with brightness, and channels that go together.
func natural(w, h, n int, limit uint16) []plane {
	rng := rand.New(rand.NewPCG(1, uint64(w*h)))
	const discs = 60
	type disc struct{ x, y, r, level, slope int }
	var ds [discs]disc
	for i := range ds {
		ds[i] = disc{rng.IntN(w), rng.IntN(h), 4 + rng.IntN(1+w*2/(i+3)), rng.IntN(200), rng.IntN(9) - 4}
	}
	ps := make([]plane, n)
	for i := range ps {
		ps[i] = newPlane(w, h, limit)
	}
	for y := range h {
		for x := range w {
			level := 100
			for _, d := range ds {
				if (x-d.x)*(x-d.x)+(y-d.y)*(y-d.y) < d.r*d.r {
					level = d.level + (x-d.x+y-d.y)*d.slope/16
				}
			}
			level = level*256 + int(rng.NormFloat64()*float64(300+level))
			for i := range ps {
				v := level*(4-i)/4 + int(rng.NormFloat64()*256)
				ps[i].pix[y*w+x] = uint16(min(max(v, 0), 65535) * int(limit) / 65535)
			}
		}
	}
	return ps
}

func noise(w, h int, max uint16) plane {
	rng := rand.New(rand.NewPCG(2, uint64(w)))
	return fill(newPlane(w, h, max), func(x, y int) int { return rng.IntN(int(max) + 1) })
}

func TestFastRoundTrip(t *testing.T) {
	ramp := func(w, h int, max uint16) plane {
		return fill(newPlane(w, h, max), func(x, y int) int { return (x*3 + y*y) * int(max) / 255 })
	}
	few := fill(newPlane(90, 80, 255), func(x, y int) int { return (x / 9 * (y / 11)) % 5 * 50 })
	sparse := noise(80, 60, 60)
	sparse.max = 65535
	for i := range sparse.pix {
		sparse.pix[i] = sparse.pix[i]*1000 + 17
	}
	cases := map[string][]plane{
		"1x1":       {noise(1, 1, 255)},
		"1x1 rgb":   {noise(1, 1, 255), noise(1, 1, 255), noise(1, 1, 255)},
		"2x1 16":    {noise(2, 1, 65535)},
		"wide":      natural(12000, 3, 3, 255),
		"tall":      natural(3, 12000, 3, 255),
		"one bit":   {noise(33, 31, 1)},
		"disc":      {fill(newPlane(97, 65, 1), func(x, y int) int { return ((x-50)*(x-50) + (y-30)*(y-30) - 500) >> 20 & 1 })},
		"two bits":  {ramp(50, 50, 3)},
		"max 200":   {ramp(70, 50, 200)},
		"constant":  {fill(newPlane(300, 200, 255), func(x, y int) int { return 77 }), newPlane(300, 200, 255)},
		"noise":     {noise(64, 64, 255), noise(64, 64, 255), noise(64, 64, 255)},
		"noise 16":  {noise(64, 64, 65535), noise(64, 64, 65535), noise(64, 64, 65535)},
		"extremes":  {fill(newPlane(200, 80, 65535), func(x, y int) int { return (x*y%3 - 1) * 65535 }), noise(200, 80, 65535), fill(newPlane(200, 80, 65535), func(x, y int) int { return (x + y) % 2 * 65535 })},
		"gray":      natural(130, 70, 1, 255),
		"gray 16":   natural(130, 70, 1, 65535),
		"rgb":       natural(200, 120, 3, 255),
		"rgb 16":    natural(100, 80, 3, 65535),
		"rgba":      natural(90, 120, 4, 255),
		"two":       natural(90, 60, 2, 255),
		"420":       {natural(121, 81, 1, 255)[0], natural(61, 41, 1, 255)[0], natural(61, 41, 1, 255)[0]},
		"420 alpha": {natural(121, 81, 1, 255)[0], natural(61, 41, 1, 255)[0], natural(61, 41, 1, 255)[0], noise(121, 81, 1)},
		"mixed max": {noise(40, 40, 255), noise(40, 40, 65535), noise(40, 40, 3)},
		"palette":   {few, few, fill(newPlane(90, 80, 255), func(x, y int) int { return x / 30 * 100 })},
		"sparse":    {sparse},
	}
	for name, ps := range cases {
		t.Run(name, func(t *testing.T) {
			raw := packedSize(ps)
			for effort := 1; effort <= 3; effort++ {
				if n := checkFast(t, ps, effort); n > raw+1 {
					t.Errorf("effort %d: %d bytes from %d raw", effort, n, raw)
				}
			}
		})
	}
}

// TestFastSmall holds the overhead on tiny tiles down.
func TestFastSmall(t *testing.T) {
	for _, c := range []struct {
		name  string
		ps    []plane
		limit int
	}{
		{"1x1 rgb", []plane{noise(1, 1, 255), noise(1, 1, 255), noise(1, 1, 255)}, 4},
		{"constant 32x32", []plane{fill(newPlane(32, 32, 1), func(x, y int) int { return 1 })}, 2},
		{"checks 32x32", []plane{fill(newPlane(32, 32, 1), func(x, y int) int { return x / 4 & 1 })}, 20},
		{"random bits 32x32", []plane{noise(32, 32, 1)}, 32*32/8 + 1},
	} {
		if n := checkFast(t, c.ps, 1); n > c.limit {
			t.Errorf("%s: %d bytes, want at most %d", c.name, n, c.limit)
		}
	}
}

// TestFastCorrupt damages streams: any error or result will do, but no panic.
func TestFastCorrupt(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, ps := range [][]plane{natural(60, 50, 3, 255), natural(40, 30, 1, 65535)} {
		good := encodeFast(ps, 2)
		qs := like(ps)
		for range 300 {
			bad := slices.Clone(good)
			for range 1 + rng.IntN(3) {
				bad[rng.IntN(len(bad))] ^= byte(1 << rng.IntN(8))
			}
			decodeFast(bad[:len(bad)-rng.IntN(8)*rng.IntN(len(bad)/8)], qs)
		}
		if err := decodeFast(good[:len(good)-4], qs); err == nil {
			t.Error("no error for a truncated tile")
		}
		if err := decodeFast(append(slices.Clone(good), 0), qs); err == nil {
			t.Error("no error for a tile with a byte too many")
		}
	}
}

// dataDir returns the folder of test pictures, or skips the test.
func dataDir(t testing.TB) string {
	if d := os.Getenv("BURIN_DATA"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	for err == nil {
		d := filepath.Join(dir, "shared", "data")
		if _, err := os.Stat(d); err == nil {
			return d
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	t.Skip("SKIPPED: no shared/data folder above the repository and BURIN_DATA is not set")
	return ""
}

// loadRGB reads a picture as three 8-bit planes.
func loadRGB(t testing.TB, path string) []plane {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	ps := []plane{newPlane(b.Dx(), b.Dy(), 255), newPlane(b.Dx(), b.Dy(), 255), newPlane(b.Dx(), b.Dy(), 255)}
	for i := range ps[0].pix {
		r, g, b, _ := m.At(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx()).RGBA()
		ps[0].pix[i], ps[1].pix[i], ps[2].pix[i] = uint16(r>>8), uint16(g>>8), uint16(b>>8)
	}
	return ps
}

// TestFastPhoto keeps the sizes on a photograph from growing, and the efforts in
// order.
func TestFastPhoto(t *testing.T) {
	ps := loadRGB(t, filepath.Join(dataDir(t), "photos", "045.png"))
	last := 1_010_000
	for effort := 1; effort <= 3; effort++ {
		n := checkFast(t, ps, effort)
		if n > last {
			t.Errorf("effort %d: %d bytes, want at most %d", effort, n, last)
		}
		last = n
	}
}

func fuzzPlanes(shape, w, h uint8, max uint16) []plane {
	pw, ph := int(w)%24+1, int(h)%24+1
	if max == 0 {
		max = 1
	}
	switch shape % 4 {
	case 0:
		return []plane{newPlane(pw, ph, max)}
	case 1:
		return []plane{newPlane(pw, ph, max), newPlane(pw, ph, max), newPlane(pw, ph, max)}
	case 2:
		return []plane{newPlane(pw, ph, max), newPlane((pw+1)/2, (ph+1)/2, max), newPlane((pw+1)/2, (ph+1)/2, max)}
	}
	return []plane{newPlane(pw, ph, max), newPlane(pw, ph, max), newPlane(pw, ph, max), newPlane(pw, ph, max)}
}

func FuzzDecodeFast(f *testing.F) {
	for shape := range uint8(4) {
		ps := fuzzPlanes(shape, 20, 20, 255)
		for i := range ps {
			copy(ps[i].pix, noise(ps[i].w, ps[i].h, uint16(7+60*shape)).pix)
		}
		f.Add(encodeFast(ps, 1), shape, uint8(20), uint8(20), uint16(255))
		f.Add(encodePredicted([]byte{fastPredicted}, ps), shape, uint8(20), uint8(20), uint16(255))
		f.Add(encodeBlended([]byte{fastBlended}, ps, 3), shape, uint8(20), uint8(20), uint16(255))
	}
	f.Fuzz(func(t *testing.T, data []byte, shape, w, h uint8, max uint16) {
		ps := fuzzPlanes(shape, w, h, max)
		if decodeFast(data, ps) != nil {
			return
		}
		for _, p := range ps {
			for _, v := range p.pix {
				if v > p.max {
					t.Fatalf("sample %d exceeds %d", v, p.max)
				}
			}
		}
	})
}

func FuzzFastRoundTrip(f *testing.F) {
	f.Add([]byte("some samples"), uint8(1), uint8(5), uint8(4), uint16(255), uint8(1))
	f.Add([]byte{0, 0, 0, 9, 0, 0, 1, 1}, uint8(2), uint8(15), uint8(14), uint16(65535), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, shape, w, h uint8, max uint16, effort uint8) {
		ps := fuzzPlanes(shape, w, h, max)
		k := 0
		for _, p := range ps {
			for i := range p.pix {
				if len(data) > 1 {
					p.pix[i] = uint16((int(data[k%len(data)])<<8 | int(data[(k+1)%len(data)])) % (int(p.max) + 1))
					k += 2
				}
			}
		}
		checkFast(t, ps, 1+int(effort)%3)
		// The predicted forms, too, which small tiles seldom take.
		for _, data := range [][]byte{
			encodePredicted([]byte{fastPredicted}, ps),
			encodeBlended([]byte{fastBlended}, ps, 3),
		} {
			qs := like(ps)
			if err := decodeFast(data, qs); err != nil {
				t.Fatal(err)
			}
			for i := range ps {
				if !slices.Equal(ps[i].pix, qs[i].pix) {
					t.Fatalf("predicted: plane %d differs", i)
				}
			}
		}
	})
}

func BenchmarkFast(b *testing.B) {
	ps := natural(512, 384, 3, 255)
	raw := packedSize(ps)
	for effort := 1; effort <= 3; effort++ {
		data := encodeFast(ps, effort)
		b.Run(fmt.Sprintf("effort=%d/encode", effort), func(b *testing.B) {
			b.SetBytes(int64(raw))
			b.ReportAllocs()
			for b.Loop() {
				encodeFast(ps, effort)
			}
			b.ReportMetric(float64(len(data)*8)/float64(raw), "bpsp")
		})
		b.Run(fmt.Sprintf("effort=%d/decode", effort), func(b *testing.B) {
			b.SetBytes(int64(raw))
			b.ReportAllocs()
			qs := like(ps)
			for b.Loop() {
				if err := decodeFast(data, qs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data)*8)/float64(raw), "bpsp")
		})
	}
}
