package prepare

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"reflect"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens"
)

// tokensOf counts the tokens that the tensors take, by the shapes that the models'
// code takes them from, and not by what package tokens planned.
func tokensOf(t testing.TB, r *Result) int {
	t.Helper()
	shape := func(name string) []int {
		if a := r.Tensor(name); a != nil {
			return a.Shape
		}
		return nil
	}
	number := func(name string, i int) int {
		a := r.Tensor(name)
		if a.DType == tensorfile.I32 {
			return int(int32(binary.LittleEndian.Uint32(a.Data[4*i:])))
		}
		return int(binary.LittleEndian.Uint64(a.Data[8*i:]))
	}
	pixels := r.Tensors[0].Shape
	switch r.Plan.Model {
	case "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "glm-4.1v", "glm-4.6v":
		grid := r.Tensors[1].Name
		if n := number(grid, 0) * number(grid, 1) * number(grid, 2); n != pixels[0] {
			t.Errorf("%d patches in a grid of %d", pixels[0], n)
		}
		return pixels[0] / 4
	case "llava-1.5":
		return pixels[0] * (pixels[2] / 14) * (pixels[3] / 14)
	case "llava-next", "llava-onevision":
		if pixels[1] != r.Plan.Tiles {
			t.Errorf("%d views, planned %d", pixels[1], r.Plan.Tiles)
		}
		return r.Plan.Tokens // depends on the size of the picture beside the views
	case "internvl3":
		return 256*pixels[0] + 2
	case "gemma-3":
		return 256 * pixels[0]
	case "paligemma-224", "paligemma-448", "paligemma-896":
		return pixels[2] / 14 * (pixels[3] / 14)
	case "pixtral":
		return pixels[2] / 16 * (pixels[3]/16 + 1)
	case "mistral-small-3":
		return pixels[2] / 28 * (pixels[3]/28 + 1)
	case "idefics3", "smolvlm", "smolvlm-500m":
		view := map[int]int{364: 169, 384: 81, 512: 64}[pixels[3]]
		rows, cols := number("rows", 0), number("cols", 0)
		if pixels[1] != rows*cols+1 {
			t.Errorf("%d views of %d x %d", pixels[1], cols, rows)
		}
		return view + 3 + rows*((view+2)*cols+1)
	case "llama-3.2":
		if n := number("num_tiles", 0); n*1601 != r.Plan.CrossAttention {
			t.Errorf("%d tiles, planned %d visual states", n, r.Plan.CrossAttention)
		}
		return 1
	case "llama-4":
		tiles := number("aspect_ratios", 0) * number("aspect_ratios", 1)
		if tiles > 1 {
			return 3 + 144 + 145*tiles
		}
		return 3 + 144*pixels[0]
	case "minicpm-v-2.6", "minicpm-v-4", "minicpm-v-4.5":
		views, rows := shape("tgt_sizes")[0], number("grids", 0)
		return 66*views + max(rows-1, 0)
	case "minicpm-v-4.6":
		n := max(number("grids", 0)-1, 0)
		for i := range shape("target_sizes")[0] {
			n += 2 + number("target_sizes", 2*i)*number("target_sizes", 2*i+1)/16
		}
		return n
	case "phi-3.5-vision":
		h, w := number("image_sizes", 0)/336, number("image_sizes", 1)/336
		return (h*w+1)*144 + 1 + (h+1)*12
	case "phi-4-multimodal":
		h, w := number("image_sizes", 0)/448, number("image_sizes", 1)/448
		mask, err := r.Tensor("image_attention_mask").Float32s()
		if err != nil {
			t.Fatal(err)
		}
		kept, first := 0, 0
		for i := range h * w {
			for y := 0; y < 32; y += 2 {
				for x := 0; x < 32; x += 2 {
					if mask[((i+1)*32+y)*32+x] != 0 {
						kept++
						if x == 0 && i%w == 0 {
							first++
						}
					}
				}
			}
		}
		return 256 + 1 + kept + first + 16
	case "deepseek-ocr-tiny", "deepseek-ocr-small", "deepseek-ocr-base", "deepseek-ocr-large", "deepseek-ocr":
		q := pixels[2] / 64
		n := q*(q+1) + 1
		if local := shape("images_crop"); local != nil {
			w, h := number("images_spatial_crop", 0), number("images_spatial_crop", 1)
			n += 10 * h * (10*w + 1)
		}
		return n
	case "deepseek-ocr-2":
		return 256 + 1 + 144*number("num_local_patches", 0)
	}
	t.Errorf("%s: how many tokens?", r.Plan.Model)
	return 0
}

func TestAgreesWithThePlan(t *testing.T) {
	sizes := [][2]int{{701, 333}, {70, 50}}
	for _, name := range Models() {
		for _, s := range sizes {
			if testing.Short() && s != sizes[0] {
				continue
			}
			r, err := Prepare(name, image.NewGray(image.Rect(0, 0, s[0], s[1])), nil)
			if err != nil {
				t.Errorf("%s, %v: %v", name, s, err)
				continue
			}
			plan, err := tokens.Plan(name, s[0], s[1], nil)
			if n := tokensOf(t, r); err != nil || n != plan.Tokens || r.Plan != plan {
				t.Errorf("%s, %v: tensors of %d tokens, planned %d, %v", name, s, n, plan.Tokens, err)
			}
			for i := range r.Tensors {
				if err := r.Tensors[i].Check(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if got, want := len(Models()), len(specs); got != want {
		t.Errorf("%d of %d specs are of models of package tokens: %v", got, want, Models())
	}
	for _, m := range tokens.Models() {
		if _, err := Prepare(m.Name, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

func TestVideoAgreesWithThePlan(t *testing.T) {
	for _, name := range []string{"qwen2-vl", "qwen2.5-vl", "qwen3-vl", "glm-4.1v", "glm-4.6v"} {
		for n := 2; n <= 5; n++ {
			frames := make([]image.Image, n)
			for i := range frames {
				frames[i] = image.NewGray(image.Rect(0, 0, 90, 130))
			}
			r, err := PrepareVideo(name, frames, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := tokensOf(t, r); got != r.Plan.Tokens {
				t.Errorf("%s, %d frames: tensors of %d tokens, planned %d", name, n, got, r.Plan.Tokens)
			}
		}
	}
}

// TestVideoOfOneFrame: two equal frames are the patches of the picture, if both are
// resized to one size.
func TestVideoOfEqualFrames(t *testing.T) {
	m := picture(56*4, 56*5, 3).image()
	o := &Options{Tokens: tokens.Options{MinPixels: 56 * 56, MaxPixels: 1 << 20}}
	p, err := Prepare("qwen2-vl", m, o)
	if err != nil {
		t.Fatal(err)
	}
	v, err := PrepareVideo("qwen2-vl", []image.Image{m, m}, o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Tensors[0].Data, v.Tensors[0].Data) {
		t.Error("other patches")
	}
}

// TestPatchOrder follows one sample to where Qwen-VL wants it.
func TestPatchOrder(t *testing.T) {
	p := newRaster(56, 56) // not resized
	x, y := 14+3, 28+5     // patch 1 across and 2 down: the second of the third block of 2 x 2
	p.row(y)[3*x+1] = 255
	r, err := Prepare("qwen2-vl", p.image(), nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Tensors[0].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	var lit []int
	for i, s := range v {
		if s > 1.5 {
			lit = append(lit, i)
		}
	}
	row := (2*4 + 1) * 1176
	if want := []int{row + 2*196 + 5*14 + 3, row + 3*196 + 5*14 + 3}; !slices.Equal(lit, want) {
		t.Errorf("at %v, want %v", lit, want)
	}
}

func TestBatch(t *testing.T) {
	a, b := picture(100, 60, 1).image(), picture(40, 80, 2).image()
	for name, want := range map[string][]int{
		"qwen2-vl": {4*8 + 4*6, 1176}, "pixtral": {2, 3, 80, 112}, "llava-next": {2, 3, 3, 336, 336},
		"llama-3.2": {1, 2, 4, 3, 560, 560}, "minicpm-v-2.6": {1, 3, 14, 14 * (2 * 1024)}, "gemma-3": {2, 3, 896, 896},
	} {
		var results []*Result
		for _, m := range []image.Image{a, b} {
			r, err := Prepare(name, m, nil)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, r)
		}
		batch, err := Batch(results...)
		if err != nil {
			t.Fatal(err)
		}
		got := batch.Tensors[0]
		if name == "minicpm-v-2.6" || name == "qwen2-vl" {
			along := map[string]int{"minicpm-v-2.6": 3, "qwen2-vl": 0}[name]
			want[along] = results[0].Tensors[0].Shape[along] + results[1].Tensors[0].Shape[along]
		}
		if err := got.Check(); err != nil || !slices.Equal(got.Shape, want) {
			t.Errorf("%s: a batch of %v, want %v, %v", name, got.Shape, want, err)
		}
		sum := func(a tensorfile.Tensor) (s float64) {
			v, err := a.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range v {
				s += float64(x)
			}
			return s
		}
		if one, two := sum(results[0].Tensors[0])+sum(results[1].Tensors[0]), sum(got); one-two > 1e-3 || two-one > 1e-3 {
			t.Errorf("%s: samples sum up to %v, in the batch to %v", name, one, two)
		}
	}
	// The first of Pixtral's rows, then zeros up to the width of the batch.
	ra, _ := Prepare("pixtral", a, nil)
	rb, _ := Prepare("pixtral", b, nil)
	batch, err := Batch(rb, ra)
	if err != nil {
		t.Fatal(err)
	}
	row := batch.Tensors[0].Data[:4*112]
	if w := 4 * rb.Tensors[0].Shape[3]; !bytes.Equal(row[:w], rb.Tensors[0].Data[:w]) || !bytes.Equal(row[w:], make([]byte, 4*112-w)) {
		t.Error("a padded row has other samples")
	}
	other, _ := Prepare("gemma-3", a, nil)
	if _, err := Batch(ra, other); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
	if _, err := Batch(); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
}

// A huge is a picture that takes no memory.
type huge struct{ image.Uniform }

func (h *huge) Bounds() image.Rectangle { return image.Rect(0, 0, 1<<20, 1<<20) }

func TestRefuses(t *testing.T) {
	small, tall := image.NewGray(image.Rect(0, 0, 64, 64)), image.NewGray(image.Rect(0, 0, 1, 1<<20))
	for _, c := range []struct {
		what  string
		model string
		m     image.Image
		o     *Options
		want  error
	}{
		{"an unknown model", "qwen9", small, nil, tokens.ErrModel},
		{"a hosted model", "gpt-4o", small, nil, ErrUnsupported},
		{"an empty picture", "qwen2-vl", image.NewGray(image.Rectangle{}), nil, tokens.ErrSize},
		{"a huge picture", "qwen2-vl", &huge{}, nil, ErrTooLarge},
		{"more pixels than allowed", "qwen2-vl", small, &Options{MaxPixels: 64*64 - 1}, ErrTooLarge},
		{"a picture that becomes huge", "llava-1.5", tall, nil, ErrTooLarge},
		{"a picture that is huge between passes", "paligemma", tall, &Options{Backend: PIL12, MaxPixels: 1 << 24}, ErrTooLarge},
		{"a ratio that the processor refuses", "qwen2-vl", tall, nil, tokens.ErrRefused},
		{"more bytes than allowed", "qwen2-vl", small, &Options{MaxBytes: 1000}, ErrTooLarge},
		{"an option of another model", "qwen2-vl", small, &Options{Tokens: tokens.Options{MaxTiles: 2}}, tokens.ErrOption},
		{"a square", "qwen2-vl", small, &Options{PadSquare: true}, ErrOption},
		{"backend", "qwen2-vl", small, &Options{Backend: 3}, ErrOption},
		{"alpha", "qwen2-vl", small, &Options{Alpha: -1}, ErrOption},
		{"orientation", "qwen2-vl", small, &Options{Orientation: 9}, ErrOption},
		{"workers", "qwen2-vl", small, &Options{Workers: -1}, ErrOption},
	} {
		if r, err := Prepare(c.model, c.m, c.o); r != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.what, r, err, c.want)
		}
	}
	if _, err := PrepareVideo("pixtral", []image.Image{small}, nil); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := PrepareVideo("qwen2-vl", nil, nil); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
	if _, err := PrepareVideo("qwen2-vl", []image.Image{small, tall}, nil); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
}

// TestSizes prepares pictures of odd sizes for every model: no panic, tensors that
// are whole.
func TestSizes(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {2, 300}, {300, 2}, {29, 31}} {
		for _, name := range Models() {
			switch name {
			case "smolvlm", "smolvlm-500m", "paligemma-448", "paligemma-896", "qwen2-vl", "glm-4.6v":
				continue // slow, or like others
			}
			r, err := Prepare(name, picture(s[0], s[1], 9).image(), &Options{Backend: PIL12})
			if err != nil {
				if !errors.Is(err, tokens.ErrRefused) && !errors.Is(err, tokens.ErrSize) {
					t.Errorf("%s, %v: %v", name, s, err)
				}
				continue
			}
			for i := range r.Tensors {
				if err := r.Tensors[i].Check(); err != nil {
					t.Errorf("%s, %v: %v", name, s, err)
				}
			}
		}
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	m := picture(900, 700, 1).image()
	for _, name := range []string{"qwen2.5-vl", "internvl3"} {
		one, err := Prepare(name, m, &Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		many, err := Prepare(name, m, nil)
		if err != nil || !reflect.DeepEqual(one.Tensors, many.Tensors) {
			t.Errorf("%s: one worker makes another result: %v", name, err)
		}
	}
}

// BenchmarkPrepare reports megapixels of pictures a second on one goroutine.
func BenchmarkPrepare(b *testing.B) {
	m := picture(1920, 1080, 0).image()
	for _, name := range []string{"qwen2.5-vl", "llava-next", "internvl3", "smolvlm", "gemma-3"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Prepare(name, m, &Options{Workers: 1}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1920*1080*float64(b.N)/b.Elapsed().Seconds()/1e6, "MP/s")
		})
	}
}

// FuzzSizes prepares pictures of any size: no panic, nothing beyond the limits,
// tensors of as many tokens as planned.
func FuzzSizes(f *testing.F) {
	f.Add(uint16(640), uint16(480), uint8(0), uint8(0), uint8(0), uint8(0))
	f.Add(uint16(1), uint16(9999), uint8(5), uint8(1), uint8(6), uint8(3))
	names := Models()
	f.Fuzz(func(t *testing.T, w, h uint16, model, backend, orientation, tiles uint8) {
		if int(w)*int(h) > 1<<20 {
			return
		}
		o := &Options{Backend: Backend(backend % 3), Orientation: int(orientation % 9), MaxPixels: 1 << 21, MaxBytes: 1 << 26}
		name := names[int(model)%len(names)]
		if tiles > 0 {
			// Not all models have the option.
			if _, err := tokens.Plan(name, 100, 100, &tokens.Options{MaxTiles: int(tiles)}); err == nil {
				o.Tokens.MaxTiles = int(tiles)
			}
		}
		r, err := Prepare(name, image.NewGray(image.Rect(0, 0, int(w), int(h))), o)
		if err != nil {
			return
		}
		n := 0
		for i := range r.Tensors {
			if err := r.Tensors[i].Check(); err != nil {
				t.Error(err)
			}
			n += len(r.Tensors[i].Data)
		}
		if n > 1<<26 {
			t.Errorf("tensors of %d bytes", n)
		}
		if got := tokensOf(t, r); got != r.Plan.Tokens {
			t.Errorf("%s, %d x %d: tensors of %d tokens, planned %d", name, w, h, got, r.Plan.Tokens)
		}
	})
}
