package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"strings"

	"github.com/burin-codec/burin/codec"
)

// YUV4MPEG2, or y4m, is the format in which video programs hand each other
// uncompressed frames: a line of parameters, each a letter and a value, then for
// each frame a line that begins with FRAME and the planes Y, Cb and Cr, row by row
// (yuv4mpeg(5) of mjpegtools). The parameter X is for extensions; of those,
// ffmpeg's XCOLORRANGE is read and written, and all others are passed over.

const (
	y4mMagic = "YUV4MPEG2 "
	y4mFrame = "FRAME"
	y4mRange = "XCOLORRANGE=" // FULL or LIMITED
	// y4mLine is the longest header line that is read, in bytes.
	y4mLine = 4096
)

// A Chroma says which chroma samples the frames of a clip have, and where they
// lie among the luma samples.
type Chroma uint8

const (
	Chroma420JPEG  Chroma = iota // 4:2:0, in the middle of four luma samples
	Chroma420MPEG2               // 4:2:0, on every other column, between two rows
	Chroma420PALDV               // 4:2:0, on every other column, Cr on even rows and Cb on odd ones
	Chroma411                    // 4:1:1, on every fourth column
	Chroma422                    // 4:2:2, on every other column
	Chroma444                    // 4:4:4, on all luma samples
	ChromaMono                   // none
)

// chromas holds what there is to know about each Chroma: its tag in y4m, how many
// luma samples across and down share a chroma sample, and where the first chroma
// sample lies, in halves of a luma sample.
var chromas = [...]struct {
	tag              string
	ratio            image.YCbCrSubsampleRatio
	stepX, stepY     int
	left, topB, topR int
}{
	Chroma420JPEG:  {"420jpeg", image.YCbCrSubsampleRatio420, 2, 2, 1, 1, 1},
	Chroma420MPEG2: {"420mpeg2", image.YCbCrSubsampleRatio420, 2, 2, 0, 1, 1},
	Chroma420PALDV: {"420paldv", image.YCbCrSubsampleRatio420, 2, 2, 0, 2, 0},
	Chroma411:      {"411", image.YCbCrSubsampleRatio411, 4, 1, 0, 0, 0},
	Chroma422:      {"422", image.YCbCrSubsampleRatio422, 2, 1, 0, 0, 0},
	Chroma444:      {"444", image.YCbCrSubsampleRatio444, 1, 1, 0, 0, 0},
	// The frame of a mono clip gets chroma samples that stand for no colour.
	ChromaMono: {"mono", image.YCbCrSubsampleRatio420, 2, 2, 1, 1, 1},
}

// String returns the name of c in y4m, such as "420jpeg".
func (c Chroma) String() string {
	if int(c) < len(chromas) {
		return chromas[c].tag
	}
	return "Chroma(" + strconv.Itoa(int(c)) + ")"
}

// Ratio returns the subsampling of c, which for ChromaMono is 4:2:0. It panics if
// c is none of the constants.
func (c Chroma) Ratio() image.YCbCrSubsampleRatio { return chromas[c].ratio }

// A Y4MHeader describes the frames of a clip, all of which have 8 bits a sample.
type Y4MHeader struct {
	Width, Height        int
	RateNum, RateDen     int  // frames per second; 0/0 if unknown
	AspectNum, AspectDen int  // width to height of a pixel; 0/0 if unknown
	Interlacing          byte // 'p' for whole frames, 't' top field first, 'b' bottom field first, 'm' mixed, '?' unknown
	Chroma               Chroma
	FullRange            bool // Y, Cb and Cr from 0 to 255, not Y from 16 to 235 and Cb and Cr from 16 to 240
}

// check returns an error unless the header can be written.
func (h *Y4MHeader) check() error {
	switch {
	case h.Width < 1 || h.Height < 1 || h.Width > codec.MaxDimension || h.Height > codec.MaxDimension:
		return fmt.Errorf("dataset: y4m of %d x %d pixels", h.Width, h.Height)
	case int(h.Chroma) >= len(chromas):
		return fmt.Errorf("dataset: y4m with %v", h.Chroma)
	case h.RateNum < 0 || h.RateDen < 0 || (h.RateNum == 0) != (h.RateDen == 0):
		return fmt.Errorf("dataset: y4m with a frame rate of %d:%d", h.RateNum, h.RateDen)
	case h.AspectNum < 0 || h.AspectDen < 0 || (h.AspectNum == 0) != (h.AspectDen == 0):
		return fmt.Errorf("dataset: y4m with a pixel aspect of %d:%d", h.AspectNum, h.AspectDen)
	case strings.IndexByte("ptbm?", h.Interlacing) < 0:
		return fmt.Errorf("dataset: y4m with unknown interlacing %q", h.Interlacing)
	}
	return nil
}

// chromaSize returns the size of the chroma planes of a frame.
func (h *Y4MHeader) chromaSize() (w, ht int) {
	c := &chromas[h.Chroma]
	return (h.Width + c.stepX - 1) / c.stepX, (h.Height + c.stepY - 1) / c.stepY
}

// frameSize returns the number of bytes of a frame after its line.
func (h *Y4MHeader) frameSize() int64 {
	n := int64(h.Width) * int64(h.Height)
	if h.Chroma != ChromaMono {
		w, ht := h.chromaSize()
		n += 2 * int64(w) * int64(ht)
	}
	return n
}

// parseY4MHeader parses a header line without its magic and its end.
func parseY4MHeader(params string) (Y4MHeader, error) {
	h := Y4MHeader{Interlacing: '?'}
	for field := range strings.FieldsSeq(params) {
		value := field[1:]
		var err error
		switch field[0] {
		case 'W':
			h.Width, err = y4mNumber(value)
		case 'H':
			h.Height, err = y4mNumber(value)
		case 'F':
			h.RateNum, h.RateDen, err = y4mRatio(value)
		case 'A':
			h.AspectNum, h.AspectDen, err = y4mRatio(value)
		case 'I':
			if len(value) != 1 {
				err = errors.New("not one letter")
			} else {
				h.Interlacing = value[0]
			}
		case 'C':
			h.Chroma, err = parseChroma(value)
		case 'X':
			switch strings.TrimPrefix(field, y4mRange) {
			case "FULL":
				h.FullRange = true
			case "LIMITED":
				h.FullRange = false
			}
		}
		if err != nil {
			return h, fmt.Errorf("dataset: y4m parameter %.40q: %w", field, err)
		}
	}
	return h, h.check()
}

func y4mNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, errors.New("not a number, or too large")
	}
	return int(n), nil
}

// y4mRatio parses a ratio such as 30000:1001. Where one side is 0, it is unknown.
func y4mRatio(s string) (num, den int, err error) {
	a, b, _ := strings.Cut(s, ":")
	if num, err = y4mNumber(a); err != nil {
		return 0, 0, err
	}
	if den, err = y4mNumber(b); err != nil {
		return 0, 0, err
	}
	if num == 0 || den == 0 {
		return 0, 0, nil
	}
	return num, den, nil
}

func parseChroma(tag string) (Chroma, error) {
	if tag == "420" {
		return Chroma420JPEG, nil
	}
	for c, known := range chromas {
		if tag == known.tag {
			return Chroma(c), nil
		}
		// Such as 420p10 and mono12; 420paldv is no number of bits.
		deep, ok := strings.CutPrefix(tag, strings.TrimSuffix(known.tag, "jpeg"))
		if bits, err := strconv.Atoi(strings.TrimPrefix(deep, "p")); ok && err == nil {
			return 0, fmt.Errorf("samples of %d bits are not supported, only 8", bits)
		}
	}
	return 0, errors.New("this chroma is not supported")
}

// A Frame is a frame of a clip.
type Frame struct {
	Header Y4MHeader

	// YCbCr holds the planes as they are in the clip. Its bounds start at (0, 0).
	//
	// Beware: image.YCbCr is by definition of full range and BT.601, and the planes
	// of nearly all clips are not. Whatever takes colours from it, which is its At,
	// package image/color, image/draw and the encoders of image formats, gets wrong
	// ones. Use RGB for the colours.
	//
	// The chroma planes of a mono clip are not in the clip. They are 4:2:0, and
	// all of their samples are 128.
	YCbCr *image.YCbCr
}

// A Y4MReader reads the frames of a y4m stream one by one.
type Y4MReader struct {
	r      *bufio.Reader
	header Y4MHeader
	n      int // frames read or skipped
	err    error
}

// NewY4MReader reads the header of a y4m stream. It returns an error that wraps
// codec.ErrTooLarge if a frame, as planes or as RGB, exceeds MaxPixels or MaxBytes.
// The length of the stream is not limited, since only one frame is held at a time.
//
// Read are mono, 4:1:1, 4:2:0, 4:2:2 and 4:4:4 with 8 bits a sample; more bits, or
// alpha, are refused.
func NewY4MReader(r io.Reader, l codec.Limits) (*Y4MReader, error) {
	d := &Y4MReader{r: bufio.NewReaderSize(r, y4mLine)}
	switch magic, err := d.r.Peek(len(y4mMagic)); {
	case err != nil && err != io.EOF:
		return nil, err
	case len(magic) == 0:
		return nil, fmt.Errorf("dataset: y4m stream is empty: %w", io.ErrUnexpectedEOF)
	case string(magic) != y4mMagic:
		return nil, errors.New("dataset: not a y4m stream")
	}
	line, err := d.line()
	if err != nil {
		return nil, fmt.Errorf("dataset: header: %w", err)
	}
	if d.header, err = parseY4MHeader(line[len(y4mMagic):]); err != nil {
		return nil, err
	}
	h := &d.header
	if err := checkSize("y4m", int64(h.Width), int64(h.Height), 4, &l); err != nil {
		return nil, err
	}
	return d, nil
}

// line reads a line and returns it without its end. It returns io.EOF only at the
// end of the stream.
func (d *Y4MReader) line() (string, error) {
	line, err := d.r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", errors.New("line of the y4m stream is too long")
	case err == io.EOF && len(line) > 0:
		return "", errY4MShort
	case err != nil:
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

var errY4MShort = fmt.Errorf("truncated y4m stream: %w", io.ErrUnexpectedEOF)

// Header returns the header of the stream.
func (d *Y4MReader) Header() Y4MHeader { return d.header }

// Next returns the next frame, or io.EOF after the last. The frame shares no
// memory with other frames. An error other than io.EOF, such as one that wraps
// io.ErrUnexpectedEOF where the stream breaks off, is returned again by all later
// calls.
func (d *Y4MReader) Next() (*Frame, error) {
	var f *Frame
	err := d.advance(func() error {
		f = &Frame{Header: d.header, YCbCr: newFrame(&d.header)}
		planes := [][]byte{f.YCbCr.Y, f.YCbCr.Cb, f.YCbCr.Cr}
		if d.header.Chroma == ChromaMono {
			planes = planes[:1]
		}
		for _, plane := range planes {
			if _, err := io.ReadFull(d.r, plane); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Skip passes over the next frame. Its errors are those of Next.
func (d *Y4MReader) Skip() error {
	return d.advance(func() error {
		_, err := io.CopyN(io.Discard, d.r, d.header.frameSize())
		return err
	})
}

// advance reads the line before a frame and has what follows read.
func (d *Y4MReader) advance(read func() error) error {
	if d.err != nil {
		return d.err
	}
	line, err := d.line()
	if err == nil {
		err = checkFrameLine(line)
		if err == nil {
			if err = read(); err == io.EOF || err == io.ErrUnexpectedEOF {
				err = errY4MShort
			}
		}
	}
	if err != nil {
		if err != io.EOF {
			err = fmt.Errorf("dataset: frame %d: %w", d.n, err)
		}
		d.err = err
		return err
	}
	d.n++
	return nil
}

// checkFrameLine returns an error unless a line may stand before a frame. Its
// parameters do not change how the frame is read.
func checkFrameLine(line string) error {
	if line != y4mFrame && !strings.HasPrefix(line, y4mFrame+" ") {
		return fmt.Errorf("y4m stream has %.20q where a frame should begin", line)
	}
	return nil
}

// newFrame allocates the planes of a frame.
func newFrame(h *Y4MHeader) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, h.Width, h.Height), chromas[h.Chroma].ratio)
	if h.Chroma == ChromaMono {
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = 128, 128
		}
	}
	return m
}

// countY4M returns the number of frames in a y4m file, of which the last may be cut
// short, without reading their samples.
func countY4M(r io.ReaderAt, size int64, l codec.Limits) (int, error) {
	d, err := NewY4MReader(io.NewSectionReader(r, 0, size), l)
	if err != nil {
		return 0, err
	}
	line := make([]byte, y4mLine)
	got, err := r.ReadAt(line, 0)
	if err != nil && err != io.EOF {
		return 0, err
	}
	at := int64(bytes.IndexByte(line[:got], '\n') + 1)
	for n := 0; ; n++ {
		got, err := r.ReadAt(line, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if got == 0 {
			return n, nil
		}
		end := bytes.IndexByte(line[:got], '\n')
		if end < 0 || checkFrameLine(string(line[:end])) != nil {
			return n + 1, nil // which reading it will refuse
		}
		at += int64(end) + 1 + d.header.frameSize()
		if at > size {
			return n + 1, nil
		}
	}
}

// A Y4MWriter writes frames as a y4m stream.
type Y4MWriter struct {
	w      *bufio.Writer
	header Y4MHeader
}

// NewY4MWriter writes the header of a y4m stream to w. It returns an error if h is
// not valid: dimensions from 1 to codec.MaxDimension, ratios of two numbers that
// are both positive or both 0, and an Interlacing of those listed.
func NewY4MWriter(w io.Writer, h Y4MHeader) (*Y4MWriter, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	e := &Y4MWriter{bufio.NewWriter(w), h}
	colors := "LIMITED"
	if h.FullRange {
		colors = "FULL"
	}
	fmt.Fprintf(e.w, "%sW%d H%d F%d:%d I%c A%d:%d C%s %s%s\n", y4mMagic, h.Width, h.Height,
		h.RateNum, h.RateDen, h.Interlacing, h.AspectNum, h.AspectDen, h.Chroma, y4mRange, colors)
	return e, e.w.Flush()
}

// WriteFrame writes the planes of a frame as they are, without converting their
// range. Its size and subsampling must be those of the header and its bounds must
// start at (0, 0). Of a mono clip's frame only Y is written.
func (e *Y4MWriter) WriteFrame(m *image.YCbCr) error {
	h := &e.header
	if m.Rect != image.Rect(0, 0, h.Width, h.Height) {
		return fmt.Errorf("dataset: frame of %v in a clip of %d x %d", m.Rect, h.Width, h.Height)
	}
	if h.Chroma != ChromaMono && m.SubsampleRatio != chromas[h.Chroma].ratio {
		return fmt.Errorf("dataset: frame with %v in a clip of %v", m.SubsampleRatio, h.Chroma)
	}
	// The writer keeps its first error for Flush to return.
	fmt.Fprintln(e.w, y4mFrame)
	writeRows(e.w, m.Y, m.YStride, h.Width, h.Height)
	if h.Chroma != ChromaMono {
		w, ht := h.chromaSize()
		writeRows(e.w, m.Cb, m.CStride, w, ht)
		writeRows(e.w, m.Cr, m.CStride, w, ht)
	}
	return e.w.Flush()
}

func writeRows(w *bufio.Writer, pix []byte, stride, width, height int) {
	for y := range height {
		w.Write(pix[y*stride:][:width])
	}
}
