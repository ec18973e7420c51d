package circuit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/burin-codec/burin/arith"
)

// The file of a model:
//
//	"BHCT", version 1
//	header (arith.HeaderWriter): Exp-Golomb codes of order 8 of vars-1 and cats-2;
//	    for each position the variable (bounded by vars-1), how many steps up from
//	    the position before its parent is (Exp-Golomb of order 0; not for the
//	    root), and whether the number of states differs from that of the parent's
//	    (16 at the root), then that number - 1 (bounded by MaxStates-1)
//	codes (arith.BinaryEncoder): for each position those of the transitions and those
//	    of the leaves, row by row
//	CRC-32C of all that, little-endian
//
// See codeModel for how codes are coded.

const (
	modelMagic    = "BHCT"
	modelVersion  = 1
	usualStates   = 16
	modelOverhead = len(modelMagic) + 1 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// marshal returns the file of a model.
func (q *codes) marshal() []byte {
	var buf bytes.Buffer
	buf.WriteString(modelMagic)
	buf.WriteByte(modelVersion)
	w := arith.NewHeaderWriter(&buf)
	vars := len(q.states)
	w.ExpGolomb(uint64(vars-1), 8)
	w.ExpGolomb(uint64(q.cats-2), 8)
	for i, states := range q.states {
		w.Bounded(uint64(q.tree.Order[i]), uint64(vars-1))
		usual := usualStates
		if i > 0 {
			up := 0
			for p := i - 1; p != q.tree.Parent[i]; p = q.tree.Parent[p] {
				up++
			}
			w.ExpGolomb(uint64(up), 0)
			usual = q.states[q.tree.Parent[i]]
		}
		w.Bool(states != usual)
		if states != usual {
			w.Bounded(uint64(states-1), MaxStates-1)
		}
	}
	if err := w.Close(); err != nil {
		panic(err) // a bytes.Buffer takes everything, and the numbers are valid
	}
	e := arith.NewBinaryEncoder(buf.Bytes())
	q.code(codeEncoder{e}, func() error { return nil })
	out := e.Finish()
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// ReadModel reads what [Model.MarshalBinary] wrote; data must hold nothing else. A
// model that would take more than about memory bytes is refused, with an error that
// wraps [ErrTooLarge], before they are allocated. Other errors wrap [ErrModel] or
// [ErrVersion].
func ReadModel(data []byte, memory int64) (*Model, error) {
	if len(data) < modelOverhead || string(data[:len(modelMagic)]) != modelMagic {
		return nil, fmt.Errorf("%w: no model file", ErrModel)
	}
	if v := data[len(modelMagic)]; v != modelVersion {
		return nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[len(body):]) {
		return nil, fmt.Errorf("%w: checksum mismatch", ErrModel)
	}
	from := bytes.NewReader(body[len(modelMagic)+1:])
	r := arith.NewHeaderReader(from)
	q := new(codes)
	vars := int(r.ExpGolomb(8, MaxVars-1)) + 1
	q.cats = int(r.ExpGolomb(8, MaxCats-2)) + 2
	for i := 0; i < vars && r.Err() == nil; i++ {
		variable := int(r.Bounded(uint64(vars - 1)))
		parent, usual := -1, usualStates
		if i > 0 {
			up := r.ExpGolomb(0, uint64(i-1))
			for parent = i - 1; up > 0 && parent >= 0; up-- {
				parent = q.tree.Parent[parent]
			}
			if parent < 0 {
				return nil, fmt.Errorf("%w: no parent at position %d", ErrModel, i)
			}
			usual = q.states[parent]
		}
		if r.Bool() {
			usual = int(r.Bounded(MaxStates-1)) + 1
		}
		q.tree.Order = append(q.tree.Order, variable)
		q.tree.Parent = append(q.tree.Parent, parent)
		q.states = append(q.states, usual)
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if err := q.tree.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if err := q.check(memory); err != nil {
		return nil, err
	}
	d := arith.NewBinaryDecoder(body[len(body)-from.Len():])
	for i, states := range q.states {
		parents := 1
		if i > 0 {
			parents = q.states[q.tree.Parent[i]]
		}
		q.trans = append(q.trans, make([]uint8, parents*states))
		q.leaf = append(q.leaf, make([]uint8, states*q.cats))
	}
	if err := q.code(codeDecoder{d}, d.Err); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	m := &Model{file: append([]byte(nil), data...), hash: sha256.Sum256(data)}
	m.prepare(q)
	return m, nil
}

// A bitCoder codes a bit with a probability of P(1) in 1/65536, 1..65535, and returns
// it: the one it was given when encoding, the one it read when decoding. So one
// function serves both.
type bitCoder interface {
	bit(b int, p uint32) int
}

type codeEncoder struct{ *arith.BinaryEncoder }

func (e codeEncoder) bit(b int, p uint32) int { e.Encode(b, p); return b }

type codeDecoder struct{ *arith.BinaryDecoder }

func (d codeDecoder) bit(_ int, p uint32) int { return d.Decode(p) }

// code codes all codes, in place. After each node it calls check and stops if that
// returns an error.
func (q *codes) code(c bitCoder, check func() error) error {
	trans, leaf := new(codeModel), new(codeModel)
	for i, states := range q.states {
		trans.matrix(c, q.trans[i], states)
		leaf.matrix(c, q.leaf[i], q.cats)
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// A codeModel codes the codes of matrices. Every code is predicted from the one to
// its left and the one above, and the difference coded by its sign and magnitude,
// with adaptive probabilities that depend on how far those two are apart.
type codeModel struct {
	zero, sign, equal [codeContexts]arith.AdaptiveBit
	longer            [codeContexts][9]arith.AdaptiveBit
	bits              [codeContexts][9]arith.AdaptiveBit
}

const codeContexts = 12

// matrix codes a matrix whose rows have so many columns.
func (m *codeModel) matrix(c bitCoder, p []uint8, cols int) {
	for k := range p {
		left, above := 32, 32
		if k%cols > 0 {
			left = int(p[k-1])
		}
		if k >= cols {
			above = int(p[k-cols])
		}
		p[k] = uint8(m.one(c, int(p[k]), left, above))
	}
}

// one codes v, near left and above.
func (m *codeModel) one(c bitCoder, v, left, above int) int {
	bit := func(a *arith.AdaptiveBit, b bool) bool {
		n := 0
		if b {
			n = 1
		}
		n = c.bit(n, a.P())
		a.Update(n)
		return n == 1
	}
	apart := max(left-above, above-left)
	ctx := 0
	for apart > 0 && ctx < codeContexts-1 {
		ctx++
		apart = apart * 2 / 3
	}
	predicted := (left + above) / 2
	if !bit(&m.zero[ctx], v != predicted) {
		return predicted
	}
	up := predicted == 0
	if predicted > 0 && predicted < 255 {
		up = bit(&m.sign[ctx], v > predicted)
	}
	n := v - predicted // at least 1
	if !up {
		n = -n
	}
	length := 0
	for ; length < 7 && bit(&m.longer[ctx][length], n>>(length+1) != 0); length++ {
	}
	r := 1
	for i := length - 1; i >= 0; i-- {
		b := 0
		if i == length-1 {
			if bit(&m.bits[ctx][length], n>>i&1 == 1) {
				b = 1
			}
		} else {
			b = c.bit(n>>i&1, 1<<15)
		}
		r = r<<1 | b
	}
	if up {
		return min(predicted+r, 255)
	}
	return max(predicted-r, 0)
}
