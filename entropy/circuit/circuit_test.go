package circuit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/kernels"
)

// randomTree returns a tree of n variables in random order.
func randomTree(r *rand.Rand, n int) Tree {
	t := Tree{Order: r.Perm(n), Parent: []int{-1}}
	for i := 1; i < n; i++ {
		p := i - 1
		for p > 0 && r.IntN(3) == 0 {
			p = t.Parent[p]
		}
		t.Parent = append(t.Parent, p)
	}
	return t
}

// randomRows returns rows of random probabilities, far apart for a high sharpness.
func randomRows(r *rand.Rand, rows, cols int, sharpness float64) []float32 {
	p := make([]float32, rows*cols)
	for i := range rows {
		row, sum := p[i*cols:][:cols], 0.0
		for k := range row {
			v := math.Exp(r.NormFloat64() * sharpness)
			row[k], sum = float32(v), sum+v
		}
		for k := range row {
			row[k] = float32(float64(row[k]) / sum)
		}
	}
	return p
}

// randomCircuit returns a circuit of n variables with 1 to states states.
func randomCircuit(seed uint64, n, cats, states int, sharpness float64) *Circuit {
	r := rand.New(rand.NewPCG(seed, 0))
	c := &Circuit{Tree: randomTree(r, n), Cats: cats}
	for i := range n {
		m := 1 + r.IntN(states)
		c.States = append(c.States, m)
		c.Trans = append(c.Trans, randomRows(r, c.parentStates(i), m, sharpness))
		c.Leaf = append(c.Leaf, randomRows(r, m, cats, sharpness))
	}
	return c
}

// sample draws vectors from c.
func (c *Circuit) sample(r *rand.Rand, n int) [][]uint16 {
	draw := func(row []float32) int {
		u := r.Float32()
		for i, p := range row {
			if u -= p; u < 0 {
				return i
			}
		}
		return len(row) - 1
	}
	x := make([][]uint16, n)
	z := make([]int, len(c.States))
	for k := range x {
		x[k] = make([]uint16, len(c.States))
		for i, m := range c.States {
			y := 0
			if i > 0 {
				y = z[c.Parent[i]]
			}
			z[i] = draw(c.Trans[i][y*m:][:m])
			x[k][c.Order[i]] = uint16(draw(c.Leaf[i][z[i]*c.Cats:][:c.Cats]))
		}
	}
	return x
}

// enumerate calls f for every vector of n values below base.
func enumerate(n, base int, f func(x []uint16)) {
	x := make([]uint16, n)
	for {
		f(x)
		i := 0
		for ; i < n; i++ {
			if x[i]++; int(x[i]) < base {
				break
			}
			x[i] = 0
		}
		if i == n {
			return
		}
	}
}

func must(t testing.TB, c *Circuit) *Model {
	t.Helper()
	m, err := c.Quantise(0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The likelihood is the sum over all assignments of the hidden variables, and sums to
// one over all vectors.
func TestLogProbability(t *testing.T) {
	for seed := range uint64(10) {
		c := randomCircuit(seed, 5, 3, 3, 1)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		total := 0.0
		enumerate(5, 3, func(x []uint16) {
			want := 0.0
			enumerate(5, 3, func(z []uint16) {
				p := 1.0
				for i, m := range c.States {
					if int(z[i]) >= m {
						return
					}
					y := 0
					if i > 0 {
						y = int(z[c.Parent[i]])
					}
					p *= float64(c.Trans[i][y*m+int(z[i])]) * float64(c.Leaf[i][int(z[i])*c.Cats+int(x[c.Order[i]])])
				}
				want += p
			})
			got := math.Exp(c.LogProbability(x))
			if math.Abs(got-want) > 1e-9*want {
				t.Fatalf("seed %d, %v: %v, want %v", seed, x, got, want)
			}
			total += got
		})
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("seed %d: probabilities sum to %v", seed, total)
		}
	}
}

// The coder's probabilities are the likelihood of the quantised circuit, whose rows
// are near those it was made from.
func TestCostIsLikelihood(t *testing.T) {
	for seed, states := range []int{1, 3, 5, 16, 33} {
		c := randomCircuit(uint64(seed), 40, 17, states, 1.5)
		m := must(t, c)
		x := c.sample(rand.New(rand.NewPCG(1, 1)), 200)
		coder, bits := m.NewCoder(len(x)), make([]float64, len(x))
		if err := coder.Cost(bits, x); err != nil {
			t.Fatal(err)
		}
		q := m.Circuit()
		if err := q.Validate(); err != nil {
			t.Fatal(err)
		}
		sum, own := 0.0, 0.0
		for i := range x {
			want := -q.LogProbability(x[i]) / math.Ln2
			if math.Abs(bits[i]-want) > 1e-3*want+0.01 {
				t.Fatalf("%d states: vector %d costs %v bits, its likelihood says %v", states, i, bits[i], want)
			}
			sum += bits[i]
			own -= c.LogProbability(x[i]) / math.Ln2
		}
		if math.Abs(sum-own) > 1e-3*own {
			t.Errorf("%d states: quantised %.1f bits, before that %.1f", states, sum, own)
		}
	}
}

// Values that a model thinks impossible are coded all the same.
func TestRoundTripUnlikely(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	c := randomCircuit(2, 60, 40, 9, 12)
	m := must(t, c)
	x := make([][]uint16, 20)
	for i := range x {
		x[i] = make([]uint16, 60)
		for v := range x[i] {
			x[i][v] = uint16(r.IntN(40))
		}
	}
	roundTrip(t, m, x, 7)
}

// roundTrip codes x with so many lanes and returns the streams.
func roundTrip(t *testing.T, m *Model, x [][]uint16, lanes int) [][]byte {
	t.Helper()
	coder := m.NewCoder(lanes)
	var streams [][]byte
	for from := 0; from < len(x); from += lanes {
		part := x[from:min(from+lanes, len(x))]
		encoders := make([]*arith.BinaryEncoder, len(part))
		for i := range encoders {
			encoders[i] = arith.NewBinaryEncoder(nil)
		}
		if err := coder.Encode(encoders, part); err != nil {
			t.Fatal(err)
		}
		decoders, got := make([]*arith.BinaryDecoder, len(part)), make([][]uint16, len(part))
		for i, e := range encoders {
			streams = append(streams, e.Finish())
			decoders[i] = arith.NewBinaryDecoder(streams[from+i])
			got[i] = make([]uint16, m.Vars())
		}
		if err := coder.Decode(decoders, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			for v := range got[i] {
				if got[i][v] != part[i][v] {
					t.Fatalf("vector %d, variable %d: %d, want %d", from+i, v, got[i][v], part[i][v])
				}
			}
		}
	}
	return streams
}

// goldenCodes returns a model and vectors made with integers alone, the same on every
// machine.
func goldenCodes() (*codes, [][]uint16) {
	r := rand.New(rand.NewPCG(7, 7))
	const vars, cats = 100, 37
	q := &codes{tree: randomTree(r, vars), cats: cats}
	near := func(n int, most uint8) []uint8 {
		p, at := make([]uint8, n), 0
		for i := range p {
			at = min(max(at+r.IntN(41)-20, 0), 120)
			p[i] = uint8(at)
			if r.IntN(9) == 0 {
				p[i] = most
			}
		}
		return p
	}
	for i := range vars {
		parents, m := 1, 1+r.IntN(21)
		if i > 0 {
			parents = q.states[q.tree.Parent[i]]
		}
		q.states = append(q.states, m)
		q.trans = append(q.trans, near(parents*m, zeroCode))
		q.leaf = append(q.leaf, near(m*cats, floorCode))
	}
	x := make([][]uint16, 50)
	for k := range x {
		x[k] = make([]uint16, vars)
		for v := range x[k] {
			x[k][v] = uint16(r.IntN(1 + r.IntN(cats)))
		}
	}
	return q, x
}

// Streams depend neither on the tier nor on the number of lanes, nor on the machine,
// and never change. Model files of version 1 are read for ever.
func TestGolden(t *testing.T) {
	q, x := goldenCodes()
	file := q.marshal(nil)
	name := filepath.Join("testdata", "v1.model")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, file, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want) {
		t.Error("the model file is not that in testdata")
	}
	m, err := ReadModel(want, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	const golden = 0xea8100b8
	for _, level := range kernels.Tiers() {
		restore, err := kernels.SetTier(level)
		if err != nil {
			t.Fatal(err)
		}
		for _, lanes := range []int{1, 16, 23, 50} {
			sum := crc32.NewIEEE()
			for _, s := range roundTrip(t, m, x, lanes) {
				sum.Write(s)
			}
			if got := sum.Sum32(); got != golden {
				t.Errorf("%v, %d lanes: sum of the streams is %#x, want %#x", level, lanes, got, uint32(golden))
			}
		}
		restore()
	}
}

// Lanes that share an encoder share a decoder.
func TestSharedStream(t *testing.T) {
	c := randomCircuit(3, 30, 12, 6, 1.5)
	m := must(t, c)
	x := c.sample(rand.New(rand.NewPCG(3, 3)), 8)
	e := arith.NewBinaryEncoder(nil)
	encoders := make([]*arith.BinaryEncoder, len(x))
	for i := range encoders {
		encoders[i] = e
	}
	coder := m.NewCoder(8)
	if err := coder.Encode(encoders, x); err != nil {
		t.Fatal(err)
	}
	d := arith.NewBinaryDecoder(e.Finish())
	decoders, got := make([]*arith.BinaryDecoder, len(x)), make([][]uint16, len(x))
	for i := range got {
		decoders[i], got[i] = d, make([]uint16, 30)
	}
	if err := coder.Decode(decoders, got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(x) {
		t.Errorf("decoded %v, want %v", got, x)
	}
}

// A Predictor writes the streams of a Coder.
func TestPredictor(t *testing.T) {
	c := randomCircuit(4, 50, 300, 7, 1.5)
	m := must(t, c)
	x := c.sample(rand.New(rand.NewPCG(4, 4)), 6)
	bits := make([]float64, len(x))
	if err := m.NewCoder(6).Cost(bits, x); err != nil {
		t.Fatal(err)
	}
	p, q := m.NewPredictor(), m.NewPredictor()
	for i, want := range roundTrip(t, m, x, 6) {
		e := arith.NewBinaryEncoder(nil)
		cost := 0.0
		for p.Reset(); p.Variable() >= 0; {
			v := int(x[i][p.Variable()])
			cost += float64(p.Cost(v))
			p.Encode(e, v)
		}
		got := e.Finish()
		if !bytes.Equal(got, want) {
			t.Fatalf("vector %d: another stream", i)
		}
		if math.Abs(cost-bits[i]) > 1e-4*bits[i] {
			t.Errorf("vector %d: cost %v, want %v", i, cost, bits[i])
		}
		d := arith.NewBinaryDecoder(got)
		for q.Reset(); q.Variable() >= 0; {
			at := q.Variable()
			if v := q.Decode(d); v != int(x[i][at]) {
				t.Fatalf("vector %d, variable %d: %d, want %d", i, at, v, x[i][at])
			}
		}
	}
}

func TestVectors(t *testing.T) {
	m := must(t, randomCircuit(1, 4, 5, 2, 1))
	e, d := arith.NewBinaryEncoder(nil), arith.NewBinaryDecoder(nil)
	coder := m.NewCoder(1)
	for _, x := range [][][]uint16{{{1, 2, 3}}, {{1, 2, 3, 5}}, {{1, 2, 3, 4}, {1, 2, 3, 4}}, {}} {
		if err := coder.Encode([]*arith.BinaryEncoder{e}, x); !errors.Is(err, ErrVector) {
			t.Errorf("Encode of %v: %v", x, err)
		}
		if err := coder.Cost(make([]float64, 1), x); !errors.Is(err, ErrVector) {
			t.Errorf("Cost of %v: %v", x, err)
		}
	}
	if e.Len() > 0 {
		t.Error("something was coded")
	}
	if err := coder.Decode([]*arith.BinaryDecoder{d}, [][]uint16{make([]uint16, 3)}); !errors.Is(err, ErrVector) {
		t.Errorf("Decode: %v", err)
	}
	long := must(t, randomCircuit(1, 400, 50, 2, 0))
	if err := long.NewCoder(1).Decode([]*arith.BinaryDecoder{d}, [][]uint16{make([]uint16, 400)}); !errors.Is(err, arith.ErrTruncated) {
		t.Errorf("Decode of nothing: %v", err)
	}
}

func TestModelFile(t *testing.T) {
	c := randomCircuit(11, 30, 20, 9, 4)
	c.Trans[3][0] = 0 // an absent edge stays absent
	for i, s := 0, float32(1)/(1-c.Trans[3][0]); i < c.States[3]; i++ {
		c.Trans[3][i] *= s
	}
	sum := float32(0)
	for _, p := range c.Trans[3][:c.States[3]] {
		sum += p
	}
	for i := range c.States[3] {
		c.Trans[3][i] /= sum
	}
	m := must(t, c)
	if q := m.Circuit(); q.Trans[3][0] != 0 {
		t.Errorf("an absent edge has probability %v", q.Trans[3][0])
	}
	data, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != m.Size() || sha256.Sum256(data) != m.Hash() {
		t.Error("size or hash is not that of the file")
	}
	again, err := ReadModel(data, m.Memory()+1<<16)
	if err != nil {
		t.Fatal(err)
	}
	x := c.sample(rand.New(rand.NewPCG(4, 4)), 3)
	if a, b := roundTrip(t, m, x, 3), roundTrip(t, again, x, 3); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("another stream after reading the model again")
	}
	if _, err := ReadModel(data, m.Memory()/2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("with little memory: %v", err)
	}
	later := resum(append([]byte(nil), data...), 4, shareVersion+1)
	if _, err := ReadModel(later, 1<<30); !errors.Is(err, ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
	for i := range data {
		if _, err := ReadModel(data[:i], 1<<30); !errors.Is(err, ErrModel) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		bad := append([]byte(nil), data...)
		bad[i] ^= 1 << (i % 8)
		if _, err := ReadModel(bad, 1<<30); err == nil {
			t.Fatalf("byte %d damaged: no error", i)
		}
	}
}

// A model made for few vectors is smaller and codes little worse; one for many is
// nearly the circuit.
func TestQuantiseSizes(t *testing.T) {
	c := randomCircuit(12, 30, 40, 12, 1)
	x := c.sample(rand.New(rand.NewPCG(1, 1)), 200)
	bits := make([]float64, len(x))
	size, own := 0, 0.0
	for _, x := range x {
		own -= c.LogProbability(x) / math.Ln2
	}
	for _, s := range []struct{ vectors, loss float64 }{{0, 1e-3}, {1e5, 1e-2}, {1e4, 0.1}} {
		m, err := c.Quantise(s.vectors)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.NewCoder(len(x)).Cost(bits, x); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, b := range bits {
			sum += b
		}
		t.Logf("for %g vectors: %d bytes, %.5f of the bits", s.vectors, m.Size(), sum/own)
		if sum > own*(1+s.loss) {
			t.Errorf("for %g vectors: %.0f bits, the circuit says %.0f", s.vectors, sum, own)
		}
		if size > 0 && m.Size() >= size {
			t.Errorf("for %g vectors: %d bytes, %d for more", s.vectors, m.Size(), size)
		}
		size = m.Size()
	}
	if _, err := c.Quantise(-1); err == nil {
		t.Error("no error of -1 vectors")
	}
}

// resum sets byte i of a model file and makes its checksum right again.
func resum(data []byte, i int, b byte) []byte {
	data[i] = b
	body := data[:len(data)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}

// A header of few bytes must not make for much memory or time.
func FuzzReadModel(f *testing.F) {
	for seed := range uint64(4) {
		c := randomCircuit(seed, 1+int(seed)*5, 2+int(seed)*9, 1+int(seed)*3, 2)
		m, err := c.Quantise(0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.file)
		randomMixtures(rand.New(rand.NewPCG(seed, 1)), c, 1+int(seed))
		if m, err = c.Quantise(0); err != nil {
			f.Fatal(err)
		}
		f.Add(m.file)
	}
	for _, name := range []string{"v2.model", "v3.model"} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const memory = 1 << 20
		if len(data) > modelOverhead {
			data = resum(append([]byte(nil), data...), 0, data[0])
		}
		m, err := ReadModel(data, memory)
		if err != nil {
			return
		}
		if m.Memory() > memory+int64(len(data)) {
			t.Fatalf("%d bytes of memory, more than %d", m.Memory(), memory)
		}
		if m.Vars() > 2000 {
			return
		}
		x := make([][]uint16, 2)
		for k := range x {
			x[k] = make([]uint16, m.Vars())
			for v := range x[k] {
				x[k][v] = uint16((v*7 + k) % m.Cats())
			}
		}
		roundTrip(t, m, x, 2)
	})
}

// Whatever the stream, decoding ends and gives values in range.
func FuzzDecode(f *testing.F) {
	c := randomCircuit(6, 60, 30, 8, 3)
	m, err := c.Quantise(0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte("a stream of something else altogether"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x := [][]uint16{make([]uint16, m.Vars())}
		err := m.NewCoder(1).Decode([]*arith.BinaryDecoder{arith.NewBinaryDecoder(data)}, x)
		if err != nil && !errors.Is(err, arith.ErrTruncated) {
			t.Fatal(err)
		}
		for _, v := range x[0] {
			if int(v) >= m.Cats() {
				t.Fatalf("value %d", v)
			}
		}
	})
}

// BenchmarkCoder measures pictures of 28x28 a second, one core.
func BenchmarkCoder(b *testing.B) {
	for _, states := range []int{16, 32, 64} {
		r := rand.New(rand.NewPCG(9, 9))
		c := &Circuit{Tree: randomTree(r, 784), Cats: 256}
		for i := range 784 {
			c.States = append(c.States, states)
			c.Trans = append(c.Trans, randomRows(r, c.parentStates(i), states, 2))
			c.Leaf = append(c.Leaf, randomRows(r, states, 256, 3))
		}
		m := must(b, c)
		x := c.sample(r, 64)
		encoders, decoders, got := make([]*arith.BinaryEncoder, 64), make([]*arith.BinaryDecoder, 64), make([][]uint16, 64)
		for i := range x {
			encoders[i], got[i] = arith.NewBinaryEncoder(nil), make([]uint16, 784)
		}
		coder := m.NewCoder(64)
		b.Run(fmt.Sprintf("%d/encode", states), func(b *testing.B) {
			for range b.N {
				for _, e := range encoders {
					e.Reset(nil)
				}
				if err := coder.Encode(encoders, x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "pictures/s")
		})
		streams := make([][]byte, 64)
		for i, e := range encoders {
			streams[i] = e.Finish()
		}
		b.Run(fmt.Sprintf("%d/decode", states), func(b *testing.B) {
			for range b.N {
				for i, s := range streams {
					decoders[i] = arith.NewBinaryDecoder(s)
				}
				if err := coder.Decode(decoders, got); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "pictures/s")
		})
	}
}
