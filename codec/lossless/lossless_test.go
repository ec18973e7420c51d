package lossless

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/lattice"
)

func mustEncode(t testing.TB, m image.Image, effort, workers int) []byte {
	t.Helper()
	o := codec.DefaultOptions()
	o.Codec, o.Effort, o.Workers = "lossless", effort, workers
	return codectest.Encode(t, m, o)
}

func mustDecode(t testing.TB, b []byte, workers int) image.Image {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Workers = workers
	return codectest.MustDecode(t, b, o)
}

// checkRoundTrip returns the size of the file.
func checkRoundTrip(t testing.TB, m image.Image, effort int) int {
	t.Helper()
	b := mustEncode(t, m, effort, 0)
	if got := mustDecode(t, b, 0); !reflect.DeepEqual(got, m) {
		t.Fatalf("effort %d: %T of %v came back as another %T of %v", effort, m, m.Bounds(), got, got.Bounds())
	}
	return len(b)
}

// efforts returns those to test: all, or some of each family.
func efforts(all bool) []int {
	if testing.Short() {
		return []int{1, 5}
	}
	if !all {
		return []int{1, 3, 5, 9}
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
}

func TestTypes(t *testing.T) {
	for _, kind := range pictureTypes() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := picture(kind, 33, 17, newScene(33, 17, 3000, 1).at)
			for _, effort := range efforts(true) {
				checkRoundTrip(t, m, effort)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 2}, {2, 1}, {1, 70}, {70, 1}, {2, 2}, {3, 5}, {16, 16}, {17, 33}} {
		t.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(t *testing.T) {
			t.Parallel()
			for _, kind := range []string{"NRGBA", "Gray16", "YCbCr 420", "YCbCr 410"} {
				m := picture(kind, size.X, size.Y, newScene(size.X, size.Y, 3000, 1).at)
				for _, effort := range efforts(false) {
					checkRoundTrip(t, m, effort)
				}
			}
		})
	}
	for _, size := range []image.Point{{12000, 3}, {3, 12000}} {
		t.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(t *testing.T) {
			t.Parallel()
			s := newScene(size.X, size.Y, 3000, 1)
			for _, effort := range efforts(false)[:2] {
				checkRoundTrip(t, picture("NRGBA opaque", size.X, size.Y, s.at), effort)
			}
			if !testing.Short() {
				checkRoundTrip(t, picture("Gray", size.X, size.Y, s.at), 9)
			}
		})
	}
}

// pictures returns pictures that take different ways through the codec.
func pictures() map[string]image.Image {
	ms := map[string]image.Image{
		"leaves":   dataset.DeadLeaves(60, 50, 3),
		"constant": picture("NRGBA", 50, 40, func(_, _, c int) int { return 9000 * (c + 1) }),
		"noise 16": picture("NRGBA64", 24, 20, func(x, y, c int) int { return int(hash(x, y, c) >> 16) }),
		"noise":    picture("Gray", 40, 40, func(x, y, c int) int { return int(hash(x, y, c) >> 16) }),
		"gradient": picture("NRGBA opaque", 80, 40, func(x, y, c int) int { return 500*x + 300*y*c }),
		"extremes": picture("NRGBA", 40, 30, func(x, y, c int) int { return int(hash(x/3, y/3, c)&1) * 65535 }),
		"gaps":     picture("Gray16", 60, 60, func(x, y, c int) int { return int(hash(x/5, y/5)%50) * 1300 }),
		"few":      picture("NRGBA", 60, 60, func(x, y, c int) int { return drawing(x, y, 5) * 11000 * (c + 1) & 65535 }),
		"transparent": picture("NRGBA", 40, 40, func(x, y, c int) int {
			if c == 3 {
				return int(hash(x/7, y/7)&1) * 65535
			}
			return 300 * x * (c + 1)
		}),
		"gray as RGB": picture("NRGBA opaque", 50, 40, func(x, y, _ int) int { return newScene(50, 40, 2000, 4).at(x, y, 0) }),
		"dominant": picture("Gray", 64, 64, func(x, y, _ int) int {
			if x == 40 && y == 33 {
				return 65535
			}
			return 0
		}),
	}
	for n, bits := range map[int]int{1: 0, 2: 1, 3: 2, 16: 4, 255: 8, 256: 8} {
		m := image.NewPaletted(image.Rect(0, 0, 50, 45), testPalette(n))
		for i := range m.Pix {
			m.Pix[i] = uint8(hash(i%50/4, i/50/3) >> (32 - bits) % uint32(n))
		}
		ms[fmt.Sprint("palette of ", n)] = m
	}
	for _, k := range []lattice.Kind{lattice.PhotoCD, lattice.JFIF, lattice.JFIFGo} {
		for _, s := range []lattice.Sampling{lattice.Full, lattice.Cosited2x2, lattice.Fancy2x2} {
			p := lattice.Params{Kind: k, Sampling: s}
			ms[fmt.Sprint("lattice ", p)] = onLattice(p, 91, 83, 7)
		}
	}
	// A picture as image/jpeg decodes it, in RGB.
	ycc := picture("YCbCr 420", 88, 70, newScene(88, 70, 900, 6).at).(*image.YCbCr)
	rgb := image.NewRGBA(ycc.Rect)
	for y := range 70 {
		for x := range 88 {
			c := ycc.YCbCrAt(x, y)
			r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			rgb.SetRGBA(x, y, color.RGBA{r, g, b, 255})
		}
	}
	ms["decoded JPEG"] = rgb
	return ms
}

func TestPictures(t *testing.T) {
	for name, m := range pictures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, effort := range efforts(false) {
				checkRoundTrip(t, m, effort)
			}
		})
	}
}

// TestBounds encodes a part of a picture, whose bounds do not start at 0.
func TestBounds(t *testing.T) {
	big := dataset.DeadLeaves(80, 70, 9)
	part := big.SubImage(image.Rect(13, 20, 50, 61)).(*image.NRGBA)
	got := mustDecode(t, mustEncode(t, part, 5, 0), 0)
	if got.Bounds() != image.Rect(0, 0, 37, 41) {
		t.Fatalf("bounds %v", got.Bounds())
	}
	for y := range 41 {
		for x := range 37 {
			if got.At(x, y) != part.At(x+13, y+20) {
				t.Fatalf("pixel %d, %d differs", x, y)
			}
		}
	}
}

// TestTiles checks that pictures of several tiles come back, and that the bytes
// are the same for any number of workers.
func TestTiles(t *testing.T) {
	for _, c := range []struct {
		kind         string
		w, h, effort int
	}{
		{"NRGBA opaque", 1301, 1003, 1},
		{"YCbCr 420", 1301, 1003, 1},
		{"YCbCr 410", 1303, 907, 2},
		{"Gray16", 1100, 1000, 3},
	} {
		t.Run(fmt.Sprint(c.kind, " effort ", c.effort), func(t *testing.T) {
			if testing.Short() && c.effort > 1 {
				t.Skip("many pixels for -short")
			}
			m := picture(c.kind, c.w, c.h, func(x, y, ch int) int {
				return int(hash(x/20, y/20, ch)>>17) + 1500*(x*x^y*(ch+1))&0x7fff
			})
			one := mustEncode(t, m, c.effort, 1)
			if n := bytes.Count(one, []byte(kindTile)); n < 2 {
				t.Fatalf("%d tiles", n)
			}
			for _, workers := range []int{2, 16} {
				if c.effort > 1 && workers > 2 {
					continue // for the sake of time
				}
				if b := mustEncode(t, m, c.effort, workers); !bytes.Equal(b, one) {
					t.Errorf("%d workers write another file", workers)
				}
			}
			for _, workers := range []int{1, 3} {
				if !reflect.DeepEqual(mustDecode(t, one, workers), m) {
					t.Errorf("%d workers decode another picture", workers)
				}
			}
		})
	}
}

// TestTiers checks that all kernels make the same file and picture of it.
func TestTiers(t *testing.T) {
	ms := []image.Image{
		dataset.DeadLeaves(57, 43, 2),
		picture("Gray16", 41, 30, newScene(41, 30, 800, 2).at),
		picture("YCbCr 422", 39, 30, newScene(39, 30, 2000, 2).at),
	}
	for _, effort := range []int{1, 5, 9} {
		for i, m := range ms {
			var first []byte
			codectest.EachTier(t, func(tier kernels.Level) {
				b := mustEncode(t, m, effort, 0)
				if first == nil {
					first = b
				}
				got := mustDecode(t, first, 0)
				if !bytes.Equal(b, first) {
					t.Errorf("effort %d, picture %d: tier %v writes another file", effort, i, tier)
				}
				if !reflect.DeepEqual(got, m) {
					t.Errorf("effort %d, picture %d: tier %v decodes another picture", effort, i, tier)
				}
			})
		}
	}
}

// TestDamage cuts and changes files: an error, or the right picture.
func TestDamage(t *testing.T) {
	m := dataset.DeadLeaves(24, 21, 4)
	for _, effort := range []int{1, 2, 5, 9} {
		good := mustEncode(t, m, effort, 0)
		for n := range len(good) {
			if n > 60 && n%17 != 0 && n < len(good)-20 {
				continue
			}
			if _, err := codec.Decode(bytes.NewReader(good[:n])); err == nil {
				t.Errorf("effort %d: no error for %d bytes of %d", effort, n, len(good))
			}
		}
		for i := range 120 {
			bad := bytes.Clone(good)
			bit := int(hash(effort, i) % uint32(8*len(bad)))
			bad[bit/8] ^= 1 << (bit % 8)
			if got, err := codec.Decode(bytes.NewReader(bad)); err == nil && !reflect.DeepEqual(got, m) {
				t.Errorf("effort %d: another picture with bit %d changed", effort, bit)
			}
		}
	}
}

// TestFlat holds the size of what holds nothing down.
func TestFlat(t *testing.T) {
	for _, kind := range []string{"NRGBA", "Gray16", "YCbCr 420", "Paletted"} {
		m := picture(kind, 700, 500, func(_, _, c int) int { return 30000 })
		for _, effort := range []int{1, 5, 9} {
			head := len(codec.Magic) + 60 // header, framing, end
			if kind == "Paletted" {
				head += 40
			}
			if n := checkRoundTrip(t, m, effort); n > head {
				t.Errorf("%s, effort %d: %d bytes for a single colour", kind, effort, n)
			}
		}
	}
}

// TestOpaqueIsFree compares an opaque picture of a type with alpha with the same
// in a type without.
func TestOpaqueIsFree(t *testing.T) {
	s := newScene(60, 50, 2000, 3)
	with := picture("NYCbCrA 444", 60, 50, opaque(s.at))
	without := picture("YCbCr 444", 60, 50, s.at)
	for _, effort := range []int{1, 5, 9} {
		a, b := checkRoundTrip(t, with, effort), checkRoundTrip(t, without, effort)
		if a != b {
			t.Errorf("effort %d: %d bytes with an opaque alpha, %d without", effort, a, b)
		}
	}
}

func pngSize(t testing.TB, m image.Image) int {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// TestNotLargerThanPNG compares with what DEFLATE is best at.
func TestNotLargerThanPNG(t *testing.T) {
	indexed := func(w, h, colours int, f func(x, y int) int) image.Image {
		m := image.NewPaletted(image.Rect(0, 0, w, h), testPalette(colours))
		for i := range m.Pix {
			m.Pix[i] = uint8(f(i%w, i/w) % colours)
		}
		return m
	}
	screen := func(w, h, colours int) image.Image {
		p := testPalette(colours)
		return picture("NRGBA", w, h, func(x, y, c int) int {
			q := p[drawing(x, y, colours)].(color.NRGBA)
			return int([4]uint8{q.R, q.G, q.B, q.A}[c]) * 257
		})
	}
	for name, m := range map[string]image.Image{
		"palette":    indexed(150, 120, 40, func(x, y int) int { return int(hash(x/11, y/13) % 40) }),
		"noisy":      indexed(100, 80, 13, func(x, y int) int { return int(hash(x, y) % 13) }),
		"1 bit text": indexed(300, 200, 2, func(x, y int) int { return drawing(x, y, 2) }),
		"1 bit disc": indexed(200, 200, 2, func(x, y int) int { return ((x-90)*(x-90) + (y-110)*(y-110) - 6000) >> 30 & 1 }),
		"checks":     indexed(128, 128, 2, func(x, y int) int { return (x/8 + y/8) & 1 }),
		"screen":     screen(220, 180, 9),
		"large":      screen(320, 260, 9),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := pngSize(t, m)
			limit += 8 + limit/200 // the frame's checksums weigh on the smallest
			for _, effort := range efforts(true) {
				if n := checkRoundTrip(t, m, effort); n > limit {
					t.Errorf("effort %d: %d bytes, PNG %d", effort, n, limit)
				}
			}
		})
	}
}

// TestEffortPays checks that more effort makes a natural picture smaller.
func TestEffortPays(t *testing.T) {
	if testing.Short() {
		t.Skip("sizes do not depend on how the test is built")
	}
	m := dataset.DeadLeaves(192, 144, 11)
	size := make(map[int]int)
	for _, effort := range efforts(true) {
		size[effort] = checkRoundTrip(t, m, effort)
	}
	t.Log(size)
	if !(size[5] < size[3] && size[3] < size[1] && size[9] <= size[5]) {
		t.Errorf("sizes by effort: %v", size)
	}
	if p := pngSize(t, m); size[1] >= p {
		t.Errorf("effort 1: %d bytes, PNG: %d", size[1], p)
	}
}

// TestCancel cancels in the middle of the work.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		effort, w, h int
	}{{1, 2200, 2000}, {5, 500, 400}, {9, 300, 200}} {
		s := newScene(64, 64, 3000, 1)
		m := picture("NRGBA opaque", c.w, c.h, func(x, y, ch int) int { return s.at(x&63, y&63, ch) })
		var file []byte
		if c.effort < 9 {
			file = mustEncode(t, m, c.effort, 0)
		} else {
			small := m.(*image.NRGBA).SubImage(image.Rect(0, 0, 80, 70))
			file = mustEncode(t, small, c.effort, 0)
		}
		soon := func(what string, f func(ctx context.Context, progress func(float64)) error) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var at time.Time
			err := f(ctx, func(done float64) {
				if done > 0.02 && at.IsZero() {
					at = time.Now()
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("effort %d, %s: error %v", c.effort, what, err)
			}
			if took := time.Since(at); at.IsZero() || took > 2*time.Second {
				t.Errorf("effort %d, %s: returned %v after the cancellation", c.effort, what, took)
			}
		}
		soon("encode", func(ctx context.Context, progress func(float64)) error {
			o := codec.DefaultOptions()
			o.Effort, o.Progress, o.Workers = c.effort, progress, 2
			e, err := codec.NewEncoder(new(bytes.Buffer), o)
			if err != nil {
				t.Fatal(err)
			}
			return e.Encode(ctx, m)
		})
		soon("decode", func(ctx context.Context, progress func(float64)) error {
			o := codec.DefaultDecodeOptions()
			o.Progress, o.Workers = progress, 2
			d, err := codec.NewDecoder(bytes.NewReader(file), o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Decode(ctx)
			return err
		})
	}
}

// TestProgress checks that the progress ends at 1 and is told on the way.
func TestProgress(t *testing.T) {
	for _, effort := range []int{5, 9} {
		o := codec.DefaultOptions()
		o.Effort = effort
		var calls int
		last := -1.0
		o.Progress = func(done float64) { calls, last = calls+1, done }
		if err := codec.Encode(new(bytes.Buffer), dataset.DeadLeaves(60, 60, 2), o); err != nil {
			t.Fatal(err)
		}
		if calls < 20 || last != 1 {
			t.Errorf("effort %d: %d calls, the last with %v", effort, calls, last)
		}
	}
}

// TestOdd takes a collection of odd files through the codec. Those that package
// dataset refuses must be refused with a reason, and none may become larger than
// its PNG by more than 2 % or, of the smallest, than the frame.
func TestOdd(t *testing.T) {
	dir := filepath.Join(dataDir(t), "odd")
	var files, refused int
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		p, err := dataset.ReadFile(name, codec.DefaultLimits())
		if err != nil {
			refused++
			if !strings.Contains(strings.TrimPrefix(err.Error(), name), ": ") {
				t.Errorf("refused without a reason: %v", err)
			}
			t.Logf("refused: %v", err)
			return nil
		}
		effort, size := 5, p.Image.Bounds().Size()
		if size.X*size.Y > 1<<17 {
			effort = 2 // for the sake of time
		}
		file := mustEncode(t, p.Image, effort, 0)
		// Not by DeepEqual: the rows of a decoder's picture may be padded.
		if codectest.SampleSum(t, mustDecode(t, file, 0)) != codectest.SampleSum(t, p.Image) {
			t.Errorf("%s: %T came back with other samples", name, p.Image)
		}
		info, err := d.Info()
		if err != nil || p.Format != "png" || effort < 5 {
			return err
		}
		// The frame takes some 60 bytes, checksums of all sections included.
		base := filepath.Base(name)
		if limit := max(info.Size(), 200); int64(len(file)) > limit+limit/50 {
			t.Errorf("%s: %d bytes, PNG %d", base, len(file), info.Size())
		} else if int64(len(file)) > info.Size() {
			t.Logf("larger than its PNG: %s: %d bytes, PNG %d", base, len(file), info.Size())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d refused", files, refused)
	if files == 0 || refused > files/3 {
		t.Errorf("%d files, %d refused", files, refused)
	}
}
