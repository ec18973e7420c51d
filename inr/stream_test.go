package inr

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/kernels"
)

// eachTier runs f under every tier of kernels that there is.
func eachTier(t testing.TB, f func(l kernels.Level)) {
	t.Helper()
	for _, l := range kernels.Tiers() {
		restore, err := kernels.SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		f(l)
		restore()
	}
}

// randomNets returns networks around those of NewQuantised. spread is the typical
// magnitude of the weights.
func randomNets(r *rand.Rand, a *Arch, spread float64) *Quantised {
	q := NewQuantised(a)
	for m := range q.Ints {
		if m := Module(m); m == UpsampleTaps || m == FilterWeights {
			for i := range q.Ints[m] {
				q.Ints[m][i] += int32(r.IntN(9) - 4)
			}
			continue
		}
		for i := range q.Ints[m] {
			limit := float64(MaxAbs[m]) * math.Ldexp(1, int(q.Step[m]))
			v := r.NormFloat64() * spread * math.Ldexp(1, int(q.Step[m]))
			q.Ints[m][i] = int32(math.Round(min(max(v, -limit), limit)))
		}
	}
	return q
}

// randomLatents returns latents that are smooth in part, so that contexts matter;
// one grid in four is all zero, one in four takes any values.
func randomLatents(r *rand.Rand, a *Arch, w, h int) Latents {
	lat := NewLatents(a, w, h)
	for i := range lat {
		g, kind := &lat[i], r.IntN(4)
		v := 0.0
		for j := range g.V {
			switch kind {
			case 0:
			case 1:
				g.V[j] = int8(r.IntN(2*LatentMax+1) - LatentMax)
			default:
				v = 0.9*v + r.NormFloat64()*float64(i+1)*0.4
				g.V[j] = int8(min(max(math.Round(v), -LatentMax), LatentMax))
			}
		}
	}
	return lat
}

func equalLatents(a, b Latents) bool {
	return slices.EqualFunc(a, b, func(x, y Grid) bool {
		return x.W == y.W && x.H == y.H && slices.Equal(x.V, y.V)
	})
}

var testSizes = [][2]int{{1, 1}, {1, 2}, {2, 1}, {1, 17}, {23, 1}, {2, 9}, {3, 3}, {5, 4}, {16, 16}, {33, 47}, {70, 19}, {9, 300}}

// randomArch returns any architecture, with as many grids as usual most of the time.
func randomArch(r *rand.Rand, w, h int) Arch {
	for {
		a := Arch{1 + r.IntN(MaxChannels), GridsFor(w, h), 1 + r.IntN(MaxSpatial), r.IntN(MaxFeatures + 1), 1 + r.IntN(20), r.IntN(5), r.IntN(MaxColour + 1)}
		if r.IntN(3) == 0 {
			a.Grids = 1 + r.IntN(MaxGrids)
		}
		if a.Validate() == nil {
			return a
		}
	}
}

// TestRoundTrip codes random networks and latents of many shapes, with priors and
// without, and checks what comes back and that the costs are those announced.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 6 * len(testSizes) {
		w, h := testSizes[i%len(testSizes)][0], testSizes[i%len(testSizes)][1]
		a := randomArch(r, w, h)
		if i%3 == 0 {
			a = Presets[i%len(Presets)].Arch(w, h, a.Channels)
		}
		name := fmt.Sprintf("%dx%d %+v", w, h, a)
		q, lat := randomNets(r, &a, 0.1), randomLatents(r, &a, w, h)
		var start *Start
		var prior *Quantised
		if i%2 > 0 {
			start = &Start{testPrior(t, a, randomNets(r, &a, 0.1).Nets()), r.IntN(31) - 15}
			var err error
			if prior, err = start.Prior.Networks(&a, start.Gain); err != nil {
				t.Fatal(err)
			}
			// Of one module nothing is coded, of another multiples of a coarse step.
			q.Step[SynthOut], q.Ints[SynthOut] = prior.Step[SynthOut], slices.Clone(prior.Ints[SynthOut])
			q.Step[UpsampleTaps] = prior.Step[UpsampleTaps]
			for j, v := range prior.Ints[UpsampleTaps] {
				q.Ints[UpsampleTaps][j] = v + int32(r.IntN(5)-2)<<5
			}
		}
		before := q.Clone()
		buf, err := EncodeStream(&a, q, lat, start)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !equalNets(q, before) {
			t.Fatalf("%s: encoding changed the networks", name)
		}
		priors := func(id PriorID) (*Prior, error) {
			if start == nil || id != start.Prior.ID() {
				t.Errorf("%s: asked for prior %v", name, id)
			}
			return start.Prior, nil
		}
		gotArch, gotNets, gotLat, err := DecodeLatents(buf, w, h, a.Channels, priors)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *gotArch != a || !equalNumbers(gotNets, q) || start == nil && !equalNets(gotNets, q) || !equalLatents(gotLat, lat) {
			t.Fatalf("%s: something else came back", name)
		}
		bits := WeightBits(&a, q, prior)
		for _, b := range Bits(&a, q, lat) {
			bits += b
		}
		// The header takes at most 9 bytes, 15 with a prior, the end of the code 4.
		if size := float64(8 * len(buf)); size < bits*0.999-8 || size > bits*1.001+8*19 {
			t.Errorf("%s: %v bits, announced %v", name, size, bits)
		}
	}
}

// equalNumbers reports whether networks are the same numbers, whatever their steps.
func equalNumbers(a, b *Quantised) bool {
	x, y := a.Nets(), b.Nets()
	return slices.EqualFunc(x.Module[:], y.Module[:], slices.Equal)
}

// testPrior returns a prior for all lambdas.
func testPrior(t testing.TB, a Arch, n *Nets) *Prior {
	t.Helper()
	p, err := NewPrior(a, n, MinLambda, MaxLambda)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// priorsOf returns those that a decoder has.
func priorsOf(p *Prior) PriorFunc {
	return func(PriorID) (*Prior, error) { return p, nil }
}

func equalNets(a, b *Quantised) bool {
	return a.Step == b.Step && slices.EqualFunc(a.Ints[:], b.Ints[:], slices.Equal)
}

// TestEncodeRefuses checks that the encoder does not write what no decoder reads.
func TestEncodeRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	a := Arch{3, 4, 5, 3, 6, 0, 2}
	q, lat := randomNets(r, &a, 0.1), randomLatents(r, &a, 20, 11)
	encode := func(a Arch, q *Quantised, lat Latents, start *Start) error {
		_, err := EncodeStream(&a, q, lat, start)
		return err
	}
	prior := testPrior(t, a, q.Nets())
	other := a
	other.Hidden++
	bad := q.Clone()
	bad.Ints[ARMHidden1][0] = 1 << 20
	for name, c := range map[string]struct{ got, want error }{
		"architecture": {encode(Arch{3, 4, 5, 2, 6, 0, 2}, q, lat, nil), ErrArch},
		"networks":     {encode(a, bad, lat, nil), ErrNetworks},
		"latents":      {encode(a, q, lat[1:], nil), ErrLatents},
		"prior":        {encode(a, q, lat, &Start{testPrior(t, other, NewNets(&other)), 0}), ErrNetworks},
		"gain":         {encode(a, q, lat, &Start{prior, MaxGain + 1}), ErrNetworks},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// goldenStreams are streams of two pictures with what they decode to, the hash of
// the stream and that of the picture.
var goldenStreams = []struct {
	arch           Arch
	w, h           int
	stream, pixels string
}{
	{Presets[3].Arch(97, 61, 3), 97, 61, "1287594b4340c6d9", "9c0df6240cc94c88"},
	{Arch{4, 3, 5, 3, 9, 2, 1}, 40, 33, "5e4334a66079a3a7", "ce7be0839b0dc466"},
}

// TestGolden checks that streams and pixels are the same on every machine, for every
// tier of kernels and any number of workers.
func TestGolden(t *testing.T) {
	hash := func(b []byte) string {
		s := sha256.Sum256(b)
		return hex.EncodeToString(s[:8])
	}
	for i, g := range goldenStreams {
		eachTier(t, func(l kernels.Level) {
			// Integers alone: floating-point random numbers may differ by machine.
			r := rand.New(rand.NewPCG(uint64(i), 3))
			q, lat := NewQuantised(&g.arch), NewLatents(&g.arch, g.w, g.h)
			for m := range q.Ints {
				for j := range q.Ints[m] {
					q.Ints[m][j] += int32(r.IntN(41) - 20)
				}
			}
			for j := range lat {
				for k := range lat[j].V {
					lat[j].V[k] = int8(r.IntN(3+6*j) - 1 - 3*j)
				}
			}
			buf, err := EncodeStream(&g.arch, q, lat, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := hash(buf); got != g.stream {
				t.Errorf("%v: stream %d is %s, want %s", l, i, got, g.stream)
			}
			for _, workers := range []int{1, 3} {
				p, err := DecodeStream(buf, g.w, g.h, g.arch.Channels, nil, workers)
				if err != nil {
					t.Fatal(err)
				}
				if got := hash(p.Pix); got != g.pixels {
					t.Errorf("%v: the pixels of stream %d by %d workers are %s, want %s", l, i, workers, got, g.pixels)
				}
			}
		})
	}
}

// streamPrior is the prior of testStream.
func streamPrior(t testing.TB) *Prior {
	a := Presets[1].Arch(768, 512, 3)
	return testPrior(t, a, randomNets(rand.New(rand.NewPCG(8, 1)), &a, 0.05).Nets())
}

// testStream returns a stream of a 20x11 picture of three channels.
func testStream(t testing.TB, prior bool) []byte {
	r := rand.New(rand.NewPCG(0, 4))
	a := Presets[1].Arch(20, 11, 3)
	q := randomNets(r, &a, 0.05)
	var start *Start
	if prior {
		start = &Start{streamPrior(t), 3}
		var err error
		if q, err = start.Prior.Networks(&a, 3); err != nil {
			t.Fatal(err)
		}
		for m := range q.Ints {
			q.Ints[m][0] += 64
		}
	}
	buf, err := EncodeStream(&a, q, randomLatents(r, &a, 20, 11), start)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

// TestTruncated checks that a stream cut short by more than the few bytes that its
// end leaves open gives an error, but for the odd one that happens to be a stream, as
// one with bytes too many does. The networks predict a scale of 1 everywhere, so that
// every latent costs something: where they are certain, what a cut takes away may
// have cost nothing.
func TestTruncated(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	a := Presets[1].Arch(20, 11, 3)
	lat := NewLatents(&a, 20, 11)
	for i := range lat {
		for j := range lat[i].V {
			lat[i].V[j] = int8(r.IntN(5) - 2)
		}
	}
	buf, err := EncodeStream(&a, NewQuantised(&a), lat, nil)
	if err != nil {
		t.Fatal(err)
	}
	unnoticed := 0
	for n := range len(buf) - 4 {
		_, err := DecodeStream(buf[:n], 20, 11, 3, nil, 1)
		if err == nil {
			unnoticed++
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, arith.ErrTruncated) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(buf), err)
		}
	}
	if unnoticed > len(buf)/20 {
		t.Errorf("%d of %d cuts went unnoticed", unnoticed, len(buf))
	}
	if _, err := DecodeStream(append(bytes.Clone(buf), make([]byte, 8)...), 20, 11, 3, nil, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("trailing bytes: %v", err)
	}
}

// TestDamaged changes one byte at a time: nothing panics, and what decodes is a
// picture of valid latents.
func TestDamaged(t *testing.T) {
	t.Run("fresh", func(t *testing.T) { testDamaged(t, testStream(t, false)) })
	t.Run("prior", func(t *testing.T) { testDamaged(t, testStream(t, true)) })
}

func testDamaged(t *testing.T, buf []byte) {
	priors := priorsOf(streamPrior(t))
	r := rand.New(rand.NewPCG(6, 1))
	errs := 0
	for i := range min(len(buf), 300) {
		bad := bytes.Clone(buf)
		bad[i] ^= byte(1 + r.IntN(255))
		a, q, lat, err := DecodeLatents(bad, 20, 11, 3, priors)
		if err != nil {
			errs++
			continue
		}
		if err := errors.Join(a.Validate(), q.Validate(a), lat.Validate(a)); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if errs == 0 {
		t.Error("no damage was found")
	}
}

// TestEmptyPicture checks that a picture of which its prior says all takes next to
// nothing: headers cost low rates.
func TestEmptyPicture(t *testing.T) {
	a := Presets[3].Arch(768, 512, 3)
	prior := testPrior(t, a, randomNets(rand.New(rand.NewPCG(7, 1)), &a, 0.1).Nets())
	q, err := prior.Networks(&a, 0)
	if err != nil {
		t.Fatal(err)
	}
	buf, err := EncodeStream(&a, q, NewLatents(&a, 768, 512), &Start{prior, 0})
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d bytes", len(buf)); len(buf) > 16 {
		t.Errorf("%d bytes for nothing", len(buf))
	}
}

func TestDecodeRefuses(t *testing.T) {
	buf, named := testStream(t, false), testStream(t, true)
	for _, s := range [][3]int{{0, 11, 3}, {20, -1, 3}, {1 << 20, 1 << 20, 3}, {20, 11, 0}, {20, 11, 5}} {
		if _, err := DecodeStream(buf, s[0], s[1], s[2], nil, 1); err == nil {
			t.Errorf("%dx%d with %d channels: no error", s[0], s[1], s[2])
		}
	}
	if _, err := DecodeStream(named, 20, 11, 3, nil, 1); !errors.Is(err, ErrNetworks) {
		t.Errorf("no priors at hand: %v", err)
	}
	mine := errors.New("mine")
	if _, err := DecodeStream(named, 20, 11, 3, func(PriorID) (*Prior, error) { return nil, mine }, 1); !errors.Is(err, mine) {
		t.Errorf("an error of the priors: %v", err)
	}
	// The prior is of three channels.
	if _, err := DecodeStream(named, 20, 11, 1, priorsOf(streamPrior(t)), 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an unsuitable prior: %v", err)
	}
}

// FuzzDecodeStream checks that no input makes a decoder panic, and that what decodes
// also encodes, to what decodes to the same.
func FuzzDecodeStream(f *testing.F) {
	f.Add(testStream(f, false), uint8(20), uint8(11), uint8(3))
	f.Add(testStream(f, true), uint8(20), uint8(11), uint8(3))
	priors := priorsOf(streamPrior(f))
	f.Add([]byte{}, uint8(1), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, buf []byte, w, h, channels uint8) {
		width, height := int(w)%64, int(h)%64
		a, q, lat, err := DecodeLatents(buf, width, height, int(channels), priors)
		if err != nil {
			return
		}
		p := Synthesise(a, q.Nets(), lat, 1)
		again, err := EncodeStream(a, q, lat, nil)
		if err != nil {
			t.Fatalf("what decodes does not encode: %v", err)
		}
		p2, err := DecodeStream(again, width, height, int(channels), nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Pix, p2.Pix) {
			t.Fatal("another picture came back")
		}
	})
}
