package codec

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestConcealedSections reads sections of which some are damaged, with and without
// concealment.
func TestConcealedSections(t *testing.T) {
	var file bytes.Buffer
	w := &SectionWriter{w: &file, known: []string{"HEAD", "PART"}}
	starts := map[string]int64{}
	for _, p := range []struct {
		kind, payload string
		mandatory     bool
	}{{"HEAD", "head", true}, {"PART", "one", false}, {"PART", "two", false}, {"PART", "three", false}} {
		starts[p.payload] = w.Written()
		if err := w.Write(p.kind, p.mandatory, []byte(p.payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.write(kindEnd, true, nil); err != nil {
		t.Fatal(err)
	}
	read := func(b []byte, conceal bool) (string, error) {
		r := &SectionReader{s: &sumReader{r: bytes.NewReader(b)}, limit: 1 << 20, known: w.known, conceal: conceal}
		var got []string
		for {
			_, payload, err := r.Next()
			if err == io.EOF {
				return strings.Join(got, " "), nil
			}
			if err != nil {
				return strings.Join(got, " "), err
			}
			got = append(got, string(payload))
		}
	}
	damaged := func(payload string) []byte {
		b := bytes.Clone(file.Bytes())
		b[starts[payload]+5] ^= 1 // after the kind and the length
		return b
	}
	if got, err := read(damaged("two"), false); !errors.Is(err, ErrChecksum) || got != "head one" {
		t.Errorf("not concealed: %q, %v", got, err)
	}
	if got, err := read(damaged("two"), true); err != nil || got != "head one three" {
		t.Errorf("concealed: %q, %v", got, err)
	}
	if got, err := read(damaged("head"), true); !errors.Is(err, ErrChecksum) {
		t.Errorf("a mandatory section: %q, %v", got, err)
	}
	cut := file.Bytes()[:starts["three"]+7]
	if got, err := read(cut, false); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %q, %v", got, err)
	}
	if got, err := read(cut, true); err != nil || got != "head one two" {
		t.Errorf("cut off, concealed: %q, %v", got, err)
	}
}

// TestPacketsAreRefused asks for packets of a codec that has none.
func TestPacketsAreRefused(t *testing.T) {
	o := DefaultOptions()
	var ue UnsupportedError
	for _, name := range []string{"", "raw"} {
		o.Codec, o.Packets = name, 2
		if _, err := NewEncoder(nil, o); !errors.As(err, &ue) {
			t.Errorf("codec %q: %v", name, err)
		}
		o.Packets = 1
		if _, err := NewEncoder(nil, o); err != nil {
			t.Errorf("codec %q with one packet: %v", name, err)
		}
	}
	var oe OptionError
	for _, n := range []int{-1, MaxPackets + 1} {
		o.Packets = n
		if _, err := NewEncoder(nil, o); !errors.As(err, &oe) {
			t.Errorf("%d packets: %v", n, err)
		}
	}
}
