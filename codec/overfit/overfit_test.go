package overfit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/inr"
)

func options(kind codec.TargetKind, value float64) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Effort, o.Target = "overfit", 1, codec.Target{Kind: kind, Value: value}
	return o
}

func mustDecode(t testing.TB, file []byte, workers int) image.Image {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Workers = workers
	return codectest.MustDecode(t, file, o)
}

// planesOf returns the samples of all planes, scaled to 0..1.
func planesOf(t testing.TB, m image.Image) (planes [][]float64) {
	t.Helper()
	codectest.Planes(t, m, func(p codec.Plane, samples []uint16) {
		v := make([]float64, len(samples))
		for j, s := range samples {
			v[j] = float64(s) / float64(p.MaxValue)
		}
		planes = append(planes, v)
	})
	return planes
}

// psnr returns the PSNR over all samples of all planes.
func psnr(t testing.TB, a, b image.Image) float64 {
	t.Helper()
	pa, pb := planesOf(t, a), planesOf(t, b)
	if len(pa) != len(pb) {
		t.Fatalf("%d planes and %d", len(pa), len(pb))
	}
	sum, n := 0.0, 0
	for i := range pa {
		if len(pa[i]) != len(pb[i]) {
			t.Fatalf("plane %d: %d samples and %d", i, len(pa[i]), len(pb[i]))
		}
		for j, v := range pa[i] {
			sum += (v - pb[i][j]) * (v - pb[i][j])
			n++
		}
	}
	return -10 * math.Log10(sum/float64(n))
}

// smooth returns a sample that changes slowly, 0..65535.
func smooth(x, y, c int) int {
	return int(32768 + 24000*math.Sin(0.11*float64(x)+0.9*float64(c))*math.Cos(0.13*float64(y)-0.5*float64(c)))
}

func fill(pix []uint8, w, h, channels, size int) {
	i := 0
	for y := range h {
		for x := range w {
			for c := range channels {
				v := smooth(x, y, c)
				pix[i] = uint8(v >> 8)
				if size == 2 {
					pix[i+1] = uint8(v)
				}
				i += size
			}
		}
	}
}

// opaque makes every fourth sample of the given size the largest.
func opaque(pix []uint8, size int) {
	for i := 3 * size; i < len(pix); i += 4 * size {
		for j := range size {
			pix[i+j] = 255
		}
	}
}

// pictures returns one of each type.
func pictures(w, h int) map[string]image.Image {
	r := image.Rect(0, 0, w, h)
	gray, gray16, alpha := image.NewGray(r), image.NewGray16(r), image.NewAlpha(r)
	fill(gray.Pix, w, h, 1, 1)
	fill(gray16.Pix, w, h, 1, 2)
	fill(alpha.Pix, w, h, 1, 1)
	nrgba, clear, deep, rgba, cmyk := image.NewNRGBA(r), image.NewNRGBA(r), image.NewNRGBA64(r), image.NewRGBA64(r), image.NewCMYK(r)
	fill(nrgba.Pix, w, h, 4, 1)
	opaque(nrgba.Pix, 1)
	fill(clear.Pix, w, h, 4, 1)
	fill(deep.Pix, w, h, 4, 2)
	fill(rgba.Pix, w, h, 4, 2)
	opaque(rgba.Pix, 2)
	fill(cmyk.Pix, w, h, 4, 1)
	ms := map[string]image.Image{"Gray": gray, "Gray16": gray16, "Alpha": alpha, "NRGBA opaque": nrgba, "NRGBA": clear,
		"NRGBA64": deep, "RGBA64 opaque": rgba, "CMYK": cmyk}
	for _, ratio := range subsamplings {
		m := image.NewNYCbCrA(r, ratio)
		fill(m.Y, w, h, 1, 1)
		fill(m.A, w, h, 1, 1)
		cw := m.CStride
		for i := range m.Cb {
			x, y := i%cw*w/cw, i/cw*h*cw/len(m.Cb)
			m.Cb[i], m.Cr[i] = uint8(smooth(x, y, 1)>>8), uint8(smooth(x, y, 2)>>8)
		}
		if ratio == image.YCbCrSubsampleRatio420 {
			ms["NYCbCrA"] = m
		}
		ms[ratio.String()] = &m.YCbCr
	}
	return ms
}

var subsamplings = []image.YCbCrSubsampleRatio{
	image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
	image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
}

// TestTypes codes a small picture of each type: it comes back as the same type, resembling.
func TestTypes(t *testing.T) {
	for name, m := range pictures(33, 17) {
		t.Run(name, func(t *testing.T) {
			got := mustDecode(t, codectest.Encode(t, m, options(codec.TargetQuality, 90)), 0)
			if a, b := fmt.Sprintf("%T %v", got, got.Bounds()), fmt.Sprintf("%T %v", m, m.Bounds()); a != b {
				t.Fatalf("%s, want %s", a, b)
			}
			if db := psnr(t, m, got); db < 25 {
				t.Errorf("%.2f dB", db)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {2, 1}, {1, 2}, {1, 40}, {40, 1}, {3, 5}} {
		for _, name := range []string{"NRGBA", "Gray16", image.YCbCrSubsampleRatio410.String()} {
			m := pictures(size.X, size.Y)[name]
			got := mustDecode(t, codectest.Encode(t, m, options(codec.TargetQuality, 80)), 0)
			if got.Bounds() != m.Bounds() {
				t.Errorf("%s of %v came back as %v", name, size, got.Bounds())
			}
			if db := psnr(t, m, got); db < 20 {
				t.Errorf("%s of %v: %.2f dB", name, size, db)
			}
		}
	}
}

// TestSample holds 8-bit samples to those of inr and checks 16-bit ones.
func TestSample(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := inr.Presets[0].Arch(40, 30, 3)
	q := inr.NewQuantised(&a)
	for m := range q.Ints {
		for i := range q.Ints[m] {
			q.Ints[m][i] += int32(r.IntN(61) - 30)
		}
	}
	lat := inr.NewLatents(&a, 40, 30)
	for _, g := range lat {
		for i := range g.V {
			g.V[i] = int8(r.IntN(21) - 10)
		}
	}
	want := inr.Synthesise(&a, q.Nets(), lat, 1).Pix
	for i, v := range inr.SynthesiseFloat(&a, q.Nets(), lat, 1) {
		if got := sample(v, 255); got != uint16(want[i]) {
			t.Fatalf("%v is shown as %d, want %d", v, got, want[i])
		}
	}
	nan := float32(math.NaN())
	for v, want := range map[float32]uint16{-1: 0, 0: 0, nan: 0, 1: 65535, 2: 65535, 0.5: 32768, 1e-6: 0, 1e-5: 1} {
		if got := sample(v, 65535); got != want {
			t.Errorf("16-bit sample of %v is %d, want %d", v, got, want)
		}
	}
}

func TestShrink(t *testing.T) {
	v := []uint16{
		0, 65535, 257, 257, 65535,
		65535, 0, 257, 257, 65535,
		300, 300, 128, 128, 129,
	}
	shrink(v, 5, 3, 2, 2)
	// The mean of two each of 0 and 255 is 127.5, that of the last row 1.17, 0.498 and 0.502.
	if want := []uint16{128, 1, 255, 1, 0, 1}; !equal(v[:6], want) {
		t.Errorf("%v, want %v", v[:6], want)
	}
}

func equal(a, b []uint16) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestTiling checks that tiles cover every picture once, aligned and within the bounds on
// their sizes.
func TestTiling(t *testing.T) {
	sizes := []image.Point{{1, 1}, {2048, 1024}, {2049, 1024}, {1, 1 << 22}, {1 << 22, 1}, {1 << 21, 2}, {6000, 4000}, {4000, 6001}, {16384, 16385}, {1500, 1500}}
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		sizes = append(sizes, image.Pt(1+r.IntN(9000), 1+r.IntN(9000)))
	}
	for _, s := range sizes {
		ts := tilesOf(s.X, s.Y)
		if whole := s.X*s.Y <= maxWhole; whole != (ts.count() == 1) {
			t.Errorf("%v: %d tiles", s, ts.count())
		}
		area := 0
		for i := range ts.count() {
			r := ts.rect(i)
			if r.Empty() || !r.In(ts.bounds) || r.Min.X%tileAlign != 0 || r.Min.Y%tileAlign != 0 {
				t.Fatalf("%v: tile %d is %v", s, i, r)
			}
			n := r.Dx() * r.Dy()
			if ts.count() > 1 && n > tilePixels+tileAlign*tileHeight {
				t.Fatalf("%v: tile %d is %v", s, i, r)
			}
			area += n
		}
		if area != s.X*s.Y {
			t.Errorf("%v: tiles of %d pixels in all", s, area)
		}
	}
}

func TestPaletted(t *testing.T) {
	codectest.Unsupported(t, codectest.Paletted(), options(codec.TargetQuality, 50))
}

// TestWorkers checks that the number of workers makes no difference.
func TestWorkers(t *testing.T) {
	m := dataset.DeadLeaves(60, 50, 3)
	for _, target := range []codec.Target{{Kind: codec.TargetQuality, Value: 60}, {Kind: codec.TargetSize, Value: 900}} {
		o := options(target.Kind, target.Value)
		o.Workers = 1
		one := codectest.Encode(t, m, o)
		o.Workers = 3
		if !bytes.Equal(one, codectest.Encode(t, m, o)) {
			t.Errorf("%v: 3 workers write another file", target.Kind)
		}
		a, b := mustDecode(t, one, 1).(*image.NRGBA), mustDecode(t, one, 3).(*image.NRGBA)
		if !bytes.Equal(a.Pix, b.Pix) {
			t.Errorf("%v: 3 workers decode another picture", target.Kind)
		}
	}
}

// TestQuality checks that quality costs bits and gains decibels.
func TestQuality(t *testing.T) {
	m := dataset.DeadLeaves(96, 80, 5)
	size, db := 0, 0.0
	for _, q := range []float64{0, 50, 100} {
		file := codectest.Encode(t, m, options(codec.TargetQuality, q))
		d := psnr(t, m, mustDecode(t, file, 0))
		t.Logf("quality %v: %d bytes, %.2f dB", q, len(file), d)
		if len(file) <= size || d <= db {
			t.Errorf("quality %v: %d bytes, %.2f dB after %d, %.2f", q, len(file), d, size, db)
		}
		size, db = len(file), d
	}
}

// TestTargets checks that targets are reached.
func TestTargets(t *testing.T) {
	m := dataset.DeadLeaves(160, 120, 5)
	bits := 160 * 120.0
	for _, target := range []codec.Target{
		{Kind: codec.TargetBPP, Value: 0.3}, {Kind: codec.TargetBPP, Value: 0.6}, {Kind: codec.TargetBPP, Value: 2},
		{Kind: codec.TargetSize, Value: 2500},
		{Kind: codec.TargetPSNR, Value: 24}, {Kind: codec.TargetPSNR, Value: 30},
	} {
		file := codectest.Encode(t, m, options(target.Kind, target.Value))
		n, db := float64(len(file)), psnr(t, m, mustDecode(t, file, 0))
		t.Logf("%v of %v: %v bytes, %.4f bpp, %.2f dB", target.Kind, target.Value, n, 8*n/bits, db)
		ok := false
		switch target.Kind {
		case codec.TargetBPP:
			ok = math.Abs(8*n/bits/target.Value-1) < 0.02
		case codec.TargetSize:
			ok = n <= target.Value && n > 0.98*target.Value
		case codec.TargetPSNR:
			ok = math.Abs(db-target.Value) < 0.1
		}
		if !ok {
			t.Errorf("%v of %v: %v bytes, %.4f bpp, %.2f dB", target.Kind, target.Value, n, 8*n/bits, db)
		}
	}
}

// smallTiles is the codec with small tiles.
func init() {
	codec.Register(codec.Codec{
		ID: 243, Name: "overfit-tiles", Version: 1, Sections: []string{kindTile}, Anytime: true,
		Targets: []codec.TargetKind{codec.TargetQuality, codec.TargetBPP, codec.TargetPSNR, codec.TargetSize},
		Encode: func(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
			return encodeTiles(ctx, src, o, w, smallTiles(src.Header()))
		},
		Decode: func(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
			return decodeTiles(ctx, h, r, o, dst, smallTiles(h))
		},
	})
}

func smallTiles(h *codec.Header) tiles { return tiles{h.Bounds(), 48, 48} }

// TestTiles codes a picture of several tiles: they join, targets hold for all together, and
// the number of workers makes no difference.
func TestTiles(t *testing.T) {
	if testing.Short() {
		t.Skip("many fits")
	}
	m := dataset.DeadLeaves(90, 80, 6)
	for y := range 80 {
		for x := range 40 { // little to code at the left
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(100 + y), 90, 255})
		}
	}
	for _, target := range []codec.Target{
		{Kind: codec.TargetQuality, Value: 50}, {Kind: codec.TargetSize, Value: 2000}, {Kind: codec.TargetPSNR, Value: 28},
	} {
		o := options(target.Kind, target.Value)
		o.Codec, o.Workers = "overfit-tiles", 1
		file := codectest.Encode(t, m, o)
		if n := bytes.Count(file, []byte(kindTile)); n != 4 {
			t.Fatalf("%d tiles", n)
		}
		got := mustDecode(t, file, 3)
		db := psnr(t, m, got)
		t.Logf("%v of %v: %d bytes, %.2f dB", target.Kind, target.Value, len(file), db)
		if db < 22 {
			t.Errorf("%v: %.2f dB", target.Kind, db)
		}
		if target.Kind == codec.TargetSize && (len(file) > 2000 || len(file) < 1800) {
			t.Errorf("%d bytes", len(file))
		}
		if target.Kind == codec.TargetPSNR && math.Abs(db-28) > 0.3 {
			t.Errorf("%.2f dB", db)
		}
		if target.Kind == codec.TargetSize {
			o.Workers = 3
			if !bytes.Equal(file, codectest.Encode(t, m, o)) {
				t.Error("3 workers write another file")
			}
			if a, b := got.(*image.NRGBA), mustDecode(t, file, 1).(*image.NRGBA); !bytes.Equal(a.Pix, b.Pix) {
				t.Error("3 workers decode another picture")
			}
		}
	}
}

// TestSmallSizes checks that a size is kept however small, or refused.
func TestSmallSizes(t *testing.T) {
	m := dataset.DeadLeaves(40, 30, 5)
	for _, size := range []float64{1, 40, 100, 160, 250} {
		var b bytes.Buffer
		err := codec.Encode(&b, m, options(codec.TargetSize, size))
		var unsupported codec.UnsupportedError
		switch {
		case errors.As(err, &unsupported) && size < 100:
		case err != nil:
			t.Errorf("%v bytes: %v", size, err)
		case float64(b.Len()) > size:
			t.Errorf("%v bytes: %d", size, b.Len())
		default:
			if db := psnr(t, m, mustDecode(t, b.Bytes(), 0)); db < 16 { // the mean colour has 16.1
				t.Errorf("%v bytes: %d, %.2f dB", size, b.Len(), db)
			}
		}
	}
}

// TestDamage cuts and changes files: an error, never a panic, and with sums that match
// perhaps a picture.
func TestDamage(t *testing.T) {
	m := dataset.DeadLeaves(24, 21, 4)
	good := codectest.Encode(t, m, options(codec.TargetQuality, 40))
	for n := range good {
		if _, err := codec.Decode(bytes.NewReader(good[:n])); err == nil {
			t.Errorf("no error for %d bytes of %d", n, len(good))
		}
	}
	tile := payload(t, good)
	r := rand.New(rand.NewPCG(5, 6))
	failed := 0
	for range 300 {
		bad := bytes.Clone(tile)
		bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		if r.IntN(2) == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		if err := decodeFramed(t, m.Bounds(), bad); err != nil {
			failed++
			var format codec.FormatError
			if !errors.As(err, &format) && !errors.Is(err, codec.ErrModelMismatch) {
				t.Fatalf("error %v", err)
			}
		}
	}
	if failed < 100 {
		t.Errorf("%d errors for 300 damaged tiles", failed)
	}
	for name, list := range map[string][][]byte{"no tile": nil, "two tiles": {tile, tile}, "empty tile": {{}}} {
		var format codec.FormatError
		if err := decodeFramed(t, m.Bounds(), list...); !errors.As(err, &format) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestModelBytes checks the limit on weights.
func TestModelBytes(t *testing.T) {
	codectest.ModelTooLarge(t, codectest.Encode(t, dataset.DeadLeaves(24, 21, 4), options(codec.TargetQuality, 40)))
}

// TestCancel cancels in the middle of the work.
func TestCancel(t *testing.T) {
	m := dataset.DeadLeaves(300, 200, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := options(codec.TargetQuality, 50)
	o.Effort = 9
	o.Progress = func(done float64) {
		if done > 0 {
			cancel()
		}
	}
	e, err := codec.NewEncoder(new(bytes.Buffer), o)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // an effort of many minutes tells little in the first second
		time.Sleep(300 * time.Millisecond)
		cancel()
	}()
	if err := e.Encode(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestStop stops after some work and at once, and limits the time, with one tile and with
// several: there is a file each time, which keeps to its size and is no worse than the mean
// colour. How much better depends on the machine here, and not in inr.TestFitCooled.
func TestStop(t *testing.T) {
	const stopAt = 30 // iterations
	m := dataset.DeadLeaves(90, 80, 6)
	for _, name := range []string{"overfit", "overfit-tiles"} {
		for _, target := range []codec.Target{{Kind: codec.TargetQuality, Value: 50}, {Kind: codec.TargetSize, Value: 1500}, {Kind: codec.TargetPSNR, Value: 28}} {
			for _, when := range []string{"at once", "later", "limit"} {
				what := fmt.Sprintf("%s, %v, %s", name, target.Kind, when)
				o := options(target.Kind, target.Value)
				o.Codec, o.Effort = name, 9
				stop := make(chan struct{})
				var last codec.Status
				o.Status = func(s codec.Status) {
					if last = s; when == "later" && s.Iteration == stopAt && s.Stage != "" {
						select {
						case <-stop:
						default:
							close(stop)
						}
					}
				}
				switch when {
				case "at once":
					close(stop)
				case "limit":
					o.TimeLimit = 300 * time.Millisecond
				}
				if when != "limit" {
					o.Stop = stop
				}
				file := codectest.Encode(t, m, o)
				if target.Kind == codec.TargetSize && float64(len(file)) > target.Value {
					t.Errorf("%s: %d bytes", what, len(file))
				}
				db := psnr(t, m, mustDecode(t, file, 0))
				t.Logf("%s: %d bytes, %.2f dB, iteration %d of %d", what, len(file), db, last.Iteration, last.Iterations)
				if db < 11.5 { // the mean colour has 11.8
					t.Errorf("%s: %.2f dB", what, db)
				}
				if when == "later" && name == "overfit" && (last.Iteration < stopAt || last.Iteration > stopAt+70) {
					t.Errorf("%s: iteration %d of %d", what, last.Iteration, last.Iterations)
				}
			}
		}
	}
}

// TestStatus: what the encoder tells last is about the file.
func TestStatus(t *testing.T) {
	m := dataset.DeadLeaves(64, 50, 6)
	o := options(codec.TargetQuality, 50)
	var last codec.Status
	calls := 0
	o.Status = func(s codec.Status) {
		if s.Done < last.Done {
			t.Errorf("%v after %v", s.Done, last.Done)
		}
		last, calls = s, calls+1
	}
	file := codectest.Encode(t, m, o)
	db := psnr(t, m, mustDecode(t, file, 0))
	if calls < 170 || last.Done != 1 || math.Abs(last.PSNR-db) > 0.5 || math.Abs(last.BPP*64*50/8/float64(len(file))-1) > 0.15 {
		t.Errorf("%d calls, the last with %+v; %d bytes, %.2f dB", calls, last, len(file), db)
	}
}

func TestProgress(t *testing.T) {
	for _, kind := range []codec.TargetKind{codec.TargetQuality, codec.TargetPSNR} {
		o := options(kind, 30)
		o.Effort = 3
		calls, last := 0, -1.0
		o.Progress = func(done float64) {
			if done < last {
				t.Errorf("%v after %v", done, last)
			}
			calls, last = calls+1, done
		}
		codectest.Encode(t, dataset.DeadLeaves(20, 20, 2), o)
		if calls < 12 || last != 1 {
			t.Errorf("%v: %d calls, the last with %v", kind, calls, last)
		}
	}
}

// TestEffortFits: the fewer bits latents take, the smaller the networks, and only if they are few
// there may be a second fit by larger ones.
func TestEffortFits(t *testing.T) {
	for _, best := range efforts {
		last := best.preset
		for bits := 1 << 20; bits > 1<<10; bits /= 2 {
			e := best.fit(float64(bits))
			if e.preset > last || e.preset < last-1 || e.iterations != best.iterations {
				t.Errorf("%d bits: %+v", bits, e)
			}
			if e.second != (best.second && bits < fewBits) || e.second && e.preset >= best.preset {
				t.Errorf("%d bits: %+v of %+v", bits, e, best)
			}
			last = e.preset
		}
		if last != 0 || best.fit(1<<20).preset != best.preset {
			t.Errorf("%+v: few bits have preset %d", best, last)
		}
	}
}

// TestSecond: of two fits the file has the one that costs less, here the first by far at quality
// 5 and the second at 85, and the encoder's last word is about that one; a size is kept.
func TestSecond(t *testing.T) {
	defer func(e effort) { efforts[0] = e }(efforts[0])
	m := dataset.DeadLeaves(64, 48, 0)
	var last codec.Status
	code := func(second bool, target codec.Target) []byte {
		efforts[0] = effort{preset: 1, iterations: 60, second: second}
		o := options(target.Kind, target.Value)
		last = codec.Status{}
		o.Status = func(s codec.Status) {
			if s.Done < last.Done {
				t.Errorf("%v after %v", s.Done, last.Done)
			}
			last = s
		}
		return codectest.Encode(t, m, o)
	}
	for _, q := range []float64{5, 85} {
		target := codec.Target{Kind: codec.TargetQuality, Value: q}
		cost := func(file []byte) float64 {
			return mseOfPSNR(psnr(t, m, mustDecode(t, file, 0))) + Lambda(q)*8*float64(len(file))/64/48
		}
		one := code(false, target)
		two := code(true, target)
		if db := psnr(t, m, mustDecode(t, two, 0)); last.Done != 1 || math.Abs(last.PSNR-db) > 0.5 {
			t.Errorf("quality %v: %+v at the end of a fit of %.2f dB", q, last, db)
		}
		t.Logf("quality %v: preset %s costs %v, preset %s %v", q, describe(t, one).Preset, cost(one), describe(t, two).Preset, cost(two))
		if better := !bytes.Equal(one, two); better != (q == 85) || better && cost(two) >= cost(one) {
			t.Errorf("quality %v: a cost of %v after %v", q, cost(two), cost(one))
		}
	}
	if file := code(true, codec.Target{Kind: codec.TargetSize, Value: 900}); len(file) > 900 {
		t.Errorf("%d bytes, want 900 at most", len(file))
	}
}

// TestPriorPays: from a prior begin fits of few bits in all, or of many for a pixel.
func TestPriorPays(t *testing.T) {
	for _, c := range []struct {
		bits   float64
		pixels int
		want   bool
	}{
		{10e3, 768 * 512, true},
		{60e3, 768 * 512, false},
		{60e3, 256 * 256, true},
		{200e3, 768 * 512, true},
	} {
		if got := priorPays(c.bits, c.pixels); got != c.want {
			t.Errorf("%v bits of %d pixels: %v", c.bits, c.pixels, got)
		}
	}
}
