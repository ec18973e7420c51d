package vector

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/codec/internal/numbers"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
)

// The file of a model:
//
//	"BVQM", version 2
//	the header in JSON, a uvarint of its length before it: see headerJSON
//	the arrays of numbers, as package numbers codes them: of the networks in the order of
//	    Model.integers, in each the order of convnet.Integer.Numbers; the words of the
//	    codebooks, [words][dim], in the order of their trees; the tables
//
// The file's SHA-256 is the model's name.

var modelFormat = models.Format{Codec: Name, Magic: "BVQM", Version: 2}

type headerJSON struct {
	Config    network.Config          `json:"config"`
	LowEnergy [network.Levels]int32   `json:"low_energy"`
	Unit      [network.Levels]float64 `json:"unit"`
	Weight    float64                 `json:"weight"`
}

// arrays calls f for all arrays of numbers.
func (m *Model) arrays(f func(array any)) {
	m.integers(func(_ string, z **convnet.Integer, _ int, _ []convnet.Op) {
		(*z).Numbers(func(_ int, _ string, _, _ int, numbers any) { f(numbers) })
	})
	for _, b := range m.books {
		f(b.words)
	}
	m.tables.arrays(f)
}

func (m *Model) marshal() []byte {
	return numbers.Append(modelFormat.Begin(headerJSON{m.config, m.lowEnergy, m.unit, m.weight}), m.arrays)
}

// MarshalBinary returns the model file. The error is always nil.
func (m *Model) MarshalBinary() ([]byte, error) { return bytes.Clone(m.file), nil }

// IsModel says whether a file begins like a model's.
func IsModel(data []byte) bool { return modelFormat.Is(data) }

// readHeader reads the beginning of a model file.
func readHeader(data []byte) (h header, rest []byte, err error) {
	var j headerJSON
	if rest, err = modelFormat.Read(data, &j); err != nil {
		return h, nil, err
	}
	if err := j.Config.Check(); err != nil {
		return h, nil, codec.FormatError("vector: model's architecture: " + err.Error())
	}
	sound := j.Weight > 0 && j.Weight < 1e6
	for l := range network.Levels {
		sound = sound && j.Unit[l] > 0 && j.Unit[l] < 1e6 && j.LowEnergy[l] > -1<<20 && j.LowEnergy[l] < 1<<20
	}
	if !sound {
		return h, nil, codec.FormatError("vector: model's header is out of range")
	}
	return header{j.Config, j.LowEnergy, j.Unit, j.Weight}, rest, nil
}

// memoryOf returns about how many bytes a model takes.
func memoryOf(c network.Config) int64 {
	tables := int64(0)
	for _, level := range c.Levels {
		tables += int64(level.Stages) * int64(c.Anchors) * classes * (topNodes + neighbourKinds)
	}
	// Two bytes for each number, and as many where they are packed for the kernels or
	// in nested books.
	return 4*(int64(c.Numbers())+tables) + 1<<20
}

// ReadModel reads what MarshalBinary wrote; data must hold nothing else. A model that
// would take more than about memory bytes is refused before they are allocated, with an
// error that wraps codec.ErrTooLarge.
func ReadModel(data []byte, memory int64) (*Model, error) {
	h, rest, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	coded, rest, ok := numbers.Prefixed(rest)
	if !ok || len(rest) != 0 {
		return nil, codec.FormatError("vector: model is cut off, or goes on")
	}
	if need := memoryOf(h.config); need > memory {
		return nil, fmt.Errorf("%w: a model of %d bytes", codec.ErrTooLarge, need)
	}
	m := &Model{header: h, books: newBooks(h.config), tables: newTables(h.config), file: bytes.Clone(data), hash: sha256.Sum256(data)}
	m.integers(func(_ string, z **convnet.Integer, in int, ops []convnet.Op) {
		if err == nil {
			*z, err = convnet.NewInteger(in, ops)
		}
	})
	if err != nil {
		return nil, codec.FormatError("vector: model: " + err.Error())
	}
	if !numbers.Read(coded, m.arrays) || !m.tables.sound() {
		return nil, codec.FormatError("vector: model: the numbers are damaged")
	}
	m.integers(func(name string, z **convnet.Integer, _ int, _ []convnet.Op) {
		if err == nil {
			if err = (*z).Prepare(); err != nil {
				err = codec.FormatError(fmt.Sprintf("vector: model: %s: %v", name, err))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	m.nest()
	return m, nil
}
