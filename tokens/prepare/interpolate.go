package prepare

import (
	"encoding/binary"
	"math"
)

// interpolate brings a plane of w × h samples to ow × oh by PyTorch's bicubic
// interpolation without antialiasing and without aligned corners: Keys' kernel with
// a = −¾ over four samples along each axis, edges repeated.
func interpolate(plane []float32, w, h, ow, oh int) []float32 {
	wx, at := cubicWeights(w, ow), make([]float32, 4)
	wy := cubicWeights(h, oh)
	out := make([]float32, ow*oh)
	for y := range oh {
		for x := range ow {
			for i := range 4 {
				row := plane[min(max(wy[y].first+i, 0), h-1)*w:][:w]
				sum := float32(0)
				for k := range 4 {
					sum += float32(row[min(max(wx[x].first+k, 0), w-1)] * wx[x].w[k])
				}
				at[i] = sum
			}
			sum := float32(0)
			for i := range 4 {
				sum += float32(at[i] * wy[y].w[i])
			}
			out[y*ow+x] = sum
		}
	}
	return out
}

// A cubic is the weights of four samples from first, which may be outside.
type cubic struct {
	first int
	w     [4]float32
}

func cubicWeights(n, m int) []cubic {
	scale := float32(n) / float32(m)
	out := make([]cubic, m)
	for i := range out {
		at := float32(scale*(float32(i)+.5)) - .5
		floor := float32(math.Floor(float64(at)))
		t := at - floor
		out[i] = cubic{int(floor) - 1, [4]float32{cubicFar(t + 1), cubicNear(t), cubicNear(1 - t), cubicFar(2 - t)}}
	}
	return out
}

// cubicNear and cubicFar are the kernel within one sample and within two.
func cubicNear(x float32) float32 {
	const a = -.75
	return float32(float32((float32((a+2)*x)-(a+3))*x)*x) + 1
}

func cubicFar(x float32) float32 {
	const a = -.75
	return float32((float32((float32(a*x)-5*a)*x)+8*a)*x) - 4*a
}

func putUint32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }

func putInt32(b []byte, v int) { putUint32(b, uint32(int32(v))) }
