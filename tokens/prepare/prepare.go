package prepare

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens"
)

// A Result is a picture, or several, as tensors.
type Result struct {
	// Plan is what package tokens says of the picture: how many tokens the tensors
	// are, the size and the grid. Of a batch it is that of the first picture.
	Plan tokens.Result
	// Tensors are the inputs of the model by the names that its processor gives
	// them, pixels first.
	Tensors []tensorfile.Tensor

	joins []int // the dimension of each tensor along which a batch is joined
}

// Tensor returns the tensor of a name, or nil.
func (r *Result) Tensor(name string) *tensorfile.Tensor {
	for i := range r.Tensors {
		if r.Tensors[i].Name == name {
			return &r.Tensors[i]
		}
	}
	return nil
}

// Prepare prepares a picture for a model, whose name is one of package tokens.
// nil options are those that the model is released with.
func Prepare(model string, m image.Image, o *Options) (*Result, error) {
	j, err := newJob(model, o)
	if err != nil {
		return nil, err
	}
	p, err := j.raster(m)
	if err != nil {
		return nil, err
	}
	if j.result.Plan, err = j.model.Plan(p.w, p.h, &j.o.Tokens); err != nil {
		return nil, err
	}
	if err := j.spec.prepare(j, p); err != nil {
		return nil, fmt.Errorf("%s: %w", j.model.Name, err)
	}
	return &j.result, nil
}

// PrepareVideo prepares the frames of a video, already sampled, for a model of the
// Qwen-VL or GLM-V families. All frames must have one size.
func PrepareVideo(model string, frames []image.Image, o *Options) (*Result, error) {
	j, err := newJob(model, o)
	if err != nil {
		return nil, err
	}
	if j.spec.patch == 0 || j.spec.temporal == 0 {
		return nil, fmt.Errorf("%w: %s for video", ErrUnsupported, j.model.Name)
	}
	if len(frames) == 0 {
		return nil, fmt.Errorf("%w: no frames", ErrOption)
	}
	size := frames[0].Bounds().Size()
	for i, f := range frames {
		if s := f.Bounds().Size(); s != size {
			return nil, fmt.Errorf("%w: frame %d has %v pixels, the first has %v", ErrOption, i, s, size)
		}
	}
	if err := j.checkSize(size.X, size.Y); err != nil {
		return nil, err
	}
	if j.o.Orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	j.result.Plan, err = j.model.PlanVideo(tokens.Clip{Width: size.X, Height: size.Y, Frames: len(frames)}, &j.o.Tokens)
	if err != nil {
		return nil, err
	}
	if err := j.video(frames); err != nil {
		return nil, fmt.Errorf("%s: %w", j.model.Name, err)
	}
	return &j.result, nil
}

// A job is a picture on its way.
type job struct {
	model  *tokens.Model
	spec   *spec
	o      Options
	lut    [3][256]uint32 // normalised samples: bits of a float32
	left   int64          // bytes that tensors may yet have
	result Result
}

func newJob(model string, o *Options) (*job, error) {
	c, err := o.complete()
	if err != nil {
		return nil, err
	}
	m, err := tokens.Lookup(model)
	if err != nil {
		return nil, err
	}
	s := specs[m.Name]
	if s == nil {
		return nil, fmt.Errorf("%w %s", ErrUnsupported, m.Name)
	}
	if c.PadSquare && !s.padSquare {
		return nil, fmt.Errorf("%w: %s has no option PadSquare", ErrOption, m.Name)
	}
	switch {
	case s.only == Torchvision:
		c.Backend = Torchvision
	case s.own && c.Backend == Torchvision:
		c.Backend = PIL
	}
	if c.Alpha == AlphaDefault {
		c.Alpha = AlphaWhite
		if s.own {
			c.Alpha = AlphaDrop
		}
	}
	j := &job{model: m, spec: s, o: c, left: c.MaxBytes}
	j.lut = s.normalisation(c.Backend)
	return j, nil
}

// Models returns the names of the models that Prepare knows, in the order of
// package tokens.
func Models() []string {
	var names []string
	for _, m := range tokens.Models() {
		if specs[m.Name] != nil {
			names = append(names, m.Name)
		}
	}
	return names
}

func (j *job) checkSize(w, h int) error {
	if w < 1 || h < 1 {
		return fmt.Errorf("%w: %d x %d pixels", tokens.ErrSize, w, h)
	}
	if w > j.o.MaxPixels || h > j.o.MaxPixels/w {
		return fmt.Errorf("%w: %d x %d pixels, at most %d may be", ErrTooLarge, w, h, j.o.MaxPixels)
	}
	return nil
}

// raster converts a picture within the limits.
func (j *job) raster(m image.Image) (*raster, error) {
	r := m.Bounds()
	if err := j.checkSize(r.Dx(), r.Dy()); err != nil {
		return nil, err
	}
	return fromImage(m, j.o.Alpha, j.o.ScaleGrey16).turn(j.o.Orientation), nil
}

// resize resizes within the limits, which also hold for the picture between the
// two passes.
func (j *job) resize(p *raster, w, h int) (*raster, error) {
	if err := j.checkSize(w, h); err != nil {
		return nil, err
	}
	between := [2]int{w, p.h}
	if columnsFirst(j.o.Backend, p.w, p.h, w, h) {
		between = [2]int{p.w, h}
	}
	if err := j.checkSize(between[0], between[1]); err != nil {
		return nil, fmt.Errorf("between two passes: %w", err)
	}
	return p.resize(w, h, j.spec.filter, j.o.Backend, j.o.Workers), nil
}

// tensor adds a tensor of zeros within the limits and returns its bytes. A batch
// is joined along dimension join.
func (j *job) tensor(name string, d tensorfile.DType, join int, shape ...int) ([]byte, error) {
	n := int64(d.Size())
	for _, s := range shape {
		if s != 0 && n > j.left/int64(s) {
			return nil, fmt.Errorf("%w: tensor %s%v, at most %d bytes may be", ErrTooLarge, name, shape, j.o.MaxBytes)
		}
		n *= int64(s)
	}
	j.left -= n
	data := make([]byte, n)
	j.result.Tensors = append(j.result.Tensors, tensorfile.Tensor{Name: name, DType: d, Shape: shape, Data: data})
	j.result.joins = append(j.result.joins, join)
	return data, nil
}

// ints adds a tensor of I64.
func (j *job) ints(name string, join int, shape []int, v ...int) error {
	data, err := j.tensor(name, tensorfile.I64, join, shape...)
	for i, n := range v {
		if err == nil {
			binary.LittleEndian.PutUint64(data[8*i:], uint64(n))
		}
	}
	return err
}

// views adds a tensor of normalised pictures of one size, NCHW, of shape before +
// [max(len(views), room), 3, h, w]; rooms that no view takes are 0.
func (j *job) views(name string, join int, before []int, room int, views []*raster) error {
	w, h := views[0].w, views[0].h
	room = max(room, len(views))
	data, err := j.tensor(name, tensorfile.F32, join, append(slices.Clone(before), room, 3, h, w)...)
	if err != nil {
		return err
	}
	parallel(len(views), 3*w*h, j.o.Workers, func(from, to int) {
		for i, v := range views[from:to] {
			j.planes(data[(from+i)*12*w*h:], v)
		}
	})
	return nil
}

// planes writes the normalised samples of p: three planes of h rows.
func (j *job) planes(to []byte, p *raster) {
	plane := 4 * p.w * p.h
	for y := range p.h {
		row := p.row(y)
		r, g, b := to[4*p.w*y:][:4*p.w], to[plane+4*p.w*y:][:4*p.w], to[2*plane+4*p.w*y:][:4*p.w]
		for x := 0; len(row) >= 3; x += 4 {
			binary.LittleEndian.PutUint32(r[x:], j.lut[0][row[0]])
			binary.LittleEndian.PutUint32(g[x:], j.lut[1][row[1]])
			binary.LittleEndian.PutUint32(b[x:], j.lut[2][row[2]])
			row = row[3:]
		}
	}
}

// Batch joins what Prepare returned for several pictures and one model into the
// tensors that the processor makes of a list of them: along the dimension that
// counts pictures, tiles or patches, with zeros where others are larger.
func Batch(results ...*Result) (*Result, error) {
	if len(results) == 0 {
		return nil, fmt.Errorf("%w: an empty batch", ErrOption)
	}
	first := results[0]
	out := &Result{Plan: first.Plan}
	for _, r := range results {
		if r.Plan.Model != first.Plan.Model {
			return nil, fmt.Errorf("%w: a batch for %s and %s", ErrOption, first.Plan.Model, r.Plan.Model)
		}
		for i, t := range r.Tensors {
			if out.Tensor(t.Name) != nil {
				continue
			}
			// Of a tensor that only some pictures have, as the tiles of large ones,
			// those are joined.
			var parts []*tensorfile.Tensor
			for _, q := range results {
				if p := q.Tensor(t.Name); p != nil {
					parts = append(parts, p)
				}
			}
			joined, err := join(parts, r.joins[i])
			if err != nil {
				return nil, err
			}
			out.Tensors = append(out.Tensors, joined)
			out.joins = append(out.joins, r.joins[i])
		}
	}
	return out, nil
}

// join concatenates tensors of one type along a dimension, zeros where others are
// larger along another.
func join(parts []*tensorfile.Tensor, along int) (tensorfile.Tensor, error) {
	shape := slices.Clone(parts[0].Shape)
	for _, p := range parts[1:] {
		if len(p.Shape) != len(shape) || p.DType != parts[0].DType {
			return tensorfile.Tensor{}, fmt.Errorf("%w: tensors %s of %v and %v in a batch", ErrOption, p.Name, shape, p.Shape)
		}
		for d := range shape {
			if d == along {
				shape[d] += p.Shape[d]
			} else {
				shape[d] = max(shape[d], p.Shape[d])
			}
		}
	}
	size := parts[0].DType.Size()
	n := size
	for _, s := range shape {
		if s != 0 && n > math.MaxInt/s {
			return tensorfile.Tensor{}, fmt.Errorf("%w: a batch of %v", ErrTooLarge, shape)
		}
		n *= s
	}
	out := tensorfile.Tensor{Name: parts[0].Name, DType: parts[0].DType, Shape: shape, Data: make([]byte, n)}
	stride := make([]int, len(shape)+1)
	stride[len(shape)] = size
	for d := len(shape) - 1; d >= 0; d-- {
		stride[d] = stride[d+1] * shape[d]
	}
	at := 0
	for _, p := range parts {
		// Rows are the last dimension; lay walks the others.
		var lay func(d, to int, from []byte) []byte
		lay = func(d, to int, from []byte) []byte {
			if d == len(shape)-1 {
				row := p.Shape[d] * size
				copy(out.Data[to:], from[:row])
				return from[row:]
			}
			for i := range p.Shape[d] {
				from = lay(d+1, to+i*stride[d+1], from)
			}
			return from
		}
		lay(0, at*stride[along+1], p.Data)
		at += p.Shape[along]
	}
	return out, nil
}
