package kv

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// # Files
//
// A file is a safetensors file whose metadata has "format" of "burin.kv", "version" of
// "1", and a JSON object, "cache", as header below. Its tensors, of which those without
// elements are left out, are
//
//	classes       U8    layers x tokens: the class of each token; absent if all are 0
//
// and for keys, values alike, as lists over all parts in order of layers, heads and
// classes (the last of which is that of the residual tokens),
//
//	keys.full     as "storage": tokens x dim of parts that are not quantised
//	keys.mean     BF16  dim: what was subtracted from the channels
//	keys.norm     BF16  tokens: what they were divided by
//	keys.high     U8    dim/8, rounded up: a bit for each channel of 4 levels of 1.5 bits, low bits first
//
// and, packed,
//
//	keys.levels   U8    as pack.go says
//	keys.scale    BF16  groups x columns
//	keys.zero     I16   groups x columns
//
// or, coded,
//
//	keys.levels   U8    a stream for each part, see coder.go
//	keys.lengths  I64   their lengths in bytes
//	keys.grids    U8    four blocks of arith.CompressBytes: scale>>7, scale>>2&31, zero>>8&255 and zero&255
//	keys.blocks   I64   their four lengths
//
// The columns of a part are channels where groups lie along tokens, and tokens where
// they lie along channels.

const (
	formatKey    = "format"
	formatValue  = "burin.kv"
	versionKey   = "version"
	versionValue = "1"
	cacheKey     = "cache"
	classesName  = "classes"
)

// A header is what a file says of a cache besides its tensors.
type header struct {
	Layers   int         `json:"layers"`
	Tokens   int         `json:"tokens"`
	Keys     sideHeader  `json:"keys"`
	Values   sideHeader  `json:"values"`
	Classes  [][2]string `json:"classes"` // formats of keys and of values
	Residual int         `json:"residual"`
	Storage  string      `json:"storage"`
	Coding   string      `json:"coding"`
	Row      int         `json:"row"`
	CRC32C   uint32      `json:"crc32c"` // of the tensors' bytes, in the order above, keys first
}

type sideHeader struct {
	Heads     int    `json:"heads"`
	Dim       int    `json:"dim"`
	Axis      string `json:"axis"`
	Group     int    `json:"group"`
	Fit       string `json:"fit"`
	Normalise bool   `json:"normalise"`
	Shift     bool   `json:"shift"`
	Rotate    bool   `json:"rotate"`
}

// ReadOptions bound what Read accepts, and what it takes to read it.
type ReadOptions struct {
	MaxBytes  int64 // of the file
	MaxValues int64 // keys and values that it stands for, at up to 12 bytes of memory each
	Workers   int   // goroutines that read and dequantise, at least 1
}

// DefaultReadOptions returns the options that Read uses if it is given none: files of
// 4 GiB that stand for 1<<30 numbers, 4 GiB of float32, and one worker a processor.
func DefaultReadOptions() *ReadOptions {
	return &ReadOptions{MaxBytes: 4 << 30, MaxValues: 1 << 30, Workers: runtime.GOMAXPROCS(0)}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes c to w as a safetensors file and returns the bytes written.
func (c *Cache) WriteTo(w io.Writer) (int64, error) {
	tensors, err := c.tensors()
	if err != nil {
		return 0, err
	}
	h := header{
		Layers: c.layers, Tokens: c.tokens, Keys: c.keys.header(), Values: c.values.header(),
		Residual: c.residual, Storage: string(c.storage), Coding: c.coding.String(), Row: c.row, CRC32C: sum(tensors),
	}
	for _, class := range c.classes {
		h.Classes = append(h.Classes, [2]string{class.Keys.String(), class.Values.String()})
	}
	text, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	n := &counter{w: w}
	err = tensorfile.WriteSafetensors(n, tensors, map[string]string{formatKey: formatValue, versionKey: versionValue, cacheKey: string(text)})
	return n.n, err
}

// A counter counts the bytes written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func sum(tensors []tensorfile.Tensor) uint32 {
	crc := uint32(0)
	for _, t := range tensors {
		crc = crc32.Update(crc, castagnoli, t.Data)
	}
	return crc
}

func (s *side) header() sideHeader {
	return sideHeader{s.heads, s.dim, s.Axis.String(), s.Group, s.Fit.String(), s.Normalise, s.Shift, s.Rotate}
}

// tensors returns the tensors of c's file.
func (c *Cache) tensors() ([]tensorfile.Tensor, error) {
	var all []tensorfile.Tensor
	add := func(name string, t tensorfile.DType, data []byte) {
		if len(data) > 0 {
			all = append(all, tensorfile.Tensor{Name: name, DType: t, Shape: []int{len(data) / t.Size()}, Data: data})
		}
	}
	if len(c.assign) > 0 {
		all = append(all, tensorfile.Tensor{Name: classesName, DType: tensorfile.U8, Shape: []int{c.layers, c.tokens}, Data: c.assign})
	}
	streams, err := c.streams()
	if err != nil {
		return nil, err
	}
	for i, s := range c.sides() {
		add(s.name+".full", c.storage, s.full)
		add(s.name+".mean", tensorfile.BF16, littleEndian(s.mean))
		add(s.name+".norm", tensorfile.BF16, littleEndian(s.norm))
		add(s.name+".high", tensorfile.U8, s.high)
		if c.coding == Packed {
			add(s.name+".levels", tensorfile.U8, s.codes)
			add(s.name+".scale", tensorfile.BF16, littleEndian(s.scale))
			add(s.name+".zero", tensorfile.I16, littleEndian(s.zero))
			continue
		}
		if len(streams[i]) == 0 {
			continue
		}
		levels, lengths := concatenate(streams[i])
		add(s.name+".levels", tensorfile.U8, levels)
		add(s.name+".lengths", tensorfile.I64, lengths)
		var blocks [4][]byte
		for b, plane := range s.gridPlanes() {
			blocks[b] = arith.CompressBytes(nil, plane)
		}
		grids, lengths := concatenate(blocks[:])
		add(s.name+".grids", tensorfile.U8, grids)
		add(s.name+".blocks", tensorfile.I64, lengths)
	}
	return all, nil
}

// streams codes the levels of the quantised parts of each side.
func (c *Cache) streams() (all [2][][]byte, err error) {
	if c.coding == Packed {
		return all, nil
	}
	index := c.streamIndex()
	for i, n := range index.count {
		all[i] = make([][]byte, n)
	}
	err = c.eachPart(func() func(s *side, p *part) error {
		var d dequantiser
		return func(s *side, p *part) error {
			if at, ok := index.of[p]; ok {
				i := 0
				if s == &c.values {
					i = 1
				}
				all[i][at] = d.encodeLevels(s, p, c.row)
			}
			return nil
		}
	})
	return all, err
}

// A streamIndex numbers the quantised parts of each side.
type streamIndex struct {
	of    map[*part]int
	count [2]int
}

func (c *Cache) streamIndex() streamIndex {
	index := streamIndex{of: map[*part]int{}}
	for i, s := range c.sides() {
		for j := range s.parts {
			if p := &s.parts[j]; p.format.quantised() {
				index.of[p] = index.count[i]
				index.count[i]++
			}
		}
	}
	return index
}

// concatenate returns the blocks one after the other, and their lengths as I64.
func concatenate(blocks [][]byte) (all, lengths []byte) {
	for _, b := range blocks {
		all = append(all, b...)
		lengths = binary.LittleEndian.AppendUint64(lengths, uint64(len(b)))
	}
	return all, lengths
}

// gridPlanes returns the bytes of scales and zero points apart: exponents, mantissas,
// high and low bytes.
func (s *side) gridPlanes() (planes [4][]byte) {
	for i := range planes {
		planes[i] = make([]byte, len(s.scale))
	}
	for i, v := range s.scale {
		planes[0][i], planes[1][i] = byte(v>>7), byte(v>>(16-1-8-(scaleBits-1))&(1<<(scaleBits-1)-1))
		planes[2][i], planes[3][i] = byte(s.zero[i]>>8), byte(s.zero[i])
	}
	return planes
}

func littleEndian[T uint16 | int16](v []T) []byte {
	b := make([]byte, 0, 2*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return b
}

// Read reads what [Cache.WriteTo] wrote, to its end. Options of nil are the
// [DefaultReadOptions]. The error wraps ErrFormat if no encoder wrote the file, or
// ErrTooLarge.
func Read(r io.Reader, o *ReadOptions) (*Cache, error) {
	if o == nil {
		o = DefaultReadOptions()
	}
	if o.Workers < 1 {
		return nil, fmt.Errorf("%w: %d workers", ErrOption, o.Workers)
	}
	tensors, metadata, err := tensorfile.ReadSafetensors(r, o.MaxBytes)
	var format tensorfile.FormatError
	switch {
	case errors.Is(err, tensorfile.ErrTooLarge):
		return nil, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.As(err, &format):
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case err != nil:
		return nil, err
	}
	return parse(tensors, metadata, o, true)
}

// parse makes a cache of the tensors of a file. The sum is not checked by tests that
// damage files.
func parse(tensors []tensorfile.Tensor, metadata map[string]string, o *ReadOptions, check bool) (*Cache, error) {
	if metadata[formatKey] != formatValue {
		return nil, fmt.Errorf("%w: not a cache of burin", ErrFormat)
	}
	if v := metadata[versionKey]; v != versionValue {
		return nil, fmt.Errorf("%w: version %q", ErrFormat, v)
	}
	var h header
	d := json.NewDecoder(bytes.NewReader([]byte(metadata[cacheKey])))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: more than a header", ErrFormat)
	}
	if check && sum(tensors) != h.CRC32C {
		return nil, fmt.Errorf("%w: the sum of its bytes is wrong", ErrFormat)
	}
	f := &fileTensors{m: map[string]tensorfile.Tensor{}}
	for _, t := range tensors {
		f.m[t.Name] = t
	}
	c, err := h.cache(f, o)
	if err != nil {
		return nil, err
	}
	if err := f.fill(c); err != nil {
		return nil, err
	}
	for name := range f.m {
		return nil, fmt.Errorf("%w: unknown tensor %q", ErrFormat, name)
	}
	return c, nil
}

// cache returns the cache of a header, without parts.
func (h *header) cache(f *fileTensors, read *ReadOptions) (*Cache, error) {
	o := Options{Residual: h.Residual, Storage: tensorfile.DType(h.Storage), Row: h.Row, Workers: read.Workers}
	for _, names := range h.Classes {
		var class Class
		var err error
		if class.Keys, err = ParseFormat(names[0]); err == nil {
			class.Values, err = ParseFormat(names[1])
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		o.Classes = append(o.Classes, class)
	}
	o.Coding = Coding(max(slices.Index(codingNames[:], h.Coding), 0))
	o.Keys, o.Values = h.Keys.side(), h.Values.side()
	// Tensors of such shapes, were there any.
	values := int64(0)
	var t [2]Tensor
	for i, s := range []*sideHeader{&h.Keys, &h.Values} {
		t[i] = Tensor{Layers: h.Layers, Heads: s.Heads, Tokens: h.Tokens, Dim: s.Dim}
		n, err := t[i].size("tensor")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		values += int64(n)
	}
	if values > read.MaxValues {
		return nil, fmt.Errorf("%w: %d numbers", ErrTooLarge, values)
	}
	assign, err := f.take(classesName, tensorfile.U8, -1)
	if err != nil {
		return nil, err
	}
	o.Assign = assign
	if err := o.validate(&t[0], &t[1]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if h.Residual > h.Tokens {
		return nil, fmt.Errorf("%w: %d residual tokens of %d", ErrFormat, h.Residual, h.Tokens)
	}
	return newCache(&t[0], &t[1], &o), nil
}

func (h *sideHeader) side() Side {
	return Side{
		Axis: Axis(max(slices.Index(axisNames[:], h.Axis), 0)), Group: h.Group, Fit: Fit(max(slices.Index(fitNames[:], h.Fit), 0)),
		Normalise: h.Normalise, Shift: h.Shift, Rotate: h.Rotate,
	}
}

// fileTensors are the tensors of a file that were not taken yet.
type fileTensors struct {
	m map[string]tensorfile.Tensor
}

// take returns the bytes of a tensor that has n elements, any number if n is below 0.
func (f *fileTensors) take(name string, t tensorfile.DType, n int) ([]byte, error) {
	x, ok := f.m[name]
	delete(f.m, name)
	if !ok && n <= 0 {
		return nil, nil
	}
	if !ok || x.DType != t || n >= 0 && x.Elements() != n {
		return nil, fmt.Errorf("%w: tensor %q has not %d elements of %s", ErrFormat, name, n, t)
	}
	return x.Data, nil
}

// fill lays out c and fills its arrays.
func (f *fileTensors) fill(c *Cache) error {
	all, err := c.layout()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	streams := c.streamIndex()
	var coded [2][][]byte
	for i, s := range c.sides() {
		n := all[i]
		if s.full, err = f.take(s.name+".full", c.storage, n.full/c.storage.Size()); err != nil {
			return err
		}
		if s.mean, err = f.take16(s.name+".mean", n.means); err != nil {
			return err
		}
		if s.norm, err = f.take16(s.name+".norm", n.norms); err != nil {
			return err
		}
		if s.high, err = f.take(s.name+".high", tensorfile.U8, n.high); err != nil {
			return err
		}
		if err := s.checkHigh(); err != nil {
			return err
		}
		if c.coding == Packed {
			if s.codes, err = f.take(s.name+".levels", tensorfile.U8, n.codes); err != nil {
				return err
			}
			if s.scale, err = f.take16(s.name+".scale", n.groups); err != nil {
				return err
			}
			zero, err := f.take(s.name+".zero", tensorfile.I16, n.groups)
			if err != nil {
				return err
			}
			s.zero = make([]int16, n.groups)
			for j := range s.zero {
				s.zero[j] = int16(binary.LittleEndian.Uint16(zero[2*j:]))
			}
			continue
		}
		if coded[i], err = f.blocks(s.name+".levels", s.name+".lengths", streams.count[i]); err != nil {
			return err
		}
		for j := range s.parts {
			p := &s.parts[j]
			if at, ok := streams.of[p]; ok && len(coded[i][at]) < leastStream(len(p.tokens)*s.dim) {
				return fmt.Errorf("%w: %d bytes for the levels of %d x %d", ErrFormat, len(coded[i][at]), len(p.tokens), s.dim)
			}
		}
		if err := f.grids(s, n.groups); err != nil {
			return err
		}
	}
	for i, s := range c.sides() {
		if c.coding == Coded {
			s.codes = make([]byte, all[i].codes)
		}
	}
	err = c.eachPart(func() func(s *side, p *part) error {
		var d dequantiser
		return func(s *side, p *part) error {
			at, ok := streams.of[p]
			switch {
			case !ok:
				return nil
			case c.coding == Packed:
				return s.checkUnused(p)
			case s == &c.keys:
				return d.decodeLevels(s, p, c.row, coded[0][at])
			}
			return d.decodeLevels(s, p, c.row, coded[1][at])
		}
	})
	if err != nil {
		return err
	}
	for _, s := range c.sides() {
		// Scales and norms have no sign.
		for _, list := range [][]uint16{s.scale, s.norm} {
			if len(list) > 0 && slices.Max(list) >= 0x7f80 {
				return fmt.Errorf("%w: %s have scales that are not finite", ErrFormat, s.name)
			}
		}
	}
	return nil
}

// take16 returns a tensor of n BF16.
func (f *fileTensors) take16(name string, n int) ([]uint16, error) {
	b, err := f.take(name, tensorfile.BF16, n)
	if err != nil {
		return nil, err
	}
	v := make([]uint16, n)
	for i := range v {
		v[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return v, nil
}

// blocks returns n blocks that lie one after the other.
func (f *fileTensors) blocks(name, lengthsName string, n int) ([][]byte, error) {
	all, err := f.take(name, tensorfile.U8, -1)
	if err != nil {
		return nil, err
	}
	lengths, err := f.take(lengthsName, tensorfile.I64, n)
	if err != nil {
		return nil, err
	}
	blocks := make([][]byte, n)
	for i := range blocks {
		size := binary.LittleEndian.Uint64(lengths[8*i:])
		if size > uint64(len(all)) {
			return nil, fmt.Errorf("%w: %q is too short", ErrFormat, name)
		}
		blocks[i], all = all[:size], all[size:]
	}
	if len(all) > 0 {
		return nil, fmt.Errorf("%w: %q is too long", ErrFormat, name)
	}
	return blocks, nil
}

// grids sets the scales and zero points of a side of n groups.
func (f *fileTensors) grids(s *side, n int) error {
	if n == 0 {
		return nil
	}
	blocks, err := f.blocks(s.name+".grids", s.name+".blocks", 4)
	if err != nil {
		return err
	}
	var planes [4][]byte
	for i, b := range blocks {
		if planes[i], err = arith.DecompressBytes(nil, b, n); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if len(planes[i]) != n {
			return fmt.Errorf("%w: %d scales for %d groups", ErrFormat, len(planes[i]), n)
		}
	}
	s.scale, s.zero = make([]uint16, n), make([]int16, n)
	for i := range n {
		if planes[1][i] >= 1<<(scaleBits-1) {
			return fmt.Errorf("%w: a scale of too many bits", ErrFormat)
		}
		s.scale[i] = uint16(planes[0][i])<<7 | uint16(planes[1][i])<<(16-1-8-(scaleBits-1))
		s.zero[i] = int16(uint16(planes[2][i])<<8 | uint16(planes[3][i]))
	}
	return nil
}

// checkHigh checks that as many columns as should have 4 levels.
func (s *side) checkHigh() error {
	for i := range s.parts {
		if p := &s.parts[i]; p.format == Mixed {
			_, columns := s.shape(len(p.tokens))
			if n := len(s.highColumns(p, columns)); n != highColumns(columns) {
				return fmt.Errorf("%w: %d of %d columns have 4 levels", ErrFormat, n, columns)
			}
		}
	}
	return nil
}

// checkUnused checks that packed levels are such as pack writes.
func (s *side) checkUnused(p *part) error {
	rows, columns := s.shape(len(p.tokens))
	packed := s.codes[p.codes : p.codes+p.codesLen]
	bad := false
	if p.format == Mixed {
		low := digit{2, 0}
		n := low.rows(rows) * columns
		bad = low.unused(packed[:n], rows, columns) || low.unused(packed[n:], rows, highColumns(columns))
	}
	for _, d := range p.format.digits() {
		n := d.rows(rows) * columns
		bad = bad || d.unused(packed[:n], rows, columns)
		packed = packed[n:]
	}
	if bad {
		return fmt.Errorf("%w: levels of the %s of layer %d, head %d", ErrFormat, s.name, p.layer, p.head)
	}
	return nil
}
