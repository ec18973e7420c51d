package bench

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/burin-codec/burin/corpus/dataset"
)

// An Input is a picture to code. All codecs get the same samples: Y'CbCr and
// CMYK pictures, which most programs cannot be handed, are converted to RGB.
type Input struct {
	Image  image.Image
	Planes int // 1 for gray, 3 for colour, one more with alpha
	Depth  int // 8 or 16

	workers   int  // goroutines that a codec in this process may use
	exclusive bool // nothing else runs while a codec does

	dir  string // for files; made and removed by the runner
	mu   sync.Mutex
	made map[string]bool
}

// newInput makes an Input that keeps its files under dir.
func newInput(m image.Image, dir string) (*Input, error) {
	in := &Input{Image: plain(m), Planes: 3, Depth: 8, dir: dir, workers: 1, made: make(map[string]bool)}
	switch in.Image.ColorModel() {
	case color.GrayModel:
		in.Planes = 1
	case color.Gray16Model:
		in.Planes, in.Depth = 1, 16
	case color.NRGBA64Model, color.RGBA64Model:
		in.Depth = 16
	}
	if o, ok := in.Image.(interface{ Opaque() bool }); ok && !o.Opaque() {
		in.Planes++
	}
	return in, os.MkdirAll(dir, 0o777)
}

// plain returns the picture as gray, RGB or a palette, with or without alpha.
func plain(m image.Image) image.Image {
	switch m.(type) {
	case *image.Gray, *image.Gray16, *image.NRGBA, *image.NRGBA64, *image.RGBA, *image.RGBA64, *image.Paletted:
		return m
	}
	out := image.NewNRGBA(image.Rectangle{Max: m.Bounds().Size()})
	draw.Draw(out, out.Rect, m, m.Bounds().Min, draw.Src)
	return out
}

func (in *Input) close() error { return os.RemoveAll(in.dir) }

// folder makes a folder for the files of one run of a program.
func (in *Input) folder(name string) (string, error) {
	dir := filepath.Join(in.dir, name)
	return dir, os.Mkdir(dir, 0o777)
}

// PNG returns the name of a PNG file of the picture, seen from a folder.
func (in *Input) PNG() (string, error) {
	return in.file("in.png", func(f *os.File) error {
		e := png.Encoder{CompressionLevel: png.BestSpeed}
		return e.Encode(f, in.Image)
	})
}

// PNM returns the name of a PGM or PPM file of the picture, seen from a folder, for
// programs that read no PNG. It is an error if the picture has alpha or 16 bits.
func (in *Input) PNM() (string, error) {
	if in.Planes%2 == 0 {
		return "", errors.New("cannot code alpha")
	}
	if in.Depth > 8 {
		return "", fmt.Errorf("cannot code %d bits", in.Depth)
	}
	ext := ".ppm"
	m := in.Image
	if in.Planes == 1 {
		ext = ".pgm"
	} else if p, ok := m.(*image.Paletted); ok {
		rgb := image.NewNRGBA(p.Rect)
		draw.Draw(rgb, rgb.Rect, p, p.Rect.Min, draw.Src)
		m = rgb
	}
	return in.file("in"+ext, func(f *os.File) error {
		_, err := dataset.Write(f, &dataset.Picture{Image: m}, ext)
		return err
	})
}

// file makes a file on first use.
func (in *Input) file(name string, write func(f *os.File) error) (string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	seen := filepath.Join("..", name)
	if in.made[name] {
		return seen, nil
	}
	f, err := os.Create(filepath.Join(in.dir, name))
	if err != nil {
		return "", err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return "", err
	}
	in.made[name] = true
	return seen, nil
}

// How the chroma of a raw file is subsampled.
const (
	chroma444 = "444"
	chroma420 = "420"
)

// YUV returns the name of a raw planar 8-bit file of the picture, seen from a
// folder, in full-range BT.601 Y'CbCr, and its dimensions, which for 4:2:0 are rounded up to even ones
// by repeating the last row and column. Chroma is the mean of 2x2 pixels.
func (in *Input) YUV(chroma string) (path string, w, h int, err error) {
	if in.Planes%2 == 0 {
		return "", 0, 0, errors.New("cannot code alpha")
	}
	b := in.Image.Bounds()
	w, h = b.Dx(), b.Dy()
	if chroma == chroma420 {
		w, h = w+w&1, h+h&1
	}
	path, err = in.file("in"+chroma+".yuv", func(f *os.File) error {
		out := bufio.NewWriter(f)
		y, cb, cr := toYCbCr(in.Image, w, h)
		if chroma == chroma420 {
			cb, cr = halve(cb, w, h), halve(cr, w, h)
		}
		for _, plane := range [][]float64{y, cb, cr} {
			for _, v := range plane {
				out.WriteByte(clamp8(v))
			}
		}
		return out.Flush()
	})
	return path, w, h, err
}

// toYCbCr converts to JFIF's Y'CbCr, unrounded, of w x h samples.
func toYCbCr(m image.Image, w, h int) (y, cb, cr []float64) {
	y, cb, cr = make([]float64, w*h), make([]float64, w*h), make([]float64, w*h)
	b := m.Bounds()
	for j := range h {
		for i := range w {
			r, g, bl, _ := m.At(b.Min.X+min(i, b.Dx()-1), b.Min.Y+min(j, b.Dy()-1)).RGBA()
			fr, fg, fb := float64(r)/257, float64(g)/257, float64(bl)/257
			l := 0.299*fr + 0.587*fg + 0.114*fb
			y[j*w+i], cb[j*w+i], cr[j*w+i] = l, 128+(fb-l)/1.772, 128+(fr-l)/1.402
		}
	}
	return y, cb, cr
}

// halve returns the means of 2x2 samples.
func halve(p []float64, w, h int) []float64 {
	out := make([]float64, 0, w*h/4)
	for y := 0; y < h; y += 2 {
		for x := 0; x < w; x += 2 {
			i := y*w + x
			out = append(out, (p[i]+p[i+1]+p[i+w]+p[i+w+1])/4)
		}
	}
	return out
}

// double interpolates a w/2 x h/2 plane bilinearly, its samples lying in the
// middle of 2x2.
func double(p []float64, w, h int) []float64 {
	cw, ch := w/2, h/2
	out := make([]float64, w*h)
	for y := range h {
		y0 := y / 2
		y1 := min(max(y0+2*(y&1)-1, 0), ch-1)
		for x := range w {
			x0 := x / 2
			x1 := min(max(x0+2*(x&1)-1, 0), cw-1)
			out[y*w+x] = (9*p[y0*cw+x0] + 3*p[y0*cw+x1] + 3*p[y1*cw+x0] + p[y1*cw+x1]) / 16
		}
	}
	return out
}

// readYUV reads a raw file as YUV writes it and returns its w x h pixels, cropped
// to the size of the input.
func (in *Input) readYUV(path, chroma string, w, h int) (image.Image, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	cw, ch := w, h
	if chroma == chroma420 {
		cw, ch = w/2, h/2
	}
	if len(b) != w*h+2*cw*ch {
		return nil, fmt.Errorf("%d bytes came out for a picture of %d x %d in %s", len(b), w, h, strings.Join(strings.Split(chroma, ""), ":"))
	}
	planes := make([][]float64, 3)
	for i := range planes {
		n := w * h
		if i > 0 {
			n = cw * ch
		}
		planes[i] = make([]float64, n)
		for k := range n {
			planes[i][k] = float64(b[k])
		}
		b = b[n:]
		if i > 0 && chroma == chroma420 {
			planes[i] = double(planes[i], w, h)
		}
	}
	size := in.Image.Bounds().Size()
	out := image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			i := y*w + x
			l, cb, cr := planes[0][i], planes[1][i]-128, planes[2][i]-128
			p := out.Pix[out.PixOffset(x, y):]
			p[0], p[1], p[2], p[3] = clamp8(l+1.402*cr), clamp8(l-(0.114*1.772*cb+0.299*1.402*cr)/0.587), clamp8(l+1.772*cb), 255
		}
	}
	return out, nil
}

// clamp8 rounds to a byte.
func clamp8(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }
