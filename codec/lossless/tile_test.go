package lossless

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"reflect"
	"slices"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/transform/lattice"
)

// testJob returns a job on planes like ps.
func testJob(ps []plane) *job {
	total := 0
	for _, p := range ps {
		total += len(p.pix)
	}
	return newJob(context.Background(), ps, &meter{total: int64(total), report: func(float64) {}})
}

func mustEncodeTile(t testing.TB, ps []plane, rgb bool, effort int) []byte {
	t.Helper()
	data, err := testJob(ps).encodeTile(ps, rgb, effort)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// latticePlanes returns a picture on a lattice as planes.
func latticePlanes(w, h, astray int) []plane {
	m := onLattice(lattice.Params{Kind: lattice.PhotoCD, Sampling: lattice.Cosited2x2}, w, h, astray).(*image.NRGBA)
	ps := []plane{newPlane(w, h, 255), newPlane(w, h, 255), newPlane(w, h, 255)}
	for i := range w * h {
		for c := range ps {
			ps[c].pix[i] = uint16(m.Pix[4*i+c])
		}
	}
	return ps
}

// scenePlanes returns n natural planes.
func scenePlanes(w, h, n, noise int, limit uint16) []plane {
	s := newScene(w, h, noise, 12)
	ps := make([]plane, n)
	for c := range ps {
		ps[c] = fill(newPlane(w, h, limit), func(x, y int) int { return s.at(x, y, c) * (int(limit) + 1) >> 16 })
	}
	return ps
}

// A tileCase is a tile of every method.
type tileCase struct {
	name string
	ps   []plane
	rgb  bool
	data []byte
}

func tileCases(t testing.TB) []tileCase {
	natural := scenePlanes(40, 30, 3, 1500, 255)
	few := scenePlanes(40, 30, 3, 0, 255)
	for _, p := range few {
		for i := range p.pix {
			p.pix[i] = p.pix[i] >> 6 * 80
		}
	}
	deep := scenePlanes(30, 20, 1, 800, 65535)
	var cases []tileCase
	add := func(name string, ps []plane, rgb bool, data []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(name, err)
		}
		cases = append(cases, tileCase{name, ps, rgb, data})
	}
	flat, ok := encodeConstant(like(natural))
	if !ok {
		t.Fatal("zeros are not constant")
	}
	add("constant", like(natural), true, flat, nil)
	add("raw", natural, true, pack([]byte{fastRaw}, natural), nil)
	add("rows", few, true, append([]byte{fastRows}, encodeRows(few, 3)...), nil)
	add("predicted", natural, true, encodePredicted([]byte{fastPredicted}, natural), nil)
	add("blended", natural, true, encodeBlended([]byte{fastBlended}, natural, 3), nil)
	add("palette, fast", few, true, mustEncodeTile(t, few, true, 2), nil)
	for _, effort := range []int{1, 4, 9} {
		ps := latticePlanes(64, 50, 4)
		data := mustEncodeTile(t, ps, true, effort)
		if data[0] != tileLattice {
			t.Fatalf("effort %d: method %d for a picture on a lattice", effort, data[0])
		}
		add(fmt.Sprint("lattice ", effort), ps, true, data, nil)
	}
	for effort := 4; effort <= 9; effort++ {
		data, err := testJob(natural).appendMix(nil, natural, true, effort)
		add(fmt.Sprint("mix ", effort), natural, true, data, err)
	}
	data, err := testJob(deep).appendMix(nil, deep, false, 5)
	add("mix, deep", deep, false, data, err)
	data, err = testJob(few).encodeMixed(few, true, 5)
	add("palette, mix", few, true, data, err)
	sparse := like(deep)
	for i, v := range deep[0].pix {
		sparse[0].pix[i] = v >> 9 * 512
	}
	data, err = testJob(sparse).encodeMixed(sparse, false, 5)
	add("compact, mix", sparse, false, data, err)
	// Every way in which planes of three or four can be equal to others.
	for _, same := range [][]int{{0, 0, 0}, {0, 0, 2}, {0, 1, 0}, {0, 1, 1}, {0, 1, 2, 0}, {0, 1, 2, 2}, {0, 1, 0, 1}, {0, 0, 2, 2}} {
		ps := make([]plane, len(same))
		for i, k := range same {
			ps[i] = scenePlanes(20, 15, 4, 1500, 255)[k]
		}
		add(fmt.Sprint("copies ", same), ps, true, mustEncodeTile(t, ps, true, 2), nil)
	}
	subsampled := []plane{natural[0], scenePlanes(20, 15, 1, 900, 255)[0], scenePlanes(20, 15, 1, 900, 255)[0]}
	data, err = testJob(subsampled).appendMix(nil, subsampled, false, 7)
	add("mix, 4:2:0", subsampled, false, data, err)
	return cases
}

func TestTileMethods(t *testing.T) {
	seen := make(map[byte]bool)
	for _, c := range tileCases(t) {
		seen[c.data[0]] = true
		qs := like(c.ps)
		if err := testJob(qs).decodeTile(c.data, qs, c.rgb); err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !reflect.DeepEqual(qs, c.ps) {
			t.Errorf("%s: other samples came back", c.name)
		}
	}
	for _, m := range []byte{fastConstant, fastRaw, fastRows, fastPredicted, fastBlended, tileLattice, tilePalette, tileCompact, tileCopies, tileMix + 4, tileMix + 9} {
		if !seen[m] {
			t.Errorf("no tile of method %d", m)
		}
	}
}

// checkDecode decodes bytes from anywhere and checks that the outcome is an
// error or samples in their range.
func checkDecode(t *testing.T, data []byte, ps []plane, rgb bool) error {
	t.Helper()
	err := testJob(ps).decodeTile(data, ps, rgb)
	if err != nil {
		return err
	}
	for i, p := range ps {
		for _, v := range p.pix {
			if v > p.max {
				t.Fatalf("plane %d: sample %d exceeds %d", i, v, p.max)
			}
		}
	}
	return nil
}

// TestTileDamage decodes damaged tiles, which no checksum protects here: no
// panic, no sample out of range.
func TestTileDamage(t *testing.T) {
	times := 30
	if testing.Short() {
		times = 10
	}
	for k, c := range tileCases(t) {
		for i := range times {
			bad := bytes.Clone(c.data)
			for n := range 1 + i%3 {
				// The first bytes, which say what follows, more often.
				at := int(hash(k, i, n)) % len(bad)
				if i%2 == 0 {
					at %= 12
				}
				bad[at%len(bad)] ^= byte(1 + hash(k, i, n, 1)%255)
			}
			if i%5 == 4 {
				bad = bad[:int(hash(k, i, 9))%len(bad)]
			}
			checkDecode(t, bad, like(c.ps), c.rgb)
		}
		if err := checkDecode(t, c.data[:1], like(c.ps), c.rgb); err == nil && len(c.data) > 1 && c.data[0] < tileMix {
			t.Errorf("%s: no error for the first byte alone", c.name)
		}
	}
	for m := range 256 {
		qs := []plane{newPlane(5, 4, 255), newPlane(5, 4, 255), newPlane(5, 4, 255)}
		err := checkDecode(t, []byte{byte(m)}, qs, true)
		if known := m >= tileMix+4 && m <= tileMix+9; err == nil && !known {
			t.Errorf("no error for method %d and nothing else", m)
		}
	}
}

// TestNested checks that a tile cannot nest palettes in palettes: each would
// take memory for another picture, and stack.
func TestNested(t *testing.T) {
	p := scenePlanes(40, 30, 1, 0, 3)
	inner, err := testJob(p).appendMix(nil, p, false, 4)
	if err != nil {
		t.Fatal(err)
	}
	wrapPalette := func(data []byte) []byte {
		colours := []plane{fill(newPlane(4, 1, 3), func(x, _ int) int { return x })}
		c := pack([]byte{fastRaw}, colours)
		return slices.Concat([]byte{tilePalette, 3, byte(len(c))}, c, data)
	}
	wrapCompact := func(data []byte) []byte {
		_, header, ok := compact([]plane{fill(newPlane(40, 30, 255), func(x, _ int) int { return x % 4 * 80 })})
		if !ok {
			t.Fatal("not compact")
		}
		return slices.Concat([]byte{tileCompact}, header, data)
	}
	for name, wrap := range map[string]func([]byte) []byte{"palette": wrapPalette, "compact": wrapCompact} {
		data := inner
		for range 100 {
			data = wrap(data)
		}
		qs := like([]plane{newPlane(40, 30, 255)})
		if name == "palette" {
			qs[0].max = 3
		}
		if err := testJob(qs).decodeTile(data, qs, false); err == nil {
			t.Errorf("%s: a hundred, one inside the other, are decoded", name)
		}
	}
}

func TestTiling(t *testing.T) {
	for _, c := range []struct{ w, h, pixels int }{
		{1, 1, 1 << 20}, {5000, 7000, 1 << 20}, {1 << 24, 1, 1 << 20}, {1, 1 << 24, 1 << 20},
		{1 << 14, 1 << 14, 1 << 22}, {1025, 1025, 1 << 20}, {17, 17, 64}, {100_003, 50, 1 << 20}, {1_000_000, 2048, 1 << 20}, {3, 1 << 20, 300},
	} {
		g := chooseTiling(c.w, c.h, c.pixels)
		covered := 0
		for i := range g.count() {
			r := g.rect(i)
			if r.Empty() || !r.In(image.Rect(0, 0, c.w, c.h)) {
				t.Fatalf("%+v: tile %d is %v", c, i, r)
			}
			if n := r.Dx() * r.Dy(); n > max(c.pixels, tileAlign*tileAlign)*2 {
				t.Errorf("%+v: tile %d has %d pixels", c, i, n)
			}
			if r.Min.X%tileAlign != 0 || r.Min.Y%tileAlign != 0 {
				t.Errorf("%+v: tile %d starts at %v", c, i, r.Min)
			}
			covered += r.Dx() * r.Dy()
		}
		if covered != c.w*c.h {
			t.Errorf("%+v: tiles cover %d pixels", c, covered)
		}
	}
}

// fuzzTile makes planes from a few bytes.
func fuzzTile(shape, w, h uint8, limit uint16) (ps []plane, rgb bool) {
	ps = fuzzPlanes(shape, w, h, limit)
	return ps, shape&8 != 0 && len(ps) >= 3 && ps[1].w == ps[0].w && ps[1].h == ps[0].h
}

func FuzzTile(f *testing.F) {
	for _, c := range tileCases(f) {
		f.Add(c.data, uint8(1+8), uint8(16), uint8(12), uint16(255))
	}
	for shape := range uint8(4) {
		for _, limit := range []uint16{3, 255, 65535} {
			ps, _ := fuzzTile(shape, 15, 11, limit)
			s := newScene(20, 20, 3000, 2)
			for i, p := range ps {
				fill(p, func(x, y int) int { return s.at(x, y, i) * (int(limit) + 1) >> 16 })
			}
			for _, effort := range []int{1, 3, 5, 9} {
				f.Add(mustEncodeTile(f, ps, false, effort), shape, uint8(15), uint8(11), limit)
			}
			data, err := testJob(ps).appendMix(nil, ps, false, 7)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, shape, uint8(15), uint8(11), limit)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, shape, w, h uint8, limit uint16) {
		if len(data) > 1<<12 {
			return
		}
		ps, rgb := fuzzTile(shape, w, h, limit)
		if checkDecode(t, data, ps, rgb) != nil {
			return
		}
		// What decodes, encodes.
		again := mustEncodeTile(t, ps, rgb, 2)
		qs := like(ps)
		if err := testJob(qs).decodeTile(again, qs, rgb); err != nil || !reflect.DeepEqual(ps, qs) {
			t.Errorf("another tile came back, %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	s := newScene(20, 20, 2000, 2)
	for i, kind := range pictureTypes() {
		f.Add(mustEncode(f, picture(kind, 14, 9, s.at), []int{1, 3, 5, 9}[i%4], 1))
	}
	f.Add(mustEncode(f, onLattice(lattice.Params{Kind: lattice.JFIF, Sampling: lattice.Fancy2x2}, 40, 30, 3), 5, 1))
	o := codec.DefaultDecodeOptions()
	o.Limits.MaxPixels, o.Limits.MaxBytes = 1<<11, 1<<15
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := codec.NewDecoder(bytes.NewReader(b), o)
		if err != nil {
			return
		}
		m, err := d.Decode(context.Background())
		if err != nil {
			return
		}
		if got := mustDecode(t, mustEncode(t, m, 1, 1), 1); !reflect.DeepEqual(got, m) {
			t.Errorf("another %T came back", m)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	types := pictureTypes()
	for effort := range uint8(9) {
		f.Add([]byte("the samples of a picture, over and over"), effort*3, effort, uint8(13+effort), uint8(9))
	}
	f.Add([]byte{0, 0, 0, 255, 255, 0, 255}, uint8(5), uint8(8), uint8(23), uint8(30))
	f.Fuzz(func(t *testing.T, data []byte, kind, effort, w, h uint8) {
		k := -1
		m := picture(types[int(kind)%len(types)], int(w)%32+1, int(h)%32+1, func(x, y, c int) int {
			if len(data) == 0 {
				return 0
			}
			k++
			return int(data[k%len(data)]) * 257
		})
		checkRoundTrip(t, m, int(effort)%9+1)
	})
}
