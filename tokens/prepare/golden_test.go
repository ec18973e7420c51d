package prepare

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

var goldenFile = flag.String("golden", "testdata/models.json", "file of testdata/generate.py to compare with")

// A golden is what a processor made of picture(Width, Height).
type golden struct {
	Model         string
	Backend       string
	Width, Height int
	Frames        int
	Tensors       [][]any // name, type, shape, checksum, samples
}

// image returns the raster as a picture of the standard library.
func (p *raster) image() image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, p.w, p.h))
	for y := range p.h {
		for x := range p.w {
			copy(m.Pix[m.PixOffset(x, y):], p.row(y)[3*x:3*x+3])
			m.Pix[m.PixOffset(x, y)+3] = 255
		}
	}
	return m
}

// interpolated are the models whose view of the whole is interpolated in floating
// point.
var interpolated = map[string]bool{"phi-3.5-vision": true, "phi-4-multimodal": true}

// TestGolden compares tensors with those of the models' own processors.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile(*goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	worst := 0.0
	for _, c := range cases {
		o := &Options{}
		if o.Backend, err = ParseBackend(c.Backend); err != nil {
			t.Fatal(err)
		}
		model, option, _ := strings.Cut(c.Model, " ")
		o.PadSquare = option == "square"
		o.Tokens.PanAndScan = option == "crops"
		name := fmt.Sprintf("%s, %s, %dx%d, %d frames", c.Model, c.Backend, c.Width, c.Height, c.Frames)
		var r *Result
		if c.Frames > 0 {
			var frames []image.Image
			for i := range c.Frames {
				frames = append(frames, picture(c.Width, c.Height, uint32(i)).image())
			}
			r, err = PrepareVideo(model, frames, o)
		} else {
			r, err = Prepare(model, picture(c.Width, c.Height, 0).image(), o)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen[model] = true
		if n := tokensOf(t, r); n != r.Plan.Tokens {
			t.Errorf("%s: tensors of %d tokens, planned %d", name, n, r.Plan.Tokens)
		}
		for _, want := range c.Tensors {
			tensor := r.Tensor(want[0].(string))
			if tensor == nil {
				if want[0] != "num_patches_per_image" && want[0] != "batch_num_images" {
					t.Errorf("%s: no tensor %s", name, want[0])
				}
				continue
			}
			if len(tensor.Shape) == 5 && interpolated[model] {
				if d := wholeDifference(t, tensor, want); d > worst {
					worst = d
				}
			} else if d := difference(tensor, want); d != "" {
				t.Errorf("%s: %s: %s", name, want[0], d)
			}
		}
	}
	t.Logf("%d cases; interpolated samples differ by up to %.2g", len(cases), worst)
	if worst > 1e-6 {
		t.Errorf("interpolated samples differ by up to %g", worst)
	}
	if *goldenFile == "testdata/models.json" && len(seen) < 24 {
		t.Errorf("only %d models", len(seen))
	}
}

// difference says how a tensor is not the golden one.
func difference(t *tensorfile.Tensor, want []any) string {
	var shape []int
	for _, n := range want[2].([]any) {
		shape = append(shape, int(n.(float64)))
	}
	if string(t.DType) != want[1] || !slices.Equal(t.Shape, shape) {
		return fmt.Sprintf("%s%v, want %v%v", t.DType, t.Shape, want[1], want[2])
	}
	if crc32.ChecksumIEEE(t.Data) == uint32(want[3].(float64)) {
		return ""
	}
	v, err := t.Float32s()
	if err != nil {
		return err.Error()
	}
	worst, at := 0.0, -1
	for i, s := range want[4].([]any) {
		if d := math.Abs(float64(v[sampleAt(t, i)]) - s.(float64)); d > worst {
			worst, at = d, sampleAt(t, i)
		}
	}
	return fmt.Sprintf("another checksum; samples differ by up to %g at %d", worst, at)
}

func sampleAt(t *tensorfile.Tensor, i int) int {
	if t.DType != tensorfile.F32 {
		return i
	}
	return i * max(1, t.Elements()/31)
}

// wholeDifference returns by how much samples of the whole, the first view, differ
// from the golden ones. The other views must be equal.
func wholeDifference(t *testing.T, a *tensorfile.Tensor, want []any) (worst float64) {
	t.Helper()
	view := 12 * a.Shape[3] * a.Shape[4]
	if crc32.ChecksumIEEE(a.Data[view:]) != uint32(want[3].(float64)) {
		t.Errorf("%v: other tiles", want[:3])
	}
	for i, s := range want[4].([]any) {
		v := math.Float32frombits(binary.LittleEndian.Uint32(a.Data[4*i*(view/4/299):]))
		worst = max(worst, math.Abs(float64(v)-s.(float64)))
	}
	return worst
}
