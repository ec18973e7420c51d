//go:build !noasm

package kernels

//go:generate go -C _generate run ./depthwise -out ../depthwise_amd64.s -stubs ../depthwise_amd64.go -pkg kernels

// The assembly takes one row and whole vectors of channels, the Go functions the
// channels left over. Each call stays short because assembly cannot be pre-empted.

// depthwiseCall is the most numbers of a call that takes more than one vector of
// channels.
const depthwiseCall = 1 << 16

// lanesF32 returns the float32s of a vector.
func (l Level) lanesF32() int {
	if l == AVX512 {
		return 16
	}
	return 8
}

func depthwiseRowsF32(y, x, w, b []float32, h, width, c int, flip bool) {
	lanes := tier.lanesF32()
	whole := c / lanes
	if tier == Generic {
		whole = 0
	}
	at, wstep := 0, c
	if flip {
		at, wstep = 8*c, -c
	}
	for i := range h {
		first, rows := depthwiseSpan(i, h)
		k := at + 3*(first-i+1)*wstep // the weights of the first row
		for v := 0; v < whole; {
			n := min(whole-v, max(depthwiseCall/(width*lanes), 1))
			ch := v * lanes
			y, x, w := &y[i*width*c+ch], &x[first*width*c+ch], &w[k+ch]
			var bias *float32
			if b != nil {
				bias = &b[ch]
			}
			switch {
			case tier == AVX512 && rows == 3:
				depthwise3F32AVX512(y, x, w, wstep, bias, width, c, n)
			case tier == AVX512 && rows == 2:
				depthwise2F32AVX512(y, x, w, wstep, bias, width, c, n)
			case tier == AVX512:
				depthwise1F32AVX512(y, x, w, wstep, bias, width, c, n)
			case rows == 3:
				depthwise3F32AVX2(y, x, w, wstep, bias, width, c, n)
			case rows == 2:
				depthwise2F32AVX2(y, x, w, wstep, bias, width, c, n)
			default:
				depthwise1F32AVX2(y, x, w, wstep, bias, width, c, n)
			}
			v += n
		}
		if ch := whole * lanes; ch < c {
			depthwiseGenericF32(y, x, w, b, h, width, c, i, ch, flip)
		}
	}
}

func depthwiseWeightsF32(dw, db, dy, x []float32, h, width, c int) {
	lanes := tier.lanesF32()
	whole := c / lanes
	if tier == Generic {
		whole = 0
	}
	if db == nil && whole > 0 {
		db = make([]float32, c)
	}
	for i := range h {
		first, rows := depthwiseSpan(i, h)
		k := 3 * (first - i + 1) * c
		for v := 0; v < whole; {
			n := min(whole-v, max(depthwiseCall/(width*lanes), 1))
			ch := v * lanes
			dw, db, dy, x := &dw[k+ch], &db[ch], &dy[i*width*c+ch], &x[first*width*c+ch]
			switch {
			case tier == AVX512 && rows == 3:
				depthwiseWeights3F32AVX512(dw, db, dy, x, width, c, n)
			case tier == AVX512 && rows == 2:
				depthwiseWeights2F32AVX512(dw, db, dy, x, width, c, n)
			case tier == AVX512:
				depthwiseWeights1F32AVX512(dw, db, dy, x, width, c, n)
			case rows == 3:
				depthwiseWeights3F32AVX2(dw, db, dy, x, width, c, n)
			case rows == 2:
				depthwiseWeights2F32AVX2(dw, db, dy, x, width, c, n)
			default:
				depthwiseWeights1F32AVX2(dw, db, dy, x, width, c, n)
			}
			v += n
		}
		if ch := whole * lanes; ch < c {
			depthwiseWeightsGenericF32(dw, db, dy, x, h, width, c, i, ch)
		}
	}
}
