// Package lattice finds and undoes the colour lattice of pictures that came
// through 8-bit luma and chroma.
//
// A decoded JPEG, a frame dumped from a video and a PhotoCD scan hold 8-bit
// RGB, but every pixel was computed from three 8-bit numbers (Y, C1, C2) by a
// fixed formula that spreads them: only one colour of the RGB cube in 4.23
// (JPEG) or in 9.35 (PhotoCD) can occur. Mostly the chroma was also stored at
// half resolution and brought back by a fixed interpolation. A lossless coder
// that works on RGB pays for both: 2.08 or 3.22 bits a pixel for the colours
// that never occur, and chroma samples that their neighbours determine.
//
// [Detect] recognises such a picture. [Params.Forward] recovers Y, C1 and C2,
// the chroma at its stored resolution, and lists as [Escape]s the pixels that
// the formula does not explain, so that [Params.Inverse] returns exactly the
// picture that went in, whatever it was:
//
//	p, ok := lattice.Detect(r, g, b, w, h)
//	if ok {
//		planes := p.Forward(r, g, b, w, h)
//		// code planes.Y, planes.C1, planes.C2 and planes.Escapes
//	}
//
// Inverse is integer arithmetic, and Forward, where it uses floating point,
// forbids fusing: all machines agree on the planes and on the picture. Inverse
// takes planes from an untrusted file: for whatever Forward cannot have made it
// returns an error and does not panic.
package lattice

import (
	"errors"
	"fmt"
)

// Kind is the formula that made RGB from luma and chroma.
type Kind uint8

const (
	// PhotoCD is the conversion of Kodak PhotoCD's YCC to 8-bit RGB that made
	// the Kodak test pictures: constants 1.3584, 2.2179, 1.8215, 0.194 and
	// 0.509, chroma zeros 156 and 137, every step rounded down.
	PhotoCD Kind = iota
	// JFIF is full-range ITU-R BT.601 as libjpeg's jdcolor.c computes it, in
	// 16-bit fixed point rounded to nearest.
	JFIF
	// JFIFGo is full-range BT.601 as Go's color.YCbCrToRGB computes it. It
	// differs from JFIF in how it rounds.
	JFIFGo

	numKinds
)

func (k Kind) String() string {
	switch k {
	case PhotoCD:
		return "PhotoCD"
	case JFIF:
		return "JFIF"
	case JFIFGo:
		return "JFIFGo"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Sampling says at which resolution the chroma was stored and how it was
// brought to the luma's.
type Sampling uint8

const (
	// Full is chroma at the luma's resolution, 4:4:4.
	Full Sampling = iota
	// Replicate2x1 repeats each chroma sample over two columns, 4:2:2.
	Replicate2x1
	// Replicate2x2 repeats each chroma sample over a 2x2 block, 4:2:0.
	Replicate2x2
	// Cosited2x2 has chroma samples that lie on every second column of every
	// second row; the pixels between take the mean of the two or four samples
	// around them, halves rounded up. PhotoCD does this.
	Cosited2x2
	// Fancy2x1 is libjpeg's triangle filter for 4:2:2: three quarters of the
	// nearer sample and one of the farther.
	Fancy2x1
	// Fancy2x2 is libjpeg's triangle filter for 4:2:0: the same both ways.
	Fancy2x2

	numSamplings
)

func (s Sampling) String() string {
	switch s {
	case Full:
		return "Full"
	case Replicate2x1:
		return "Replicate2x1"
	case Replicate2x2:
		return "Replicate2x2"
	case Cosited2x2:
		return "Cosited2x2"
	case Fancy2x1:
		return "Fancy2x1"
	case Fancy2x2:
		return "Fancy2x2"
	}
	return fmt.Sprintf("Sampling(%d)", uint8(s))
}

// Params names a lattice.
type Params struct {
	Kind     Kind
	Sampling Sampling
	// PhaseX and PhaseY, 0 or 1, say how the chroma's grid lies: a pair of
	// columns that share a chroma sample (or, for Cosited2x2, a column that
	// has chroma samples) starts at x = PhaseX (mod 2), rows likewise. They
	// are 0 along an axis that is not subsampled.
	PhaseX, PhaseY uint8
}

func (p Params) String() string {
	return fmt.Sprintf("%v %v (%d,%d)", p.Kind, p.Sampling, p.PhaseX, p.PhaseY)
}

var errParams = errors.New("lattice: invalid parameters")

// Check returns an error if p names no lattice.
func (p Params) Check() error {
	if p.Kind >= numKinds || p.Sampling >= numSamplings {
		return errParams
	}
	s := &shapes[p.Sampling]
	if p.PhaseX>>s.sx != 0 || p.PhaseY>>s.sy != 0 {
		return errParams
	}
	return nil
}

// Crop returns the parameters of the part of the picture whose top left pixel
// is (x, y), which a tile is described with. p must be valid.
func (p Params) Crop(x, y int) Params {
	s := &shapes[p.Sampling]
	p.PhaseX ^= uint8(x) & s.sx
	p.PhaseY ^= uint8(y) & s.sy
	return p
}

// ChromaSize returns the width and height of the chroma planes of a picture of
// w x h pixels, or 0, 0 if p is invalid. The planes hold every sample that some
// pixel depends on, also those that lie outside the picture.
func (p Params) ChromaSize(w, h int) (cw, ch int) {
	if p.Check() != nil {
		return 0, 0
	}
	g := newGrid(p)
	return g.samples(w, g.sx, g.ox), g.samples(h, g.sy, g.oy)
}

// Range is the smallest and the largest value of a plane.
type Range struct {
	Min, Max uint16
}

// Planes is a picture in the coordinates of its lattice. Planes are stored row
// by row; samples are 0..255.
type Planes struct {
	W, H   int      // size of the picture and of Y
	CW, CH int      // size of C1 and C2, as given by Params.ChromaSize
	Y      []uint16 // W*H luma samples
	C1, C2 []uint16 // CW*CH chroma samples each: blue and red difference

	// YRange, C1Range and C2Range are set by Forward for the coder's use;
	// Inverse ignores them.
	YRange, C1Range, C2Range Range

	// Escapes are the pixels that the lattice does not reproduce, in
	// increasing order of Index.
	Escapes []Escape
}

// Escape corrects one pixel.
type Escape struct {
	Index int32    // y*W + x
	D     [3]int16 // what to add to the R, G and B of the lattice: -255..255
}
