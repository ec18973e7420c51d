package kv

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
)

// Dequantise returns the keys and values that c stands for. Dropped tokens are zeros:
// attention must not see them, see [Cache.Kept]. It returns an error that wraps
// ErrFormat if c was read from a file that no encoder wrote.
func (c *Cache) Dequantise() (keys, values *Tensor, err error) {
	k := NewTensor(c.layers, c.keys.heads, c.tokens, c.keys.dim)
	v := NewTensor(c.layers, c.values.heads, c.tokens, c.values.dim)
	err = c.eachPart(func() func(s *side, p *part) error {
		var d dequantiser
		return func(s *side, p *part) error {
			t := &k
			if s == &c.values {
				t = &v
			}
			return d.part(c, s, p, t.Head(p.layer, p.head))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return &k, &v, nil
}

// Kept returns whether each token of a layer is kept at all.
func (c *Cache) Kept(layer int) []bool {
	kept := make([]bool, c.tokens)
	for t := range kept {
		class := 0
		if len(c.assign) > 0 {
			class = int(c.assign[layer*c.tokens+t])
		}
		kept[t] = t >= c.tokens-c.residual || c.classes[class].Keys != Dropped
	}
	return kept
}

// A dequantiser holds what dequantising a part needs.
type dequantiser struct {
	x, transposed  []float32
	codes, columns []uint8
	scale          []float32
	zero           []int32
}

func (d *dequantiser) part(c *Cache, s *side, p *part, head []float32) error {
	n, dim := len(p.tokens), s.dim
	first, last := int(p.tokens[0]), int(p.tokens[n-1])
	consecutive := last-first == n-1
	x := head[first*dim : (last+1)*dim]
	if !consecutive {
		x = room(&d.x, n*dim)
	}
	if p.format == Full {
		full, err := get(s.full[p.full:], n*dim, c.storage)
		if err != nil {
			return err
		}
		copy(x, full)
	} else {
		d.levels(s, p, x)
		s.restore(p, x)
	}
	if !finite(x) {
		return fmt.Errorf("%w: %s of layer %d, head %d are not finite", ErrFormat, s.name, p.layer, p.head)
	}
	if !consecutive {
		for i, t := range p.tokens {
			copy(head[int(t)*dim:][:dim], x[i*dim:])
		}
	}
	return nil
}

// levels sets x, tokens x dim, to what the levels of a part stand for.
func (d *dequantiser) levels(s *side, p *part, x []float32) {
	n := len(p.tokens)
	rows, columns := s.shape(n)
	codes := d.unpack(s, p, rows, columns)
	d.scale, d.zero = room(&d.scale, columns), room(&d.zero, columns)
	if s.Axis == PerChannel {
		at := p.groups
		for r := 0; r < rows; r += s.Group {
			d.grid(s, at, columns)
			kernels.DequantiseColumns(x[r*columns:], columns, codes[r*columns:], columns, d.scale, d.zero, min(s.Group, rows-r), columns)
			at += columns
		}
		return
	}
	for t := 0; t < n; t += tileTokens {
		w := min(tileTokens, n-t)
		tile := room(&d.transposed, rows*tileTokens)
		at := p.groups + t
		for r := 0; r < rows; r += s.Group {
			d.grid(s, at, w)
			kernels.DequantiseColumns(tile[r*w:], w, codes[r*columns+t:], columns, d.scale, d.zero, min(s.Group, rows-r), w)
			at += columns
		}
		kernels.TransposeF32(x[t*rows:], rows, tile, w, rows, w)
	}
}

// grid loads the grids of n columns.
func (d *dequantiser) grid(s *side, at, n int) {
	scale, zero := d.scale[:n], d.zero[:n]
	for j := range scale {
		scale[j], zero[j] = bfloat16(s.scale[at+j]), int32(s.zero[at+j])
	}
}

// unpack returns the levels of a part, rows x columns.
func (d *dequantiser) unpack(s *side, p *part, rows, columns int) []uint8 {
	codes := room(&d.codes, rows*columns)
	packed := s.codes[p.codes : p.codes+p.codesLen]
	if p.format == Mixed {
		low := digit{2, 0}
		low.unpack(codes, columns, packed, columns, rows, columns)
		high := s.highColumns(p, columns)
		gathered := room(&d.columns, rows*len(high))
		low.unpack(gathered, len(high), packed[low.rows(rows)*columns:], len(high), rows, len(high))
		for i := range rows {
			for j, c := range high {
				codes[i*columns+int(c)] |= gathered[i*len(high)+j] << 1
			}
		}
		return codes
	}
	for _, g := range p.format.digits() {
		g.unpack(codes, columns, packed, columns, rows, columns)
		packed = packed[g.rows(rows)*columns:]
	}
	return codes
}

// highColumns returns the columns of 4 levels of a part of format Mixed, or nil.
func (s *side) highColumns(p *part, columns int) []int32 {
	var high []int32
	if p.format != Mixed {
		return nil
	}
	for j := range columns {
		if s.high[p.high+j/8]>>(j%8)&1 != 0 {
			high = append(high, int32(j))
		}
	}
	return high
}
