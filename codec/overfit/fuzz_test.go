package overfit

import (
	"bytes"
	"context"
	"image"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
)

// payload returns that of the only tile of a file.
func payload(t testing.TB, file []byte) []byte {
	t.Helper()
	e := bytes.Index(file, []byte(kindTile))
	if e < 0 {
		t.Fatal("no tile")
	}
	// The length is a number of two bytes or more for tiles of 64 bytes or more.
	at := e + 4
	for file[at] >= 0x80 {
		at++
	}
	return file[at+1 : len(file)-codec.EndSize-4]
}

// decodeFramed decodes an opaque NRGBA picture of the given tiles, which it frames.
func decodeFramed(t testing.TB, r image.Rectangle, tiles ...[]byte) error {
	t.Helper()
	m := image.NewNRGBA(r)
	opaque(m.Pix, 1)
	framing = tiles
	var b bytes.Buffer
	o := codec.DefaultOptions()
	o.Codec = "overfit-frame"
	if err := codec.Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	_, err := codec.Decode(bytes.NewReader(file))
	return err
}

// framing is what the codec "overfit-frame" writes.
var framing [][]byte

func init() {
	codec.Register(codec.Codec{
		ID: 242, Name: "overfit-frame", Version: 1, Targets: []codec.TargetKind{codec.TargetLossless}, Sections: []string{kindTile},
		Encode: func(_ context.Context, _ *codec.Source, _ *codec.Options, w *codec.SectionWriter) error {
			for _, data := range framing {
				if err := w.Write(kindTile, true, data); err != nil {
					return err
				}
			}
			return nil
		},
		Decode: decode,
	})
}

// FuzzDecode decodes any bytes as a tile of a small picture.
func FuzzDecode(f *testing.F) {
	for _, q := range []float64{0, 70} {
		f.Add(payload(f, codectest.Encode(f, dataset.DeadLeaves(19, 13, 1), options(codec.TargetQuality, q))))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, tile []byte) { _ = decodeFramed(t, image.Rect(0, 0, 19, 13), tile) })
}

func BenchmarkDecode(b *testing.B) {
	m := dataset.DeadLeaves(768, 512, 1)
	file := codectest.Encode(b, m, options(codec.TargetQuality, 50))
	b.ResetTimer()
	for b.Loop() {
		mustDecode(b, file, 0)
	}
	b.ReportMetric(768*512/1e6*float64(b.N)/b.Elapsed().Seconds(), "MP/s")
	b.ReportMetric(8*float64(len(file))/(768*512), "bpp")
}
