package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/webp"
)

var errWebP = errors.New("dataset: invalid WebP file")

// Bits of the first byte of a VP8X chunk.
const (
	webpAnimation = 1 << 1
	webpAlpha     = 1 << 4
)

// A webpFile is what the chunks of a WebP file say. The picture is that of the
// first frame if it is animated.
type webpFile struct {
	picture Picture
	canvas  image.Rectangle // empty if there is no VP8X chunk
	frame   image.Point     // where the picture lies on the canvas
	alpha   []byte          // payload of ALPH, if any
	vp8     []byte          // payload of VP8, or
	vp8l    []byte          // payload of VP8L
}

// nextChunk cuts the first chunk off b.
func nextChunk(b []byte) (kind string, data, rest []byte, ok bool) {
	if len(b) < 8 {
		return "", nil, nil, false
	}
	size := uint64(binary.LittleEndian.Uint32(b[4:]))
	kind, b = string(b[:4]), b[8:]
	if size > uint64(len(b)) {
		return "", nil, nil, false
	}
	// Chunks are padded to an even size.
	return kind, b[:size], b[min(size+size&1, uint64(len(b))):], true
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func parseWebP(b []byte) (*webpFile, error) {
	kind, body, _, ok := nextChunk(b)
	if !ok || kind != "RIFF" || len(body) < 4 || string(body[:4]) != "WEBP" {
		return nil, errWebP
	}
	f := new(webpFile)
	frames := 0
	for body = body[4:]; len(body) > 0; {
		kind, data, rest, ok := nextChunk(body)
		if !ok {
			return nil, errWebP
		}
		body = rest
		switch kind {
		case "VP8X":
			if len(data) < 10 {
				return nil, errWebP
			}
			f.canvas = image.Rect(0, 0, uint24(data[4:])+1, uint24(data[7:])+1)
			f.picture.More = data[0]&webpAnimation != 0
		case "ANMF":
			if frames++; frames > 1 {
				continue
			}
			if len(data) < 16 {
				return nil, errWebP
			}
			f.frame = image.Pt(2*uint24(data), 2*uint24(data[3:]))
			for data = data[16:]; len(data) > 0; {
				kind, part, rest, ok := nextChunk(data)
				if !ok {
					return nil, errWebP
				}
				f.imageChunk(kind, part)
				data = rest
			}
		case "ICCP":
			f.picture.Metadata.ICC = bytes.Clone(data)
		case "EXIF":
			f.picture.Metadata.EXIF = bytes.Clone(bytes.TrimPrefix(data, []byte(prefixEXIF)))
		case "XMP ":
			f.picture.Metadata.XMP = bytes.Clone(data)
		default:
			f.imageChunk(kind, data)
		}
	}
	if f.vp8 == nil && f.vp8l == nil {
		return nil, errWebP
	}
	return f, nil
}

// imageChunk notes a chunk that holds samples. Only the first picture counts.
func (f *webpFile) imageChunk(kind string, data []byte) {
	if f.vp8 != nil || f.vp8l != nil {
		return
	}
	switch kind {
	case "ALPH":
		f.alpha = data
	case "VP8 ":
		f.vp8 = data
	case "VP8L":
		f.vp8l = data
	}
}

// size returns the dimensions of the picture.
func (f *webpFile) size() (image.Point, error) {
	switch b := f.vp8; {
	case len(f.vp8l) >= 5:
		bits := binary.LittleEndian.Uint32(f.vp8l[1:])
		return image.Pt(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1), nil
	case len(b) >= 10:
		return image.Pt(int(binary.LittleEndian.Uint16(b[6:])&0x3fff), int(binary.LittleEndian.Uint16(b[8:])&0x3fff)), nil
	}
	return image.Point{}, errWebP
}

// webpConfig returns the dimensions of the canvas or the picture, whichever is
// larger.
func webpConfig(b []byte) (image.Config, error) {
	f, err := parseWebP(b)
	if err != nil {
		return image.Config{}, err
	}
	size, err := f.size()
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{
		ColorModel: color.NRGBAModel,
		Width:      max(size.X, f.canvas.Dx()),
		Height:     max(size.Y, f.canvas.Dy()),
	}, nil
}

// decodeWebP decodes the first frame of a WebP file.
func decodeWebP(b []byte) (*Picture, error) {
	f, err := parseWebP(b)
	if err != nil {
		return nil, err
	}
	size, err := f.size()
	if err != nil {
		return nil, err
	}
	m, err := webp.Decode(bytes.NewReader(f.still(size)))
	if err != nil {
		return nil, err
	}
	p := f.picture
	switch m := m.(type) {
	case *image.NRGBA:
		// Unless this bit says that there is alpha, what is in its place
		// means nothing.
		if f.vp8l != nil && f.vp8l[4]&0x10 == 0 {
			for i := 3; i < len(m.Pix); i += 4 {
				m.Pix[i] = 0xff
			}
		}
		p.Image = m
	case *image.YCbCr:
		p.Image = limitedToRGB(m)
	case *image.NYCbCrA:
		rgb := limitedToRGB(&m.YCbCr)
		for y := range size.Y {
			for x := range size.X {
				rgb.Pix[y*rgb.Stride+4*x+3] = m.A[y*m.AStride+x]
			}
		}
		p.Image = rgb
	default:
		return nil, errWebP
	}
	if frame := p.Image.Bounds().Add(f.frame); !f.canvas.Empty() && frame != f.canvas {
		if !p.More || !frame.In(f.canvas) {
			return nil, errWebP
		}
		whole := image.NewNRGBA(f.canvas)
		draw.Draw(whole, frame, p.Image, image.Point{}, draw.Src)
		p.Image = whole
	}
	return &p, nil
}

// still returns a WebP file with nothing but the picture in it: the decoder
// knows no animation, and insists on alpha where a flag promises it.
func (f *webpFile) still(size image.Point) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WEBP")
	chunk := func(kind string, data []byte) {
		b = append(b, kind...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		if len(data)&1 != 0 {
			b = append(b, 0)
		}
	}
	if f.vp8l != nil {
		chunk("VP8L", f.vp8l)
	} else {
		if f.alpha != nil {
			w, h := size.X-1, size.Y-1
			chunk("VP8X", []byte{webpAlpha, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
			chunk("ALPH", f.alpha)
		}
		chunk("VP8 ", f.vp8)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}
