package arith

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/klauspost/compress/fse"
	"github.com/klauspost/compress/huff0"
)

// eachTier runs f under every tier that there is.
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

// checkInterleaved holds every tier's stream equal to Generic's and sees that
// every tier decodes it.
func checkInterleaved(t *testing.T, src []byte, tab *ByteTable) []byte {
	t.Helper()
	enc, dec := tab.InterleavedTable(), tab.DecTable()
	var want []byte
	eachTier(t, func(l kernels.Level) {
		got, err := EncodeInterleaved([]byte("head"), src, enc)
		if err != nil {
			t.Fatal(err)
		}
		if l == kernels.Generic {
			want = got
		}
		if !bytes.Equal(got, want) || string(got[:4]) != "head" {
			t.Fatalf("%v: stream of %d symbols differs from the generic one", l, len(src))
		}
	})
	eachTier(t, func(l kernels.Level) {
		out := make([]byte, len(src))
		if err := DecodeInterleaved(out, want[4:], dec); err != nil {
			t.Fatalf("%v: %d symbols: %v", l, len(src), err)
		}
		if !bytes.Equal(out, src) {
			t.Fatalf("%v: %d symbols decoded wrongly", l, len(src))
		}
	})
	return want[4:]
}

func TestInterleaved(t *testing.T) {
	for _, n := range []int{0, 1, 2, 63, 64, 65, 127, 128, 129, 1000, 4096, 70001} {
		for _, spread := range []float64{0, 0.001, 0.3, 0.82, 0.99} {
			src := residuals(n, spread, uint64(n))
			tab := NewByteTable(countBytes(src))
			out := checkInterleaved(t, src, tab)
			cost := 0.0
			for _, s := range src {
				cost += tab.Cost(s)
			}
			if got := float64(8 * (len(out) - 4*groupLanes)); got > cost*1.002+100 {
				t.Errorf("%d symbols, spread %v: %v bits coded, cost is %.0f", n, spread, got, cost)
			}
		}
	}
}

// TestInterleavedTables codes every symbol with tables of all shapes: each
// frequency has a reciprocal of its own.
func TestInterleavedTables(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	all := make([]byte, 4000)
	for i := range all {
		all[i] = byte(r.IntN(256))
	}
	for _, counts := range sampleCounts() {
		tab := NewByteTable(counts)
		src := make([]byte, 0, len(all))
		for _, s := range all {
			if tab.Freq(s) > 0 {
				src = append(src, s)
			}
		}
		checkInterleaved(t, src, tab)
	}
	for f := 1; f < tableTotal; f++ {
		tab := new(ByteTable)
		tab.freq[3], tab.freq[200] = uint16(f), uint16(tableTotal-f)
		e := tab.InterleavedTable()[3]
		for range 50 {
			x := uint32(r.Uint64N(uint64(f) << 19))
			switch r.IntN(4) {
			case 0:
				x -= x % uint32(f) // an exact multiple
			case 1:
				x -= x%uint32(f) + 1
			}
			if x-groupLow>>4 >= uint32(f)<<19 {
				continue
			}
			q := uint32(uint64(x)*uint64(e[0])>>32) >> (e[1] >> 25)
			got := x + e[1]&(1<<groupBiasBits-1) + q*uint32(tableTotal-f)
			if want := x/uint32(f)*tableTotal + x%uint32(f); got != want {
				t.Fatalf("frequency %d: %d goes to %d, want %d", f, x, got, want)
			}
		}
	}
}

func TestInterleavedErrors(t *testing.T) {
	src := residuals(5000, 0.6, 1)
	tab := NewByteTable(countBytes(src))
	if _, err := EncodeInterleaved(nil, []byte{0, 120}, tab.InterleavedTable()); !errors.Is(err, ErrSymbol) {
		t.Errorf("foreign symbol: error %v", err)
	}
	good := checkInterleaved(t, src, tab)
	dec := tab.DecTable()
	r := rand.New(rand.NewPCG(1, 6))
	eachTier(t, func(l kernels.Level) {
		out := make([]byte, len(src))
		for cut := 1; cut < len(good); cut += 1 + cut/9 {
			if DecodeInterleaved(out, good[:len(good)-cut], dec) == nil {
				t.Errorf("%v: %d bytes cut: no error", l, cut)
			}
		}
		if err := DecodeInterleaved(out, append(bytes.Clone(good), 0, 0), dec); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v: bytes added: error %v", l, err)
		}
		missed := 0
		for range 200 {
			bad := bytes.Clone(good)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			if DecodeInterleaved(out, bad, dec) == nil && !bytes.Equal(out, src) {
				missed++
			}
		}
		if missed > 40 {
			t.Errorf("%v: %d of 200 changed bits: no error", l, missed)
		}
	})
}

func FuzzDecodeInterleaved(f *testing.F) {
	tab := NewByteTable(countBytes(residuals(5000, 0.8, 1)))
	good := encodeInterleaved(nil, residuals(700, 0.5, 2), tab.InterleavedTable())
	f.Add(good, 700)
	f.Add(good[:300], 700)
	f.Add([]byte{}, 0)
	dec := tab.DecTable()
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		// Every tier decodes the same symbols, or fails alike.
		want := make([]byte, n)
		wantErr := error(nil)
		eachTier(t, func(l kernels.Level) {
			got := make([]byte, n)
			err := DecodeInterleaved(got, data, dec)
			if l == kernels.Generic {
				want, wantErr = got, err
			}
			if err != wantErr || err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%v: %v, want %v", l, err, wantErr)
			}
		})
	})
}

func FuzzInterleavedRoundTrip(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte("abracadabra"), uint16(3))
	f.Fuzz(func(t *testing.T, data []byte, repeat uint16) {
		src := bytes.Repeat(data, 1+int(repeat)%64)
		checkInterleaved(t, src, NewByteTable(countBytes(src)))
	})
}

// TestAVX2Registers sees that the AVX2 functions use no register that only
// AVX-512 has: the assembler would take it without complaint.
func TestAVX2Registers(t *testing.T) {
	src, err := os.ReadFile("interleaved_asm_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	function := ""
	for line := range strings.Lines(string(src)) {
		if strings.HasPrefix(line, "TEXT") {
			function = strings.Fields(line)[1]
		}
		if strings.Contains(function, "AVX2") && wide.MatchString(line) {
			t.Fatalf("%s: %s", function, line)
		}
	}
	if function == "" {
		t.Fatal("no functions found")
	}
}

// BenchmarkBytes runs the byte coders beside huff0 and FSE on the same symbols.
// All of them count the symbols and write a table.
func BenchmarkBytes(b *testing.B) {
	for _, n := range []int{64 << 10, 1 << 20} {
		src := residuals(n, 0.82, 1)
		bench := func(name string, f func()) {
			b.Run(fmt.Sprintf("%dKiB/%s", n>>10, name), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					f()
				}
			})
		}
		// huff0 takes at most 128 KiB at a time.
		const block = 64 << 10
		var hs huff0.Scratch
		var fs fse.Scratch
		fs.DecompressLimit = block
		var huff, tans [][]byte
		for i := 0; i < n; i += block {
			h, _, err := huff0.Compress4X(src[i:i+block], &hs)
			if err != nil {
				b.Fatal(err)
			}
			huff = append(huff, bytes.Clone(h))
			f, err := fse.Compress(src[i:i+block], &fs)
			if err != nil {
				b.Fatal(err)
			}
			tans = append(tans, bytes.Clone(f))
		}
		out := make([]byte, n)
		bench("enc/huff0", func() {
			for i := 0; i < n; i += block {
				huff0.Compress4X(src[i:i+block], &hs)
			}
		})
		bench("enc/fse", func() {
			for i := 0; i < n; i += block {
				fse.Compress(src[i:i+block], &fs)
			}
		})
		eachTier(b, func(l kernels.Level) {
			var buf []byte
			bench(fmt.Sprintf("enc/rans-%v", l), func() { buf = CompressBytes(buf[:0], src) })
		})
		coded := CompressBytes(nil, src)
		bench("dec/huff0", func() {
			for i, h := range huff {
				s, rest, err := huff0.ReadTable(h, &hs)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Decoder().Decompress4X(out[i*block:i*block:(i+1)*block], rest); err != nil {
					b.Fatal(err)
				}
			}
		})
		bench("dec/fse", func() {
			for _, f := range tans {
				if _, err := fse.Decompress(f, &fs); err != nil {
					b.Fatal(err)
				}
			}
		})
		eachTier(b, func(l kernels.Level) {
			bench(fmt.Sprintf("dec/rans-%v", l), func() {
				if _, err := DecompressBytes(out[:0], coded, n); err != nil {
					b.Fatal(err)
				}
			})
		})
		if !bytes.Equal(out, src) {
			b.Fatal("decoded bytes differ")
		}
		b.Logf("bits a symbol: rans %.4f, entropy %.4f", float64(8*len(coded))/float64(n), entropy(countBytes(src)[:])/float64(n))
	}
}
