package codectest

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"runtime"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

// Shipped is how the model that is shipped for a codec is tested and measured, on
// generated scenes, whose hard edges are unlike what models are trained on.
type Shipped struct {
	Codec string
	// Lambda is the weight of the mean squared error of 8-bit samples, beside bits per
	// pixel, that a quality stands for.
	Lambda func(quality float64) float64
}

func (s *Shipped) options(effort int, quality float64) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Effort = s.Codec, effort
	o.Target = codec.Target{Kind: codec.TargetQuality, Value: quality}
	return o
}

func (s *Shipped) code(t *testing.T, m image.Image, effort int, quality float64) (bytes, psnr float64) {
	t.Helper()
	file := Encode(t, m, s.options(effort, quality))
	return float64(len(file)), PSNR(t, m, MustDecode(t, file, nil))
}

// Range checks that a higher quality, at an effort, takes at least half as many bytes again
// as the one before, and has 1 dB more.
func (s *Shipped) Range(t *testing.T, m image.Image, effort int, qualities ...float64) {
	pixels := float64(m.Bounds().Dx() * m.Bounds().Dy())
	var bytes, psnr float64
	for i, q := range qualities {
		n, p := s.code(t, m, effort, q)
		t.Logf("quality %v: %.3f bpp, %.2f dB", q, 8*n/pixels, p)
		if i > 0 && (n < 1.5*bytes || p < psnr+1) {
			t.Errorf("quality %v: %v bytes and %.2f dB after %v and %.2f", q, n, p, bytes, psnr)
		}
		bytes, psnr = n, p
	}
}

// Effort checks that an effort costs no more than effort 1, in bits and errors together.
func (s *Shipped) Effort(t *testing.T, m image.Image, effort int, quality float64) {
	cost := func(effort int) float64 {
		n, p := s.code(t, m, effort, quality)
		mse := 255 * 255 / math.Pow(10, p/10)
		return 8*n/float64(m.Bounds().Dx()*m.Bounds().Dy()) + s.Lambda(quality)*mse
	}
	if one, more := cost(1), cost(effort); more > one {
		t.Errorf("effort %d costs %.4f, effort 1 %.4f", effort, more, one)
	}
}

// Benchmark measures effort 1 and decoding, with one worker and with one a CPU.
func (s *Shipped) Benchmark(b *testing.B, qualities ...float64) {
	m := dataset.DeadLeaves(1536, 1024, 1)
	pixels := float64(1536 * 1024)
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		for _, q := range qualities {
			o := s.options(1, q)
			o.Workers = workers
			var file []byte
			b.Run(fmt.Sprintf("encode/quality%v/workers%d", q, workers), func(b *testing.B) {
				for b.Loop() {
					file = Encode(b, m, o)
				}
				b.ReportMetric(pixels*float64(b.N)/b.Elapsed().Seconds()/1e6, "MP/s")
				b.ReportMetric(8*float64(len(file))/pixels, "bpp")
			})
			b.Run(fmt.Sprintf("decode/quality%v/workers%d", q, workers), func(b *testing.B) {
				d := codec.DefaultDecodeOptions()
				d.Workers = workers
				for b.Loop() {
					dec, err := codec.NewDecoder(bytes.NewReader(file), d)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := dec.Decode(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(pixels*float64(b.N)/b.Elapsed().Seconds()/1e6, "MP/s")
			})
		}
	}
}
