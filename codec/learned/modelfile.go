package learned

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/codec/internal/numbers"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/transform/convnet"
)

// The file of a model:
//
//	"BLRM", version 1
//	the architecture in JSON, a uvarint of its length before it
//	the arrays of numbers, a uvarint of their coded length before them: of the networks
//	    in the order of Model.integers, in each the order of convnet.Integer.Numbers,
//	    then the logarithms of steps and the offsets of scales
//	the tables of scales, the priors of the anchors, as package entropy writes them
//
// Numbers are as package numbers codes them; the tables follow. The
// file's SHA-256 is the model's name.

var modelFormat = models.Format{Codec: Name, Magic: "BLRM", Version: 1}

// arrays calls f for all arrays of numbers.
func (m *Model) arrays(f func(numbers any)) {
	m.integers(func(_ string, z **convnet.Integer, _ int, _ []convnet.Op) {
		(*z).Numbers(func(_ int, _ string, _, _ int, numbers any) { f(numbers) })
	})
	f(m.logSteps)
	f(m.offsets)
}

func (m *Model) marshal() []byte {
	file := numbers.Append(modelFormat.Begin(m.config), m.arrays)
	file, err := m.tables.AppendBinary(file)
	for _, p := range m.priors {
		if err == nil {
			file, err = p.AppendBinary(file)
		}
	}
	if err != nil {
		panic(err) // tables that were made can be written
	}
	return file
}

// MarshalBinary returns the model file. The error is always nil.
func (m *Model) MarshalBinary() ([]byte, error) { return bytes.Clone(m.file), nil }

// IsModel says whether a file begins like a model's.
func IsModel(data []byte) bool { return modelFormat.Is(data) }

// readConfig reads the beginning of a model file.
func readConfig(data []byte) (c network.Config, rest []byte, err error) {
	if rest, err = modelFormat.Read(data, &c); err != nil {
		return c, nil, err
	}
	if err := c.Check(); err != nil {
		return c, nil, codec.FormatError("learned: model's architecture: " + err.Error())
	}
	return c, rest, nil
}

// ReadModel reads what MarshalBinary wrote, and burin train learned writes; data must
// hold nothing else. A model that would take more than about memory bytes is refused
// before they are allocated, with an error that wraps codec.ErrTooLarge.
func ReadModel(data []byte, memory int64) (*Model, error) {
	c, rest, err := readConfig(data)
	if err != nil {
		return nil, err
	}
	coded, rest, ok := numbers.Prefixed(rest)
	if !ok {
		return nil, codec.FormatError("learned: model is cut off")
	}
	// Two bytes for each number, and as many where they are packed for the kernels;
	// tables and priors besides.
	if need := 4*int64(c.Parameters()) + 1<<22; need > memory {
		return nil, fmt.Errorf("%w: a model of %d bytes", codec.ErrTooLarge, need)
	}
	m := &Model{config: c, file: bytes.Clone(data), hash: sha256.Sum256(data)}
	m.integers(func(_ string, z **convnet.Integer, in int, ops []convnet.Op) {
		if err == nil {
			*z, err = convnet.NewInteger(in, ops)
		}
	})
	if err != nil {
		return nil, codec.FormatError("learned: model: " + err.Error())
	}
	m.logSteps, m.offsets = make([]int32, c.Anchors*c.Latents), make([]int32, c.Anchors*c.Latents)
	if !numbers.Read(coded, m.arrays) {
		return nil, codec.FormatError("learned: model: the numbers are damaged")
	}
	for _, v := range m.logSteps {
		if v < minLogStep || v > maxLogStep {
			return nil, codec.FormatError("learned: model: a step is out of range")
		}
	}
	for _, v := range m.offsets {
		if v < -1<<20 || v > 1<<20 {
			return nil, codec.FormatError("learned: model: an offset is out of range")
		}
	}
	m.integers(func(name string, z **convnet.Integer, _ int, _ []convnet.Op) {
		if err == nil {
			if err = (*z).Prepare(); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
	})
	if err == nil {
		m.tables, rest, err = entropy.ReadTables(rest)
	}
	for range c.Anchors {
		if err == nil {
			var p *entropy.FactorisedPrior
			if p, rest, err = entropy.ReadFactorisedPrior(rest); err == nil && p.Channels() != c.Hyper {
				err = fmt.Errorf("a prior of %d channels", p.Channels())
			}
			m.priors = append(m.priors, p)
		}
	}
	if err == nil && (m.tables.Len() != scaleLevels || len(rest) != 0) {
		err = fmt.Errorf("%d tables, %d bytes too many", m.tables.Len(), len(rest))
	}
	if err != nil {
		return nil, codec.FormatError("learned: model: " + err.Error())
	}
	m.prepareCosts()
	return m, nil
}
