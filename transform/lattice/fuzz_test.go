package lattice

import (
	"encoding/binary"
	"testing"
)

// FuzzReverse takes any picture through any lattice and back.
func FuzzReverse(f *testing.F) {
	f.Add(uint8(3), uint8(2), uint8(0), []byte("a picture of few samples"))
	f.Add(uint8(1), uint8(9), uint8(30), []byte{255, 255, 255, 0, 0, 0, 255, 0, 255})
	f.Add(uint8(16), uint8(16), uint8(47), []byte{1, 250, 128})
	f.Fuzz(func(t *testing.T, w, h, which uint8, data []byte) {
		all := allParams()
		p := all[int(which)%len(all)]
		m := newRGB(int(w%40)+1, int(h%40)+1)
		if len(data) == 0 {
			return
		}
		for i := range m.r {
			at := func(k int) uint16 { return uint16(data[(3*i+k)%len(data)]) }
			m.r[i], m.g[i], m.b[i] = at(0), at(1), at(2)
		}
		reverse(t, p, m)
		Detect(m.r, m.g, m.b, m.w, m.h)
	})
}

// FuzzInverse hands Inverse planes from nowhere.
func FuzzInverse(f *testing.F) {
	f.Add(uint8(3), uint8(3), uint8(0), int32(4), []byte{0, 1, 2, 3, 0, 200, 0, 7})
	f.Add(uint8(9), uint8(2), uint8(47), int32(-4), []byte{255, 255, 0, 0})
	f.Fuzz(func(t *testing.T, w, h, which uint8, escape int32, data []byte) {
		all := allParams()
		p := all[int(which)%len(all)]
		m := newRGB(int(w%40)+1, int(h%40)+1)
		pl := &Planes{W: m.w, H: m.h}
		pl.CW, pl.CH = p.ChromaSize(m.w, m.h)
		take := func(n int) []uint16 {
			s := make([]uint16, n)
			for i := range s {
				if len(data) < 2 {
					break
				}
				s[i] = binary.LittleEndian.Uint16(data)
				data = data[2:]
			}
			return s
		}
		pl.Y, pl.C1, pl.C2 = take(m.w*m.h), take(pl.CW*pl.CH), take(pl.CW*pl.CH)
		pl.Escapes = []Escape{{escape, [3]int16{int16(w), -int16(h), int16(escape)}}}
		if p.Inverse(m.r, m.g, m.b, pl) != nil {
			return
		}
		for i := range m.r {
			if m.r[i]|m.g[i]|m.b[i] > 255 {
				t.Fatalf("pixel %d out of range", i)
			}
		}
	})
}
