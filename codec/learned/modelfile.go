package learned

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
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
// Numbers are coded by an adaptive binary coder: the number of bits of the magnitude in
// unary, the first two bits below the leading one and the sign, with statistics of
// their own for each array and each number of bits; the lower bits as they are. The
// file's SHA-256 is the model's name.

const (
	modelMagic   = "BLRM"
	modelVersion = 1
	maxConfig    = 4096 // bytes of JSON
)

// numberModel is the statistics of an array.
type numberModel struct {
	length [33]arith.AdaptiveBit
	upper  [33][4]arith.AdaptiveBit
}

func (n *numberModel) encode(e *arith.BinaryEncoder, v int32) {
	bit := func(a *arith.AdaptiveBit, b int) { e.Encode(b, a.P()); a.Update(b) }
	m := uint32(max(v, -v))
	length := bits.Len32(m)
	for i := range length {
		bit(&n.length[i], 1)
	}
	bit(&n.length[length], 0)
	if length == 0 {
		return
	}
	e.EncodeBits(uint32(v)>>31, 1)
	at := 1
	for i := length - 2; i >= 0; i-- {
		b := int(m >> i & 1)
		if at >= 4 {
			e.EncodeBits(uint32(b), 1)
			continue
		}
		bit(&n.upper[length][at], b)
		at = 2*at + b
	}
}

func (n *numberModel) decode(d *arith.BinaryDecoder) (int32, bool) {
	bit := func(a *arith.AdaptiveBit) int { b := d.Decode(a.P()); a.Update(b); return b }
	length := 0
	for bit(&n.length[length]) == 1 {
		if length++; length == 32 {
			return 0, false
		}
	}
	if length == 0 {
		return 0, true
	}
	negative := d.DecodeBits(1) == 1
	m := int32(1)
	at := 1
	for range length - 1 {
		var b int
		if at >= 4 {
			b = int(d.DecodeBits(1))
		} else {
			b = bit(&n.upper[length][at])
			at = 2*at + b
		}
		m = 2*m + int32(b)
	}
	if negative {
		m = -m
	}
	return m, true
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
	config, err := json.Marshal(m.config)
	if err != nil {
		panic(err) // numbers only
	}
	file := append([]byte(modelMagic), modelVersion)
	file = binary.AppendUvarint(file, uint64(len(config)))
	file = append(file, config...)
	e := arith.NewBinaryEncoder(nil)
	m.arrays(func(numbers any) {
		var n numberModel
		switch a := numbers.(type) {
		case []int16:
			for _, v := range a {
				n.encode(e, int32(v))
			}
		case []int32:
			for _, v := range a {
				n.encode(e, v)
			}
		}
	})
	coded := e.Finish()
	file = binary.AppendUvarint(file, uint64(len(coded)))
	file = append(file, coded...)
	file, err = m.tables.AppendBinary(file)
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
func IsModel(data []byte) bool {
	return len(data) > len(modelMagic) && string(data[:len(modelMagic)]) == modelMagic
}

// readConfig reads the beginning of a model file.
func readConfig(data []byte) (c network.Config, rest []byte, err error) {
	if !IsModel(data) {
		return c, nil, codec.FormatError("learned: not a model of the learned codec")
	}
	if v := data[len(modelMagic)]; v != modelVersion {
		return c, nil, codec.UnsupportedError(fmt.Sprintf("learned: version %d of model files", v))
	}
	text, rest, ok := lengthPrefixed(data[len(modelMagic)+1:])
	if !ok || len(text) > maxConfig {
		return c, nil, codec.FormatError("learned: model without an architecture")
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, nil, codec.FormatError("learned: model's architecture: " + err.Error())
	}
	if err := c.Check(); err != nil {
		return c, nil, codec.FormatError("learned: model's architecture: " + err.Error())
	}
	return c, rest, nil
}

func lengthPrefixed(b []byte) (part, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}

// ReadModel reads what MarshalBinary wrote, and burin train learned writes; data must
// hold nothing else. A model that would take more than about memory bytes is refused
// before they are allocated, with an error that wraps codec.ErrTooLarge.
func ReadModel(data []byte, memory int64) (*Model, error) {
	c, rest, err := readConfig(data)
	if err != nil {
		return nil, err
	}
	coded, rest, ok := lengthPrefixed(rest)
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
	d := arith.NewBinaryDecoder(coded)
	sound := true
	m.arrays(func(numbers any) {
		var n numberModel
		each := func(count int, set func(i int, v int32) bool) {
			for i := 0; i < count && sound; i++ {
				v, ok := n.decode(d)
				sound = ok && set(i, v)
				if i%1024 == 0 && d.Err() != nil {
					sound = false
				}
			}
		}
		switch a := numbers.(type) {
		case []int16:
			each(len(a), func(i int, v int32) bool { a[i] = int16(v); return int32(a[i]) == v })
		case []int32:
			each(len(a), func(i int, v int32) bool { a[i] = v; return true })
		}
	})
	if !sound || d.Err() != nil {
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
