package learned

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/codec/internal/numbers"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/transform/convnet"
)

// The file of a model:
//
//	"BLRM", version 2
//	the architecture and, as "worths", Model.worths in JSON, a uvarint of its length before it
//	the arrays of numbers, a uvarint of their coded length before them: of the networks
//	    in the order of Model.integers, in each the order of convnet.Integer.Numbers,
//	    then the logarithms of steps and the offsets of scales
//	the tables of scales, the priors of the anchors, as package entropy writes them
//
// Numbers are as package numbers codes them; the tables follow. The
// file's SHA-256 is the model's name.
//
// The file of several models that were joined:
//
//	"BLRJ", version 1
//	the last rate of each, of 0..4096, in JSON: {"last":[1434,4096]}, a uvarint of its length
//	    before it
//	the files of the models, a uvarint of its length before each

var (
	modelFormat = models.Format{Codec: Name, Magic: "BLRM", Version: 2}
	joinFormat  = models.Format{Codec: Name, Magic: "BLRJ", Version: 1}
)

// joined is the header of models that were joined.
type joined struct {
	Last []int `json:"last"`
}

func (j *joined) check() error {
	before := -1
	for _, r := range j.Last {
		if r <= before {
			return codec.FormatError("learned: models' rates do not rise")
		}
		before = r
	}
	if len(j.Last) < 2 || len(j.Last) > maxParts || before != convnet.RateUnit {
		return codec.FormatError("learned: models' rates do not cover the range")
	}
	return nil
}

func (m *Model) marshalParts() []byte {
	var j joined
	for _, p := range m.parts {
		j.Last = append(j.Last, p.last)
	}
	file := joinFormat.Begin(j)
	for _, p := range m.parts {
		file = append(binary.AppendUvarint(file, uint64(len(p.file))), p.file...)
	}
	return file
}

// readParts reads what marshalParts wrote, but the models only as far as their architectures.
func readParts(data []byte, memory int64) (*Model, error) {
	var j joined
	rest, err := joinFormat.Read(data, &j)
	if err == nil {
		err = j.check()
	}
	if err != nil {
		return nil, err
	}
	m := &Model{file: bytes.Clone(data), hash: sha256.Sum256(data)}
	rest = m.file[len(data)-len(rest):]
	need := int64(len(data))
	for _, last := range j.Last {
		file, after, ok := numbers.Prefixed(rest)
		if !ok {
			return nil, codec.FormatError("learned: models are cut off")
		}
		h, _, err := readHeader(file)
		if err != nil {
			return nil, err
		}
		if need += modelMemory(h.Config); need > memory {
			return nil, fmt.Errorf("%w: models of %d bytes", codec.ErrTooLarge, need)
		}
		m.parts = append(m.parts, part{last, file, sync.OnceValues(func() (*Model, error) { return readSingle(file, memory) })})
		rest = after
	}
	if len(rest) > 0 {
		return nil, codec.FormatError(fmt.Sprintf("learned: %d bytes after the models", len(rest)))
	}
	return m, nil
}

// modelMemory is about what a model takes: two bytes for each number, and as many where they
// are packed for the kernels; tables and priors besides.
func modelMemory(c network.Config) int64 { return 4*int64(c.Parameters()) + 1<<22 }

// modelHeader is the header of a model of one set of networks.
type modelHeader struct {
	network.Config
	Worths []int `json:"worths,omitempty"`
}

// arrays calls f for all arrays of numbers.
func (m *Model) arrays(f func(numbers any)) {
	m.integers(func(_ string, z **convnet.Integer, _ int, _ []convnet.Op) {
		(*z).Numbers(func(_ int, _ string, _, _ int, numbers any) { f(numbers) })
	})
	f(m.logSteps)
	f(m.offsets)
}

func (m *Model) marshal() []byte {
	file := numbers.Append(modelFormat.Begin(modelHeader{m.config, m.worths}), m.arrays)
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
func IsModel(data []byte) bool { return modelFormat.Is(data) || joinFormat.Is(data) }

// checkBegin checks the beginning of a model file.
func checkBegin(data []byte) error {
	if joinFormat.Is(data) {
		var j joined
		if _, err := joinFormat.Read(data, &j); err != nil {
			return err
		}
		return j.check()
	}
	_, _, err := readHeader(data)
	return err
}

// readHeader reads the beginning of a model file.
func readHeader(data []byte) (h modelHeader, rest []byte, err error) {
	if rest, err = modelFormat.Read(data, &h); err != nil {
		return h, nil, err
	}
	if err := h.Check(); err != nil {
		return h, nil, codec.FormatError("learned: model's architecture: " + err.Error())
	}
	if h.Worths != nil && len(h.Worths) != h.Anchors {
		return h, nil, codec.FormatError(fmt.Sprintf("learned: model: %d worths for %d anchors", len(h.Worths), h.Anchors))
	}
	for _, w := range h.Worths {
		if w < 0 || w > maxWorth {
			return h, nil, codec.FormatError(fmt.Sprintf("learned: model: a worth of %d", w))
		}
	}
	return h, rest, nil
}

// maxWorth bounds the worths of steps.
const maxWorth = 1 << 20

// ReadModel reads what MarshalBinary wrote, and burin train learned writes; data must
// hold nothing else. A model that would take more than about memory bytes is refused
// before they are allocated, with an error that wraps codec.ErrTooLarge.
func ReadModel(data []byte, memory int64) (*Model, error) {
	if joinFormat.Is(data) {
		return readParts(data, memory)
	}
	m, err := readSingle(data, memory)
	if err != nil {
		return nil, err
	}
	m.file = bytes.Clone(data)
	return m, nil
}

// readSingle reads a model that was not joined, all but file.
func readSingle(data []byte, memory int64) (*Model, error) {
	h, rest, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	coded, rest, ok := numbers.Prefixed(rest)
	if !ok {
		return nil, codec.FormatError("learned: model is cut off")
	}
	c := h.Config
	m := &Model{config: c, worths: h.Worths, hash: sha256.Sum256(data)}
	if need := modelMemory(c); need > memory {
		return nil, fmt.Errorf("%w: a model of %d bytes", codec.ErrTooLarge, need)
	}
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
