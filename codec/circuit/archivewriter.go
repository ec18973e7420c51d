package circuit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"runtime"
	"strings"

	"github.com/burin-codec/burin/codec"
)

// An archive is a burin file whose header describes each of the pictures, with the
// sections
//
//	ARCV  pictures in a block (uvarint), kind of collection (1 byte, see
//	      Collection), its name (the rest)
//	MODL  the model, as in a file of one picture
//	BLCK  for each block, pictures in it (uvarint) and their stream; all but the last
//	      have as many as ARCV says
//	NAME  names of the pictures, if they have any
//	INDX  where the blocks are, see appendIndex
//
// all mandatory but the last.

// A Collection says what an archive was made of.
type Collection uint8

const (
	// Pictures are separate pictures, with or without names.
	Pictures Collection = iota
	// IDX is a file of pictures as MNIST has them, which becomes one file again.
	IDX
)

const (
	// DefaultBlock is how many pictures a block holds by default, or fewer if coding
	// them would take more than about 256 MiB.
	DefaultBlock = 64
	// MaxBlock is the most that it may hold.
	MaxBlock = 1 << 12

	defaultCoderMemory = 1 << 28
)

// ArchiveOptions control an ArchiveWriter. The zero value is what nil means.
type ArchiveOptions struct {
	// Block is how many pictures a block holds, 1 to MaxBlock. 0 means DefaultBlock.
	// A block costs some 15 bytes, and reading any of its pictures decodes all.
	Block int

	// Embed puts the model into the archive, which otherwise holds its hash.
	Embed bool

	// Collection says what the pictures are, and CollectionName what it was called:
	// the base name of a file or a folder, or nothing.
	Collection     Collection
	CollectionName string

	// Metadata is stored beside the pictures, and Orientation, 1 to 8, holds for all of
	// them. 0 means 1.
	Metadata    *codec.Metadata
	Orientation int

	// Workers is how many goroutines may work at once. 0 means GOMAXPROCS. The
	// archive is the same for any number.
	Workers int
}

// An ArchiveWriter writes an archive. It holds the blocks under way, not the archive.
type ArchiveWriter struct {
	m       *Model
	w       *codec.SectionWriter
	o       ArchiveOptions
	pending [][]uint16 // at most Block*Workers vectors
	coders  chan *blockCoder
	names   []string
	seen    map[string]bool
	first   int64 // offset of the first block
	sizes   []int // of the payloads of the blocks
	count   int
	err     error
	closed  bool
}

// NewArchiveWriter begins an archive of pictures coded with a model. Nothing of w is
// buffered between blocks.
func NewArchiveWriter(w io.Writer, m *Model, o *ArchiveOptions) (*ArchiveWriter, error) {
	a := &ArchiveWriter{m: m, seen: make(map[string]bool)}
	if o != nil {
		a.o = *o
	}
	if err := a.resolve(); err != nil {
		return nil, err
	}
	h := &codec.Header{Width: m.width, Height: m.height, Model: codec.ModelNRGBA, Depth: 8, Opaque: m.channels == 3, Orientation: a.o.Orientation, Codec: Name}
	if m.channels == 1 {
		h.Model = codec.ModelGray
	}
	var err error
	if a.w, err = codec.NewSectionWriter(w, h, a.o.Metadata); err != nil {
		return nil, err
	}
	head := binary.AppendUvarint(nil, uint64(a.o.Block))
	head = append(append(head, byte(a.o.Collection)), a.o.CollectionName...)
	if err := a.w.Write(kindArchive, true, head); err != nil {
		return nil, err
	}
	if err := a.w.Write(kindModel, true, modelSection(m, a.o.Embed)); err != nil {
		return nil, err
	}
	a.first = a.w.Written()
	a.coders = make(chan *blockCoder, a.o.Workers)
	return a, nil
}

func (a *ArchiveWriter) resolve() error {
	o := &a.o
	if o.Block == 0 {
		o.Block = DefaultBlock
		for o.Block > 1 && coderMemory(a.m, o.Block) > defaultCoderMemory {
			o.Block /= 2
		}
	}
	if o.Orientation == 0 {
		o.Orientation = 1
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.Block < 1 || o.Block > MaxBlock:
		return codec.OptionError(fmt.Sprintf("circuit: blocks of %d pictures, not 1 to %d", o.Block, MaxBlock))
	case o.Workers < 1:
		return codec.OptionError(fmt.Sprintf("circuit: %d workers", o.Workers))
	case o.Collection > IDX:
		return codec.OptionError(fmt.Sprintf("circuit: collection of kind %d", o.Collection))
	case o.Orientation < 1 || o.Orientation > 8:
		return codec.OptionError(fmt.Sprintf("circuit: orientation %d", o.Orientation))
	case o.Collection == IDX && (a.m.channels == 4 || o.Orientation != 1):
		return codec.OptionError("circuit: an IDX file holds upright gray or RGB pictures")
	}
	if err := checkCollectionName(o.CollectionName); err != nil {
		return codec.OptionError(err.Error())
	}
	return checkCoder(a.m, o.Block, codec.DefaultLimits())
}

func checkCollectionName(name string) error {
	if name == "" {
		return nil
	}
	if strings.Contains(name, "/") {
		return codec.FormatError(fmt.Sprintf("circuit: %.100q cannot be the name of a collection", name))
	}
	return checkName(name)
}

// Write adds a picture. Its name is a path with slashes, as fs.ValidPath has it, that no
// other picture of the archive has; or empty, in which case all are, as they must be
// in an IDX collection. A picture that the model does not take is an error, a
// [*SizeError] where its size or its channels are wrong; the archive can go on
// without it. After any other error it cannot.
func (a *ArchiveWriter) Write(p image.Image, name string) error {
	if a.err != nil || a.closed {
		return errors.Join(a.err, errClosed(a.closed))
	}
	x, err := a.m.vector(p)
	if err == nil {
		err = a.m.checkValues(x)
	}
	if err != nil {
		return err
	}
	if name != "" {
		if err := checkName(name); err != nil {
			return err
		}
		if a.seen[name] {
			return codec.OptionError(fmt.Sprintf("circuit: two pictures of name %q", name))
		}
	}
	if a.count > 0 && (name == "") != (len(a.names) == 0) || a.o.Collection == IDX && name != "" {
		return codec.OptionError(fmt.Sprintf("circuit: picture %d of name %q: all have names, which those of an IDX file have not, or none", a.count, name))
	}
	if name != "" {
		a.seen[name] = true
		a.names = append(a.names, name)
	}
	a.count++
	a.pending = append(a.pending, x)
	if len(a.pending) == a.o.Block*a.o.Workers {
		a.err = a.flush()
	}
	return a.err
}

func errClosed(closed bool) error {
	if closed {
		return errors.New("burin: circuit: the archive is closed")
	}
	return nil
}

// flush codes the pending pictures, each block on a goroutine.
func (a *ArchiveWriter) flush() error {
	n := (len(a.pending) + a.o.Block - 1) / a.o.Block
	work := func(_ context.Context, i int) ([]byte, error) {
		x := a.pending[i*a.o.Block : min((i+1)*a.o.Block, len(a.pending))]
		var c *blockCoder
		select {
		case c = <-a.coders:
		default:
			c = newBlockCoder(a.m, a.o.Block)
		}
		defer func() { a.coders <- c }()
		return c.encode(binary.AppendUvarint(nil, uint64(len(x))), x)
	}
	emit := func(_ int, payload []byte) error {
		a.sizes = append(a.sizes, len(payload))
		return a.w.Write(kindBlock, true, payload)
	}
	err := codec.RunOrdered(context.Background(), n, a.o.Workers, work, emit)
	clear(a.pending)
	a.pending = a.pending[:0]
	return err
}

// Len returns how many pictures have been written.
func (a *ArchiveWriter) Len() int { return a.count }

// Written returns how many bytes of the archive have been written: after Close, all.
func (a *ArchiveWriter) Written() int64 { return a.w.Written() }

// Close ends the archive, which must have a picture. It does not close the writer.
func (a *ArchiveWriter) Close() error {
	if a.err != nil || a.closed {
		return errors.Join(a.err, errClosed(a.closed))
	}
	a.closed = true
	if a.count == 0 {
		return codec.UnsupportedError("circuit: an archive without pictures")
	}
	if err := a.flush(); err != nil {
		return err
	}
	names := 0
	if a.names != nil {
		payload := packNames(a.names)
		names = codec.SectionSize(len(payload))
		if err := a.w.Write(kindNames, true, payload); err != nil {
			return err
		}
	}
	if err := a.w.Write(kindIndex, false, a.appendIndex(nil, names)); err != nil {
		return err
	}
	return a.w.End()
}

// appendIndex appends
//
//	first   uvarint: where the first block's section begins in the file
//	count   uvarint: how many pictures there are
//	sizes   uvarint for each block: bytes of its payload
//	names   uvarint: bytes of the section of names behind the blocks, 0 if there is none
//	length  4 bytes, lowest first: bytes of all of the above
//
// so that the section can be found from the end of the file.
func (a *ArchiveWriter) appendIndex(b []byte, names int) []byte {
	start := len(b)
	b = binary.AppendUvarint(b, uint64(a.first))
	b = binary.AppendUvarint(b, uint64(a.count))
	for _, n := range a.sizes {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(names))
	return binary.LittleEndian.AppendUint32(b, uint32(len(b)-start))
}
