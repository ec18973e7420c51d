package kv

import (
	"fmt"
	"math"
)

// A part is the tokens of one class in one head of a layer, of keys or of values. It is
// what is quantised at a time.
type part struct {
	layer, head int
	format      Format
	tokens      []int32 // in order

	// Where it is in the arrays of its side.
	codes, codesLen   int // packed levels, bytes
	groups, groupsLen int // scales and zero points
	means             int // of channels, dim of them
	norms             int // of tokens
	high              int // columns of 4 levels of Mixed, a bit each, (columns+7)/8 bytes
	full              int // numbers as given
}

// A side is the keys or the values of a cache.
type side struct {
	Side
	name  string
	heads int
	dim   int
	parts []part

	codes []byte   // packed levels
	scale []uint16 // bfloat16
	zero  []int16
	mean  []uint16 // bfloat16, layers x heads x dim for each class, if Shift
	norm  []uint16 // bfloat16, one a token, if Normalise
	high  []byte
	full  []byte // little endian
}

// shape returns rows, along which groups lie, and columns of the matrix that a part of
// so many tokens is quantised as.
func (s *side) shape(tokens int) (rows, columns int) {
	if s.Axis == PerChannel {
		return tokens, s.dim
	}
	return s.dim, tokens
}

// sizes are the lengths of a side's arrays.
type sizes struct{ codes, groups, means, norms, high, full int }

// layout lists the parts of a side and says where they lie. tokens has the tokens of
// every class of every layer.
func (s *side) layout(classes []Class, tokens [][][]int32, width int) (sizes, error) {
	var at sizes
	for layer := range tokens {
		for head := range s.heads {
			for c, t := range tokens[layer] {
				f := classes[c].Keys
				if s.name == valuesName {
					f = classes[c].Values
				}
				if len(t) == 0 || f == Dropped {
					continue
				}
				p := part{
					layer: layer, head: head, format: f, tokens: t,
					codes: at.codes, groups: at.groups, means: at.means, norms: at.norms, high: at.high, full: at.full,
				}
				if f == Full {
					at.full += len(t) * s.dim * width
				} else {
					rows, columns := s.shape(len(t))
					p.codesLen = f.packedSize(rows, columns)
					p.groupsLen = (rows + s.Group - 1) / s.Group * columns
					at.codes += p.codesLen
					at.groups += p.groupsLen
					if s.Shift {
						at.means += s.dim
					}
					if s.Normalise {
						at.norms += len(t)
					}
					if f == Mixed {
						at.high += (columns + 7) / 8
					}
				}
				s.parts = append(s.parts, p)
			}
		}
	}
	if at.full > math.MaxInt/2 || at.codes > math.MaxInt/2 {
		return at, fmt.Errorf("%w: %s", ErrTooLarge, s.name)
	}
	return at, nil
}

// packedSize returns the bytes of rows x columns levels.
func (f Format) packedSize(rows, columns int) int {
	if f == Mixed {
		return (digit{2, 0}).rows(rows) * (columns + highColumns(columns))
	}
	n := 0
	for _, d := range f.digits() {
		n += d.rows(rows) * columns
	}
	return n
}

// highColumns returns how many of the columns of Mixed have 4 levels.
func highColumns(columns int) int { return (columns + 1) / 2 }

// classTokens lists the tokens of every class of every layer; those at the end that
// are kept belong to a class of their own, the last.
func classTokens(layers, tokens, classes int, assign []uint8, residual int) [][][]int32 {
	all := make([][][]int32, layers)
	for l := range all {
		if l > 0 && len(assign) == 0 {
			all[l] = all[0]
			continue
		}
		all[l] = make([][]int32, classes+1)
		for t := range tokens {
			c := 0
			switch {
			case t >= tokens-residual:
				c = classes
			case len(assign) > 0:
				c = int(assign[l*tokens+t])
			}
			all[l][c] = append(all[l][c], int32(t))
		}
	}
	return all
}
