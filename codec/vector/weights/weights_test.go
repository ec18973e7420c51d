package weights

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"runtime"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/corpus/dataset"
)

func options(effort int, quality float64) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Effort = vector.Name, effort
	o.Target = codec.Target{Kind: codec.TargetQuality, Value: quality}
	return o
}

func code(t testing.TB, m image.Image, o *codec.Options) (file []byte, psnr float64) {
	t.Helper()
	file = codectest.Encode(t, m, o)
	return file, codectest.PSNR(t, m, codectest.MustDecode(t, file, nil))
}

// TestModel checks that the shipped model covers its range of rates, and that effort
// pays: on a generated scene, whose hard edges are unlike what it was trained on.
func TestModel(t *testing.T) {
	m := dataset.DeadLeaves(384, 256, 1)
	var bytes, psnr float64
	for i, q := range []float64{0, 40, 80} {
		file, p := code(t, m, options(2, q))
		n := float64(len(file))
		t.Logf("quality %v: %.3f bpp, %.2f dB", q, 8*n/(384*256), p)
		if i > 0 && (n < 1.5*bytes || p < psnr+1) {
			t.Errorf("quality %v: %v bytes and %.2f dB after %v and %.2f", q, n, p, bytes, psnr)
		}
		bytes, psnr = n, p
	}
	cost := func(effort int) float64 {
		const q = 40.0
		file, p := code(t, m, options(effort, q))
		mse := 255 * 255 / math.Pow(10, p/10)
		return 8*float64(len(file))/(384*256) + network.Lambda(q/100)*mse
	}
	if one, more := cost(1), cost(6); more > one {
		t.Errorf("effort 6 costs %.4f, effort 1 %.4f", more, one)
	}
}

func BenchmarkCodec(b *testing.B) {
	m := dataset.DeadLeaves(1536, 1024, 1)
	pixels := float64(1536 * 1024)
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		for _, q := range []float64{10, 50} {
			o := options(1, q)
			o.Workers = workers
			var file []byte
			b.Run(fmt.Sprintf("encode/quality%v/workers%d", q, workers), func(b *testing.B) {
				for b.Loop() {
					file = codectest.Encode(b, m, o)
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
