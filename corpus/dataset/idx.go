package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"github.com/burin-codec/burin/codec"
)

// IDX is the format of the MNIST files (LeCun, Cortes and Burges): two zero bytes,
// the type of the samples, the number of dimensions, each dimension as a big-endian
// uint32, and the samples, the last dimension fastest. Pictures are of type unsigned
// byte, and number x rows x columns if gray or number x rows x columns x 3 if RGB.
// The files of labels have one dimension.

const (
	idxUbyte = 8
	// maxDeflate is above the best ratio of DEFLATE, which is 1032.
	maxDeflate = 1100
)

// An idxHeader describes the pictures of an IDX file.
type idxHeader struct {
	count, rows, cols int
	channels          int // 1 or 3
}

// size returns the size in bytes of a picture.
func (h *idxHeader) size() int { return h.rows * h.cols * h.channels }

// idxDims returns the number of dimensions that the first bytes of a file promise,
// or 0 if they are not those of an IDX file of unsigned bytes.
func idxDims(b []byte) int {
	if len(b) < 4 || b[0] != 0 || b[1] != 0 || b[2] != idxUbyte || b[3] > 4 {
		return 0
	}
	return int(b[3])
}

func readIDXHeader(r io.Reader, l *codec.Limits) (*idxHeader, error) {
	var b [4 + 4*4]byte
	if _, err := io.ReadFull(r, b[:4]); err != nil {
		return nil, idxShort(err)
	}
	dims := idxDims(b[:])
	if dims < 3 {
		return nil, errors.New("dataset: not an IDX file of pictures")
	}
	if _, err := io.ReadFull(r, b[4:4+4*dims]); err != nil {
		return nil, idxShort(err)
	}
	dim := func(i int) int64 { return int64(binary.BigEndian.Uint32(b[4+4*i:])) }
	count, rows, cols, channels := dim(0), dim(1), dim(2), int64(1)
	pixelSize := int64(1)
	if dims == 4 {
		if channels, pixelSize = dim(3), 4; channels != 3 {
			return nil, fmt.Errorf("dataset: IDX file of pictures with %d channels is not supported", channels)
		}
	}
	if err := checkSize("IDX picture", cols, rows, pixelSize, l); err != nil {
		return nil, err
	}
	if count > maxPictures {
		return nil, fmt.Errorf("%w: IDX file of %d pictures", codec.ErrTooLarge, count)
	}
	return &idxHeader{int(count), int(rows), int(cols), int(channels)}, nil
}

func idxShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("dataset: truncated IDX file: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// An idxReader reads the pictures of an IDX file in order. It never reads more than
// its header promises.
type idxReader struct {
	idxHeader
	r    *bufio.Reader
	next int // picture
}

// newIDXReader reads the header of an IDX file, which may be compressed by gzip.
func newIDXReader(r io.Reader, l *codec.Limits) (*idxReader, error) {
	d := &idxReader{r: bufio.NewReaderSize(r, 1<<16)}
	if magic, _ := d.r.Peek(2); string(magic) == gzipMagic {
		z, err := gzip.NewReader(d.r)
		if err != nil {
			return nil, idxShort(err)
		}
		d.r = bufio.NewReaderSize(z, 1<<16)
	}
	h, err := readIDXHeader(d.r, l)
	if err != nil {
		return nil, err
	}
	d.idxHeader = *h
	return d, nil
}

// openIDX opens an IDX file and holds its header against the size of the file.
func openIDX(path string, l *codec.Limits) (*idxReader, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	d, err := newIDXReader(f, l)
	if err == nil {
		err = d.checkFile(f)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return d, f, nil
}

// checkFile returns an error if f cannot hold what the header promises, so that a
// small file does not make for a large corpus.
func (d *idxReader) checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := int64(4 + 4*3)
	if d.channels == 3 {
		header += 4
	}
	need, size := header+int64(d.count)*int64(d.size()), info.Size()
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return err
	}
	if string(magic[:]) == gzipMagic {
		need /= maxDeflate
	}
	if need > size {
		return fmt.Errorf("dataset: truncated IDX file: %d pictures of %d bytes do not fit in %d bytes", d.count, d.size(), size)
	}
	return nil
}

func (d *idxReader) Next() (*Picture, error) {
	if d.next == d.count {
		return nil, io.EOF
	}
	pix := make([]byte, d.size())
	if _, err := io.ReadFull(d.r, pix); err != nil {
		return nil, idxShort(err)
	}
	if err := d.advance(); err != nil {
		return nil, err
	}
	p := &Picture{Orientation: 1, Format: "idx"}
	r := image.Rect(0, 0, d.cols, d.rows)
	if d.channels == 1 {
		p.Image = &image.Gray{Pix: pix, Stride: d.cols, Rect: r}
		return p, nil
	}
	m := image.NewNRGBA(r)
	for i, j := 0, 0; i < len(pix); i, j = i+3, j+4 {
		copy(m.Pix[j:], pix[i:i+3])
		m.Pix[j+3] = 0xff
	}
	p.Image = m
	return p, nil
}

func (d *idxReader) Skip() error {
	if d.next == d.count {
		return io.EOF
	}
	if _, err := d.r.Discard(d.size()); err != nil {
		return idxShort(err)
	}
	return d.advance()
}

// advance counts a picture. After the last it looks for the end of the file, where
// gzip has its checksum.
func (d *idxReader) advance() error {
	if d.next++; d.next < d.count {
		return nil
	}
	switch _, err := d.r.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("dataset: IDX file goes on after its last picture")
	default:
		return idxShort(err)
	}
}
