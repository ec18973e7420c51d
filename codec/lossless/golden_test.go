package lossless

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/lattice"
)

// The golden files hold pictures that the functions below make again, in
// integers so that every machine makes the same. TestGoldenDecode holds every
// build to the pictures for ever. TestGoldenEncode holds the encoder to the bytes
// it wrote last; a change of the encoder that is meant is recorded by
//
//	go test ./codec/lossless -run Golden -update
//
// which writes a file anew only if it no longer decodes to its picture: that is
// a change of the bit stream, and after a release wants a new version of it. To
// replace files that still decode, delete them first.
const (
	goldenDir      = codectest.GoldenDir
	goldenManifest = goldenDir + "/manifest.txt"
	goldenPrefix   = "v1-"
)

// hash mixes its arguments to 32 bits that look random.
func hash(v ...int) uint32 {
	h := uint32(0x9E3779B9)
	for _, x := range v {
		h = (h ^ uint32(x)) * 0x85EBCA6B
		h ^= h >> 13
		h *= 0xC2B2AE35
		h ^= h >> 16
	}
	return h
}

// A scene is a picture of 16-bit samples: shaded discs that hide each other,
// with noise, in channels that go together.
type scene struct {
	discs []disc
	noise int // in 1/65536
	seed  int
}

type disc struct {
	x, y, r2, dx, dy int
	level            [4]int
}

func newScene(w, h, noise, seed int) *scene {
	s := &scene{noise: noise, seed: seed}
	for i := range 24 {
		r := 3 + max(w, h)/(2+i)
		d := disc{
			x: int(hash(seed, i, 1) % uint32(w)), y: int(hash(seed, i, 2) % uint32(h)), r2: r * r,
			dx: int(hash(seed, i, 3)%257) - 128, dy: int(hash(seed, i, 4)%257) - 128,
		}
		base := int(hash(seed, i, 5) % 40000)
		for c := range d.level {
			d.level[c] = 8000 + base + int(hash(seed, i, 6, c)%12000)
		}
		s.discs = append(s.discs, d)
	}
	return s
}

// at returns a sample, 0 to 65535.
func (s *scene) at(x, y, c int) int {
	v := 30000 + 90*x + 40*y
	for _, d := range s.discs {
		if dx, dy := x-d.x, y-d.y; dx*dx+dy*dy < d.r2 {
			v = d.level[c&3] + dx*d.dx + dy*d.dy
		}
	}
	n := int(hash(s.seed, x, y, 7)>>16) + int(hash(s.seed, x, y, 8, c)>>16) - 65536
	return min(max(v+n*s.noise>>16, 0), 65535)
}

// drawing is a picture of flat colours, lines and letters of a kind: an index
// 0 to colours-1.
func drawing(x, y, colours int) int {
	switch {
	case y%23 == 0 || x%61 == 0:
		return 1 % colours
	case y/9%3 == 1 && x/30%2 == 0: // glyphs of 5x7 from a set of twenty
		gx, gy := x%6, y%9
		if gx == 5 || gy > 6 {
			return 0
		}
		return int(hash(int(hash(x/6, y/9)%20), gx, gy)>>31) * 2 % colours
	case x/61 == 1:
		return (3 + y/23) % colours
	}
	return 0
}

func testPalette(n int) color.Palette {
	var p color.Palette
	for i := range n {
		h := hash(n, i)
		p = append(p, color.NRGBA{uint8(h), uint8(h >> 8), uint8(h >> 16), 255})
	}
	return p
}

// A sampler gives the 16-bit sample of a channel at a place.
type sampler func(x, y, c int) int

func fillPix(pix []uint8, w, h, channels, depth int, at sampler) {
	i := 0
	for y := range h {
		for x := range w {
			for c := range channels {
				v := at(x, y, c)
				pix[i] = uint8(v >> 8)
				i++
				if depth == 16 {
					pix[i] = uint8(v)
					i++
				}
			}
		}
	}
}

// picture returns an image of a type by its name; that of YCbCr and NYCbCrA ends
// in the subsampling.
func picture(kind string, w, h int, at sampler) image.Image {
	r := image.Rect(0, 0, w, h)
	switch kind {
	case "Gray":
		m := image.NewGray(r)
		fillPix(m.Pix, w, h, 1, 8, at)
		return m
	case "Gray16":
		m := image.NewGray16(r)
		fillPix(m.Pix, w, h, 1, 16, at)
		return m
	case "Alpha":
		m := image.NewAlpha(r)
		fillPix(m.Pix, w, h, 1, 8, at)
		return m
	case "Alpha16":
		m := image.NewAlpha16(r)
		fillPix(m.Pix, w, h, 1, 16, at)
		return m
	case "NRGBA":
		m := image.NewNRGBA(r)
		fillPix(m.Pix, w, h, 4, 8, at)
		return m
	case "NRGBA opaque":
		m := image.NewNRGBA(r)
		fillPix(m.Pix, w, h, 4, 8, opaque(at))
		return m
	case "NRGBA64":
		m := image.NewNRGBA64(r)
		fillPix(m.Pix, w, h, 4, 16, at)
		return m
	case "RGBA":
		m := image.NewRGBA(r)
		fillPix(m.Pix, w, h, 4, 8, at)
		return m
	case "RGBA64":
		m := image.NewRGBA64(r)
		fillPix(m.Pix, w, h, 4, 16, at)
		return m
	case "RGBA64 opaque":
		m := image.NewRGBA64(r)
		fillPix(m.Pix, w, h, 4, 16, opaque(at))
		return m
	case "CMYK":
		m := image.NewCMYK(r)
		fillPix(m.Pix, w, h, 4, 8, at)
		return m
	case "Paletted":
		m := image.NewPaletted(r, testPalette(11))
		for i := range m.Pix {
			m.Pix[i] = uint8(at(i%w, i/w, 0) * 11 >> 16)
		}
		return m
	}
	for _, ratio := range subsamplings {
		n := image.NewNYCbCrA(r, ratio)
		cw := n.CStride
		fillPix(n.Y, w, h, 1, 8, at)
		fillPix(n.Cb, cw, len(n.Cb)/cw, 1, 8, func(x, y, _ int) int { return at(x*w/cw, y*h*cw/len(n.Cb), 1) })
		fillPix(n.Cr, cw, len(n.Cb)/cw, 1, 8, func(x, y, _ int) int { return at(x*w/cw, y*h*cw/len(n.Cb), 2) })
		switch kind {
		case "YCbCr " + ratio.String()[len("YCbCrSubsampleRatio"):]:
			return &n.YCbCr
		case "NYCbCrA " + ratio.String()[len("YCbCrSubsampleRatio"):]:
			fillPix(n.A, w, h, 1, 8, func(x, y, _ int) int { return at(x, y, 3) })
			return n
		}
	}
	panic("no type " + kind)
}

var subsamplings = []image.YCbCrSubsampleRatio{
	image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
	image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
}

// pictureTypes lists what picture takes.
func pictureTypes() []string {
	list := []string{
		"Gray", "Gray16", "Alpha", "Alpha16", "NRGBA", "NRGBA opaque", "NRGBA64", "RGBA", "RGBA64", "RGBA64 opaque",
		"CMYK", "Paletted",
	}
	for _, r := range subsamplings {
		s := r.String()[len("YCbCrSubsampleRatio"):]
		list = append(list, "YCbCr "+s, "NYCbCrA "+s)
	}
	return list
}

// opaque makes the fourth channel opaque.
func opaque(at sampler) sampler {
	return func(x, y, c int) int {
		if c == 3 {
			return 65535
		}
		return at(x, y, c)
	}
}

// onLattice returns a picture that went through 8-bit luma and chroma, but for
// a few pixels.
func onLattice(p lattice.Params, w, h, astray int) image.Image {
	cw, ch := p.ChromaSize(w, h)
	l := &lattice.Planes{W: w, H: h, CW: cw, CH: ch, Y: make([]uint16, w*h), C1: make([]uint16, cw*ch), C2: make([]uint16, cw*ch)}
	s := newScene(w, h, 1500, 77)
	for i := range l.Y {
		// Away from the limits, where other colours lead to the same pixel.
		l.Y[i] = uint16(60 + s.at(i%w, i/w, 0)*100>>16)
	}
	for i := range l.C1 {
		x, y := i%cw*w/cw, i/cw*h/ch
		l.C1[i] = uint16(115 + s.at(x, y, 1)*50>>16)
		l.C2[i] = uint16(105 + s.at(x, y, 2)*50>>16)
	}
	var ch3 [3][]uint16
	for c := range ch3 {
		ch3[c] = make([]uint16, w*h)
	}
	if err := p.Inverse(ch3[0], ch3[1], ch3[2], l); err != nil {
		panic(err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		for c := range ch3 {
			m.Pix[4*i+c] = uint8(ch3[c][i])
		}
		m.Pix[4*i+3] = 255
	}
	for i := range astray {
		m.Pix[4*(hash(i, 1)%uint32(w*h))+hash(i, 2)%3] ^= uint8(1 + hash(i, 3)%7)
	}
	return m
}

// goldenCase is a picture and how it is coded. method is the first byte of the
// tile that it is meant to cover.
type goldenCase struct {
	name   string
	effort int
	method int // -1: any
	make   func() image.Image
}

func goldenCases() []goldenCase {
	natural := func(kind string, w, h, noise int) func() image.Image {
		return func() image.Image { return picture(kind, w, h, newScene(w, h, noise, 5).at) }
	}
	drawn := func(w, h, colours int) func() image.Image {
		return func() image.Image {
			p := testPalette(colours)
			return picture("NRGBA", w, h, func(x, y, c int) int {
				q := p[drawing(x, y, colours)].(color.NRGBA)
				return int([4]uint8{q.R, q.G, q.B, q.A}[c]) << 8
			})
		}
	}
	gaps := func(w, h int) func() image.Image {
		s := newScene(w, h, 1500, 3)
		return func() image.Image {
			return picture("Gray", w, h, func(x, y, c int) int { return s.at(x, y, c) >> 11 << 11 })
		}
	}
	onto := func(k lattice.Kind, s lattice.Sampling, px, py uint8, astray int) func() image.Image {
		return func() image.Image {
			return onLattice(lattice.Params{Kind: k, Sampling: s, PhaseX: px, PhaseY: py}, 113, 85, astray)
		}
	}
	var cases []goldenCase
	add := func(name string, effort, method int, f func() image.Image) {
		cases = append(cases, goldenCase{fmt.Sprintf("e%d-%s", effort, name), effort, method, f})
	}
	for effort := 1; effort <= 9; effort++ {
		method := tileMix + effort
		if effort == 1 {
			method = fastPredicted
		} else if effort <= 3 {
			method = fastBlended
		} else if effort == 4 {
			method = -1 // on a small picture it may lose to effort 3
		}
		add("rgb", effort, method, natural("NRGBA opaque", 101, 60, 900))
	}
	for _, effort := range []int{1, 3, 5, 9} {
		add("rgb16", effort, -1, natural("RGBA64 opaque", 43, 31, 500))
		add("rgba", effort, -1, natural("NRGBA", 61, 33, 2000))
		add("420", effort, -1, natural("YCbCr 420", 83, 59, 1200))
	}
	for i, kind := range pictureTypes() {
		add(strings.ToLower(strings.ReplaceAll(kind, " ", "-")), []int{5, 2, 7}[i%3], -1, natural(kind, 37, 25, 2500))
	}
	for effort, method := range map[int]int{2: tileLattice, 5: tileLattice, 9: tileLattice} {
		add("photocd-cosited", effort, method, onto(lattice.PhotoCD, lattice.Cosited2x2, 0, 0, 25))
	}
	add("photocd-full", 4, tileLattice, onto(lattice.PhotoCD, lattice.Full, 0, 0, 0))
	add("jfif-full", 1, tileLattice, onto(lattice.JFIF, lattice.Full, 0, 0, 5))
	add("jfif-fancy2x2", 5, tileLattice, onto(lattice.JFIF, lattice.Fancy2x2, 0, 0, 3))
	add("jfif-fancy2x1", 7, tileLattice, onto(lattice.JFIF, lattice.Fancy2x1, 1, 0, 0))
	add("jfif-twice2x1", 3, tileLattice, onto(lattice.JFIF, lattice.Replicate2x1, 0, 0, 9))
	add("go-twice2x2", 5, tileLattice, onto(lattice.JFIFGo, lattice.Replicate2x2, 1, 1, 9))
	add("drawing", 1, -1, drawn(160, 120, 2))
	add("drawing", 3, -1, drawn(160, 120, 7))
	add("drawing", 5, -1, drawn(200, 160, 7))
	add("drawing-large", 5, tilePalette, drawn(260, 256, 5))
	add("drawing-large", 9, tilePalette, drawn(260, 256, 5))
	add("gaps", 2, -1, gaps(90, 60))
	add("gaps-large", 5, tileCompact, gaps(257, 256))
	// Red, green and blue that are one, with an alpha of its own.
	for _, effort := range []int{2, 7} {
		add("equal-planes", effort, tileCopies, func() image.Image {
			s := newScene(61, 53, 1500, 7)
			return picture("NRGBA", 61, 53, func(x, y, c int) int { return s.at(x, y, c/3) })
		})
	}
	add("constant", 5, fastConstant, func() image.Image {
		return picture("NRGBA", 900, 400, func(_, _, c int) int { return 1000 * (c + 3) })
	})
	add("noise", 5, fastRaw, func() image.Image {
		return picture("Gray16", 50, 40, func(x, y, c int) int { return int(hash(x, y, c) >> 16) })
	})
	add("bits", 1, -1, func() image.Image {
		m := image.NewPaletted(image.Rect(0, 0, 123, 77), testPalette(2))
		for i := range m.Pix {
			m.Pix[i] = uint8(drawing(i%123, i/123, 2))
		}
		return m
	})
	tiles := func(w, h int) func() image.Image {
		return func() image.Image {
			// Mostly flat, so that the file stays small.
			s := newScene(w, h, 0, 9)
			return picture("YCbCr 420", w, h, func(x, y, c int) int {
				if x%97 < 94 || y%61 < 50 {
					return 20000 + c*9000
				}
				return s.at(x, y, c)
			})
		}
	}
	add("tiles", 1, -1, tiles(1201, 1100))
	add("tiles", 2, -1, tiles(1050, 1001))
	slices.SortFunc(cases, func(a, b goldenCase) int { return strings.Compare(a.name, b.name) })
	return cases
}

// goldenSums are what the manifest says of a file.
type goldenSums struct{ samples, encoded string }

func readManifest(t *testing.T) map[string]goldenSums {
	t.Helper()
	b, err := os.ReadFile(goldenManifest)
	if err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]goldenSums)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "#" {
			sums[f[0]] = goldenSums{f[1], f[2]}
		}
	}
	return sums
}

func goldenFile(name string) string { return filepath.Join(goldenDir, goldenPrefix+name+".burin") }

// TestGoldenDecode decodes every golden file, with every tier of kernels, and
// compares the samples with the sums in the manifest.
func TestGoldenDecode(t *testing.T) {
	if *codectest.Update {
		updateGolden(t)
	}
	sums := readManifest(t)
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.burin"))
	if err != nil || len(files) != len(sums) || len(files) == 0 {
		t.Fatalf("%d files, %d in the manifest, %v", len(files), len(sums), err)
	}
	total := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(b)
		want := sums[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), goldenPrefix), ".burin")].samples
		tiers := kernels.Tiers()
		if testing.Short() || strings.Contains(name, "-tiles") { // of which each is a megapixel
			tiers = tiers[len(tiers)-1:]
		}
		for _, tier := range tiers {
			codectest.OnTier(t, tier, func() {
				if m, err := codectest.Decode(b, nil); err != nil {
					t.Errorf("%s, %v: %v", name, tier, err)
				} else if got := codectest.SampleSum(t, m); got != want {
					t.Errorf("%s, %v: other samples: sum %.12s, want %.12s", name, tier, got, want)
				}
			})
		}
	}
	if total > 300_000 {
		t.Errorf("golden files of %d bytes in all are too much for the repository", total)
	}
}

// TestGoldenEncode checks that the pictures still are what they were, and that
// the encoder writes what it wrote when the manifest was made.
func TestGoldenEncode(t *testing.T) {
	sums := readManifest(t)
	for _, c := range goldenCases() {
		want, ok := sums[c.name]
		if !ok {
			t.Errorf("%s is not in the manifest: run with -update", c.name)
			continue
		}
		m := c.make()
		if got := codectest.SampleSum(t, m); got != want.samples {
			t.Errorf("%s: the test makes another picture than it did: sum %.12s, want %.12s", c.name, got, want.samples)
			continue
		}
		b := mustEncode(t, m, c.effort, 0)
		if got := fileSum(b); got != want.encoded {
			t.Errorf("%s: the encoder writes another file than it did, of %d bytes; if that is meant, run with -update", c.name, len(b))
		}
		if got := tileMethod(t, b); c.method >= 0 && got != c.method {
			t.Errorf("%s: coded by method %d, meant for %d", c.name, got, c.method)
		}
	}
}

func fileSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// tileMethod returns the first byte of the first tile of a file.
func tileMethod(t *testing.T, file []byte) int {
	t.Helper()
	i := bytes.Index(file, []byte(kindTile))
	if i < 0 {
		t.Fatal("no tile in the file")
	}
	_, n := binary.Uvarint(file[i+4:])
	return int(file[i+4+n])
}

// updateGolden records the present encoder.
func updateGolden(t *testing.T) {
	if err := os.MkdirAll(goldenDir, 0o777); err != nil {
		t.Fatal(err)
	}
	var manifest bytes.Buffer
	fmt.Fprintln(&manifest, "# File, SHA-256 of type, size and samples, SHA-256 of the file that the encoder writes now.")
	fmt.Fprintln(&manifest, "# Written by: go test ./codec/lossless -run Golden -update")
	for _, c := range goldenCases() {
		m := c.make()
		sum := codectest.SampleSum(t, m)
		b := mustEncode(t, m, c.effort, 0)
		fmt.Fprintln(&manifest, c.name, sum, fileSum(b))
		old, err := os.ReadFile(goldenFile(c.name))
		if err == nil {
			if was, err := codectest.Decode(old, nil); err == nil && codectest.SampleSum(t, was) == sum {
				continue
			}
			t.Logf("%s no longer decodes to its picture and is written anew", c.name)
		}
		if err := os.WriteFile(goldenFile(c.name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(goldenManifest, manifest.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
