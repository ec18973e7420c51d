package circuit

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// A checkpoint is a line of JSON, then the averaged counts of all nodes as
// little-endian float32, with those of logistic leaves the mixtures behind those of each
// node, then the CRC-32C of all that. It is for the program that
// wrote it, not for keeping.

const checkpointMagic = "burin circuit checkpoint 1"

// maxCheckpointHeader bounds the line of JSON: some 30 bytes a variable.
const maxCheckpointHeader = 1 << 26

type checkpointHeader struct {
	Format  string
	Options Options
	Vectors int // of the data, held out ones included
	Vars    int
	Cats    int
	Sum     uint32 // CRC-32C of the data
	Epoch   int
	Spent   time.Duration
	Tree    Tree
	States  []int
}

// ErrCheckpoint is the error of what is not a checkpoint, or one of another training.
var ErrCheckpoint = errors.New("circuit: not a valid checkpoint")

// sum returns the CRC-32C of the values.
func (d *Dataset) sum() uint32 {
	s := crc32.New(castagnoli)
	buf := make([]byte, 0, 1<<16)
	for i, v := range d.Values {
		if buf = binary.LittleEndian.AppendUint16(buf, v); len(buf) == cap(buf) || i == len(d.Values)-1 {
			s.Write(buf)
			buf = buf[:0]
		}
	}
	return s.Sum32()
}

// WriteTo writes a checkpoint, from which [ResumeTrainer] goes on.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	o := t.o
	o.Progress, o.Checkpoint = nil, nil
	line, err := json.Marshal(&checkpointHeader{
		checkpointMagic, o, t.data.Len(), t.data.Vars, t.data.Cats, t.data.sum(), t.epoch, t.spent, t.c.Tree, t.c.States,
	})
	if err != nil {
		return 0, err
	}
	sum := crc32.New(castagnoli)
	buffered := bufio.NewWriterSize(w, 1<<16)
	out := io.MultiWriter(buffered, sum)
	n := int64(0)
	write := func(b []byte) {
		if err == nil {
			var k int
			k, err = out.Write(b)
			n += int64(k)
		}
	}
	write(append(line, '\n'))
	var buf []byte
	for i := range t.trans {
		parts := [][]float32{t.trans[i], t.leaf[i]}
		if t.c.Logistics > 0 {
			parts = append(parts, t.c.Mix[i])
		}
		for _, p := range parts {
			buf, _ = binary.Append(buf[:0], binary.LittleEndian, p)
			write(buf)
		}
	}
	write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	if err == nil {
		err = buffered.Flush()
	}
	return n, err
}

// ResumeTrainer returns a trainer that goes on from a checkpoint, with the same data.
// Of o only the number of workers, Progress and Checkpoint count; the rest is in the
// checkpoint. Errors other than those of r wrap [ErrCheckpoint].
func ResumeTrainer(r io.Reader, d *Dataset, o *Options) (*Trainer, error) {
	if o == nil {
		o = DefaultOptions()
	}
	sum := crc32.New(castagnoli)
	buffered := bufio.NewReaderSize(r, 1<<16)
	line, err := readLine(buffered, maxCheckpointHeader)
	if err != nil {
		return nil, err
	}
	sum.Write(line)
	var h checkpointHeader
	if err := json.Unmarshal(line, &h); err != nil || h.Format != checkpointMagic {
		return nil, fmt.Errorf("%w: no header", ErrCheckpoint)
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if h.Vectors != d.Len() || h.Vars != d.Vars || h.Cats != d.Cats || h.Sum != d.sum() {
		return nil, fmt.Errorf("%w: made with other data", ErrCheckpoint)
	}
	h.Options.Workers, h.Options.Progress, h.Options.Checkpoint = o.Workers, o.Progress, o.Checkpoint
	if err := h.Tree.Validate(); err != nil || len(h.Tree.Order) != d.Vars || len(h.States) != d.Vars || h.Epoch < 0 {
		return nil, fmt.Errorf("%w: bad tree", ErrCheckpoint)
	}
	if err := h.Options.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c := &Circuit{Tree: h.Tree, Cats: d.Cats, States: h.States, Logistics: h.Options.Logistics}
	var trans, leaf [][]float32
	for i, m := range h.States {
		if m < 1 || m > MaxStates {
			return nil, fmt.Errorf("%w: %d states", ErrCheckpoint, m)
		}
		sizes := []int{c.parentStates(i) * m, m * d.Cats}
		if c.Logistics > 0 {
			sizes = append(sizes, m*logisticSize(c.Logistics))
		}
		for k, n := range sizes {
			// At most 16 MB are allocated ahead of what is read.
			buf := make([]byte, 4*n)
			if _, err := io.ReadFull(buffered, buf); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
			}
			sum.Write(buf)
			p := make([]float32, n)
			if _, err := binary.Decode(buf, binary.LittleEndian, p); err != nil {
				return nil, err
			}
			switch k {
			case 0:
				trans = append(trans, p)
				c.Trans = append(c.Trans, make([]float32, n))
			case 1:
				leaf = append(leaf, p)
				c.Leaf = append(c.Leaf, make([]float32, n))
			default:
				size := logisticSize(c.Logistics)
				for z := range m {
					if err := logisticParams(p[z*size:][:size]).validate(d.Cats); err != nil {
						return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
					}
				}
				c.Mix = append(c.Mix, p)
			}
		}
	}
	var want [4]byte
	if _, err := io.ReadFull(buffered, want[:]); err != nil || binary.LittleEndian.Uint32(want[:]) != sum.Sum32() {
		return nil, fmt.Errorf("%w: checksum mismatch", ErrCheckpoint)
	}
	t, err := newTrainer(d, &h.Options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if s := h.Options.Share; s != nil {
		c.TransOf, c.LeafOf = s.ties(&c.Tree)
		for i := range c.States {
			k, l := c.TransOf[i], c.LeafOf[i]
			if len(trans[i]) != len(trans[k]) || c.States[i] != c.States[k] || c.States[i] != c.States[l] {
				t.Close()
				return nil, fmt.Errorf("%w: shared parameters of other sizes", ErrCheckpoint)
			}
			c.Trans[i], c.Leaf[i], trans[i], leaf[i] = c.Trans[k], c.Leaf[l], trans[k], leaf[l]
			if c.Logistics > 0 {
				c.Mix[i] = c.Mix[l]
			}
		}
	}
	t.epoch, t.spent = h.Epoch, h.Spent
	t.setCircuit(c)
	t.trans, t.leaf = trans, leaf
	t.pool.Run(len(trans), func(_, i int) {
		t.maximiseBy(i, 0)
	})
	return t, nil
}

// readLine reads a line of at most limit bytes, its end included.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		case len(line) > limit:
			return nil, fmt.Errorf("%w: no header", ErrCheckpoint)
		}
	}
}
