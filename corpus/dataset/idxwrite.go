package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
)

// An IDXWriter writes the pictures of an IDX file in order.
type IDXWriter struct {
	w    io.Writer
	h    idxHeader
	left int
	row  []byte
}

// NewIDXWriter writes the header of an IDX file of count pictures, gray ones with 1
// channel or RGB ones with 3. An IDX file that [Open] takes comes out as it was when
// its pictures are written again.
func NewIDXWriter(w io.Writer, count, width, height, channels int) (*IDXWriter, error) {
	if channels != 1 && channels != 3 {
		return nil, fmt.Errorf("dataset: an IDX file of pictures with %d channels", channels)
	}
	b := []byte{0, 0, idxUbyte, 3}
	dims := []int{count, height, width}
	if channels == 3 {
		b[3] = 4
		dims = append(dims, channels)
	}
	for _, n := range dims {
		if n < 0 || int64(n) > math.MaxUint32 {
			return nil, fmt.Errorf("dataset: an IDX file of %d pictures of %d x %d", count, width, height)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return &IDXWriter{w, idxHeader{count, height, width, channels}, count, make([]byte, width*channels)}, nil
}

// WritePicture writes the next picture, an *image.Gray or an opaque *image.NRGBA.
func (d *IDXWriter) WritePicture(m image.Image) error {
	b := m.Bounds()
	if d.left == 0 || b.Dx() != d.h.cols || b.Dy() != d.h.rows {
		return fmt.Errorf("dataset: a picture of %d x %d for an IDX file of %d of %d x %d, %d of which are to come", b.Dx(), b.Dy(), d.h.count, d.h.cols, d.h.rows, d.left)
	}
	d.left--
	for y := b.Min.Y; y < b.Max.Y; y++ {
		switch m := m.(type) {
		case *image.Gray:
			if d.h.channels != 1 {
				return errors.New("dataset: a gray picture for an IDX file of RGB")
			}
			copy(d.row, m.Pix[m.PixOffset(b.Min.X, y):])
		case *image.NRGBA:
			if d.h.channels != 3 || !m.Opaque() {
				return errors.New("dataset: an RGB picture for an IDX file of gray, or a translucent one")
			}
			from := m.Pix[m.PixOffset(b.Min.X, y):]
			for i, j := 0, 0; i < len(d.row); i, j = i+3, j+4 {
				copy(d.row[i:i+3], from[j:])
			}
		default:
			return fmt.Errorf("dataset: a picture of type %T for an IDX file", m)
		}
		if _, err := d.w.Write(d.row); err != nil {
			return err
		}
	}
	return nil
}

// Close returns an error if pictures are missing. It does not close the writer.
func (d *IDXWriter) Close() error {
	if d.left > 0 {
		return fmt.Errorf("dataset: %d of %d pictures of an IDX file are missing", d.left, d.h.count)
	}
	return nil
}
