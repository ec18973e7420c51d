package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// noiseFrame returns a frame whose samples go from lowest to highest.
func noiseFrame(h Y4MHeader, seed uint64) *Frame {
	rng := rand.New(rand.NewPCG(seed, 0))
	f := &Frame{h, newFrame(&h)}
	planes := [][]byte{f.YCbCr.Y, f.YCbCr.Cb, f.YCbCr.Cr}
	if h.Chroma == ChromaMono {
		planes = planes[:1]
	}
	for _, plane := range planes {
		for i := range plane {
			plane[i] = byte(rng.Uint32())
		}
	}
	return f
}

// writeClip returns a y4m stream of n frames of noise, seeds from 0.
func writeClip(t testing.TB, h Y4MHeader, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewY4MWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.WriteFrame(noiseFrame(h, uint64(i)).YCbCr); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

var smallClip = Y4MHeader{Width: 5, Height: 3, RateNum: 30000, RateDen: 1001, AspectNum: 16, AspectDen: 11, Interlacing: 'p'}

func TestY4MRoundTrip(t *testing.T) {
	for c := range chromas {
		h := smallClip
		h.Chroma, h.FullRange = Chroma(c), c%2 == 1
		b := writeClip(t, h, 3)
		r, err := NewY4MReader(bytes.NewReader(b), codec.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if r.Header() != h {
			t.Errorf("header %+v, want %+v", r.Header(), h)
		}
		for i := range 3 {
			if i == 1 {
				if err := r.Skip(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			f, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if want := noiseFrame(h, uint64(i)); !reflect.DeepEqual(f, want) {
				t.Errorf("%v: another frame %d came back", h.Chroma, i)
			}
		}
		for range 2 {
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("after the last frame: %v", err)
			}
		}
		if n, err := countY4M(bytes.NewReader(b), int64(len(b)), codec.DefaultLimits()); n != 3 || err != nil {
			t.Errorf("%d frames counted, %v", n, err)
		}
	}
}

func TestY4MHeaders(t *testing.T) {
	for line, want := range map[string]Y4MHeader{
		"W5 H3":                              {Width: 5, Height: 3, Interlacing: '?'},
		"W5 H3 C420":                         {Width: 5, Height: 3, Interlacing: '?'},
		"H3 W5 F25:1 Ip A0:0 C420mpeg2 Xfoo": {Width: 5, Height: 3, RateNum: 25, RateDen: 1, Interlacing: 'p', Chroma: Chroma420MPEG2},
		"W1 H1  It A1:1 F0:0 Cmono Q7 XYSCSS=420JPEG XCOLORRANGE=FULL": {Width: 1, Height: 1, AspectNum: 1, AspectDen: 1, Interlacing: 't', Chroma: ChromaMono, FullRange: true},
		"W5 H3 XCOLORRANGE=LIMITED C411":                               {Width: 5, Height: 3, Interlacing: '?', Chroma: Chroma411},
	} {
		r, err := NewY4MReader(strings.NewReader(y4mMagic+line+"\n"), codec.DefaultLimits())
		if err != nil || r.Header() != want {
			t.Errorf("%q: %+v, %v", line, r, err)
		}
	}
	for line, message := range map[string]string{
		"":                         "not a y4m stream", // the space of the magic is missing
		" ":                        "0 x 0",
		" W0 H3":                   "0 x 3",
		" W5":                      "5 x 0",
		" W-5 H3":                  "not a number",
		" W5 H3000000000":          "too large",
		" W5x H3":                  "not a number",
		" W H":                     "not a number",
		" W5 H3 F25":               "not a number",
		" W5 H3 Ix":                "interlacing",
		" W5 H3 Ipp":               "not one letter",
		" W5 H3 C420p10":           "10 bits",
		" W5 H3 C444p16":           "16 bits",
		" W5 H3 Cmono12":           "12 bits",
		" W5 H3 C444alpha":         "not supported",
		" W5 H3 C":                 "not supported",
		" W999999999 H9":           "x 9 pixels",
		" W200000000 H200000000":   "exceeds a limit",
		" W5 H3" + spaces(y4mLine): "too long",
	} {
		_, err := NewY4MReader(strings.NewReader(strings.TrimSpace(y4mMagic)+line+"\n"), codec.DefaultLimits())
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%.40q: %v, want %s", line, err, message)
		}
	}
	for _, s := range []string{"", "Y", "\x89PNG\r\n\x1a\n1234", "YUV4MPEG2 W5 H3"} {
		if _, err := NewY4MReader(strings.NewReader(s), codec.DefaultLimits()); err == nil {
			t.Errorf("%q: no error", s)
		}
	}
	l := codec.DefaultLimits()
	l.MaxPixels = 15
	if _, err := NewY4MReader(strings.NewReader(y4mMagic+"W5 H3\n"), l); err != nil {
		t.Error(err)
	}
	l.MaxPixels = 14
	if _, err := NewY4MReader(strings.NewReader(y4mMagic+"W5 H3\n"), l); !errors.Is(err, codec.ErrTooLarge) {
		t.Error(err)
	}
}

func spaces(n int) string { return strings.Repeat(" ", n) }

// TestY4MTruncated cuts a clip everywhere: what is whole comes, and then an error
// that comes again.
func TestY4MTruncated(t *testing.T) {
	h := smallClip
	b := writeClip(t, h, 2)
	head := bytes.IndexByte(b, '\n') + 1
	frame := (len(b) - head) / 2
	for cut := head; cut < len(b); cut++ {
		r, err := NewY4MReader(bytes.NewReader(b[:cut]), codec.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		whole := (cut - head) / frame
		for range whole {
			if _, err := r.Next(); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		want, counted := io.ErrUnexpectedEOF, whole+1
		if cut == head+whole*frame {
			want, counted = io.EOF, whole
		}
		if err := r.Skip(); !errors.Is(err, want) {
			t.Errorf("cut at %d: %v, want %v", cut, err, want)
		}
		if _, err := r.Next(); !errors.Is(err, want) {
			t.Errorf("cut at %d, again: %v, want %v", cut, err, want)
		}
		if n, err := countY4M(bytes.NewReader(b[:cut]), int64(cut), codec.DefaultLimits()); n != counted || err != nil {
			t.Errorf("cut at %d: %d frames counted, want %d: %v", cut, n, counted, err)
		}
	}
	damaged := bytes.Clone(b)
	damaged[head+frame] = 'f'
	r, err := NewY4MReader(bytes.NewReader(damaged), codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Skip(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "frame 1") {
		t.Errorf("where no frame begins: %v", err)
	}
}

func TestY4MWriterRefuses(t *testing.T) {
	for name, change := range map[string]func(h *Y4MHeader){
		"no width":      func(h *Y4MHeader) { h.Width = 0 },
		"height":        func(h *Y4MHeader) { h.Height = codec.MaxDimension + 1 },
		"half a rate":   func(h *Y4MHeader) { h.RateDen = 0 },
		"minus":         func(h *Y4MHeader) { h.AspectNum = -1 },
		"interlacing":   func(h *Y4MHeader) { h.Interlacing = 0 },
		"beyond chroma": func(h *Y4MHeader) { h.Chroma = ChromaMono + 1 },
	} {
		h := smallClip
		change(&h)
		if _, err := NewY4MWriter(io.Discard, h); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w, err := NewY4MWriter(io.Discard, smallClip)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*image.YCbCr{
		image.NewYCbCr(image.Rect(0, 0, 5, 4), image.YCbCrSubsampleRatio420),
		image.NewYCbCr(image.Rect(1, 0, 6, 3), image.YCbCrSubsampleRatio420),
		image.NewYCbCr(image.Rect(0, 0, 5, 3), image.YCbCrSubsampleRatio444),
	} {
		if err := w.WriteFrame(m); err == nil {
			t.Errorf("frame of %v with %v is taken", m.Rect, m.SubsampleRatio)
		}
	}
}

// exactRGB is the definition of Frame.RGB for one pixel, in floating point.
func exactRGB(f *Frame, x, y int) [3]float64 {
	h, m := &f.Header, f.YCbCr
	kr, kb := 0.299, 0.114
	if h.Height >= 720 {
		kr, kb = 0.2126, 0.0722
	}
	// Where the first chroma sample lies, and how far it is to the next, in luma
	// samples.
	left, topB, topR, dx, dy := 0.0, 0.0, 0.0, 1.0, 1.0
	switch h.Chroma {
	case Chroma420JPEG, ChromaMono:
		left, topB, topR, dx, dy = 0.5, 0.5, 0.5, 2, 2
	case Chroma420MPEG2:
		topB, topR, dx, dy = 0.5, 0.5, 2, 2
	case Chroma420PALDV:
		topB, dx, dy = 1, 2, 2
	case Chroma411:
		dx = 4
	case Chroma422:
		dx = 2
	}
	cw, ch := int(math.Ceil(float64(h.Width)/dx)), int(math.Ceil(float64(h.Height)/dy))
	sample := func(plane []byte, top float64) float64 {
		px := min(max((float64(x)-left)/dx, 0), float64(cw-1))
		py := min(max((float64(y)-top)/dy, 0), float64(ch-1))
		at := func(i, j float64) float64 { return float64(plane[int(j)*m.CStride+int(i)]) }
		i, j := math.Floor(px), math.Floor(py)
		i2, j2 := math.Ceil(px), math.Ceil(py)
		u, v := px-i, py-j
		return (1-v)*((1-u)*at(i, j)+u*at(i2, j)) + v*((1-u)*at(i, j2)+u*at(i2, j2))
	}
	luma := (float64(m.Y[y*m.YStride+x]) - 16) / 219
	pb, pr := (sample(m.Cb, topB)-128)/224, (sample(m.Cr, topR)-128)/224
	if h.FullRange {
		luma, pb, pr = (luma*219+16)/255, pb*224/255, pr*224/255
	}
	r, b := luma+2*(1-kr)*pr, luma+2*(1-kb)*pb
	g := (luma - kr*r - kb*b) / (1 - kr - kb)
	return [3]float64{255 * r, 255 * g, 255 * b}
}

func TestFrameRGB(t *testing.T) {
	for c := range chromas {
		for _, full := range []bool{false, true} {
			for _, size := range []image.Point{{1, 1}, {2, 2}, {17, 9}, {32, 6}, {3, 719}, {2, 720}} {
				h := Y4MHeader{Width: size.X, Height: size.Y, Interlacing: 'p', Chroma: Chroma(c), FullRange: full}
				f := noiseFrame(h, uint64(size.X))
				m := f.RGB()
				for y := range size.Y {
					for x := range size.X {
						got := m.NRGBAAt(x, y)
						for i, want := range exactRGB(f, x, y) {
							v := [...]uint8{got.R, got.G, got.B}[i]
							if want = min(max(want, 0), 255); math.Abs(float64(v)-want) > 0.51 || got.A != 255 {
								t.Fatalf("%v, full range %t, %v: channel %d at (%d, %d) is %d, want %.3f", h.Chroma, full, size, i, x, y, v, want)
							}
						}
					}
				}
			}
		}
	}
}

// TestFrameRGBOfBars converts the colours of 100 % bars, as standards list them.
func TestFrameRGBOfBars(t *testing.T) {
	for _, c := range []struct {
		height      int
		y, cb, cr   byte
		red, gr, bl int
	}{
		{2, 235, 128, 128, 255, 255, 255}, {2, 16, 128, 128, 0, 0, 0},
		{2, 81, 90, 240, 255, 0, 0}, {2, 145, 54, 34, 0, 255, 0}, {2, 41, 240, 110, 0, 0, 255},
		{720, 63, 102, 240, 255, 0, 0}, {720, 173, 42, 26, 0, 255, 0}, {720, 32, 240, 118, 0, 0, 255},
	} {
		h := Y4MHeader{Width: 2, Height: c.height, Interlacing: 'p'}
		f := &Frame{h, newFrame(&h)}
		for i := range f.YCbCr.Y {
			f.YCbCr.Y[i] = c.y
		}
		for i := range f.YCbCr.Cb {
			f.YCbCr.Cb[i], f.YCbCr.Cr[i] = c.cb, c.cr
		}
		got := f.RGB().NRGBAAt(1, 1)
		for _, d := range []int{int(got.R) - c.red, int(got.G) - c.gr, int(got.B) - c.bl} {
			if d < -2 || d > 2 { // the samples are rounded
				t.Errorf("%+v becomes %v", c, got)
			}
		}
	}
}

func FuzzY4M(f *testing.F) {
	for c := range chromas {
		h := smallClip
		h.Chroma = Chroma(c)
		f.Add(writeClip(f, h, 2))
	}
	for _, s := range []string{
		"YUV4MPEG2 W2 H1 F30:1 Ip A1:1 C420p10\nFRAME\n", "YUV4MPEG2 W99999 H99999\n", "YUV4MPEG2 W1 H1 Cmono\nFRAME Ixyz\naFRAME\n", "YUV4MPEG2 ",
	} {
		f.Add([]byte(s))
	}
	limits := codec.DefaultLimits()
	limits.MaxPixels, limits.MaxBytes = 1<<12, 1<<14
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewY4MReader(bytes.NewReader(b), limits)
		if err != nil {
			return
		}
		s, err := NewY4MReader(bytes.NewReader(b), limits)
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		w, err := NewY4MWriter(&again, r.Header())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			frame, err := r.Next()
			if skipErr := s.Skip(); fmt.Sprint(err) != fmt.Sprint(skipErr) {
				t.Fatalf("Next: %v, Skip: %v", err, skipErr)
			}
			if err != nil {
				if err != io.EOF {
					n++
				}
				break
			}
			frame.RGB()
			if err := w.WriteFrame(frame.YCbCr); err != nil {
				t.Fatal(err)
			}
			q, err := NewY4MReader(bytes.NewReader(again.Bytes()), limits)
			if err != nil || q.Header() != r.Header() {
				t.Fatalf("header %+v came back as %+v, %v", r.Header(), q.Header(), err)
			}
		}
		if counted, err := countY4M(bytes.NewReader(b), int64(len(b)), limits); err != nil || counted != n {
			t.Fatalf("%d frames counted, %d read, %v", counted, n, err)
		}
	})
}
