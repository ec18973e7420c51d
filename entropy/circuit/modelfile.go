package circuit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/burin-codec/burin/arith"
)

// The file of a model:
//
//	"BHCT", version: 1, 2 for logistic leaves, or 3 for shared parameters
//	header (arith.HeaderWriter): Exp-Golomb codes of order 8 of vars-1 and cats-2;
//	    in version 2 the number of logistics - 1 (bounded by MaxLogistics-1), in version
//	    3 the number, 0 for tables (bounded by MaxLogistics);
//	    for each position the variable (bounded by vars-1), how many steps up from
//	    the position before its parent is (Exp-Golomb of order 0; not for the
//	    root), and whether the number of states differs from that of the parent's
//	    (16 at the root), then that number - 1 (bounded by MaxStates-1), and in version 3
//	    which of the matrices of transitions so far it has, or their number for a new
//	    one (bounded by that), and the same for leaves
//	codes (arith.BinaryEncoder): for each position those of the transitions and those
//	    of the leaves, if they are new, row by row: codes of probabilities, or of mixtures
//	CRC-32C of all that, little-endian
//
// See codeModel in modelcodes.go for how codes are coded, and mixModel in mixcodes.go
// for those of mixtures.

const (
	modelMagic    = "BHCT"
	modelVersion  = 1
	mixVersion    = 2 // logistic leaves
	shareVersion  = 3 // shared parameters
	usualStates   = 16
	modelOverhead = len(modelMagic) + 1 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// marshal returns the file of a model. If weight is not nil, codes are changed where
// that saves more bits in the file than it costs in pictures; see codeChoice.
func (q *codes) marshal(weight *codeWeights) []byte {
	var buf bytes.Buffer
	buf.WriteString(modelMagic)
	version := byte(modelVersion)
	switch {
	case q.transOf != nil:
		version = shareVersion
	case q.logistics > 0:
		version = mixVersion
	}
	buf.WriteByte(version)
	w := arith.NewHeaderWriter(&buf)
	vars := len(q.states)
	w.ExpGolomb(uint64(vars-1), 8)
	w.ExpGolomb(uint64(q.cats-2), 8)
	switch version {
	case mixVersion:
		w.Bounded(uint64(q.logistics-1), MaxLogistics-1)
	case shareVersion:
		w.Bounded(uint64(q.logistics), MaxLogistics)
	}
	var trans, leaf []int // positions of the first that have them
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
		if version == shareVersion {
			trans = writeTie(w, trans, q.transOf[i], i)
			leaf = writeTie(w, leaf, q.leafOf[i], i)
		}
	}
	if err := w.Close(); err != nil {
		panic(err) // a bytes.Buffer takes everything, and the numbers are valid
	}
	e := arith.NewBinaryEncoder(buf.Bytes())
	q.code(codeEncoder{e}, weight, func() error { return nil })
	out := e.Finish()
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// writeTie writes which of the matrices, whose first positions are in firsts, position
// i has, and returns firsts with i if that is a new one.
func writeTie(w *arith.HeaderWriter, firsts []int, first, i int) []int {
	at, _ := slices.BinarySearch(firsts, first)
	w.Bounded(uint64(at), uint64(len(firsts)))
	if first == i {
		firsts = append(firsts, i)
	}
	return firsts
}

// readTie is the inverse of writeTie.
func readTie(r *arith.HeaderReader, firsts []int, i int) (all []int, first int) {
	if at := int(r.Bounded(uint64(len(firsts)))); at < len(firsts) {
		return firsts, firsts[at]
	}
	return append(firsts, i), i
}

// ReadModel reads what [Model.MarshalBinary] wrote; data must hold nothing else. A
// model that would take more than about memory bytes is refused, with an error that
// wraps [ErrTooLarge], before they are allocated. Other errors wrap [ErrModel] or
// [ErrVersion].
func ReadModel(data []byte, memory int64) (*Model, error) {
	if len(data) < modelOverhead || string(data[:len(modelMagic)]) != modelMagic {
		return nil, fmt.Errorf("%w: no model file", ErrModel)
	}
	version := data[len(modelMagic)]
	if version < modelVersion || version > shareVersion {
		return nil, fmt.Errorf("%w: %d", ErrVersion, version)
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
	switch version {
	case mixVersion:
		q.logistics = int(r.Bounded(MaxLogistics-1)) + 1
	case shareVersion:
		q.logistics = int(r.Bounded(MaxLogistics))
	}
	var trans, leaf []int
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
		if version == shareVersion {
			var k, l int
			trans, k = readTie(r, trans, i)
			leaf, l = readTie(r, leaf, i)
			above := func(i int) int {
				if i == 0 {
					return 1
				}
				return q.states[q.tree.Parent[i]]
			}
			if usual != q.states[k] || usual != q.states[l] || above(i) != above(k) {
				return nil, fmt.Errorf("%w: shared parameters of another size at position %d", ErrModel, i)
			}
			q.transOf, q.leafOf = append(q.transOf, k), append(q.leafOf, l)
		}
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
		if q.logistics > 0 {
			q.mix = append(q.mix, make([]uint16, states*logisticSize(q.logistics)))
		} else {
			q.leaf = append(q.leaf, make([]uint8, states*q.cats))
		}
	}
	q.tie()
	if err := q.code(codeDecoder{d}, nil, d.Err); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	m := &Model{file: append([]byte(nil), data...), hash: sha256.Sum256(data)}
	m.prepare(q)
	return m, nil
}
