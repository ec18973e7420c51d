package tensor

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

const (
	magic   = "burT"
	version = 1

	// blockBytes are the numbers of a block, but for the last of a tensor.
	blockBytes = 512 << 10

	// maxBlock is the most bytes a block takes: planes that were not worth coding.
	maxBlock = blockBytes + 8*binary.MaxVarintLen64

	// maxHeader is the most bytes of a header, as in safetensors.
	maxHeader = 100 << 20

	// DefaultMaxBytes is the size of the safetensors files that are taken unless
	// [Options.MaxBytes] says otherwise: no model in a single file is larger.
	DefaultMaxBytes = 1 << 40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrOption is wrapped by the errors about options that make no sense.
var ErrOption = errors.New("tensor: unsuitable option")

// Options are the limits of [Compress], [Decompress] and [ReadInfo]. The zero value and
// nil mean the defaults.
type Options struct {
	// MaxBytes bounds the safetensors file; 0 means [DefaultMaxBytes].
	MaxBytes int64

	// Workers is the number of goroutines at work; 0 means [runtime.GOMAXPROCS]. The
	// result does not depend on it. Each takes about 4 MB.
	Workers int

	// Progress, unless nil, is told the bytes of the safetensors file that are done, out
	// of all of them, in order and by one goroutine.
	Progress func(done, total int64)
}

func (o *Options) check() (Options, error) {
	var checked Options
	if o != nil {
		checked = *o
	}
	if checked.MaxBytes < 0 || checked.Workers < 0 {
		return checked, fmt.Errorf("%w: at most %d bytes, %d workers", ErrOption, checked.MaxBytes, checked.Workers)
	}
	if checked.MaxBytes == 0 {
		checked.MaxBytes = DefaultMaxBytes
	}
	if checked.Workers == 0 {
		checked.Workers = runtime.GOMAXPROCS(0)
	}
	return checked, nil
}

// Info says what a compressed file holds and what it takes.
type Info struct {
	Tensors  []TensorInfo // in the order of their bytes
	Metadata map[string]string
	Header   int   // bytes of the JSON header
	Bytes    int64 // of the safetensors file
	Stored   int64 // of the compressed file
}

// A TensorInfo is a tensor of a file and the bytes it takes in the compressed one.
type TensorInfo struct {
	tensorfile.Span
	Stored int64
}

func infoOf(h *tensorfile.SafetensorsHeader) *Info {
	i := &Info{Metadata: h.Metadata, Header: len(h.Raw), Bytes: int64(8 + len(h.Raw))}
	for _, t := range h.Tensors {
		i.Tensors = append(i.Tensors, TensorInfo{Span: t})
		i.Bytes += int64(t.Bytes)
	}
	return i
}

// blocks goes through the blocks of a file's tensors.
type blocks struct {
	tensors  []tensorfile.Span
	at, done int // the tensor, and the bytes of it before the block
}

// next returns the tensor of the next block, the bytes of its numbers, and those of one
// of them. There are none after the last.
func (b *blocks) next() (tensor, bytes, size int, ok bool) {
	for b.at < len(b.tensors) && b.done == b.tensors[b.at].Bytes {
		b.at, b.done = b.at+1, 0
	}
	if b.at == len(b.tensors) {
		return 0, 0, 0, false
	}
	t := b.tensors[b.at]
	bytes = min(blockBytes, t.Bytes-b.done)
	b.done += bytes
	return b.at, bytes, max(1, t.DType.Size()), true
}

// Compress reads the safetensors file r to its end and writes its compressed form to w.
// The same file gives the same bytes on every processor.
func Compress(ctx context.Context, w io.Writer, r io.Reader, options *Options) (*Info, error) {
	o, err := options.check()
	if err != nil {
		return nil, err
	}
	h, err := tensorfile.ReadSafetensorsHeader(r, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	info := infoOf(h)
	out := &counter{w: w}
	if err := writeHeader(out, h.Raw); err != nil {
		return nil, err
	}
	list := blocks{tensors: h.Tensors}
	read := func(j *job) (bool, error) {
		var ok bool
		if j.tensor, j.bytes, j.size, ok = list.next(); !ok {
			return false, atEnd(r, tensorfile.FormatError("bytes after the last tensor"))
		}
		j.in = sized(j.in, j.bytes)
		if _, err := io.ReadFull(r, j.in); err != nil {
			return false, cutOff(err, h.Tensors[j.tensor].Name, tensorfile.FormatError("the file ends within a tensor"))
		}
		return true, nil
	}
	work := func(c *coder, j *job) {
		// Room for the length, which is known only behind it.
		j.out = c.append(append(j.out[:0], make([]byte, binary.MaxVarintLen64)...), j.in, j.size)
		j.out = binary.LittleEndian.AppendUint32(j.out, crc32.Checksum(j.in, castagnoli))
		var length [binary.MaxVarintLen64]byte
		k := binary.PutUvarint(length[:], uint64(len(j.out)-len(length)-4))
		j.from = len(length) - k
		copy(j.out[j.from:], length[:k])
	}
	done := int64(8 + len(h.Raw))
	write := func(j *job) error {
		n, err := out.Write(j.out[j.from:])
		info.Tensors[j.tensor].Stored += int64(n)
		done += int64(j.bytes)
		if o.Progress != nil {
			o.Progress(done, info.Bytes)
		}
		return err
	}
	if err := ordered(ctx, o.Workers, read, work, write); err != nil {
		return nil, err
	}
	info.Stored = out.n
	return info, nil
}

// Decompress reads what [Compress] wrote to its end and writes the safetensors file that
// it was made from to w.
func Decompress(ctx context.Context, w io.Writer, r io.Reader, options *Options) error {
	o, err := options.check()
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(r, 1<<16)
	h, err := readHeader(in, o.MaxBytes)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h.Raw))), h.Raw...)); err != nil {
		return err
	}
	list := blocks{tensors: h.Tensors}
	read := func(j *job) (bool, error) {
		var ok bool
		if j.tensor, j.bytes, j.size, ok = list.next(); !ok {
			return false, atEnd(in, errLonger)
		}
		n, err := blockLength(in)
		if err == nil {
			j.in = sized(j.in, n+4)
			_, err = io.ReadFull(in, j.in)
		}
		if err != nil {
			return false, cutOff(err, h.Tensors[j.tensor].Name, errTruncated)
		}
		return true, nil
	}
	work := func(c *coder, j *job) {
		n := len(j.in) - 4
		j.out = sized(j.out, j.bytes)
		j.err = c.decode(j.out, j.in[:n], j.size)
		if j.err == nil && crc32.Checksum(j.out, castagnoli) != binary.LittleEndian.Uint32(j.in[n:]) {
			j.err = fmt.Errorf("%w: wrong checksum", ErrCorrupt)
		}
		if j.err != nil {
			j.err = fmt.Errorf("tensor %q: %w", h.Tensors[j.tensor].Name, j.err)
		}
	}
	total := infoOf(h).Bytes
	done := int64(8 + len(h.Raw))
	write := func(j *job) error {
		_, err := w.Write(j.out)
		done += int64(j.bytes)
		if o.Progress != nil {
			o.Progress(done, total)
		}
		return err
	}
	return ordered(ctx, o.Workers, read, work, write)
}

// ReadInfo reads what [Compress] wrote to its end, but does not decode it, and returns
// what it holds.
func ReadInfo(r io.Reader, options *Options) (*Info, error) {
	o, err := options.check()
	if err != nil {
		return nil, err
	}
	count := &readCounter{r: r}
	in := bufio.NewReaderSize(count, 1<<16)
	h, err := readHeader(in, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	info := infoOf(h)
	list := blocks{tensors: h.Tensors}
	for {
		tensor, _, _, ok := list.next()
		if !ok {
			break
		}
		before := count.n - int64(in.Buffered())
		n, err := blockLength(in)
		if err == nil {
			_, err = in.Discard(n + 4)
		}
		if err != nil {
			return nil, cutOff(err, info.Tensors[tensor].Name, errTruncated)
		}
		info.Tensors[tensor].Stored += count.n - int64(in.Buffered()) - before
	}
	if err := atEnd(in, errLonger); err != nil {
		return nil, err
	}
	info.Stored = count.n
	return info, nil
}

// writeHeader writes all that comes before the blocks.
func writeHeader(w io.Writer, raw []byte) error {
	var packed bytes.Buffer
	f, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return err
	}
	f.Write(raw) // writing to a buffer does not fail
	f.Close()
	b := append([]byte(magic), version)
	b = binary.AppendUvarint(b, uint64(len(raw)))
	b = binary.AppendUvarint(b, uint64(packed.Len()))
	b = append(b, packed.Bytes()...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(raw, castagnoli))
	_, err = w.Write(b)
	return err
}

// readHeader reads all that comes before the blocks.
func readHeader(r *bufio.Reader, maxBytes int64) (*tensorfile.SafetensorsHeader, error) {
	var start [len(magic) + 1]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, cutOff(err, "", errTruncated)
	}
	if string(start[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: not a compressed tensor file", ErrCorrupt)
	}
	if start[len(magic)] != version {
		return nil, fmt.Errorf("tensor: files of version %d are not supported, only %d", start[len(magic)], version)
	}
	rawSize, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, cutOff(err, "", errTruncated)
	}
	packedSize, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, cutOff(err, "", errTruncated)
	}
	if rawSize > maxHeader || packedSize > rawSize+rawSize/1000+1024 {
		return nil, fmt.Errorf("%w: a header of %d bytes in %d", ErrCorrupt, rawSize, packedSize)
	}
	if maxBytes < 8 || rawSize > uint64(maxBytes-8) {
		return nil, fmt.Errorf("%w of %d bytes", tensorfile.ErrTooLarge, maxBytes)
	}
	var packed, raw bytes.Buffer
	if _, err := io.CopyN(&packed, r, int64(packedSize)); err != nil {
		return nil, cutOff(err, "", errTruncated)
	}
	raw.Write(binary.LittleEndian.AppendUint64(nil, rawSize))
	// One byte more than there should be shows whether there are more.
	if _, err := io.Copy(&raw, io.LimitReader(flate.NewReader(&packed), int64(rawSize)+1)); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	if uint64(raw.Len()) != 8+rawSize || packed.Len() != 0 {
		return nil, fmt.Errorf("%w: the header has another size than the file says", ErrCorrupt)
	}
	var sum [4]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil {
		return nil, cutOff(err, "", errTruncated)
	}
	if crc32.Checksum(raw.Bytes()[8:], castagnoli) != binary.LittleEndian.Uint32(sum[:]) {
		return nil, fmt.Errorf("%w: wrong checksum of the header", ErrCorrupt)
	}
	return tensorfile.ReadSafetensorsHeader(&raw, maxBytes)
}

// blockLength reads the length of a block.
func blockLength(r *bufio.Reader) (int, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, err
	}
	if n > maxBlock {
		return 0, fmt.Errorf("%w: a block of %d bytes", ErrCorrupt, n)
	}
	return int(n), nil
}

var (
	errTruncated = fmt.Errorf("%w: %w", ErrCorrupt, io.ErrUnexpectedEOF)
	errLonger    = fmt.Errorf("%w: bytes after the last tensor", ErrCorrupt)
)

// cutOff returns end where err says that the input ended, and err otherwise, with the
// name of the tensor.
func cutOff(err error, name string, end error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = end
	}
	if name == "" {
		return err
	}
	return fmt.Errorf("tensor %q: %w", name, err)
}

// atEnd returns the error more if r has more.
func atEnd(r io.Reader, more error) error {
	var next [1]byte
	switch _, err := io.ReadFull(r, next[:]); err {
	case io.EOF:
		return nil
	case nil:
		return more
	default:
		return err
	}
}

// sized returns n bytes, of b if it has them.
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// A counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// A readCounter counts what is read.
type readCounter struct {
	r io.Reader
	n int64
}

func (c *readCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
