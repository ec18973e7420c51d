package arith

import (
	"bytes"
	"hash/crc32"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// TestGolden holds every coder to the bytes it gave when it was written, in every
// tier and on every architecture. A change here makes files unreadable.
func TestGolden(t *testing.T) {
	src := residuals(20000, 0.8, 5)
	bits, ps := skewedBits(20000, 5)
	tab := NewByteTable(countBytes(src))
	cdf, err := NewCDF(countBytes(src)[:], 40000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		encode func() []byte
		want   uint32
	}{
		{"binary", func() []byte {
			var model AdaptiveBit
			e := NewBinaryEncoder(nil)
			for i, bit := range bits {
				e.Encode(bit, ps[i])
				e.Encode(bit, model.P())
				model.Update(bit)
			}
			return e.Finish()
		}, 0x3b2861d8},
		{"range", func() []byte {
			e := NewRangeEncoder(nil)
			for _, s := range src {
				e.EncodeSymbol(cdf, int(s))
				e.EncodeSpan(uint32(s), 1, 300)
			}
			return e.Finish()
		}, 0x6437e6d},
		{"rans", func() []byte {
			e, t3 := NewRANSEncoder(3), tab.EncTable()
			for i, s := range src {
				e.Put(i%3, t3, s)
			}
			out, err := e.Finish(nil)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}, 0x11b4d08b},
		{"interleaved", func() []byte { return CompressBytes(nil, src) }, 0xac2f03e4},
		{"header", func() []byte {
			var buf bytes.Buffer
			w := NewHeaderWriter(&buf)
			for i, s := range src {
				w.Bounded(uint64(s), 255+uint64(i))
				w.ExpGolomb(uint64(i), uint(s&15))
				w.SignedExpGolomb(int64(int8(s)), 2)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return buf.Bytes()
		}, 0xf5427aa6},
	} {
		eachTier(t, func(l kernels.Level) {
			if got := crc32.ChecksumIEEE(c.encode()); got != c.want {
				t.Errorf("%s, %v: sum of the stream is %#x, want %#x", c.name, l, got, c.want)
			}
		})
	}
}
