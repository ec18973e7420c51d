package learned

import (
	"image"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
)

func aligned(n int) int { return pixels.Aligned(n) }

func alphaPlane(h *codec.Header) int { return pixels.AlphaPlane(h) }

func supported(h *codec.Header) error { return pixels.Supported(Name, h) }

func read(src *codec.Source, r image.Rectangle) (x []int16, rows, columns int) {
	return pixels.Read(src, r)
}

func write(dst *codec.Sink, h *codec.Header, r image.Rectangle, x []int16, columns int) error {
	return pixels.Write(dst, h, r, x, columns)
}

func squaredError(decoded, x []int16, r image.Rectangle, columns int) (sum float64, n int) {
	return pixels.SquaredError(decoded, x, r, columns)
}

func psnr(mse float64) float64 { return pixels.PSNR(mse) }
