package blocks

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// golden is what testdata/generate.py writes.
type golden struct {
	Decode, Encode map[string]struct{ Blocks, Bits string }
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

// Blocks of GGUF decode to the bits of its reference decoder.
func TestDecodesAsReference(t *testing.T) {
	g := readGolden(t)
	if len(g.Decode) != 7 {
		t.Fatalf("%d formats", len(g.Decode))
	}
	for name, c := range g.Decode {
		f, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		want := floats(unhex(t, c.Bits))
		got := make([]float32, len(want))
		f.Decode(got, unhex(t, c.Blocks))
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Errorf("%s: weight %d is %v, not %v", name, i, v, want[i])
				break
			}
		}
	}
}

// Where the reference has an encoder that searches nothing, ours writes the same bytes.
func TestEncodesAsReference(t *testing.T) {
	g := readGolden(t)
	if len(g.Encode) != 5 {
		t.Fatalf("%d formats", len(g.Encode))
	}
	for name, c := range g.Encode {
		f, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		x, want := floats(unhex(t, c.Bits)), unhex(t, c.Blocks)
		got := make([]byte, len(want))
		f.Encode(got, x)
		for i := 0; i < len(got); i += f.BlockBytes() {
			if !bytes.Equal(got[i:i+f.BlockBytes()], want[i:i+f.BlockBytes()]) {
				t.Errorf("%s: block %d is %x, not %x", name, i/f.BlockBytes(), got[i:i+f.BlockBytes()], want[i:i+f.BlockBytes()])
				break
			}
		}
	}
}

func normals(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 51))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.02 * r.NormFloat64())
	}
	return x
}

// relative returns the squared error by the squares.
func relative(x, y []float32) float64 {
	var e, s float64
	for i, v := range x {
		d := float64(v - y[i])
		e += d * d
		s += float64(v) * float64(v)
	}
	return e / s
}

// Errors on normally distributed weights are what the levels allow: below the bound, and
// above what the bits can do at all (2^-2R).
func TestErrors(t *testing.T) {
	x := normals(1<<15, 1)
	y := make([]float32, len(x))
	for f, most := range map[Format]float64{
		Q8_0: 5e-5, Q4_0: 0.0105, IQ4_NL: 0.0065, MXFP4: 0.0145, NVFP4: 0.0085, NF4: 0.0085,
		Int4G32: 0.0075, Int4G64: 0.009, Int4G128: 0.011, TQ2_0: 0.85, TQ1_0: 0.85,
	} {
		n, err := f.Bytes(len(x))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, n)
		f.Encode(b, x)
		f.Decode(y, b)
		if e := relative(x, y); e > most || e < math.Pow(2, -2*f.Bits()) {
			t.Errorf("%v: error %.5f, at most %.5f should be", f, e, most)
		}
		// What decodes to itself encodes to itself where the scale is the largest weight's.
		if f == TQ2_0 || f == TQ1_0 {
			again, z := make([]byte, n), make([]float32, len(x))
			f.Encode(again, y)
			f.Decode(z, again)
			if e := relative(y, z); e > 1e-6 {
				t.Errorf("%v: a second time, error %g", f, e)
			}
		}
	}
}

func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		v := tensorfile.FromF16(uint16(h))
		if v != v {
			if back := toHalf(v); back&0x7c00 != 0x7c00 || back&0x3ff == 0 {
				t.Errorf("NaN %#x becomes %#x", h, back)
			}
		} else if back := toHalf(v); back != uint16(h) {
			t.Fatalf("%#x is %v and then %#x", h, v, back)
		}
		if next := tensorfile.FromF16(uint16(h) + 1); h&0x7fff < 0x7bff {
			// A tie goes to the even one; beside it, to the nearer.
			tie := float32((float64(v) + float64(next)) / 2)
			if got := toHalf(tie); got != uint16(h+h&1) {
				t.Fatalf("between %#x and the next is %#x", h, got)
			}
			if got := toHalf(math.Nextafter32(tie, v)); got != uint16(h) {
				t.Fatalf("just below the middle of %#x and the next is %#x", h, got)
			}
		}
	}
	for b := range 0x7f {
		if got := toE4M3(2 * fromE4M3(uint8(b))); got != uint8(b) {
			t.Errorf("E4M3 %#x becomes %#x", b, got)
		}
	}
	if got := toE4M3(1e9); got != 0x7e {
		t.Errorf("a large scale is %#x", got)
	}
}

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

// randomBlocks returns blocks with any codes and finite scales.
func randomBlocks(r *rand.Rand, f Format, n int) []byte {
	size, err := f.Bytes(n)
	if err != nil {
		panic(err)
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for at := 0; at < size; at += f.BlockBytes() {
		switch f {
		case MXFP4:
			b[at] = 100 + b[at]%50
		case NVFP4:
		default:
			d := at
			switch f {
			case TQ2_0:
				d += 64
			case TQ1_0:
				d += 52
			}
			putHalf(b[d:], float32(r.NormFloat64()))
		}
	}
	return b
}

// checkMul holds every tier's products equal to the definition, in bits: exact sums within
// groups and groups in order, and close to what decoding and then multiplying gives.
func checkMul(t *testing.T, f Format, rows, cols, n int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 52))
	data := randomBlocks(r, f, rows*cols)
	m, err := NewMatrix(f, data, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	ldx, ldy := cols+r.IntN(3), rows+r.IntN(3)
	x := make([]float32, n*ldx)
	for i := range x {
		if x[i] = float32(r.NormFloat64()); seed%4 == 0 {
			x[i] = []float32{1, -1}[i%2] // the largest sums
		}
	}
	w := make([]float32, rows*cols)
	f.Decode(w, data)
	var a Activations
	a.Quantise(f.Group(), x, n, cols, ldx)
	var want []float32
	eachTier(t, func(l kernels.Level) {
		got := make([]float32, n*ldy+1)
		for i := range got {
			got[i] = 77
		}
		// In two parts.
		middle := min(rows, rows/2/tileRows*tileRows)
		m.MulRows(got, ldy, &a, middle, rows)
		m.MulRows(got, ldy, &a, 0, middle)
		if want == nil {
			want = got
			checkProduct(t, f, f.Group(), got, w, x, rows, cols, n, ldx, ldy)
			return
		}
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%v, %v: %d by %d with %d vectors: element %d is %v, not %v", l, f, rows, cols, n, i, v, want[i])
			}
		}
	})
}

// checkProduct compares with the product of the decoded weights.
func checkProduct(t *testing.T, f Format, group int, y, w, x []float32, rows, cols, n, ldx, ldy int) {
	t.Helper()
	for j := range n {
		for i := range rows {
			var want, bound float64
			for c := 0; c < cols; c += group {
				row, vector := w[i*cols+c:][:group], x[j*ldx+c:][:group]
				// Half a step of activations, and of levels where those are rounded; a group
				// need not have its largest level.
				dx, dw := float64(largest(vector))/254, 0.0
				if f == NF4 {
					dw = 2 * float64(largest(row)) / 254
				}
				for p, v := range row {
					weight, number := float64(v), float64(vector[p])
					want += weight * number
					bound += math.Abs(weight)*dx + dw*(math.Abs(number)+dx) + 1e-5*math.Abs(weight*number)
				}
			}
			if d := math.Abs(float64(y[j*ldy+i]) - want); d > bound+1e-6 {
				t.Fatalf("%v: %d by %d: row %d with vector %d is %v, not %v", f, rows, cols, i, j, y[j*ldy+i], want)
			}
		}
		for i := rows; i < ldy && j*ldy+i < len(y); i++ {
			if y[j*ldy+i] != 77 {
				t.Fatalf("%v: something is written behind vector %d", f, j)
			}
		}
	}
}

func TestMul(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 53))
	for _, f := range Formats() {
		for i := range 12 {
			checkMul(t, f, r.IntN(40), (1+r.IntN(3))*256, []int{0, 1, 2, 3, 4, 5, 8, 9, 13, 15, 16, 21}[i], uint64(i))
		}
		checkMul(t, f, 1, f.BlockLen(), 1, 5)
		checkMul(t, f, 3, 0, 2, 5)
		checkMul(t, f, 17, 3*f.BlockLen(), 14, 6)
	}
}

// Levels of any codebook: those of E8P, in groups of other lengths.
func TestLevelMatrix(t *testing.T) {
	levels := [16]int8{-15, -13, -11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11, 13, 15}
	r := rand.New(rand.NewPCG(1, 56))
	for _, c := range [][4]int{{16, 1, 16, 1}, {48, 21, 96, 9}, {1024, 17, 2048, 2}, {256, 0, 256, 1}} {
		group, rows, cols, n := c[0], c[1], c[2], c[3]
		codes, scales := make([]uint8, rows*cols), make([]float32, rows*cols/group)
		for i := range codes {
			codes[i] = uint8(r.IntN(16))
		}
		for i := range scales {
			scales[i] = tensorfile.FromF16(toHalf(float32(r.NormFloat64())))
		}
		m, err := NewLevelMatrix(&levels, codes, scales, group, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		w := make([]float32, rows*cols)
		for i, code := range codes {
			w[i] = scales[i/group] * float32(levels[code])
		}
		x := normals(n*cols, 4)
		var a Activations
		a.Quantise(group, x, n, cols, cols)
		var want []float32
		eachTier(t, func(l kernels.Level) {
			got := make([]float32, n*rows)
			m.Mul(got, rows, &a)
			if want == nil {
				want = got
				checkProduct(t, Int4G32, group, got, w, x, rows, cols, n, cols, rows)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v: groups of %d, %d by %d differ", l, group, rows, cols)
			}
		})
	}
	for name, c := range map[string]struct{ codes, scales, group, rows, cols int }{
		"groups of 8":     {64, 8, 8, 1, 64},
		"half a group":    {24, 2, 16, 1, 24},
		"a row too few":   {64, 8, 16, 2, 64},
		"a scale too few": {64, 3, 16, 1, 64},
		"long groups":     {2 * MaxGroup, 1, 2 * MaxGroup, 1, 2 * MaxGroup},
	} {
		if _, err := NewLevelMatrix(&levels, make([]uint8, c.codes), make([]float32, c.scales), c.group, c.rows, c.cols); err == nil {
			t.Errorf("%s are accepted", name)
		}
	}
	if _, err := NewLevelMatrix(&levels, bytes.Repeat([]byte{16}, 16), make([]float32, 1), 16, 1, 16); err == nil {
		t.Error("a code of 16 is accepted")
	}
}

func FuzzMul(f *testing.F) {
	f.Add(uint8(1), uint8(17), uint8(3), uint8(9), uint64(4))
	f.Add(uint8(NF4), uint8(28), uint8(1), uint8(4), uint64(195)) // a scale that is subnormal in float16 if divided by 127
	f.Fuzz(func(t *testing.T, format, rows, blocks, n uint8, seed uint64) {
		form := Format(format % uint8(formats))
		checkMul(t, form, int(rows%50), int(blocks%6)*form.BlockLen(), int(n%20), seed)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), []byte("0123456789012345678901234567890123"))
	f.Fuzz(func(t *testing.T, format uint8, data []byte) {
		form := Format(format % uint8(formats))
		n := len(data) / form.BlockBytes()
		data = data[:n*form.BlockBytes()]
		x := make([]float32, n*form.BlockLen())
		form.Decode(x, data)
		if _, err := NewMatrix(form, data, n, form.BlockLen()); err != nil {
			t.Fatal(err)
		}
		if CheckFinite(x) == nil {
			form.Encode(data, x)
		}
	})
}

func TestRefuses(t *testing.T) {
	if _, err := Q4_0.Bytes(33); err == nil {
		t.Error("33 weights are blocks of 32")
	}
	if _, err := formats.Bytes(32); err == nil {
		t.Error("an unknown format has a size")
	}
	if _, err := Parse("Q9"); err == nil {
		t.Error("Q9 is a format")
	}
	for _, c := range [][3]int{{18, 1, 33}, {18, 2, 32}, {17, 1, 32}, {18, -1, 32}, {18, 1, 0}} {
		if _, err := NewMatrix(Q4_0, make([]byte, c[0]), c[1], c[2]); err == nil {
			t.Errorf("%d bytes are %d by %d", c[0], c[1], c[2])
		}
	}
	if CheckFinite([]float32{1, float32(math.NaN())}) == nil || CheckFinite([]float32{1}) != nil {
		t.Error("finite is confused")
	}
	m, err := NewMatrix(Q4_0, make([]byte, 18), 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	var a Activations
	for name, f := range map[string]func(){
		"a short row":   func() { a.Quantise(Q4_0.Group(), make([]float32, 31), 1, 32, 32) },
		"half a block":  func() { a.Quantise(Q4_0.Group(), make([]float32, 16), 1, 16, 16) },
		"other columns": func() { a.Quantise(Q4_0.Group(), make([]float32, 64), 1, 64, 64); m.Mul(make([]float32, 1), 1, &a) },
		"another group": func() {
			a.Quantise(NVFP4.Group(), make([]float32, 64), 1, 64, 64)
			a.k = 32
			m.Mul(make([]float32, 1), 1, &a)
		},
		"a short result": func() { a.Quantise(Q4_0.Group(), make([]float32, 32), 1, 32, 32); m.Mul(nil, 1, &a) },
		"short blocks":   func() { Q4_0.Decode(make([]float32, 32), make([]byte, 17)) },
		"short weights":  func() { Q4_0.Encode(make([]byte, 18), make([]float32, 31)) },
		"rows within a tile": func() {
			a.Quantise(Q4_0.Group(), make([]float32, 32), 1, 32, 32)
			m.MulRows(make([]float32, 1), 1, &a, 1, 1)
		},
		"rows past the end": func() {
			a.Quantise(Q4_0.Group(), make([]float32, 32), 1, 32, 32)
			m.MulRows(make([]float32, 9), 9, &a, 0, 2)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}
