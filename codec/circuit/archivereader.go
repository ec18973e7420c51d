package circuit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"runtime"
	"sync"

	"github.com/burin-codec/burin/codec"
)

// ErrNotArchive reports that a file is not an archive. It may be one of a single
// picture, or of another codec.
var ErrNotArchive = errors.New("burin: not an archive of pictures")

// An Info says what a file holds.
type Info struct {
	Archive        bool // or else a single picture
	Pictures       int
	Block          int // pictures in a block, but for the last
	Collection     Collection
	CollectionName string // may be empty
	Named          bool   // the pictures have names

	Model      ID
	ModelBytes int // size of the model in the file, 0 if that only names it
}

// An ArchiveReader reads the pictures of an archive, in any order. It is safe for
// concurrent use if its io.ReaderAt is.
type ArchiveReader struct {
	f       *codec.SectionFile
	o       codec.DecodeOptions
	m       *Model
	info    Info
	offsets []int64 // of the sections of the blocks
	names   []string
	err     error

	coders chan *blockCoder
	mu     sync.Mutex
	cached int        // block
	held   [][]uint16 // its pictures; nil if none is cached
}

// NewArchiveReader reads the frame of an archive of size bytes. A nil o means
// codec.DefaultDecodeOptions, of which MaxFrames and Progress do not count: pictures
// are decoded a block at a time. The error wraps [ErrNotArchive] if there is some other
// file, and codec.ErrModelMismatch if the archive names a model that is neither in
// o.Weights nor registered.
//
// Damage behind the model is no error here: see [ArchiveReader.Err].
func NewArchiveReader(r io.ReaderAt, size int64, o *codec.DecodeOptions) (*ArchiveReader, error) {
	a, model, err := openFrame(r, size, o)
	if err != nil {
		return nil, err
	}
	if !a.info.Archive {
		return nil, ErrNotArchive
	}
	h := a.f.Header()
	channels, err := channelsOf(&h)
	if err != nil || h.Model == codec.ModelRGBA {
		return nil, codec.FormatError(fmt.Sprintf("circuit: archive of pictures of %d-bit %v", h.Depth, h.Model))
	}
	if a.m, err = readModelSection(model, h.Width, h.Height, channels, a.o.Weights, a.o.Limits); err != nil {
		return nil, err
	}
	if err := checkCoder(a.m, a.info.Block, a.o.Limits); err != nil {
		return nil, err
	}
	a.coders = make(chan *blockCoder, a.o.Workers)
	return a, nil
}

// Stat says what a file of this codec holds, without decoding it: the model need not be
// at hand. The error wraps [ErrNotArchive] for a file of another codec.
func Stat(r io.ReaderAt, size int64, o *codec.DecodeOptions) (*Info, error) {
	a, _, err := openFrame(r, size, o)
	if err != nil {
		return nil, err
	}
	return &a.info, nil
}

// openFrame reads all but the model, of which it returns the section, and the pictures.
func openFrame(r io.ReaderAt, size int64, o *codec.DecodeOptions) (a *ArchiveReader, model []byte, err error) {
	if o == nil {
		o = codec.DefaultDecodeOptions()
	}
	f, err := codec.OpenSections(r, size, o)
	if err != nil {
		return nil, nil, err
	}
	h := f.Header()
	if h.Codec != Name {
		return nil, nil, fmt.Errorf("%w: codec %d", ErrNotArchive, h.CodecID)
	}
	if h.CodecVersion != 1 {
		return nil, nil, codec.UnsupportedError(fmt.Sprintf("version %d of codec %q, newer than 1", h.CodecVersion, Name))
	}
	a = &ArchiveReader{f: f, o: *o, cached: -1, info: Info{Pictures: 1, Block: 1}}
	if a.o.Workers == 0 {
		a.o.Workers = runtime.GOMAXPROCS(0)
	}
	at := f.First()
	info, payload, err := f.Section(at)
	if err == nil && info.Kind == kindArchive {
		if err := a.readHead(payload); err != nil {
			return nil, nil, err
		}
		at += info.Size
		info, payload, err = f.Section(at)
	}
	if err == io.EOF || err == nil && info.Kind != kindModel {
		err = codec.FormatError("circuit: no model section")
	}
	if err == nil {
		err = a.readModelInfo(payload)
	}
	if err != nil {
		return nil, nil, err
	}
	if at += info.Size; a.info.Archive {
		if err := a.readIndex(at); err != nil {
			a.err = err
			a.scan(at)
		}
	}
	return a, payload, nil
}

func (a *ArchiveReader) readHead(payload []byte) error {
	block, n := binary.Uvarint(payload)
	if n <= 0 || len(payload) == n || block < 1 || block > MaxBlock || payload[n] > byte(IDX) {
		return codec.FormatError("circuit: invalid head of an archive")
	}
	a.info = Info{Archive: true, Block: int(block), Collection: Collection(payload[n]), CollectionName: string(payload[n+1:])}
	return checkCollectionName(a.info.CollectionName)
}

func (a *ArchiveReader) readModelInfo(payload []byte) error {
	switch {
	case len(payload) == 1+len(ID{}) && payload[0] == modelNamed:
		a.info.Model = ID(payload[1:])
	case len(payload) > 0 && payload[0] == modelInside:
		a.info.Model, a.info.ModelBytes = idOf(sha256.Sum256(payload[1:])), len(payload)-1
	default:
		return codec.FormatError("circuit: invalid model section")
	}
	return nil
}

// blockSize is the least that a section of a block takes.
const blockSize = 4 + 1 + 1 + 4

// readIndex finds the index from the end of the file and reads it.
func (a *ArchiveReader) readIndex(first int64) error {
	length, err := a.indexLength()
	if err != nil {
		return err
	}
	at := a.f.Size() - codec.EndSize - int64(codec.SectionSize(length))
	info, payload, err := a.f.Section(at)
	if err != nil {
		return err
	}
	if info.Kind != kindIndex || len(payload) != length {
		return codec.FormatError("circuit: no index")
	}
	invalid := codec.FormatError("circuit: invalid index")
	b := payload[:length-4]
	number := func(most int64) int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || most < 0 || v > uint64(most) {
			err = invalid
			return 0
		}
		b = b[n:]
		return int64(v)
	}
	if number(at) != first || err != nil {
		return invalid
	}
	count := number(math.MaxInt32)
	blocks := (count + int64(a.info.Block) - 1) / int64(a.info.Block)
	if blocks < 1 || blocks > a.f.Size()/blockSize {
		return invalid
	}
	offsets := make([]int64, 0, blocks)
	end := first
	for range blocks {
		offsets = append(offsets, end)
		end += int64(codec.SectionSize(int(number(at - end))))
	}
	names := number(at)
	if err != nil || len(b) != 0 || end+names != at {
		return invalid
	}
	a.offsets, a.info.Pictures = offsets, int(count)
	if names > 0 {
		a.readNames(end)
	}
	return nil
}

// indexLength reads how long the payload of the index is.
func (a *ArchiveReader) indexLength() (int, error) {
	tail := make([]byte, 4)
	at := a.f.Size() - codec.EndSize - 4 - int64(len(tail))
	if at < a.f.First() {
		return 0, codec.FormatError("circuit: no index")
	}
	if err := a.f.ReadAt(tail, at); err != nil {
		return 0, err
	}
	length := int64(binary.LittleEndian.Uint32(tail)) + 4
	if length > at {
		return 0, codec.FormatError("circuit: no index")
	}
	return int(length), nil
}

// scan finds the blocks from the first on, as far as their sections are in order.
func (a *ArchiveReader) scan(at int64) {
	a.offsets, a.names = nil, nil
	for {
		info, err := a.f.Head(at)
		if err != nil {
			if err != io.EOF {
				a.err = err
			}
			break
		}
		switch info.Kind {
		case kindBlock:
			a.offsets = append(a.offsets, at)
		case kindNames:
			defer a.readNames(at)
		}
		at += info.Size
	}
	// The last block may be short. If it is damaged, it is counted as full.
	if n := len(a.offsets); n > 0 {
		last, err := a.pictures(a.offsets[n-1])
		if err != nil {
			last = a.info.Block
		}
		a.info.Pictures = (n-1)*a.info.Block + last
	}
}

// pictures returns how many pictures the block at an offset says that it has.
func (a *ArchiveReader) pictures(at int64) (int, error) {
	_, n, err := a.section(at)
	return n, err
}

// section returns the stream of the block at an offset and the number of its pictures.
func (a *ArchiveReader) section(at int64) (stream []byte, pictures int, err error) {
	info, payload, err := a.f.Section(at)
	if err == nil && info.Kind != kindBlock || err == io.EOF {
		err = codec.FormatError(fmt.Sprintf("circuit: section %q in place of a block", info.Kind))
	}
	if err != nil {
		return nil, 0, err
	}
	n, k := binary.Uvarint(payload)
	if k <= 0 || n < 1 || n > uint64(a.info.Block) {
		return nil, 0, codec.FormatError("circuit: invalid number of pictures in a block")
	}
	return payload[k:], int(n), nil
}

func (a *ArchiveReader) readNames(at int64) {
	info, payload, err := a.f.Section(at)
	if err == nil && info.Kind != kindNames {
		err = codec.FormatError("circuit: no names")
	}
	if err == nil {
		a.names, err = unpackNames(payload, a.info.Pictures, a.o.Limits.MaxBytes)
		a.info.Named = err == nil
	}
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("names: %w", err)
	}
}

// Header describes each of the pictures.
func (a *ArchiveReader) Header() codec.Header { return a.f.Header() }

// Metadata returns what is stored beside the pictures. It is never nil.
func (a *ArchiveReader) Metadata() *codec.Metadata { return a.f.Metadata() }

// Model returns the model.
func (a *ArchiveReader) Model() *Model { return a.m }

// Info says what the archive holds.
func (a *ArchiveReader) Info() Info { return a.info }

// Len returns the number of pictures, including those in damaged blocks.
func (a *ArchiveReader) Len() int { return a.info.Pictures }

// Name returns the name of picture i, from 0, or "" if it has none.
func (a *ArchiveReader) Name(i int) string {
	if i < 0 || i >= len(a.names) {
		return ""
	}
	return a.names[i]
}

// Err returns nil if the frame of the archive is whole. Otherwise the index or the
// names are damaged, or the file breaks off: then the blocks were looked up one after
// the other, and those behind the damage may be missing without having been counted.
// It does not tell of damage in the blocks, which come up when they are decoded.
func (a *ArchiveReader) Err() error { return a.err }

// Picture decodes picture i, from 0: an *image.Gray or *image.NRGBA. The whole block is
// decoded, and kept until another one is.
func (a *ArchiveReader) Picture(i int) (image.Image, error) {
	if i < 0 || i >= a.info.Pictures {
		return nil, codec.OptionError(fmt.Sprintf("circuit: picture %d of an archive of %d", i, a.info.Pictures))
	}
	block := i / a.info.Block
	a.mu.Lock()
	held := a.held
	if a.cached != block {
		held = nil
	}
	a.mu.Unlock()
	if held == nil {
		var err error
		if held, err = a.decode(block); err != nil {
			return nil, fmt.Errorf("picture %d: %w", i, err)
		}
		a.mu.Lock()
		a.cached, a.held = block, held
		a.mu.Unlock()
	}
	return a.m.picture(held[i%a.info.Block]), nil
}

// size returns how many pictures a block has.
func (a *ArchiveReader) size(block int) int {
	return min(a.info.Block, a.info.Pictures-block*a.info.Block)
}

// decode decodes a block.
func (a *ArchiveReader) decode(block int) ([][]uint16, error) {
	stream, n, err := a.section(a.offsets[block])
	if err == nil && n != a.size(block) {
		err = codec.FormatError(fmt.Sprintf("circuit: block %d of %d pictures, not %d", block, n, a.size(block)))
	}
	if err != nil {
		return nil, err
	}
	x := make([][]uint16, n)
	for i := range x {
		x[i] = make([]uint16, a.m.circuit.Vars())
	}
	var c *blockCoder
	select {
	case c = <-a.coders:
	default:
		c = newBlockCoder(a.m, a.info.Block)
	}
	err = c.decode(stream, x)
	select {
	case a.coders <- c:
	default:
	}
	return x, err
}

// All decodes all pictures on several goroutines and calls f for each, in order, on the
// goroutine of the caller: with the picture, or with the error of a damaged one, after
// which the others follow. An error of f ends it and is returned, as is that of ctx.
func (a *ArchiveReader) All(ctx context.Context, f func(i int, p image.Image, err error) error) error {
	type result struct {
		x   [][]uint16
		err error
	}
	work := func(_ context.Context, block int) (result, error) {
		x, err := a.decode(block)
		return result{x, err}, nil
	}
	emit := func(block int, r result) error {
		for k := range a.size(block) {
			i := block*a.info.Block + k
			var p image.Image
			err := r.err
			if err != nil {
				err = fmt.Errorf("picture %d: %w", i, err)
			} else {
				p = a.m.picture(r.x[k])
			}
			if err := f(i, p, err); err != nil {
				return err
			}
		}
		return nil
	}
	return codec.RunOrdered(ctx, len(a.offsets), a.o.Workers, work, emit)
}
