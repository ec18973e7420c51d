package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// eachOption calls f with options of every kind, for caches of 2 layers of 2 heads of 50
// tokens of 16 channels.
func eachOption(f func(name string, o *Options)) {
	formats := []Format{Bits1, Mixed, Ternary, Bits2, Bits3, Bits4}
	for _, coding := range []Coding{Packed, Coded} {
		for i, format := range formats {
			for _, axis := range []Axis{PerChannel, PerToken} {
				if format == Mixed && axis == PerToken {
					continue
				}
				o := options(format)
				o.Coding = coding
				o.Keys = Side{Axis: axis, Group: 16, Fit: LeastSquares + Fit(i%2), Rotate: i%2 == 0, Shift: i%3 == 0, Normalise: i%4 == 0}
				o.Values = Side{Axis: axis, Group: 24, Fit: MinMax, Rotate: i%3 == 0, Shift: i%4 == 0, Normalise: i%2 == 0}
				o.Row = 2 + 5*(i%2)
				f(fmt.Sprintf("%v bits, %v, per %v", format, coding, axis), o)
			}
		}
		o := options(Mixed)
		o.Coding = coding
		o.Values.Axis = PerChannel
		o.Classes = append(o.Classes, Class{Bits4, Ternary}, Class{Full, Bits3}, Class{Dropped, Dropped})
		o.Assign = make([]uint8, 100)
		for i := range o.Assign {
			o.Assign[i] = uint8(i * i % 7 % 4)
		}
		o.Residual, o.Storage = 11, tensorfile.BF16
		f(fmt.Sprintf("classes, %v", coding), o)
		o = options(Bits2)
		o.Coding, o.Residual = coding, 1000
		f(fmt.Sprintf("all kept, %v", coding), o)
		o = options(Bits2)
		o.Coding, o.Classes = coding, []Class{{Dropped, Dropped}}
		f(fmt.Sprintf("all dropped, %v", coding), o)
	}
}

func write(t testing.TB, c *Cache) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := c.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("%d bytes of %d written: %v", n, b.Len(), err)
	}
	return b.Bytes()
}

// TestRoundTrip holds what a file decodes to equal to what its encoder says, and the
// bytes equal whatever the workers, the tier and the times that they are written.
func TestRoundTrip(t *testing.T) {
	k, v := someCache(9, 2, 2, 50, 16)
	eachOption(func(name string, o *Options) {
		c := mustQuantise(t, &k, &v, o)
		wantK, wantV := mustDequantise(t, c)
		file := write(t, c)
		for _, l := range kernels.Tiers() {
			restore, err := kernels.SetTier(l)
			if err != nil {
				t.Fatal(err)
			}
			o.Workers = 1 + int(l)
			if !bytes.Equal(write(t, mustQuantise(t, &k, &v, o)), file) {
				t.Errorf("%s: %d workers on tier %v write another file", name, o.Workers, l)
			}
			back, err := Read(bytes.NewReader(file), nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			gotK, gotV := mustDequantise(t, back)
			if !slices.Equal(gotK.Data, wantK.Data) || !slices.Equal(gotV.Data, wantV.Data) {
				t.Errorf("%s: tier %v decodes otherwise", name, l)
			}
			if !bytes.Equal(write(t, back), file) {
				t.Errorf("%s: what was read is written otherwise", name)
			}
			restore()
		}
	})
}

// goldenCache is a cache that is the same on every machine.
func goldenCache() (keys, values Tensor) {
	keys, values = NewTensor(2, 2, 50, 16), NewTensor(2, 2, 50, 16)
	x := uint32(1)
	for _, t := range []*Tensor{&keys, &values} {
		for i := range t.Data {
			sum := int32(0)
			for range 4 {
				x = x*1664525 + 1013904223
				sum += int32(x >> 16)
			}
			t.Data[i] = float32(sum-2<<16) / float32(int(256)<<(i%16/4))
		}
	}
	return keys, values
}

// TestGolden holds files and what they decode to equal to those of the first version.
func TestGolden(t *testing.T) {
	const want uint32 = 0xafae9d95
	k, v := goldenCache()
	crc := uint32(0)
	eachOption(func(name string, o *Options) {
		c := mustQuantise(t, &k, &v, o)
		crc = crc32.Update(crc, castagnoli, write(t, c))
		k2, v2 := mustDequantise(t, c)
		for _, x := range append(k2.Data, v2.Data...) {
			b := math.Float32bits(x)
			crc = crc32.Update(crc, castagnoli, []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
		}
	})
	if crc != want {
		t.Errorf("sum of all files is %#x, want %#x", crc, want)
	}
}

// TestPackedByHand decodes a file as its description says, without this package.
func TestPackedByHand(t *testing.T) {
	k, v := someCache(11, 1, 1, 12, 8)
	o := options(Ternary)
	o.Coding = Packed
	o.Keys.Group = 5
	c := mustQuantise(t, &k, &v, o)
	want, _ := mustDequantise(t, c)
	tensors, metadata, err := tensorfile.ReadSafetensors(bytes.NewReader(write(t, c)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if metadata["format"] != "burin.kv" || metadata["version"] != "1" {
		t.Errorf("metadata is %v", metadata)
	}
	floats := map[string][]float32{}
	for _, x := range tensors {
		if floats[x.Name], err = x.Float32s(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 12 {
		for j := range 8 {
			digit := int(floats["keys.levels"][i/5*8+j])
			for range i % 5 {
				digit /= 3
			}
			group := i/5*8 + j
			x := floats["keys.scale"][group] * (16*float32(digit%3) + floats["keys.zero"][group])
			if x != want.Data[i*8+j] {
				t.Fatalf("token %d, channel %d is %v, want %v", i, j, x, want.Data[i*8+j])
			}
		}
	}
}

// TestSizes checks the bits that the documentation promises.
func TestSizes(t *testing.T) {
	for f, want := range map[Format]float64{Bits1: 1, Mixed: 1.5, Ternary: 1.6, Bits2: 2, Bits3: 3, Bits4: 4} {
		if got := 8 * float64(f.packedSize(640, 128)) / (640 * 128); got != want {
			t.Errorf("%v bits take %v", f, got)
		}
	}
	k, v := someCache(13, 1, 2, 640, 64)
	o := options(Bits2)
	c := mustQuantise(t, &k, &v, o)
	coded := len(write(t, c))
	o.Coding = Packed
	packed := len(write(t, mustQuantise(t, &k, &v, o)))
	// 2 bits of levels, 32 of a grid for 64 numbers, 16 a channel for the values' means.
	info := c.Info()
	if want := int64(2*640*2*64)*2 + 2*2*640*64*32/64 + 2*64*16; 8*info.Bytes != want || info.Keys.Bytes+info.Values.Bytes != info.Bytes {
		t.Errorf("%d bits in memory, want %d", 8*info.Bytes, want)
	}
	if info.Numbers != 2*640*2*64 || info.Classes[0].Tokens != 640 {
		t.Errorf("%+v", info)
	}
	// Neighbours with a correlation of 0.6 share 0.32 bit a number at any rate, and
	// about 0.25 once at 4 levels; scales and zero points halve.
	if coded > packed*85/100 || packed > int(info.Bytes)+4096 {
		t.Errorf("%d bytes in memory, %d packed, %d coded", info.Bytes, packed, coded)
	}
}

func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 41))
	for range 400 {
		d := []digit{{2, 0}, {2, 1}, {2, 2}, {3, 0}, {4, 0}, {16, 0}}[r.IntN(6)]
		rows, n := 1+r.IntN(30), 1+r.IntN(30)
		ldc, ldd := n+r.IntN(3), n+r.IntN(3)
		codes := make([]uint8, rows*ldc)
		for i := range codes {
			codes[i] = uint8(r.IntN(d.radix)) << d.shift
		}
		packed := make([]byte, d.rows(rows)*ldd)
		d.pack(packed, ldd, codes, ldc, rows, n)
		for i := range rows {
			for j := range n {
				v := int(packed[i/d.perByte()*ldd+j])
				for range i % d.perByte() {
					v /= d.radix
				}
				if uint8(v%d.radix)<<d.shift != codes[i*ldc+j] {
					t.Fatalf("digit %v: row %d, column %d of %d x %d is wrong", d, i, j, rows, n)
				}
			}
		}
		got := make([]uint8, len(codes))
		d.unpack(got, ldc, packed, ldd, rows, n)
		for i := range codes {
			if i%ldc < n && got[i] != codes[i] {
				t.Fatalf("digit %v: element %d of %d x %d is %d, want %d", d, i, rows, n, got[i], codes[i])
			}
		}
	}
	// Every byte, as a hostile file may have it.
	d := digit{3, 0}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	codes := make([]uint8, 5*256)
	d.unpack(codes, 256, all, 256, 5, 256)
	for i := range 243 {
		v := i
		for r := range 5 {
			if int(codes[r*256+i]) != v%3 {
				t.Fatalf("digit %d of byte %d is %d", r, i, codes[r*256+i])
			}
			v /= 3
		}
	}
}

// damaged returns the file with its metadata or tensors changed, and the sum right.
func damaged(t testing.TB, file []byte, f func(h *header, tensors map[string]*tensorfile.Tensor, metadata map[string]string)) []byte {
	t.Helper()
	tensors, metadata, err := tensorfile.ReadSafetensors(bytes.NewReader(file), 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	var h header
	if err := json.Unmarshal([]byte(metadata[cacheKey]), &h); err != nil {
		t.Fatal(err)
	}
	m := map[string]*tensorfile.Tensor{}
	for i := range tensors {
		m[tensors[i].Name] = &tensors[i]
	}
	before := metadata[cacheKey]
	f(&h, m, metadata)
	tensors = slices.DeleteFunc(tensors, func(x tensorfile.Tensor) bool { return x.Name == "" })
	h.CRC32C = sum(tensors)
	if metadata[cacheKey] == before {
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		metadata[cacheKey] = string(text)
	}
	var b bytes.Buffer
	if err := tensorfile.WriteSafetensors(&b, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadRefuses(t *testing.T) {
	k, v := someCache(15, 1, 2, 40, 8)
	o := options(Mixed)
	o.Values.Axis = PerChannel
	o.Classes = append(o.Classes, Class{Ternary, Bits3})
	o.Assign = make([]uint8, 40)
	o.Assign[3], o.Assign[4] = 1, 1
	o.Residual = 3
	coded := write(t, mustQuantise(t, &k, &v, o))
	o.Coding = Packed
	packed := write(t, mustQuantise(t, &k, &v, o))
	type tensors = map[string]*tensorfile.Tensor
	shorter := func(name string) func(h *header, m tensors, _ map[string]string) {
		return func(_ *header, m tensors, _ map[string]string) {
			x := m[name]
			size := x.DType.Size()
			n := len(x.Data)/size - 1
			x.Shape, x.Data = []int{n}, x.Data[:n*size]
		}
	}
	for _, c := range []struct {
		name string
		file []byte
		f    func(h *header, m tensors, metadata map[string]string)
	}{
		{"another format", packed, func(_ *header, _ tensors, m map[string]string) { m["format"] = "pt" }},
		{"another version", packed, func(_ *header, _ tensors, m map[string]string) { m["version"] = "2" }},
		{"no header", packed, func(_ *header, _ tensors, m map[string]string) { m["cache"] = "" }},
		{"unknown field", packed, func(_ *header, _ tensors, m map[string]string) { m["cache"] = `{"x":1}` }},
		{"two headers", packed, func(_ *header, _ tensors, m map[string]string) { m["cache"] += m["cache"] }},
		{"huge", packed, func(h *header, _ tensors, _ map[string]string) { h.Layers, h.Tokens = 1<<24, 1<<24 }},
		{"many heads", packed, func(h *header, _ tensors, _ map[string]string) { h.Layers, h.Keys.Heads = 1<<14, 1<<14 }},
		{"negative", packed, func(h *header, _ tensors, _ map[string]string) { h.Keys.Dim = -8 }},
		{"more tokens", packed, func(h *header, _ tensors, _ map[string]string) { h.Tokens++ }},
		{"other group", packed, func(h *header, _ tensors, _ map[string]string) { h.Keys.Group = 7 }},
		{"shift", packed, func(h *header, _ tensors, _ map[string]string) { h.Keys.Shift = true }},
		{"no shift", coded, func(h *header, _ tensors, _ map[string]string) { h.Values.Shift = false }},
		{"axis", packed, func(h *header, _ tensors, _ map[string]string) { h.Keys.Axis = "" }},
		{"coding", packed, func(h *header, _ tensors, _ map[string]string) { h.Coding = "coded" }},
		{"no coding", packed, func(h *header, _ tensors, _ map[string]string) { h.Coding = "" }},
		{"format", packed, func(h *header, _ tensors, _ map[string]string) { h.Classes[0][0] = "5" }},
		{"residual", packed, func(h *header, _ tensors, _ map[string]string) { h.Residual = 41 }},
		{"storage", packed, func(h *header, _ tensors, _ map[string]string) { h.Storage = "BF16" }},
		{"class", packed, func(_ *header, m tensors, _ map[string]string) { m["classes"].Data[5] = 2 }},
		{"other class", coded, func(_ *header, m tensors, _ map[string]string) { m["classes"].Data[5] = 1 }},
		{"missing", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.scale"].Name = "" }},
		{"unknown", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.scale"].Name = "keys.scales" }},
		{"type", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.scale"].DType = tensorfile.F16 }},
		{"short levels", packed, shorter("keys.levels")},
		{"short zeros", packed, shorter("values.zero")},
		{"short rest", packed, shorter("values.full")},
		{"short streams", coded, shorter("keys.levels")},
		{"few streams", coded, shorter("keys.lengths")},
		{"short grids", coded, shorter("values.grids")},
		{"few blocks", coded, shorter("values.blocks")},
		{"other lengths", coded, func(_ *header, m tensors, _ map[string]string) { m["keys.lengths"].Data[7] = 0xff }},
		{"digit of 3", packed, func(_ *header, m tensors, _ map[string]string) {
			// Of the second class, behind (40-3-2)/8 rows, rounded up, of 8 and 4 channels.
			m["keys.levels"].Data[5*12] = 250
		}},
		{"unused digits", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.levels"].Data[4*8] |= 0x80 }},
		{"infinite scale", packed, func(_ *header, m tensors, _ map[string]string) {
			m["keys.scale"].Data[1] = 0x7f
			m["keys.scale"].Data[0] = 0x80
		}},
		{"negative scale", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.scale"].Data[1] |= 0x80 }},
		{"high columns", packed, func(_ *header, m tensors, _ map[string]string) { m["keys.high"].Data[0] = 0xff }},
	} {
		c2, err := Read(bytes.NewReader(damaged(t, c.file, c.f)), nil)
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, %v", c.name, c2 != nil, err)
		}
	}
	for _, file := range [][]byte{coded, packed} {
		if _, err := Read(bytes.NewReader(damaged(t, file, func(*header, tensors, map[string]string) {})), nil); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(file); n += 1 + n/20 {
			if _, err := Read(bytes.NewReader(file[:n]), nil); !errors.Is(err, ErrFormat) {
				t.Errorf("%d of %d bytes: %v", n, len(file), err)
			}
		}
		other := bytes.Clone(file)
		other[len(other)-1] ^= 1
		if _, err := Read(bytes.NewReader(other), nil); !errors.Is(err, ErrFormat) {
			t.Errorf("wrong sum: %v", err)
		}
		for name, o := range map[string]*ReadOptions{
			"bytes":  {MaxBytes: int64(len(file)) - 1, MaxValues: 1 << 20, Workers: 1},
			"values": {MaxBytes: 1 << 20, MaxValues: 2*2*40*8 - 1, Workers: 1},
		} {
			if _, err := Read(bytes.NewReader(file), o); !errors.Is(err, ErrTooLarge) {
				t.Errorf("limit of %s: %v", name, err)
			}
		}
	}
	if _, err := Read(bytes.NewReader(packed), &ReadOptions{}); !errors.Is(err, ErrOption) {
		t.Errorf("no workers: %v", err)
	}
	if _, err := Read(errReader{}, nil); !errors.Is(err, errRead) {
		t.Errorf("a reader's error is lost: %v", err)
	}
}

var errRead = errors.New("cannot read")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errRead }

// FuzzRead reads damaged files, whose sum is not checked, and dequantises them.
func FuzzRead(f *testing.F) {
	k, v := someCache(9, 2, 2, 50, 16)
	eachOption(func(_ string, o *Options) { f.Add(write(f, mustQuantise(f, &k, &v, o))) })
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, metadata, err := tensorfile.ReadSafetensors(bytes.NewReader(file), 1<<20)
		if err != nil {
			return
		}
		c, err := parse(tensors, metadata, &ReadOptions{MaxBytes: 1 << 20, MaxValues: 1 << 20, Workers: 1}, false)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		if _, _, err := c.Dequantise(); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		again := write(t, c)
		back, err := Read(bytes.NewReader(again), nil)
		if err != nil {
			t.Fatalf("what was read and written is refused: %v", err)
		}
		if !bytes.Equal(write(t, back), again) {
			t.Fatal("written otherwise the second time")
		}
	})
}

// FuzzQuantise quantises any numbers of any shape.
func FuzzQuantise(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), uint8(3), uint8(4), uint8(1), uint8(5))
	f.Add(bytes.Repeat([]byte{0xff, 0x7f, 0, 0x80}, 30), uint8(8), uint8(0), uint8(2), uint8(40))
	f.Fuzz(func(t *testing.T, data []byte, dim, format, flags, group uint8) {
		d := 1 + int(dim%16)
		tokens := len(data) / 4 / d
		if tokens == 0 {
			return
		}
		k := NewTensor(1, 1, tokens, d)
		for i := range k.Data {
			k.Data[i] = math.Float32frombits(uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24)
		}
		o := options(Bits1 + Format(format%6))
		o.Keys = Side{Axis: PerChannel + Axis(flags&1), Group: 1 + int(group), Fit: LeastSquares + Fit(flags>>6%3), Normalise: flags&4 != 0, Shift: flags&8 != 0, Rotate: flags&16 != 0}
		o.Values = o.Keys
		o.Coding = Packed + Coding(flags>>5&1)
		c, err := Quantise(&k, &k, o)
		if err != nil {
			if !errors.Is(err, ErrValue) && !errors.Is(err, ErrOption) {
				t.Fatal(err)
			}
			return
		}
		k2, v2 := mustDequantise(t, c)
		if !slices.Equal(k2.Data, v2.Data) {
			t.Fatal("equal keys and values decode differently")
		}
		back, err := Read(bytes.NewReader(write(t, c)), nil)
		if err != nil {
			t.Fatal(err)
		}
		k3, _ := mustDequantise(t, back)
		if !slices.Equal(k2.Data, k3.Data) {
			t.Fatal("the file decodes differently")
		}
	})
}
