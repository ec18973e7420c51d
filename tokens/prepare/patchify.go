package prepare

import (
	"encoding/binary"
	"image"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// patches is the processor of Qwen-VL and GLM-V: flat patches of a picture that is
// taken for temporal equal frames.
func (j *job) patches(p *raster) error {
	p, err := j.resize(p, j.result.Plan.ResizedWidth, j.result.Plan.ResizedHeight)
	if err != nil {
		return err
	}
	return j.patchify("pixel_values", "image_grid_thw", p.w, p.h, 1, func(int) (*raster, error) { return p, nil })
}

// video is their processor of videos; the last frame is repeated until they fill
// whole patches.
func (j *job) video(frames []image.Image) error {
	plan := j.result.Plan
	groups := (len(frames) + j.spec.temporal - 1) / j.spec.temporal
	return j.patchify("pixel_values_videos", "video_grid_thw", plan.ResizedWidth, plan.ResizedHeight, groups, func(i int) (*raster, error) {
		p, err := j.raster(frames[min(i, len(frames)-1)])
		if err != nil {
			return nil, err
		}
		return j.resize(p, plan.ResizedWidth, plan.ResizedHeight)
	})
}

// patchify lays out groups × temporal frames of w × h pixels as rows of a matrix,
// a patch each, in the order that the model merges: for each group, for each block
// of merge × merge patches, the patches of the block. A row is [channel, frame, y,
// x].
func (j *job) patchify(pixels, grid string, w, h, groups int, frame func(i int) (*raster, error)) error {
	s := j.spec
	cols, rows := w/s.patch, h/s.patch
	area := s.patch * s.patch
	data, err := j.tensor(pixels, tensorfile.F32, 0, groups*rows*cols, 3*s.temporal*area)
	if err != nil {
		return err
	}
	if err := j.ints(grid, 0, []int{1, 3}, groups, rows, cols); err != nil {
		return err
	}
	row := 4 * 3 * s.temporal * area
	var p *raster
	for g := range groups {
		for t := range s.temporal {
			q, err := frame(g*s.temporal + t)
			if err != nil {
				return err
			}
			if q == p {
				// The same frame again is what was just written, one frame later.
				for i := g * rows * cols; i < (g+1)*rows*cols; i++ {
					for c := range 3 {
						at := i*row + 4*(c*s.temporal+t)*area
						copy(data[at:at+4*area], data[at-4*area:])
					}
				}
				continue
			}
			p = q
			parallel(rows/s.merge, s.merge*w*s.patch, j.o.Workers, func(from, to int) {
				at := (g*rows*cols+from*s.merge*cols)*row + 4*t*area
				for by := from; by < to; by++ {
					for bx := range cols / s.merge {
						for y := range s.merge {
							for x := range s.merge {
								j.patchOf(data[at:], p, (bx*s.merge+x)*s.patch, (by*s.merge+y)*s.patch)
								at += row
							}
						}
					}
				}
			})
		}
	}
	return nil
}

// patchOf writes the patch at x, y of one frame: three planes that are temporal
// patches apart.
func (j *job) patchOf(to []byte, p *raster, x, y int) {
	n := j.spec.patch
	plane := 4 * n * n * j.spec.temporal
	for i := range n {
		from := p.row(y + i)[3*x : 3*(x+n)]
		at := 4 * n * i
		r, g, b := to[at:][:4*n], to[at+plane:][:4*n], to[at+2*plane:][:4*n]
		for k := 0; len(from) >= 3; k += 4 {
			binary.LittleEndian.PutUint32(r[k:], j.lut[0][from[0]])
			binary.LittleEndian.PutUint32(g[k:], j.lut[1][from[1]])
			binary.LittleEndian.PutUint32(b[k:], j.lut[2][from[2]])
			from = from[3:]
		}
	}
}
