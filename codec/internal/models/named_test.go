package models

import (
	"errors"
	"testing"

	"github.com/burin-codec/burin/codec"
)

func TestNamed(t *testing.T) {
	r := NewRegistry("test",
		func([]byte) error { return nil },
		func(file []byte, _ int64) (*model, error) {
			if len(file) == 0 {
				return nil, errors.New("empty")
			}
			return &model{string(file)}, nil
		})
	if all, err := r.All(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	r.Register([]byte("one"))
	r.Register([]byte("two"))
	if all, err := r.All(); err != nil || len(all) != 2 || all[0].file != "one" || all[1].file != "two" {
		t.Errorf("%v, %v", all, err)
	}
	two, three := &model{"two"}, &model{"three"}
	name := func(m *model) []byte { h := m.Hash(); return h[:4] }
	if m, err := r.Named(name(two), []codec.Weights{three}); err != nil || m.file != "two" {
		t.Errorf("registered %v, %v", m, err)
	}
	if m, err := r.Named(name(three), []codec.Weights{other{}, three}); err != nil || m != three {
		t.Errorf("given %v, %v", m, err)
	}
	if _, err := r.Named(name(three), nil); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("unknown: %v", err)
	}
	r.Register(nil)
	if _, err := r.All(); err == nil {
		t.Error("an unreadable model: no error")
	}
}
