package models

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

type model struct{ file string }

func (m *model) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(m.file)) }

type other struct{}

func (other) Hash() (h [sha256.Size]byte) { return h }

func TestRegistry(t *testing.T) {
	reads := 0
	r := NewRegistry("test",
		func(file []byte) error {
			if len(file) == 0 {
				return errors.New("empty")
			}
			return nil
		},
		func(file []byte, _ int64) (*model, error) { reads++; return &model{string(file)}, nil })
	var ue codec.UnsupportedError
	if _, err := r.Default(); !errors.As(err, &ue) {
		t.Errorf("no model: %v", err)
	}
	r.Register([]byte("one"))
	r.Register([]byte("two"))
	if reads != 0 {
		t.Error("a model was read before it was needed")
	}
	if m, err := r.For(nil); err != nil || m.file != "one" {
		t.Errorf("default %v, %v", m, err)
	}
	two, three := &model{"two"}, &model{"three"}
	if m, err := r.Of(IDOf(two.Hash()), nil); err != nil || m.file != "two" {
		t.Errorf("registered %v, %v", m, err)
	}
	if m, err := r.Of(IDOf(three.Hash()), []codec.Weights{other{}, three}); err != nil || m != three {
		t.Errorf("given %v, %v", m, err)
	}
	if _, err := r.Of(IDOf(three.Hash()), nil); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("unknown: %v", err)
	}
	var oe codec.OptionError
	for _, w := range [][]codec.Weights{{three, three}, {other{}}} {
		if _, err := r.For(w); !errors.As(err, &oe) {
			t.Errorf("%v: %v", w, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an empty file was registered")
		}
	}()
	r.Register(nil)
}

func TestFormat(t *testing.T) {
	f := Format{Codec: "test", Magic: "TEST", Version: 1}
	type header struct{ A, B int }
	file := append(f.Begin(header{3, 4}), "rest"...)
	var h header
	if rest, err := f.Read(file, &h); err != nil || string(rest) != "rest" || h != (header{3, 4}) || !f.Is(file) {
		t.Errorf("%v, %q, %v", h, rest, err)
	}
	var fe codec.FormatError
	for _, bad := range [][]byte{nil, file[:4], file[:5], file[:9], []byte("TESS\x01\x02{}"), []byte("TEST\x01\x02[]"), f.Begin(strings.Repeat(" ", 5000))} {
		if _, err := f.Read(bad, &h); !errors.As(err, &fe) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	var ue codec.UnsupportedError
	if _, err := f.Read([]byte("TEST\x02\x02{}"), &h); !errors.As(err, &ue) {
		t.Errorf("version 2: %v", err)
	}
}
