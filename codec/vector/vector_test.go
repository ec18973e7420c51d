package vector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// tiny is a small network with every part, and a codebook that others are nested in.
func tiny() network.Config {
	return network.Config{
		Levels: [network.Levels]network.Level{{Dim: 8, Stages: 1, Words: 16}, {Dim: 8, Stages: 1, Words: 32}, {Dim: 8, Stages: 2, Words: 256}, {Dim: 6, Stages: 1, Words: 32}},
		Fine:   12, Coarse: 24, Width: 8, Analysis: 1, Predictor: 1, SynthesisFine: 1, SynthesisInner: 1, Anchors: 3,
	}
}

// waves returns a picture of some waves, and edges.
func waves(h, w int, seed uint64) network.Picture {
	r := rand.New(rand.NewPCG(seed, 1))
	p := network.Picture{H: h, W: w, Data: make([]float32, h*w*3)}
	var fx, fy, phase [3]float64
	for c := range 3 {
		fx[c], fy[c], phase[c] = r.Float64()*0.1, r.Float64()*0.1, r.Float64()*6
	}
	edge := r.IntN(w)
	for y := range h {
		for x := range w {
			for c := range 3 {
				v := 70*math.Sin(fx[c]*float64(x)+fy[c]*float64(y)+phase[c]) + r.NormFloat64()*2
				if x+y/2 > edge {
					v += 40
				}
				p.Data[(y*w+x)*3+c] = float32(math.Round(v)) / network.PixelUnit
			}
		}
	}
	return p
}

type made struct {
	net   *network.Network
	model *Model
}

// testModel is a model of the tiny architecture that was trained for a few steps.
var testModel = sync.OnceValues(func() (*made, error) {
	pool := nn.NewPool(1)
	n, err := network.New(tiny(), pool)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	var pictures []network.Picture
	for i := range 40 {
		pictures = append(pictures, waves(128, 128, uint64(i)))
	}
	if err := n.Start(pictures, r); err != nil {
		return nil, err
	}
	adam := nn.NewAdam(pool, nn.Group{Params: n.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: 1, Rate: 3e-4})
	for i := range 40 {
		p := pictures[i%len(pictures)]
		rate := float32(i%5) / 4
		lambda := network.Lambda(float64(rate))
		n.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{rate}, network.Measure)
		nn.ZeroGrad(n.Params())
		n.Backward([]float32{float32(1 / math.Sqrt(lambda) / 16384)}, []float32{float32(math.Sqrt(lambda) / 49152)}, nil)
		adam.Step()
		n.Refresh()
		n.Update(r)
	}
	m, err := NewModel(n, pictures[:12], DefaultBits)
	return &made{n, m}, err
})

func model(t testing.TB) *Model {
	t.Helper()
	m, err := testModel()
	if err != nil {
		t.Fatal(err)
	}
	return m.model
}

func options(t testing.TB, kind codec.TargetKind, value float64) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Effort = Name, 3
	o.Target = codec.Target{Kind: kind, Value: value}
	o.Weights = []codec.Weights{model(t)}
	return o
}

func decodeFile(t testing.TB, file []byte, conceal bool) (image.Image, error) {
	t.Helper()
	o := codectest.With(model(t))
	o.Conceal = conceal
	return codectest.Decode(file, o)
}

// picture returns a picture of waves of a kind.
func picture(kind string, w, h int) image.Image {
	p := waves(h, w, 77)
	at := func(x, y, c int) float64 {
		return min(max((float64(p.Data[(y*w+x)*3+c])*network.PixelUnit+network.PixelZero)/255, 0), 1)
	}
	return codectest.Picture(kind, w, h, at, func(x, y, c int) float64 {
		return at(min(2*x+1, w-1), min(2*y+1, h-1), c)/4 + 0.375
	})
}

// mse returns the mean squared error of opaque pixels' 8-bit colours, and the largest
// difference of alpha.
func mse(a, b image.Image) (e float64, alpha int) {
	r := a.Bounds()
	n := 0
	for y := range r.Dy() {
		for x := range r.Dx() {
			p := color.NRGBA64Model.Convert(a.At(x, y)).(color.NRGBA64)
			q := color.NRGBA64Model.Convert(b.At(x, y)).(color.NRGBA64)
			alpha = max(alpha, int(p.A)-int(q.A), int(q.A)-int(p.A))
			if p.A == 0xffff {
				for _, v := range [][2]uint16{{p.R, q.R}, {p.G, q.G}, {p.B, q.B}} {
					d := (float64(v[0]) - float64(v[1])) / 257
					e += d * d
				}
				n += 3
			}
		}
	}
	return e / float64(max(n, 1)), alpha
}

// TestKindsAndSizes codes pictures of all kinds and odd sizes: the type and alpha come
// back, the colours about.
func TestKindsAndSizes(t *testing.T) {
	for _, kind := range []string{"gray", "ycbcr", "rgb", "nrgba", "nrgba64"} {
		for _, size := range []image.Point{{1, 1}, {3, 130}, {65, 64}} {
			for _, packets := range []int{1, 5} {
				want := picture(kind, size.X, size.Y)
				o := options(t, codec.TargetQuality, 90)
				o.Packets = packets
				got, err := decodeFile(t, codectest.Encode(t, want, o), false)
				if err != nil {
					t.Fatalf("%s of %v: %v", kind, size, err)
				}
				if got.ColorModel() != want.ColorModel() || got.Bounds() != want.Bounds() {
					t.Errorf("%s of %v came back as %T of %v", kind, size, got, got.Bounds())
				}
				if e, alpha := mse(want, got); alpha != 0 || e > 2000 {
					t.Errorf("%s of %v: an error of %.0f, of alpha %d", kind, size, e, alpha)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, m := range []image.Image{codectest.Paletted(), codectest.CMYK()} {
		codectest.Unsupported(t, m, options(t, codec.TargetQuality, 50))
	}
}

// TestDecodedIsWhatWasChosen checks that a decoder finds the encoder's tokens and makes
// the pixels that the encoder expected, in every tier.
func TestDecodedIsWhatWasChosen(t *testing.T) {
	m := model(t)
	p := waves(192, 256, 5)
	x := pixels.FromFloats(p)
	for _, rate := range []int{0, 1500, 4096} {
		e := newChooser(m, nil, efforts[6])
		tile := e.tile(x, p.H, p.W, rate)
		sizes := [network.Levels]int{0, 0, 6, 0}
		if rate == 4096 {
			sizes[2] = 0
		}
		depths := m.depths(sizes)
		e.decide(tile, depths)
		want, _ := m.synthesis.Forward(e.b, tile.r[network.Finest], shapeOf(&tile.grids[network.Finest]), rate)
		payload := m.encodeTile(tile, depths)
		codectest.EachTier(t, func(tier kernels.Level) {
			// Models pack their numbers for a tier.
			file, _ := m.MarshalBinary()
			fresh, err := ReadModel(file, math.MaxInt64)
			if err != nil {
				t.Fatal(err)
			}
			d := &decoder{m: fresh, b: convnet.NewBuffers(nil), head: &head{rate: rate}, depths: depths}
			g := newGrids(m.config, p.H/8, p.W/8)
			got, err := d.tile(payload, g)
			if err != nil {
				t.Fatal(err)
			}
			for l := range g {
				for s := range g[l].tokens {
					if !slices.Equal(g[l].tokens[s], tile.grids[l].tokens[s]) {
						t.Fatalf("rate %d, %v: other tokens at level %d, stage %d", rate, tier, l, s)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("rate %d, %v: other pixels", rate, tier)
			}
		})
	}
}

// TestCostIsWhatIsWritten compares the encoder's costs with the bits of the file.
func TestCostIsWhatIsWritten(t *testing.T) {
	m := model(t)
	p := waves(512, 512, 6)
	x := pixels.FromFloats(p)
	e := newChooser(m, nil, efforts[3])
	tile := e.tile(x, p.H, p.W, 2048)
	cost := e.decide(tile, m.fullDepths())
	// cost is kappa * squared error + bits, less kappa * the error without words, level by
	// level: what is left are bits.
	for l, level := range m.config.Levels {
		pred, _ := m.predict(e.b, l, tile.grids, before(tile, l), tile.rate)
		for i := range tile.closed[l] {
			if l > 0 && tile.closed[l-1][tile.grids[l].parent(i)] {
				continue
			}
			for j := i * level.Dim; j < (i+1)*level.Dim; j++ {
				a, b := float64(tile.y[l][j])-float64(pred[j]), float64(tile.y[l][j])-float64(tile.r[l][j])
				cost += float64(tile.kappa[l]) * (a*a - b*b)
			}
		}
	}
	bits := float64(8 * len(m.encodeTile(tile, m.fullDepths())))
	t.Logf("%.0f bits expected, %.0f written", cost, bits)
	if bits > 1.15*cost+100 || bits < 0.7*cost-100 {
		t.Errorf("%.0f bits expected, %.0f written", cost, bits)
	}
}

func before(t *tile, l int) []int16 {
	if l == 0 {
		return nil
	}
	return t.r[l-1]
}

// TestTargets checks that rates are not exceeded and PSNR is reached, and both nearly
// used up.
func TestTargets(t *testing.T) {
	codectest.Targets(func(kind codec.TargetKind, value float64) *codec.Options {
		return options(t, kind, value)
	}).Check(t, picture("rgb", 512, 320), 0.85, 30, 0.7, codectest.With(model(t)))
}

// TestEfforts checks that more effort costs less, and that files do not depend on the
// number of workers.
func TestEfforts(t *testing.T) {
	m := picture("rgb", 256, 192)
	cost := func(effort, workers int) (float64, []byte) {
		o := options(t, codec.TargetQuality, 70)
		o.Effort, o.Workers = effort, workers
		file := codectest.Encode(t, m, o)
		got, err := decodeFile(t, file, false)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := mse(m, got)
		return float64(8*len(file)) + network.Lambda(0.7)*e*256*192, file
	}
	one, file := cost(1, 1)
	if _, again := cost(1, 3); !bytes.Equal(file, again) {
		t.Error("the file depends on the number of workers")
	}
	last := one
	for _, effort := range []int{4, 6, 7} {
		c, _ := cost(effort, 1)
		t.Logf("bits and errors: %.0f at effort %d", c, effort)
		if c > 1.005*last {
			t.Errorf("effort %d costs %.0f, less effort %.0f", effort, c, last)
		}
		last = c
	}
}

// lose returns a file without those of its packets that drop names, counted from 0.
func lose(t *testing.T, file []byte, drop func(i int) bool) []byte {
	t.Helper()
	_, sections := codectest.Scan(t, file)
	at := int64(len(file))
	for _, s := range sections {
		at -= s.Size
	}
	out, i := append([]byte(nil), file[:at]...), 0
	for _, s := range sections {
		lost := false
		if s.Kind == kindPacket {
			lost = drop(i)
			i++
		}
		if !lost {
			out = append(out, file[at:at+s.Size]...)
		}
		at += s.Size
	}
	return out
}

// TestConcealment drops a fifth of the packets.
func TestConcealment(t *testing.T) {
	m := picture("rgb", 512, 512)
	o := options(t, codec.TargetQuality, 60)
	o.Packets = 10
	file := codectest.Encode(t, m, o)
	whole, err := decodeFile(t, file, false)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := decodeFile(t, file, true); err != nil || !samePixels(whole, again) {
		t.Errorf("concealment changes a whole picture, %v", err)
	}
	e, _ := mse(m, whole)
	plain := options(t, codec.TargetQuality, 60)
	t.Logf("%d bytes in packets, %d without", len(file), len(codectest.Encode(t, m, plain)))
	var worst float64
	for first := range 10 {
		cut := lose(t, file, func(i int) bool { return i == first || i == (first+3)%10 })
		if _, err := decodeFile(t, cut, false); err == nil {
			t.Error("lost packets went unnoticed")
		}
		got, err := decodeFile(t, cut, true)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := mse(m, got)
		worst = max(worst, 10*math.Log10(c/e))
	}
	t.Logf("%.2f dB whole, %.2f dB less at worst without a fifth of the packets", pixels.PSNR(e), worst)
	if worst > 2.5 {
		t.Errorf("%.2f dB less without a fifth of the packets", worst)
	}
	// Damage is as good as loss, and too much of it is an error.
	damaged := bytes.Clone(file)
	damaged[len(damaged)-codec.EndSize-8] ^= 1
	if _, err := decodeFile(t, damaged, false); !errors.Is(err, codec.ErrChecksum) {
		t.Errorf("damage: %v", err)
	}
	if _, err := decodeFile(t, damaged, true); err != nil {
		t.Errorf("concealed damage: %v", err)
	}
	if _, err := decodeFile(t, lose(t, file, func(i int) bool { return i < 3 }), true); err != nil {
		t.Errorf("3 of 10 packets: %v", err)
	}
	var fe codec.FormatError
	if _, err := decodeFile(t, lose(t, file, func(i int) bool { return i < 4 }), true); !errors.As(err, &fe) {
		t.Errorf("4 of 10 packets: %v", err)
	}
}

// TestErasure loses all sets of pieces that may be lost.
func TestErasure(t *testing.T) {
	for _, n := range []int{2, 3, 7, 10} {
		k := neededPieces(n)
		for _, size := range []int{0, 1, 29} {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(i*i + 7)
			}
			pieces := spreadPieces(b, n)
			for lost := range 1 << n {
				some := slices.Clone(pieces)
				left := n
				for i := range some {
					if lost>>i&1 != 0 {
						some[i] = nil
						left--
					}
				}
				got, ok := joinPieces(some)
				if ok != (left >= k) || ok && !bytes.Equal(got, b) {
					t.Fatalf("%d of %d pieces, set %b: %v, %v", left, n, lost, got, ok)
				}
			}
		}
	}
	if pieces := spreadPieces(make([]byte, 1000), codec.MaxPackets); len(pieces) != codec.MaxPackets {
		t.Errorf("%d pieces", len(pieces))
	}
}

func samePixels(a, b image.Image) bool {
	e, alpha := mse(a, b)
	return e == 0 && alpha == 0
}

// TestTokens checks the shapes and the range of a picture's tokens.
func TestTokens(t *testing.T) {
	m := picture("rgb", 100, 130)
	maps, err := Tokens(context.Background(), m, options(t, codec.TargetQuality, 80))
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != network.Levels {
		t.Fatalf("%d maps", len(maps))
	}
	some := 0
	for l, p := range maps {
		level := tiny().Levels[l]
		if p.Cell != 64>>l || p.H != 3<<l || p.W != 2<<l || p.Stages != level.Stages || p.Words != level.Words || len(p.Tokens) != p.H*p.W*p.Stages {
			t.Errorf("level %d: %+v", l, p)
		}
		for _, v := range p.Tokens {
			if v < 0 || int(v) > p.Words {
				t.Fatalf("level %d: token %d of %d", l, v, p.Words)
			}
			some += btoi(v != 0)
		}
	}
	if some < 6 {
		t.Errorf("%d tokens", some)
	}
	if _, err := Tokens(context.Background(), m, codec.DefaultOptions()); err == nil {
		t.Error("tokens of another codec")
	}
}

// TestParts checks that every cell is in one part, and neighbours are in others.
func TestParts(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 10, 16, 64} {
		owner := func(l, x, y int) int {
			found := -1
			for k := range n {
				if p := (&part{k, n, minShared}); p.has(l, x, y) {
					if found >= 0 {
						t.Fatalf("%d parts: two have %d, %d", n, x, y)
					}
					found = k
				}
			}
			if found < 0 {
				t.Fatalf("%d parts: none has %d, %d", n, x, y)
			}
			return found
		}
		for y := range 9 {
			for x := range 9 {
				k := owner(minShared, x, y)
				if n > 2 && (k == owner(minShared, x+1, y) || k == owner(minShared, x, y+1)) {
					t.Errorf("%d parts: neighbours of %d, %d are in the same", n, x, y)
				}
				if owner(minShared, x/2, y/2) != owner(minShared+1, x, y) {
					t.Errorf("%d parts: cells are apart from what is in them", n)
				}
			}
		}
	}
}

// TestEmbeddedModel decodes files without and with the model they need.
func TestEmbeddedModel(t *testing.T) {
	codectest.EmbeddedModel(t, picture("rgb", 70, 50), options(t, codec.TargetQuality, 60))
}

func TestModelFile(t *testing.T) {
	m := model(t)
	again := codectest.ModelFile(t, m, ReadModel, (*Model).marshal)
	for i, b := range m.books {
		for depth, words := range b.nested {
			if !slices.Equal(words, again.books[i].nested[depth]) {
				t.Errorf("book %d: other words of %d bits", i, depth)
			}
		}
	}
}

// TestIntegersFollowFloats compares the model with the network that it was made of.
func TestIntegersFollowFloats(t *testing.T) {
	m, err := testModel()
	if err != nil {
		t.Fatal(err)
	}
	p := waves(128, 192, 98)
	x := pixels.FromFloats(p)
	for _, rate := range []int{0, 2048, 4096} {
		l, _ := m.net.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{float32(rate) / convnet.RateUnit}, network.Test)
		e := newChooser(m.model, nil, efforts[1])
		tile := e.tile(x, p.H, p.W, rate)
		e.decide(tile, m.model.fullDepths())
		out, _ := m.model.synthesis.Forward(e.b, tile.r[network.Finest], shapeOf(&tile.grids[network.Finest]), rate)
		sum, n := pixels.SquaredError(out, x, image.Rect(0, 0, p.W, p.H), p.W)
		bits := 8 * len(m.model.encodeTile(tile, m.model.fullDepths()))
		a, b := pixels.PSNR(l.SquaredError[0]/float64(n)), pixels.PSNR(sum/float64(n))
		t.Logf("rate %d: %.0f bits at %.2f dB in floats, %d at %.2f dB in integers", rate, l.Bits[0], a, bits, b)
		if b < a-0.5 || float64(bits) > 1.3*l.Bits[0] {
			t.Errorf("rate %d: %.0f bits at %.2f dB in floats, %d at %.2f dB in integers", rate, l.Bits[0], a, bits, b)
		}
	}
}

// TestSearchIsExhaustive compares the search for words with one that tries all.
func TestSearchIsExhaustive(t *testing.T) {
	m := model(t)
	r := rand.New(rand.NewPCG(3, 4))
	const number = 2 // of 256 words
	b := m.books[number]
	for _, depth := range depths(b.bits) {
		top, deep := m.wordCosts(number, 1, depth)
		for _, parts := range []int{1, 4, 64} {
			s := newSearch(b, depth, parts, top, deep)
			s.want = parts
			class := []uint8{0, 5, 9, 15}
			var h []hypothesis
			for i := range class {
				left := make([]float32, b.dim)
				for j := range left {
					left[j] = float32(r.NormFloat64() * 2000)
				}
				h = append(h, hypothesis{cell: i, left: left})
			}
			const kappa = 1e-5
			found := s.find(nil, h, class, kappa)
			for i, c := range h {
				best, bestCost := -1, math.Inf(1)
				for w := range 1 << depth {
					cost := float64(s.bits(w, int(class[i])))
					for j, v := range b.nested[depth][w*b.dim : (w+1)*b.dim] {
						d := float64(c.left[j]) - float64(v)
						cost += kappa * d * d
					}
					if cost < bestCost {
						best, bestCost = w, cost
					}
				}
				if !slices.ContainsFunc(found[i*parts:(i+1)*parts], func(f finding) bool { return int(f.word) == best }) {
					t.Errorf("%d bits in %d parts: %v, not %d", depth, parts, found[i*parts:(i+1)*parts], best)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	m := model(f)
	for _, kind := range []string{"gray", "ycbcr", "nrgba"} {
		f.Add(codectest.Encode(f, picture(kind, 40, 30), options(f, codec.TargetQuality, 40)), false)
	}
	o := options(f, codec.TargetQuality, 70)
	o.Packets = 3
	f.Add(codectest.Encode(f, picture("rgb", 80, 70), o), true)
	o.EmbedWeights = true
	f.Add(codectest.Encode(f, picture("rgb", 20, 10), o), true)
	f.Fuzz(func(_ *testing.T, file []byte, conceal bool) { codectest.DecodeAny(file, m, conceal) })
}

// FuzzTile feeds the decoders of tokens, past the checksums.
func FuzzTile(f *testing.F) {
	m := model(f)
	f.Add([]byte{}, []byte{}, 5, 7, 0, 0)
	f.Add([]byte("some bytes that no encoder wrote"), []byte("and others"), 100, 30, 4096, 0x8666)
	f.Fuzz(func(t *testing.T, a, b []byte, w, h, rate, sizes int) {
		w, h, rate = 1+w&127, 1+h&127, rate&4095
		hd := &head{rate: rate, packets: 1}
		for l := range hd.sizes {
			if s := sizes >> (4 * l) & 15; s >= topBits && s%2 == 0 {
				hd.sizes[l] = s
			}
		}
		if _, err := readHead(hd.marshal()); err != nil {
			t.Fatal(err)
		}
		d := &decoder{m: m, b: convnet.NewBuffers(nil), head: hd, depths: m.depths(hd.sizes), conceal: true}
		g := d.grids(image.Pt(w, h))
		if x, err := d.tile(a, g); err == nil && len(x) != 3*pixels.Aligned(w)*pixels.Aligned(h) {
			t.Errorf("%d samples for %d x %d", len(x), w, h)
		}
		hd.packets, hd.shared = 4, minShared+rate&1
		g = d.grids(image.Pt(w, h))
		some := map[int][]byte{}
		for i, piece := range spreadPieces(a, 4)[:3] {
			some[i] = append(append([]byte{byte(len(piece))}, piece...), b...)
		}
		if x, err := d.packets(some, g); err == nil && len(x) != 3*pixels.Aligned(w)*pixels.Aligned(h) {
			t.Errorf("%d samples for %d x %d", len(x), w, h)
		}
		joinPieces([][]byte{a, b, nil, a})
	})
}

func FuzzModel(f *testing.F) { codectest.FuzzModel(f, model(f), ReadModel) }

// BenchmarkDecode is a tile of 512 x 512 of the architecture that is shipped, untrained,
// without tokens: networks are nearly all of the time.
func BenchmarkDecode(b *testing.B) {
	c := network.Small()
	m := &Model{header: header{config: c}, books: newBooks(c), tables: newTables(c)}
	m.integers(func(name string, z **convnet.Integer, in int, ops []convnet.Op) {
		var err error
		if *z, err = convnet.NewInteger(in, ops); err == nil {
			err = (*z).Prepare()
		}
		if err != nil {
			b.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	})
	m.nest()
	d := &decoder{m: m, b: convnet.NewBuffers(nil), head: &head{packets: 1}, depths: m.fullDepths()}
	w := arith.NewBinaryEncoder(nil)
	payload := w.Finish()
	payload = append(payload, make([]byte, 1<<12)...)
	b.SetBytes(512 * 512 * 3)
	for b.Loop() {
		x, err := d.tile(payload, d.grids(image.Pt(512, 512)))
		if err != nil {
			b.Fatal(err)
		}
		d.b.Give(x)
	}
	b.ReportMetric(512*512/1e6*float64(b.N)/b.Elapsed().Seconds(), "MP/s")
}
