package learned

import (
	"image"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/transform/convnet"
)

func FuzzDecode(f *testing.F) {
	m := model(f)
	for _, kind := range []string{"gray", "ycbcr", "nrgba"} {
		f.Add(codectest.Encode(f, picture(kind, 40, 30), options(f, codec.TargetQuality, 40)))
	}
	o := options(f, codec.TargetQuality, 70)
	o.EmbedWeights = true
	f.Add(codectest.Encode(f, picture("rgb", 20, 10), o))
	f.Fuzz(func(_ *testing.T, file []byte) { codectest.DecodeAny(file, m, false) })
}

// FuzzTile feeds the decoder of latents, past the checksums.
func FuzzTile(f *testing.F) {
	m := model(f)
	f.Add([]byte{}, 5, 7, 0)
	f.Add([]byte("some bytes that no encoder wrote"), 100, 30, 4096)
	f.Fuzz(func(t *testing.T, payload []byte, w, h, rate int) {
		w, h, rate = 1+w&127, 1+h&127, rate&4095
		x, columns, err := m.decodeTile(convnet.NewBuffers(nil), payload, image.Pt(w, h), rate)
		if err == nil && (columns != pixels.Aligned(w) || len(x) != 3*columns*pixels.Aligned(h)) {
			t.Errorf("%d samples in lines of %d for %d x %d", len(x), columns, w, h)
		}
	})
}

func FuzzModel(f *testing.F) { codectest.FuzzModel(f, model(f), ReadModel) }

func FuzzJoinedModel(f *testing.F) {
	codectest.FuzzModel(f, join(f, rangeModel(f, 0, 0.6), rangeModel(f, 0.4, 1)), ReadModel)
}
