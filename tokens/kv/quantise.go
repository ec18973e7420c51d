package kv

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

const (
	keysName   = "keys"
	valuesName = "values"
)

// A Cache is quantised keys and values. Its methods may be called from several
// goroutines at once.
type Cache struct {
	layers, tokens int
	classes        []Class // without the one of the residual tokens
	assign         []uint8 // layers x tokens, or empty
	residual       int
	storage        tensorfile.DType
	coding         Coding
	row            int
	workers        int
	keys, values   side
}

// Quantise quantises keys and values, layers x heads x tokens x dim each, of which only
// heads and dim may differ. Options of nil are the [Defaults]. It returns an error that
// wraps ErrShape, ErrOption or ErrValue for what it cannot take; numbers must be finite
// and at most [MaxMagnitude].
func Quantise(keys, values *Tensor, o *Options) (*Cache, error) {
	if o == nil {
		o = Defaults()
	}
	if err := keys.validate(keysName); err != nil {
		return nil, err
	}
	if err := values.validate(valuesName); err != nil {
		return nil, err
	}
	if keys.Layers != values.Layers || keys.Tokens != values.Tokens {
		return nil, fmt.Errorf("%w: keys of %d layers and %d tokens, values of %d and %d", ErrShape, keys.Layers, keys.Tokens, values.Layers, values.Tokens)
	}
	if err := o.validate(keys, values); err != nil {
		return nil, err
	}
	c := newCache(keys, values, o)
	sizes, err := c.layout()
	if err != nil {
		return nil, err
	}
	for i, s := range c.sides() {
		s.allocate(sizes[i])
	}
	err = c.eachPart(func() func(s *side, p *part) error {
		var q quantiser
		return func(s *side, p *part) error {
			t := keys
			if s == &c.values {
				t = values
			}
			return q.part(s, p, t.Head(p.layer, p.head), c.storage)
		}
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// newCache returns a cache of the shapes of keys and values, without parts.
func newCache(keys, values *Tensor, o *Options) *Cache {
	return &Cache{
		layers: keys.Layers, tokens: keys.Tokens,
		classes: slices.Clone(o.Classes), assign: slices.Clone(o.Assign), residual: min(o.Residual, keys.Tokens),
		storage: o.Storage, coding: o.Coding, row: o.Row, workers: o.Workers,
		keys:   side{Side: o.Keys, name: keysName, heads: keys.Heads, dim: keys.Dim},
		values: side{Side: o.Values, name: valuesName, heads: values.Heads, dim: values.Dim},
	}
}

func (c *Cache) sides() [2]*side { return [2]*side{&c.keys, &c.values} }

// layout lists the parts of both sides.
func (c *Cache) layout() (all [2]sizes, err error) {
	tokens := classTokens(c.layers, c.tokens, len(c.classes), c.assign, c.residual)
	classes := append(slices.Clone(c.classes), Class{Full, Full})
	for i, s := range c.sides() {
		if all[i], err = s.layout(classes, tokens, c.storage.Size()); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (s *side) allocate(n sizes) {
	s.codes = make([]byte, n.codes)
	s.scale, s.zero = make([]uint16, n.groups), make([]int16, n.groups)
	s.mean, s.norm = make([]uint16, n.means), make([]uint16, n.norms)
	s.high, s.full = make([]byte, n.high), make([]byte, n.full)
}

// eachPart calls functions that worker makes, one a goroutine, with every part, and
// returns the error of the first part that has one.
func (c *Cache) eachPart(worker func() func(s *side, p *part) error) error {
	type job struct {
		s *side
		p *part
	}
	var jobs []job
	for _, s := range c.sides() {
		for i := range s.parts {
			jobs = append(jobs, job{s, &s.parts[i]})
		}
	}
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range min(c.workers, len(jobs)) {
		wg.Go(func() {
			f := worker()
			// Jobs are taken in order, so that whatever precedes a failure is done.
			for !stop.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if errs[i] = f(jobs[i].s, jobs[i].p); errs[i] != nil {
					stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// tileTokens is how many tokens are transposed at a time where groups lie along
// channels: few enough that they stay in the cache.
const tileTokens = 256

// A quantiser holds what quantising a part needs.
type quantiser struct {
	g              *grouper
	x, transposed  []float32
	codes, columns []uint8
}

// room returns n elements of *b, which it replaces if it is too short.
func room[T any](b *[]T, n int) []T {
	if cap(*b) < n {
		*b = make([]T, n)
	}
	return (*b)[:n]
}

func (q *quantiser) part(s *side, p *part, head []float32, storage tensorfile.DType) error {
	n, dim := len(p.tokens), s.dim
	first, last := int(p.tokens[0]), int(p.tokens[n-1])
	consecutive := last-first == n-1
	x := head[first*dim : (last+1)*dim]
	if !consecutive {
		x = room(&q.x, n*dim)
		for i, t := range p.tokens {
			copy(x[i*dim:][:dim], head[int(t)*dim:])
		}
	}
	if p.format == Full {
		if !suitable(x) {
			return unsuitable(s.name, p.layer, p.head, dim, head)
		}
		if !put(s.full[p.full:], x, storage) {
			return fmt.Errorf("%w: %s of layer %d, head %d are too large for %s", ErrValue, s.name, p.layer, p.head, storage)
		}
		return nil
	}
	if s.Normalise || s.Shift || s.Rotate {
		if !suitable(x) {
			return unsuitable(s.name, p.layer, p.head, dim, head)
		}
		if consecutive {
			x = append(room(&q.x, n*dim)[:0], x...)
		}
		s.transform(p, x)
	}
	rows, columns := s.shape(n)
	if s.Axis == PerChannel {
		if !q.matrix(s, p, x, rows, columns, 0, columns) {
			return unsuitable(s.name, p.layer, p.head, dim, head)
		}
		return nil
	}
	for t := 0; t < n; t += tileTokens {
		w := min(tileTokens, n-t)
		tile := room(&q.transposed, dim*tileTokens)
		kernels.TransposeF32(tile, w, x[t*dim:], dim, w, dim)
		if !q.matrix(s, p, tile, rows, columns, t, w) {
			return unsuitable(s.name, p.layer, p.head, dim, head)
		}
	}
	return nil
}

// matrix quantises w columns of a part's rows x columns matrix, those from column from
// on, which are all that x has. It reports whether all numbers are suitable.
func (q *quantiser) matrix(s *side, p *part, x []float32, rows, columns, from, w int) bool {
	if q.g == nil || len(q.g.step) < w || q.g.fit != s.Fit {
		q.g = newGrouper(s.Fit, max(w, tileTokens))
	}
	g, codes := q.g, room(&q.codes, rows*w)
	for j := range w {
		g.grid.Top[j] = float32(p.format.levels() - 1)
	}
	var high []int32
	if p.format == Mixed {
		if !suitable(x[:rows*w]) {
			return false
		}
		high = q.highRange(x, rows, w)
		for j := range w {
			g.grid.Top[j] = 1
		}
		for _, j := range high {
			g.grid.Top[j] = 3
			s.high[p.high+int(j)/8] |= 1 << (j % 8)
		}
	}
	at := p.groups + from
	for r := 0; r < rows; r += s.Group {
		n := min(s.Group, rows-r)
		group := x[r*w : (r+n)*w]
		if !suitable(group) {
			return false
		}
		g.of(group, w, n, w)
		g.grid.Codes(codes[r*w:], w, group, w, n, w)
		copy(s.scale[at:], g.scale[:w])
		copy(s.zero[at:], g.zero[:w])
		at += columns
	}
	s.pack(p, codes, rows, columns, from, w, high, &q.columns)
	return true
}

// pack packs w columns of levels of a part, those from column from on. high has the
// columns of 4 levels of Mixed, where w is all of them.
func (s *side) pack(p *part, codes []uint8, rows, columns, from, w int, high []int32, scratch *[]uint8) {
	packed := s.codes[p.codes : p.codes+p.codesLen]
	if p.format == Mixed {
		low := digit{2, 0}
		low.pack(packed, columns, codes, w, rows, w)
		gathered := room(scratch, rows*len(high))
		gather(gathered, codes, high, rows, w)
		digit{2, 1}.pack(packed[low.rows(rows)*columns:], len(high), gathered, len(high), rows, len(high))
		return
	}
	for _, d := range p.format.digits() {
		d.pack(packed[from:], columns, codes, w, rows, w)
		packed = packed[d.rows(rows)*columns:]
	}
}

// highRange returns the columns with the larger ranges, in order.
func (q *quantiser) highRange(x []float32, rows, n int) []int32 {
	stats := &q.g.stats
	stats.Of(x, n, rows, n)
	all := make([]int32, n)
	for j := range all {
		all[j] = int32(j)
	}
	slices.SortStableFunc(all, func(a, b int32) int {
		return cmp.Compare(stats.Hi[b]-stats.Lo[b], stats.Hi[a]-stats.Lo[a])
	})
	high := all[:highColumns(n)]
	slices.Sort(high)
	return high
}

// gather copies columns of a matrix of n side by side.
func gather(dst, src []uint8, columns []int32, rows, n int) {
	for i := range rows {
		row, out := src[i*n:][:n], dst[i*len(columns):][:len(columns)]
		for j, c := range columns {
			out[j] = row[c]
		}
	}
}
