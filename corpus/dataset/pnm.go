package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"

	"github.com/burin-codec/burin/codec"
)

// Netpbm: P1 to P3 are bitmaps, greymaps and pixmaps in decimal, P4 to P6 the
// same in binary, P7 is PAM with any number of channels. Largest values other
// than 255 and 65535 are scaled up to the next of them, which keeps different
// samples different.

var errPNMShort = errors.New("dataset: truncated PNM file")

// pnmTypes holds the PAM tuple types that are read, with their channels.
var pnmTypes = map[string]int{
	"BLACKANDWHITE": 1, "GRAYSCALE": 1, "RGB": 3, "CMYK": 4,
	"BLACKANDWHITE_ALPHA": 2, "GRAYSCALE_ALPHA": 2, "RGB_ALPHA": 4,
}

// A pnmFile is the header of a Netpbm file and what follows it.
type pnmFile struct {
	kind          byte // '1' to '7'
	width, height int
	channels      int
	maxValue      int // 1 to 65535
	cmyk          bool
	data          []byte
}

func parsePNM(b []byte) (*pnmFile, error) {
	if len(b) < 2 || b[0] != 'P' || b[1] < '1' || b[1] > '7' {
		return nil, ErrFormat
	}
	f := &pnmFile{kind: b[1], channels: 1, maxValue: 1, data: b[2:]}
	var err error
	if f.kind == '7' {
		err = f.parsePAM()
	} else {
		fields := []*int{&f.width, &f.height, &f.maxValue}
		if f.kind == '1' || f.kind == '4' {
			fields = fields[:2]
		}
		if f.kind == '3' || f.kind == '6' {
			f.channels = 3
		}
		for _, field := range fields {
			if *field, err = f.number(); err != nil {
				return nil, err
			}
		}
		// One byte of white space, and the samples begin.
		if f.kind > '3' {
			if len(f.data) == 0 {
				return nil, errPNMShort
			}
			f.data = f.data[1:]
		}
	}
	if err != nil {
		return nil, err
	}
	if f.width < 1 || f.height < 1 || f.width > codec.MaxDimension || f.height > codec.MaxDimension {
		return nil, fmt.Errorf("dataset: PNM of %d x %d pixels", f.width, f.height)
	}
	if f.maxValue < 1 || f.maxValue > 65535 {
		return nil, fmt.Errorf("dataset: PNM with samples up to %d", f.maxValue)
	}
	return f, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// number reads a decimal number and what precedes it: white space, and comments
// that run from a # to the end of their line.
func (f *pnmFile) number() (int, error) {
	for len(f.data) > 0 {
		if c := f.data[0]; c == '#' {
			_, f.data, _ = bytes.Cut(f.data, []byte{'\n'})
		} else if isSpace(c) {
			f.data = f.data[1:]
		} else {
			break
		}
	}
	n := 0
	for n < len(f.data) && f.data[n] >= '0' && f.data[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(string(f.data[:min(n, 12)]), 10, 32)
	if err != nil {
		if len(f.data) == 0 {
			return 0, errPNMShort
		}
		return 0, errors.New("dataset: bad number in PNM file")
	}
	f.data = f.data[n:]
	return int(v), nil
}

// parsePAM reads lines of a keyword and a value up to ENDHDR.
func (f *pnmFile) parsePAM() error {
	f.channels = 0
	tuple := ""
	for {
		line, rest, ok := bytes.Cut(f.data, []byte{'\n'})
		if !ok {
			return errPNMShort
		}
		f.data = rest
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		var field *int
		switch string(key) {
		case "WIDTH":
			field = &f.width
		case "HEIGHT":
			field = &f.height
		case "DEPTH":
			field = &f.channels
		case "MAXVAL":
			field = &f.maxValue
		case "TUPLTYPE":
			tuple = string(bytes.TrimSpace(value))
			continue
		case "ENDHDR":
			if tuple == "" {
				tuple = [...]string{"", "GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"}[min(max(f.channels, 0), 4)]
			}
			f.cmyk = tuple == "CMYK"
			if n, ok := pnmTypes[tuple]; !ok || n != f.channels {
				return fmt.Errorf("dataset: PAM of type %q with %d channels is not supported", tuple, f.channels)
			}
			return nil
		default:
			if len(key) == 0 || key[0] == '#' {
				continue
			}
			return fmt.Errorf("dataset: unknown field %q in PAM file", key)
		}
		v, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 32)
		if err != nil {
			return fmt.Errorf("dataset: bad %s in PAM file", key)
		}
		*field = int(v)
	}
}

// header describes the picture that the file becomes.
func (f *pnmFile) header() (*codec.Header, error) {
	h := &codec.Header{Width: f.width, Height: f.height, Model: codec.ModelNRGBA, Depth: 8, Orientation: 1}
	if f.maxValue > 255 {
		h.Depth = 16
	}
	switch {
	case f.cmyk && h.Depth == 16:
		return nil, errors.New("dataset: CMYK PAM with 16-bit samples is not supported")
	case f.cmyk:
		h.Model = codec.ModelCMYK
	case f.channels == 1:
		h.Model = codec.ModelGray
	case f.channels == 3:
		h.Opaque = true
	}
	return h, nil
}

func pnmConfig(b []byte) (image.Config, error) {
	f, err := parsePNM(b)
	if err != nil {
		return image.Config{}, err
	}
	h, err := f.header()
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{ColorModel: h.ColorModel(), Width: f.width, Height: f.height}, nil
}

func decodePNM(b []byte) (*Picture, error) {
	f, err := parsePNM(b)
	if err != nil {
		return nil, err
	}
	h, err := f.header()
	if err != nil {
		return nil, err
	}
	// A sample takes at least a byte, or a bit in P4. Nothing is allocated for
	// samples that are not there.
	rowSize := int64(f.width) * int64(f.channels)
	switch {
	case f.kind == '4':
		rowSize = (rowSize + 7) / 8
	case f.kind > '3' && f.maxValue > 255:
		rowSize *= 2
	}
	if rowSize*int64(f.height) > int64(len(f.data)) {
		return nil, errPNMShort
	}
	dst, err := codec.NewSink(h)
	if err != nil {
		return nil, err
	}

	top := 255 // of the samples in dst
	if h.Depth == 16 {
		top = 65535
	}
	row := make([]uint16, f.width*f.channels)
	plane := make([]uint16, f.width)
	for y := range f.height {
		if err := f.row(row, int(rowSize)); err != nil {
			return nil, err
		}
		if f.maxValue != top {
			for i, v := range row {
				row[i] = uint16((int(v)*top + f.maxValue/2) / f.maxValue)
			}
		}
		r := image.Rect(0, y, f.width, y+1)
		for p := range h.Planes() {
			channel := p
			if f.channels == 2 { // grey and alpha
				channel = p / 3
			}
			for x := range plane {
				plane[x] = row[x*f.channels+channel]
			}
			if err := dst.WritePlane(p, r, plane, f.width); err != nil {
				return nil, err
			}
		}
	}
	return &Picture{Image: dst.Image(), More: len(bytes.TrimSpace(f.data)) > 0}, nil
}

// row reads the samples of a row; rowSize is how many bytes one takes in binary.
func (f *pnmFile) row(row []uint16, rowSize int) error {
	switch f.kind {
	case '1': // digits need no space between them
		for i := range row {
			for len(f.data) > 0 && f.data[0] != '0' && f.data[0] != '1' {
				if c := f.data[0]; c == '#' {
					_, f.data, _ = bytes.Cut(f.data, []byte{'\n'})
				} else if isSpace(c) {
					f.data = f.data[1:]
				} else {
					return errors.New("dataset: bad digit in PBM file")
				}
			}
			if len(f.data) == 0 {
				return errPNMShort
			}
			row[i] = uint16('1' - f.data[0]) // 1 is black
			f.data = f.data[1:]
		}
		return nil
	case '2', '3':
		for i := range row {
			v, err := f.number()
			if err != nil {
				return err
			}
			if v > f.maxValue {
				return fmt.Errorf("dataset: PNM sample %d exceeds %d", v, f.maxValue)
			}
			row[i] = uint16(v)
		}
		return nil
	}
	data := f.data[:rowSize]
	f.data = f.data[rowSize:]
	switch {
	case f.kind == '4':
		for i := range row {
			row[i] = uint16(^data[i/8] >> (7 - i%8) & 1)
		}
	case f.maxValue > 255:
		for i := range row {
			row[i] = binary.BigEndian.Uint16(data[2*i:])
		}
	default:
		for i, v := range data {
			row[i] = uint16(v)
		}
	}
	for _, v := range row {
		if int(v) > f.maxValue {
			return fmt.Errorf("dataset: PNM sample %d exceeds %d", v, f.maxValue)
		}
	}
	return nil
}

// writePNM writes m as the kind of Netpbm file that ext asks for, which is PAM
// for .pam, PGM for .pgm, PPM for .ppm and the first of them that fits for .pnm.
func writePNM(w io.Writer, m image.Image, ext string) error {
	src, err := codec.NewSource(m)
	if err != nil {
		return err
	}
	h := src.Header()
	planes := h.Planes()
	var kind, tuple string
	switch {
	case h.Model == codec.ModelGray:
		kind, tuple = "P5", "GRAYSCALE"
	case h.Model == codec.ModelCMYK:
		kind, tuple = "P7", "CMYK"
	case h.Opaque:
		kind, tuple = "P6", "RGB"
	default:
		kind, tuple = "P7", "RGB_ALPHA"
	}
	if ext == ".pam" {
		kind = "P7"
	}
	if ext == ".pgm" && kind != "P5" || ext == ".ppm" && kind != "P6" {
		return fmt.Errorf("dataset: %s cannot hold %s samples; .pam and .pnm can", ext, tuple)
	}

	maxValue := planes[0].MaxValue
	head := fmt.Sprintf("%s\n%d %d\n%d\n", kind, h.Width, h.Height, maxValue)
	if kind == "P7" {
		head = fmt.Sprintf("P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n",
			h.Width, h.Height, len(planes), maxValue, tuple)
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	size := h.Depth / 8
	step := len(planes) * size
	samples := make([]uint16, h.Width)
	row := make([]byte, h.Width*step)
	for y := range h.Height {
		for p := range planes {
			src.ReadPlane(p, image.Rect(0, y, h.Width, y+1), samples, h.Width)
			for x, v := range samples {
				if size == 2 {
					binary.BigEndian.PutUint16(row[x*step+2*p:], v)
				} else {
					row[x*step+p] = byte(v)
				}
			}
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}
