package prepare

import (
	"math"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// This file has the processors that see a picture whole or in tiles.

// square is PaliGemma's: stretched to a square.
func (j *job) square(p *raster) error {
	p, err := j.resize(p, j.spec.tile, j.spec.tile)
	if err != nil {
		return err
	}
	return j.views("pixel_values", 0, nil, 1, []*raster{p})
}

// centre is LLaVA-1.5's (CLIP's): the shorter side is brought to that of a tile,
// and the middle cut out.
func (j *job) centre(p *raster) error {
	n := j.spec.tile
	if j.o.PadSquare {
		p = p.onSquare(j.spec.grey())
	}
	w, h := n, n
	if p.w <= p.h {
		h = int(float64(n*p.h) / float64(p.w))
	} else {
		w = int(float64(n*p.w) / float64(p.h))
	}
	p, err := j.resize(p, w, h)
	if err != nil {
		return err
	}
	return j.views("pixel_values", 0, nil, 1, []*raster{p.crop((w-n)/2, (h-n)/2, n, n)})
}

// grey is the mean as a colour, the fraction cut off.
func (s *spec) grey() (c [3]uint8) {
	for i := range c {
		c[i] = uint8(s.mean[i] * 255)
	}
	return c
}

// onSquare lays the picture in the middle of a square of a colour; of an odd
// number of rows or columns, the additional one comes after it.
func (p *raster) onSquare(c [3]uint8) *raster {
	n := max(p.w, p.h)
	return p.pad(n, n, (n-p.w)/2, (n-p.h)/2, c)
}

// anyRes is that of LLaVA-NeXT and LLaVA-OneVision: the whole picture, then the
// tiles of the picture fitted into the layout and centred on black.
func (j *job) anyRes(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	several := j.spec.names[0] != "" && j.o.Tokens.Images > 1
	source := p
	if several {
		source = p.onSquare(j.spec.grey())
	}
	whole, err := j.resize(source, n, n)
	if err != nil {
		return err
	}
	views := []*raster{whole}
	if !several {
		fitted, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
		if err != nil {
			return err
		}
		w, h := plan.Grid.Cols*n, plan.Grid.Rows*n
		fitted = fitted.pad(w, h, (w-fitted.w)/2, (h-fitted.h)/2, [3]uint8{})
		views = append(views, fitted.tiles(n, n)...)
	}
	if err := j.views("pixel_values", 0, []int{1}, 0, views); err != nil {
		return err
	}
	if err := j.ints("image_sizes", 0, []int{1, 2}, p.h, p.w); err != nil {
		return err
	}
	if name := j.spec.names[0]; name != "" && !several {
		return j.ints(name, 0, []int{1}, 1)
	}
	return nil
}

// aspectTiles is InternVL's: tiles of the stretched picture, then, if there are
// several, the whole.
func (j *job) aspectTiles(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	stretched, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	if err != nil {
		return err
	}
	views := stretched.tiles(n, n)
	if plan.Thumbnail {
		whole, err := j.resize(p, n, n)
		if err != nil {
			return err
		}
		views = append(views, whole)
	}
	if err := j.views("pixel_values", 0, nil, 0, views); err != nil {
		return err
	}
	return j.ints("num_patches", 0, []int{1}, len(views))
}

// panAndScan is Gemma 3's: the whole, then the crops, all stretched to a square.
func (j *job) panAndScan(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	sources := []*raster{p}
	if plan.Tiles > 1 {
		cols, rows := plan.Grid.Cols, plan.Grid.Rows
		w, h := (p.w+cols-1)/cols, (p.h+rows-1)/rows
		for y := range rows {
			for x := range cols {
				sources = append(sources, p.crop(x*w, y*h, min(w, p.w-x*w), min(h, p.h-y*h)))
			}
		}
	}
	var views []*raster
	for _, q := range sources {
		v, err := j.resize(q, n, n)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	if err := j.views("pixel_values", 0, nil, 0, views); err != nil {
		return err
	}
	return j.ints("num_crops", 0, []int{1}, len(views)-1)
}

// whole is that of Pixtral and Mistral: the picture at one size.
func (j *job) whole(p *raster) error {
	p, err := j.resize(p, j.result.Plan.ResizedWidth, j.result.Plan.ResizedHeight)
	if err != nil {
		return err
	}
	if err := j.views("pixel_values", 0, nil, 0, []*raster{p}); err != nil {
		return err
	}
	return j.ints("image_sizes", 0, []int{1, 2}, p.h, p.w)
}

// splitTiles is that of Idefics3 and SmolVLM: the picture is brought to its longest
// edge, from there to whole tiles, from there to the view of the whole that follows
// them. Pillow resizes each from the last.
func (j *job) splitTiles(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	edge := j.spec.edge
	if j.o.Tokens.MaxEdge != 0 {
		edge = j.o.Tokens.MaxEdge
	}
	w, h := edge, edge
	aspect := float64(p.w) / float64(p.h)
	if p.w >= p.h {
		h = int(float64(edge) / aspect)
		h = max(h+h%2, 1)
	} else {
		w = int(float64(edge) * aspect)
		w = max(w+w%2, 1)
	}
	p, err := j.resize(p, w, h)
	if err != nil {
		return err
	}
	p, err = j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	if err != nil {
		return err
	}
	views, rows, cols := []*raster{p}, 0, 0
	if p.w > n || p.h > n {
		rows, cols = p.h/n, p.w/n
		views = p.tiles(n, n)
		whole, err := j.resize(p, n, n)
		if err != nil {
			return err
		}
		views = append(views, whole)
	}
	if err := j.views("pixel_values", 1, []int{1}, 0, views); err != nil {
		return err
	}
	// All tiles are full: nothing is padding.
	mask, err := j.tensor("pixel_attention_mask", tensorfile.I64, 1, 1, len(views), n, n)
	if err != nil {
		return err
	}
	for i := 0; i < len(mask); i += 8 {
		mask[i] = 1
	}
	if err := j.ints("rows", 1, []int{1, 1}, rows); err != nil {
		return err
	}
	return j.ints("cols", 1, []int{1, 1}, cols)
}

// mllama is Llama 3.2's: the picture at the upper left of a canvas of tiles, black
// elsewhere, in a tensor with room for all the tiles there can be.
func (j *job) mllama(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	most := j.spec.tiles
	if j.o.Tokens.MaxTiles != 0 {
		most = j.o.Tokens.MaxTiles
	}
	p, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	if err != nil {
		return err
	}
	cols, rows := plan.Grid.Cols, plan.Grid.Rows
	if err := j.views("pixel_values", 1, []int{1, 1}, most, p.pad(cols*n, rows*n, 0, 0, [3]uint8{}).tiles(n, n)); err != nil {
		return err
	}
	// Layouts are numbered from 1 in the order of their rows, then of their columns.
	id := 0
	for r := 1; r <= rows; r++ {
		for c := 1; c*r <= most && (r < rows || c <= cols); c++ {
			id++
		}
	}
	if err := j.ints("aspect_ratio_ids", 1, []int{1, 1}, id); err != nil {
		return err
	}
	used := make([]int, most)
	for i := range cols * rows {
		used[i] = 1
	}
	if err := j.ints("aspect_ratio_mask", 1, []int{1, 1, most}, used...); err != nil {
		return err
	}
	return j.ints("num_tiles", 1, []int{1, 1}, cols*rows)
}

// llama4 is Llama 4's: as Llama 3.2's without the room, and if there are several
// tiles the whole follows, stretched.
func (j *job) llama4(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	fitted, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	if err != nil {
		return err
	}
	cols, rows := plan.Grid.Cols, plan.Grid.Rows
	views := fitted.pad(cols*n, rows*n, 0, 0, [3]uint8{}).tiles(n, n)
	if cols*rows > 1 {
		whole, err := j.resize(p, n, n)
		if err != nil {
			return err
		}
		views = append(views, whole)
	}
	if err := j.views("pixel_values", 0, nil, 0, views); err != nil {
		return err
	}
	return j.ints("aspect_ratios", 0, []int{1, 2}, rows, cols)
}

// deepseek is DeepSeek-OCR's: the whole picture on a grey square, and tiles of the
// stretched picture if there are some.
func (j *job) deepseek(p *raster) error {
	s, plan := j.spec, j.result.Plan
	source := p
	if s.stretch {
		var err error
		if source, err = j.resize(p, s.whole, s.whole); err != nil {
			return err
		}
	}
	w, h := s.fit(source.w, source.h)
	whole, err := j.resize(source, w, h)
	if err != nil {
		return err
	}
	if s.own {
		// ImageOps.pad rounds half of the border to even.
		x, y := math.RoundToEven(float64(s.whole-w)*.5), math.RoundToEven(float64(s.whole-h)*.5)
		whole = whole.pad(s.whole, s.whole, int(x), int(y), s.grey())
	} else {
		whole = whole.onSquare(s.grey())
	}
	if err := j.views(s.names[0], 0, nil, 0, []*raster{whole}); err != nil {
		return err
	}
	cols, rows := plan.Grid.Cols, plan.Grid.Rows
	if cols*rows > 1 {
		stretched, err := j.resize(p, cols*s.tile, rows*s.tile)
		if err != nil {
			return err
		}
		if err := j.views(s.names[1], 0, nil, 0, stretched.tiles(s.tile, s.tile)); err != nil {
			return err
		}
	}
	if s.own {
		return j.ints(s.names[2], 0, []int{1, 2}, cols, rows)
	}
	n := 0
	if cols*rows > 1 {
		n = cols * rows
	}
	return j.ints(s.names[2], 0, []int{1}, n)
}

// fit returns the size at which a picture fits the square of the whole.
func (s *spec) fit(w, h int) (int, int) {
	if !s.own {
		scale := float64(s.whole) / float64(max(w, h))
		return int(math.RoundToEven(float64(w) * scale)), int(math.RoundToEven(float64(h) * scale))
	}
	// ImageOps.contain.
	switch {
	case w > h:
		return s.whole, int(math.RoundToEven(float64(h) / float64(w) * float64(s.whole)))
	case w < h:
		return int(math.RoundToEven(float64(w) / float64(h) * float64(s.whole))), s.whole
	}
	return s.whole, s.whole
}

// slices is MiniCPM-V's (LLaVA-UHD's): the whole picture, then its slices, each
// as rows of pixels of patches side by side, [3, patch, patches × patch].
func (j *job) slices(p *raster) error {
	s, plan := j.spec, j.result.Plan
	sliced := plan.Grid.Cols*plan.Grid.Rows > 1
	whole := []int{plan.ResizedWidth, plan.ResizedHeight}
	if sliced {
		whole = s.shrunk(p.w, p.h)
	}
	v, err := j.resize(p, whole[0], whole[1])
	if err != nil {
		return err
	}
	views := []*raster{v}
	if sliced {
		refined, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
		if err != nil {
			return err
		}
		views = append(views, refined.tiles(refined.w/plan.Grid.Cols, refined.h/plan.Grid.Rows)...)
	}
	length := 0
	for _, v := range views {
		length += v.w * v.h / s.patch
	}
	data, err := j.tensor("pixel_values", tensorfile.F32, 3, 1, 3, s.patch, length)
	if err != nil {
		return err
	}
	at := 0
	for _, v := range views {
		j.strips(data, length, at, v)
		at += v.w * v.h / s.patch
	}
	sizes, err := j.tensor(s.names[0], tensorfile.I32, 0, len(views), 2)
	if err != nil {
		return err
	}
	for i, v := range views {
		putInt32(sizes[8*i:], v.h/s.patch)
		putInt32(sizes[8*i+4:], v.w/s.patch)
	}
	return j.ints("grids", 0, []int{1, 2}, gridOf(plan.Grid.Rows, sliced), gridOf(plan.Grid.Cols, sliced))
}

func gridOf(n int, sliced bool) int {
	if sliced {
		return n
	}
	return 0
}

// shrunk returns the size of the whole beside slices: of as many pixels as a tile.
func (s *spec) shrunk(w, h int) []int {
	fw, fh := float64(w), float64(h)
	if w*h > s.tile*s.tile {
		aspect := fw / fh
		fh = math.Floor(float64(s.tile) / math.Sqrt(aspect))
		fw = math.Floor(float64(fh * aspect))
	}
	unit := s.patch * s.merge
	side := func(v float64) int { return max(int(math.RoundToEven(v/float64(unit)))*unit, unit) }
	return []int{side(fw), side(fh)}
}

// strips writes the patches of v side by side from column at of a [3, patch,
// length] tensor.
func (j *job) strips(data []byte, length, at int, v *raster) {
	n := j.spec.patch
	cols := v.w / n
	for y := range v.h {
		row := v.row(y)
		for c := range 3 {
			for x := range v.w {
				column := at + (y/n*cols+x/n)*n + x%n
				putUint32(data[4*((c*n+y%n)*length+column):], j.lut[c][row[3*x+c]])
			}
		}
	}
}

// phi3 is Phi-3.5-vision's: the picture between white stripes, in tiles, with the
// whole before them, which is interpolated from the normalised samples.
func (j *job) phi3(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	most := j.spec.tiles
	if j.o.Tokens.MaxTiles != 0 {
		most = j.o.Tokens.MaxTiles
	}
	// A portrait is laid on its side and back again.
	w, h, portrait := plan.ResizedWidth, plan.ResizedHeight, p.w < p.h
	if portrait {
		p, w, h = p.transpose(), h, w
	}
	p, err := j.resize(p, w, h)
	if err != nil {
		return err
	}
	padded := (h + n - 1) / n * n
	p = p.pad(w, padded, 0, (padded-h)/2, white)
	if portrait {
		p = p.transpose()
	}
	if err := j.withWhole("pixel_values", most+1, p); err != nil {
		return err
	}
	if err := j.ints("image_sizes", 0, []int{1, 2}, p.h, p.w); err != nil {
		return err
	}
	return j.ints("num_img_tokens", 0, []int{1}, plan.Tokens)
}

// phi4 is Phi-4-multimodal's: the same with the picture at the upper left, and a
// mask of the patches that are not all padding.
func (j *job) phi4(p *raster) error {
	n, plan := j.spec.tile, j.result.Plan
	p, err := j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	if err != nil {
		return err
	}
	cols, rows := plan.Grid.Cols, plan.Grid.Rows
	w, h := cols*n, rows*n
	if err := j.withWhole("image_pixel_values", 0, p.pad(w, h, 0, 0, white)); err != nil {
		return err
	}
	if err := j.ints("image_sizes", 0, []int{1, 2}, h, w); err != nil {
		return err
	}
	side := n / j.spec.patch
	mask, err := j.tensor("image_attention_mask", tensorfile.F32, 0, 1, 1+rows*cols, side, side)
	if err != nil {
		return err
	}
	seenW, seenH := cols*side-(w-p.w)/j.spec.patch, rows*side-(h-p.h)/j.spec.patch
	for i := range 1 + rows*cols {
		for y := range side {
			for x := range side {
				if i == 0 || (i-1)/cols*side+y < seenH && (i-1)%cols*side+x < seenW {
					putUint32(mask[4*((i*side+y)*side+x):], math.Float32bits(1))
				}
			}
		}
	}
	return j.ints("num_img_tokens", 0, []int{1}, plan.Tokens)
}

// withWhole adds the tiles of p after the whole, [1, max(1+tiles, room), 3, n, n].
func (j *job) withWhole(name string, room int, p *raster) error {
	n := j.spec.tile
	tiles := p.tiles(n, n)
	data, err := j.tensor(name, tensorfile.F32, 0, 1, max(room, 1+len(tiles)), 3, n, n)
	if err != nil {
		return err
	}
	size := 12 * n * n
	for i, t := range tiles {
		j.planes(data[(i+1)*size:], t)
	}
	for c := range 3 {
		plane := make([]float32, 0, p.w*p.h)
		for y := range p.h {
			row := p.row(y)
			for x := range p.w {
				plane = append(plane, math.Float32frombits(j.lut[c][row[3*x+c]]))
			}
		}
		for i, v := range interpolate(plane, p.w, p.h, n, n) {
			putUint32(data[4*(c*n*n+i):], math.Float32bits(v))
		}
	}
	return nil
}
