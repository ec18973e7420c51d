package circuit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/entropy/circuit"
)

// The file of a model for pictures:
//
//	"BPCM", version 1
//	width, height, channels, one uvarint each
//	the model file of entropy/circuit, for width*height*channels variables of at most
//	    256 values: sample c of the pixel (x, y) is variable (y*width+x)*channels + c
//
// Its SHA-256 is the name of the model.

const (
	modelMagic   = "BPCM"
	modelVersion = 1
	maxCats      = 256
)

// An ID names a model in files: the first 8 bytes of its hash. In a file of a single
// picture all 32 would be half of its bytes. IDs tell models apart, and no more: who needs
// to know that a model is the very one compares hashes.
type ID [8]byte

func idOf(hash [sha256.Size]byte) ID { return ID(hash[:]) }

// A Model is a circuit for the pictures of one size. It is immutable and may be used
// by several goroutines.
type Model struct {
	circuit                 *circuit.Model
	width, height, channels int
	file                    []byte
	hash                    [sha256.Size]byte
}

// NewModel makes a model for pictures of a circuit. Variable (y*width+x)*channels + c
// of the circuit is sample c of the pixel (x, y), as in IDX files, and has at most 256
// values. There is 1 channel for gray pictures, 3 for RGB, 4 for RGB with straight
// alpha.
func NewModel(c *circuit.Model, width, height, channels int) (*Model, error) {
	if err := checkShape(c, width, height, channels); err != nil {
		return nil, err
	}
	inner, err := c.MarshalBinary()
	if err != nil {
		return nil, err
	}
	file := append([]byte(modelMagic), modelVersion)
	for _, n := range [...]int{width, height, channels} {
		file = binary.AppendUvarint(file, uint64(n))
	}
	file = append(file, inner...)
	return &Model{c, width, height, channels, file, sha256.Sum256(file)}, nil
}

func checkShape(c *circuit.Model, width, height, channels int) error {
	if channels != 1 && channels != 3 && channels != 4 {
		return codec.UnsupportedError(fmt.Sprintf("circuit: a model of %d channels, not 1, 3 or 4", channels))
	}
	if width < 1 || height < 1 || width > circuit.MaxVars || height > circuit.MaxVars || width*height*channels != c.Vars() {
		return codec.FormatError(fmt.Sprintf("circuit: a model of %d variables for %s", c.Vars(), shape(width, height, channels)))
	}
	if c.Cats() > maxCats {
		return codec.UnsupportedError(fmt.Sprintf("circuit: a model of %d values, more than %d", c.Cats(), maxCats))
	}
	return nil
}

// A modelHead is what comes before the circuit in a model file.
type modelHead struct {
	width, height, channels int
	circuit                 []byte
}

func readModelHead(data []byte) (*modelHead, error) {
	if len(data) <= len(modelMagic) || string(data[:len(modelMagic)]) != modelMagic {
		return nil, codec.FormatError("circuit: not a model of pictures")
	}
	if v := data[len(modelMagic)]; v != modelVersion {
		return nil, codec.UnsupportedError(fmt.Sprintf("circuit: version %d of model files", v))
	}
	r := bytes.NewReader(data[len(modelMagic)+1:])
	var n [3]int
	for i := range n {
		v, err := binary.ReadUvarint(r)
		if err != nil || v == 0 || v > circuit.MaxVars {
			return nil, codec.FormatError("circuit: model of pictures of an invalid size")
		}
		n[i] = int(v)
	}
	return &modelHead{n[0], n[1], n[2], data[len(data)-r.Len():]}, nil
}

// ReadModel reads what [Model.MarshalBinary] wrote, and burin train circuit writes;
// data must hold nothing else. A model that would take more than about memory bytes
// is refused before they are allocated, with an error that wraps codec.ErrTooLarge.
func ReadModel(data []byte, memory int64) (*Model, error) {
	head, err := readModelHead(data)
	if err != nil {
		return nil, err
	}
	c, err := circuit.ReadModel(head.circuit, memory)
	if errors.Is(err, circuit.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", codec.ErrTooLarge, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", codec.FormatError("circuit: model"), err)
	}
	if err := checkShape(c, head.width, head.height, head.channels); err != nil {
		return nil, err
	}
	return &Model{c, head.width, head.height, head.channels, bytes.Clone(data), sha256.Sum256(data)}, nil
}

// MarshalBinary returns the model file. The error is always nil.
func (m *Model) MarshalBinary() ([]byte, error) { return bytes.Clone(m.file), nil }

// Hash returns the SHA-256 of the model file.
func (m *Model) Hash() [sha256.Size]byte { return m.hash }

// ID returns what names the model in files.
func (m *Model) ID() ID { return idOf(m.hash) }

// Size returns the size of the model file in bytes.
func (m *Model) Size() int { return len(m.file) }

// Width returns the width of the pictures that the model takes.
func (m *Model) Width() int { return m.width }

// Height returns their height.
func (m *Model) Height() int { return m.height }

// Channels returns how many channels they have: 1 if gray, 3 if RGB, 4 with alpha.
func (m *Model) Channels() int { return m.channels }

// Circuit returns the circuit.
func (m *Model) Circuit() *circuit.Model { return m.circuit }

// String says what pictures the model takes.
func (m *Model) String() string {
	return fmt.Sprintf("model %.8x for %s", m.hash[:], shape(m.width, m.height, m.channels))
}

func shape(width, height, channels int) string {
	kind := fmt.Sprintf("pictures of %d channels", channels)
	switch channels {
	case 1:
		kind = "gray pictures"
	case 3:
		kind = "RGB pictures"
	case 4:
		kind = "RGB pictures with alpha"
	}
	return fmt.Sprintf("%s of %d x %d", kind, width, height)
}

// A SizeError reports a picture that a model is not for.
type SizeError struct {
	Model                   *Model
	Width, Height, Channels int // of the picture
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("burin: circuit: no %s: the model takes only %s",
		shape(e.Width, e.Height, e.Channels), shape(e.Model.width, e.Model.height, e.Model.channels))
}

// vector returns the samples of a picture in the order of the variables.
func (m *Model) vector(p image.Image) ([]uint16, error) {
	b := p.Bounds()
	if b.Dx() != m.width || b.Dy() != m.height {
		channels := 3
		switch p.ColorModel() {
		case color.GrayModel, color.Gray16Model:
			channels = 1
		}
		return nil, &SizeError{m, b.Dx(), b.Dy(), channels}
	}
	x := make([]uint16, 0, m.circuit.Vars())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for i := b.Min.X; i < b.Max.X; i++ {
			var n color.NRGBA
			var err error
			switch p := p.(type) {
			case *image.Gray:
				v := p.GrayAt(i, y).Y
				n = color.NRGBA{v, v, v, 255}
			case *image.NRGBA:
				n = p.NRGBAAt(i, y)
			default:
				n, err = exact(p.At(i, y))
			}
			if err == nil {
				x, err = m.pixel(x, n)
			}
			if err != nil {
				return nil, fmt.Errorf("%w, at (%d, %d)", err, i-b.Min.X, y-b.Min.Y)
			}
		}
	}
	return x, nil
}

// checkValues returns an error unless the model has all values of x.
func (m *Model) checkValues(x []uint16) error {
	cats := m.circuit.Cats()
	for i, v := range x {
		if int(v) >= cats {
			pixel := i / m.channels
			return codec.UnsupportedError(fmt.Sprintf("circuit: sample %d at (%d, %d): the model's values are below %d", v, pixel%m.width, pixel/m.width, cats))
		}
	}
	return nil
}

// exact returns a colour with 8 bits a sample and straight alpha if that is the same.
func exact(c color.Color) (color.NRGBA, error) {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	r, g, b, a := c.RGBA()
	if nr, ng, nb, na := n.RGBA(); r != nr || g != ng || b != nb || a != na {
		return n, codec.UnsupportedError(fmt.Sprintf("circuit: a colour that RGB of 8 bits does not hold exactly: %#v", c))
	}
	return n, nil
}

// pixel appends the samples of a pixel if the model's pictures can have it.
func (m *Model) pixel(x []uint16, n color.NRGBA) ([]uint16, error) {
	switch {
	case m.channels < 4 && n.A != 255:
		return x, codec.UnsupportedError(fmt.Sprintf("circuit: a translucent pixel: the model takes only %s", shape(m.width, m.height, m.channels)))
	case m.channels == 1 && (n.R != n.G || n.G != n.B):
		return x, codec.UnsupportedError(fmt.Sprintf("circuit: a coloured pixel: the model takes only %s", shape(m.width, m.height, m.channels)))
	case m.channels == 1:
		return append(x, uint16(n.R)), nil
	}
	x = append(x, uint16(n.R), uint16(n.G), uint16(n.B))
	if m.channels == 4 {
		x = append(x, uint16(n.A))
	}
	return x, nil
}

// picture returns the picture with the samples x: Gray or NRGBA.
func (m *Model) picture(x []uint16) image.Image {
	r := image.Rect(0, 0, m.width, m.height)
	if m.channels == 1 {
		p := image.NewGray(r)
		for i := range p.Pix {
			p.Pix[i] = uint8(x[i])
		}
		return p
	}
	p := image.NewNRGBA(r)
	for i, j := 0, 0; i < len(p.Pix); i, j = i+4, j+m.channels {
		p.Pix[i], p.Pix[i+1], p.Pix[i+2], p.Pix[i+3] = uint8(x[j]), uint8(x[j+1]), uint8(x[j+2]), 255
		if m.channels == 4 {
			p.Pix[i+3] = uint8(x[j+3])
		}
	}
	return p
}
