package tensor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// gaussian returns n normally distributed numbers of a type, in rows of 1024 whose
// scales differ, as those of a trained layer do.
func gaussian(n int, d tensorfile.DType) []byte {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	out := make([]byte, 0, n*d.Size())
	scale := 0.0
	for i := range n {
		if i%1024 == 0 {
			scale = 0.02 * math.Exp(0.3*r.NormFloat64())
		}
		v := float32(scale * r.NormFloat64())
		switch d {
		case tensorfile.BF16:
			b := math.Float32bits(v)
			out = binary.LittleEndian.AppendUint16(out, uint16((b+0x7fff+b>>16&1)>>16))
		case tensorfile.F16: // normal numbers only, cut off: their statistics matter here
			b := math.Float32bits(v)
			e := int(b>>23&255) - 127 + 15
			h := b >> 16 & 0x8000
			if e > 0 {
				h |= uint32(e)<<10 | b>>13&1023
			}
			out = binary.LittleEndian.AppendUint16(out, uint16(h))
		case tensorfile.F64:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(float64(v)))
		default:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out
}

func TestBlock(t *testing.T) {
	noise := make([]byte, 40000)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, data := range map[string][]byte{
		"nothing":  {},
		"zeros":    make([]byte, 24000),
		"noise":    noise,
		"bfloat16": gaussian(30000, tensorfile.BF16),
		"float32":  gaussian(20000, tensorfile.F32),
		"two":      {1, 2, 3, 4, 5, 6, 7, 8},
	} {
		for _, size := range []int{1, 2, 4, 8, 5} {
			data := data[:len(data)/size*size]
			block := Append([]byte("before"), data, size)
			if string(block[:6]) != "before" {
				t.Fatalf("%s by %d: what was there is lost", name, size)
			}
			block = block[6:]
			if most := len(data) + 5*planesOf(size); len(block) > most {
				t.Errorf("%s by %d: %d bytes, at most %d can be", name, size, len(block), most)
			}
			got := make([]byte, len(data))
			if err := Decode(got, block, size); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s by %d: decodes otherwise, %v", name, size, err)
			}
			for _, cut := range []int{0, 1, len(block) / 2, len(block) - 1} {
				if cut >= 0 && cut < len(block) {
					if err := Decode(got, block[:cut], size); !errors.Is(err, ErrCorrupt) {
						t.Errorf("%s by %d, cut to %d bytes of %d: %v", name, size, cut, len(block), err)
					}
				}
			}
			if err := Decode(got, append(block[:len(block):len(block)], 0), size); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s by %d, a byte longer: %v", name, size, err)
			}
			if err := Decode(make([]byte, len(data)+size), block, size); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s by %d, for a number more: %v", name, size, err)
			}
		}
	}
}

// What is saved is close to what the exponents' entropy says can be.
func TestSaves(t *testing.T) {
	for _, c := range []struct {
		d    tensorfile.DType
		most float64 // of the size
	}{{tensorfile.BF16, 0.68}, {tensorfile.F16, 0.87}, {tensorfile.F32, 0.84}, {tensorfile.F64, 0.55}} {
		data := gaussian(1<<17, c.d)
		block := Append(nil, data, c.d.Size())
		n := len(data) / c.d.Size()
		bits := 0.0 // what the sign, the mantissa and the exponents' entropy take
		if c.d == tensorfile.BF16 {
			var counts [256]float64
			for i := range n {
				counts[binary.LittleEndian.Uint16(data[2*i:])>>7&255]++
			}
			for _, k := range counts {
				if k > 0 {
					bits += k * math.Log2(float64(n)/k)
				}
			}
			bits += 8 * float64(n)
			if over := float64(8*len(block))/bits - 1; over > 0.004 {
				t.Errorf("%.2f %% above the exponents' entropy", 100*over)
			}
		}
		if ratio := float64(len(block)) / float64(len(data)); ratio > c.most {
			t.Errorf("%s: %.4f of the size, not %.2f", c.d, ratio, c.most)
		}
	}
}

// file returns a safetensors file with all sorts of tensors.
func file(t testing.TB) []byte {
	t.Helper()
	list := []tensorfile.Tensor{
		{Name: "zero", DType: tensorfile.F32, Shape: []int{0, 3}},
		{Name: "b", DType: tensorfile.BF16, Shape: []int{600, 1000}, Data: gaussian(600000, tensorfile.BF16)},
		{Name: "a", DType: tensorfile.F16, Shape: []int{77}, Data: gaussian(77, tensorfile.F16)},
		{Name: "f", DType: tensorfile.F32, Shape: []int{100, 1000}, Data: gaussian(100000, tensorfile.F32)},
		{Name: "d", DType: tensorfile.F64, Shape: []int{1000}, Data: gaussian(1000, tensorfile.F64)},
		{Name: "bytes", DType: tensorfile.U8, Shape: []int{11}, Data: []byte("hello world")},
		tensorfile.FromInt64s("scalar", []int64{-3}),
	}
	var b bytes.Buffer
	if err := tensorfile.WriteSafetensors(&b, list, map[string]string{"format": "pt", "ä": "ö\n"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// raw returns a safetensors file with a header as it is given.
func raw(header string, data []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func compress(t testing.TB, in []byte, o *Options) ([]byte, *Info) {
	t.Helper()
	var b bytes.Buffer
	info, err := Compress(context.Background(), &b, bytes.NewReader(in), o)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), info
}

func decompress(in []byte, o *Options) ([]byte, error) {
	var b bytes.Buffer
	err := Decompress(context.Background(), &b, bytes.NewReader(in), o)
	return b.Bytes(), err
}

func TestFile(t *testing.T) {
	for name, in := range map[string][]byte{
		"all sorts": file(t),
		"no tensor": raw("{}", nil),
		// Names out of order, spaces within and behind, a type that is not known.
		"untidy": raw(`{ "x" : {"dtype":"F4","shape":[2,4],"data_offsets":[2,6]}, "__metadata__":{"k":"v"},
 "w":{"shape":[1],"dtype":"BF16","data_offsets":[0,2]} }     `, []byte{1, 2, 3, 4, 5, 6}),
	} {
		var done, total int64
		out, info := compress(t, in, &Options{Workers: 1, Progress: func(d, t int64) { done, total = d, t }})
		if info.Bytes != int64(len(in)) || info.Stored != int64(len(out)) {
			t.Errorf("%s: %d bytes in %d, the report says %d in %d", name, len(in), len(out), info.Bytes, info.Stored)
		}
		if len(info.Tensors) > 0 && (done != total || total != info.Bytes) {
			t.Errorf("%s: progress ends at %d of %d", name, done, total)
		}
		again, _ := compress(t, in, &Options{Workers: 5})
		if !bytes.Equal(out, again) {
			t.Errorf("%s: five workers write another file", name)
		}
		for _, workers := range []int{1, 3} {
			back, err := decompress(out, &Options{Workers: workers})
			if err != nil || !bytes.Equal(back, in) {
				t.Errorf("%s: %d workers bring another file back, %v", name, workers, err)
			}
		}
		read, err := ReadInfo(bytes.NewReader(out), nil)
		if err != nil || read.Stored != info.Stored || read.Bytes != info.Bytes || len(read.Tensors) != len(info.Tensors) {
			t.Fatalf("%s: info %+v, %v", name, read, err)
		}
		for i, tensor := range read.Tensors {
			if tensor.Stored != info.Tensors[i].Stored || tensor.Name != info.Tensors[i].Name {
				t.Errorf("%s: tensor %d is %+v, was %+v", name, i, tensor, info.Tensors[i])
			}
		}
	}
}

func TestLimits(t *testing.T) {
	in := file(t)
	out, _ := compress(t, in, nil)
	tight := &Options{MaxBytes: int64(len(in)) - 1}
	if _, err := Compress(context.Background(), io.Discard, bytes.NewReader(in), tight); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("compress: %v", err)
	}
	if _, err := decompress(out, tight); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("decompress: %v", err)
	}
	if _, err := ReadInfo(bytes.NewReader(out), tight); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("info: %v", err)
	}
	for _, o := range []*Options{{MaxBytes: -1}, {Workers: -1}} {
		if _, err := decompress(out, o); !errors.Is(err, ErrOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if err := Decompress(stopped, io.Discard, bytes.NewReader(out), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// A failing writer fails.
type failing struct{ after int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	in := file(t)
	out, _ := compress(t, in, nil)
	for _, room := range []int{0, 5, 1000, 700000} {
		if _, err := Compress(context.Background(), &failing{room}, bytes.NewReader(in), nil); !errors.Is(err, errFull) {
			t.Errorf("compress with room for %d bytes: %v", room, err)
		}
		if err := Decompress(context.Background(), &failing{room}, bytes.NewReader(out), nil); !errors.Is(err, errFull) {
			t.Errorf("decompress with room for %d bytes: %v", room, err)
		}
	}
}

// Every damage is seen.
func TestDamage(t *testing.T) {
	in := file(t)
	out, info := compress(t, in, nil)
	for _, n := range []int{0, 3, 5, 50, len(out) / 2, len(out) - 1} {
		if _, err := decompress(out[:n], nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes of %d: %v", n, len(out), err)
		}
		if _, err := ReadInfo(bytes.NewReader(out[:n]), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("info of %d bytes of %d: %v", n, len(out), err)
		}
		if _, err := Compress(context.Background(), io.Discard, bytes.NewReader(in[:n]), nil); err == nil {
			t.Errorf("%d bytes of %d compress", n, len(in))
		}
	}
	if _, err := decompress(append(out[:len(out):len(out)], 0), nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: %v", err)
	}
	var format tensorfile.FormatError
	if _, err := Compress(context.Background(), io.Discard, bytes.NewReader(append(in[:len(in):len(in)], 0)), nil); !errors.As(err, &format) {
		t.Errorf("a byte too many to compress: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 3))
	for range 60 {
		bad := bytes.Clone(out)
		i := r.IntN(len(bad))
		bad[i] ^= 1 << r.IntN(8)
		if back, err := decompress(bad, nil); err == nil && !bytes.Equal(back, in) {
			t.Fatalf("damage at byte %d of %d (%d tensors) is not seen", i, len(bad), len(info.Tensors))
		}
	}
}

func FuzzDecompress(f *testing.F) {
	small, _ := compress(f, raw(`{"w":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}`, []byte("abcdef")), nil)
	f.Add(small)
	f.Add(small[:20])
	run, _ := compress(f, raw(`{"w":{"dtype":"F32","shape":[100],"data_offsets":[0,400]}}`, make([]byte, 400)), nil)
	f.Add(run)
	f.Fuzz(func(t *testing.T, in []byte) {
		o := &Options{MaxBytes: 1 << 20, Workers: 1}
		back, err := decompress(in, o)
		if len(back) > 1<<20 {
			t.Fatalf("%d bytes, at most %d can be", len(back), 1<<20)
		}
		if _, infoErr := ReadInfo(bytes.NewReader(in), o); err == nil && infoErr != nil {
			t.Fatalf("what decompresses has no info: %v", infoErr)
		}
		if err != nil {
			return
		}
		again, _ := compress(t, back, o)
		if twice, err := decompress(again, o); err != nil || !bytes.Equal(twice, back) {
			t.Fatalf("compressed again it is another file, %v", err)
		}
	})
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte("0123456701234567"), uint8(2))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 0x3f}, 100), uint8(4))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		n := int(size%16) + 1
		// As a block, and as numbers.
		dst := make([]byte, 64*n)
		if err := Decode(dst, data, n); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		data = data[:len(data)/n*n]
		got := make([]byte, len(data))
		if err := Decode(got, Append(nil, data, n), n); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d numbers of %d bytes come back otherwise, %v", len(data)/n, n, err)
		}
	})
}
