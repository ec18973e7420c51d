package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

func TestFonts(t *testing.T) {
	for _, b := range []string{"", "ttcf", "not a font", strings.Repeat("\x00\x01\x00\x00", 100)} {
		if _, err := ParseFont([]byte(b), 0); !errors.Is(err, ErrFont) {
			t.Errorf("%q: %v", b, err)
		}
	}
	chain := (&Fonts{Text: []*Font{goFonts()[bold]}}).chain(mono)
	var names []string
	for _, f := range chain {
		names = append(names, f.Name())
	}
	if got := strings.Join(names, ", "); got != "Go Mono, Go Bold, Go Mono, Go Regular" {
		t.Errorf("chain: %s", got)
	}
	o := small()
	plain := ink(gray(t, mustNew(t, "text", Plain, o), 0))
	o.Fonts.Text = []*Font{goFonts()[bold]}
	if heavy := ink(gray(t, mustNew(t, "text", Plain, o), 0)); heavy <= plain {
		t.Errorf("ink of the bold font %d, of the regular one %d", heavy, plain)
	}
}

// collection makes a TTC file of fonts, moved by some bytes.
func collection(shift int, fonts ...[]byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte("ttcf\x00\x01\x00\x00"), uint32(len(fonts)))
	at := len(out) + 4*len(fonts) + shift
	for _, f := range fonts {
		out = binary.BigEndian.AppendUint32(out, uint32(at))
		at += len(f)
	}
	out = append(out, make([]byte, shift)...)
	for _, f := range fonts {
		start := len(out)
		out = append(out, f...)
		for i := range int(binary.BigEndian.Uint16(f[4:])) {
			e := out[start+12+16*i+8:]
			binary.BigEndian.PutUint32(e, binary.BigEndian.Uint32(e)+uint32(start))
		}
	}
	return out
}

func TestCollections(t *testing.T) {
	for shift := range 4 {
		b := collection(shift, goregular.TTF, gobold.TTF, gomono.TTF)
		for i, name := range []string{"Go Regular", "Go Bold", "Go Mono"} {
			f, err := ParseFont(b, i)
			if err != nil {
				t.Errorf("moved by %d: %v", shift, err)
				continue
			}
			o := small()
			o.Fonts.Text = []*Font{f}
			other := small()
			other.Fonts.Text = []*Font{goFonts()[[]style{text, bold, mono}[i]]}
			if f.Name() != name || !bytes.Equal(gray(t, mustNew(t, "text", Plain, o), 0).Pix, gray(t, mustNew(t, "text", Plain, other), 0).Pix) {
				t.Errorf("moved by %d: font %d is %s", shift, i, f.Name())
			}
		}
		for _, i := range []int{-1, 3} {
			if _, err := ParseFont(b, i); !errors.Is(err, ErrFont) {
				t.Errorf("font %d: %v", i, err)
			}
		}
	}
}

func FuzzParseFont(f *testing.F) {
	f.Add(goregular.TTF, 0)
	f.Add(gomono.TTF, 0)
	f.Add(collection(1, goregular.TTF, gomono.TTF), 1)
	f.Fuzz(func(t *testing.T, b []byte, index int) {
		font, err := ParseFont(b, index)
		if err != nil {
			if !errors.Is(err, ErrFont) {
				t.Fatal(err)
			}
			return
		}
		o := small()
		o.Fonts.Text = []*Font{font}
		l, err := New("AVA To fi é 中 \u0301", Plain, o)
		if err != nil {
			return
		}
		gray(t, l, 0)
	})
}
