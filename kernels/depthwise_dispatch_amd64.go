//go:build !noasm

package kernels

//go:generate go -C _generate run ./depthwise -out ../depthwise_amd64.s -stubs ../depthwise_amd64.go -pkg kernels

// The assembly takes one row of a tile and whole vectors of channels, the Go functions
// the channels left over. Three rows of a tile, 18 kB, stay in the first-level cache, so
// that the second level is asked for each input once.

// The bits of a tile's edges that have columns, or rows, beyond them.
const (
	hasLeft = 1 << iota
	hasRight
	hasAbove
	hasBelow
)

// tileChannels is the most channels of a tile.
const tileChannels = 512

// depthwiseTiles calls f with tiles of columns and channels, of at most so many numbers
// unless that is too few columns; the channels from ch on that fill vectors of the given
// lanes. The leftmost of the tiles with the same channels comes first. It returns the
// first channel left over.
func depthwiseTiles(width, ch, c, lanes, numbers int, f func(column, n, ch, vecs, edges int)) (from int) {
	const least = 4
	whole := ch + (c-ch)&^(lanes-1)
	for ; ch < whole; ch += tileChannels {
		chans := min(whole-ch, tileChannels)
		columns := max(numbers/chans, least)
		for j := 0; j < width; j += columns {
			edges := 0
			if j > 0 {
				edges |= hasLeft
			}
			if j+columns < width {
				edges |= hasRight
			}
			f(j, min(columns, width-j), ch, chans/lanes, edges)
		}
	}
	return whole
}

// depthwiseTilesF32 calls f with the tiles of a picture of float32s.
func depthwiseTilesF32(width, c int, f func(column, n, ch, vecs, edges int)) (from int) {
	if tier == Generic {
		return 0
	}
	return depthwiseTiles(width, 0, c, tier.lanes32(), 1536, f)
}

func depthwiseRowsF32(y, x, w, b []float32, h, width, c int, flip bool) {
	at, wstep, row := 0, c, width*c
	if flip {
		at, wstep = 8*c, -c
	}
	from := depthwiseTilesF32(width, c, func(j, n, ch, vecs, edges int) {
		var bias *float32
		if b != nil {
			bias = &b[ch]
		}
		for i := range h {
			first, rows := depthwiseSpan(i, h)
			y, x := &y[(i*width+j)*c+ch], &x[(first*width+j)*c+ch]
			w := &w[at+3*(first-i+1)*wstep+ch] // the weights of the first row
			switch {
			case tier == AVX512 && rows == 3:
				depthwise3F32AVX512(y, x, w, wstep, bias, n, row, c, vecs, edges)
			case tier == AVX512 && rows == 2:
				depthwise2F32AVX512(y, x, w, wstep, bias, n, row, c, vecs, edges)
			case tier == AVX512:
				depthwise1F32AVX512(y, x, w, wstep, bias, n, row, c, vecs, edges)
			case rows == 3:
				depthwise3F32AVX2(y, x, w, wstep, bias, n, row, c, vecs, edges)
			case rows == 2:
				depthwise2F32AVX2(y, x, w, wstep, bias, n, row, c, vecs, edges)
			default:
				depthwise1F32AVX2(y, x, w, wstep, bias, n, row, c, vecs, edges)
			}
		}
	})
	if from < c {
		for i := range h {
			depthwiseGenericF32(y, x, w, b, h, width, c, i, from, flip)
		}
	}
}

func depthwiseWeightsF32(dw, db, dy, x []float32, h, width, c int) {
	if db == nil {
		db = make([]float32, c)
	}
	row := width * c
	from := depthwiseTilesF32(width, c, func(j, n, ch, vecs, edges int) {
		db := &db[ch]
		for i := range h {
			first, rows := depthwiseSpan(i, h)
			dw := &dw[3*(first-i+1)*c+ch]
			dy, x := &dy[(i*width+j)*c+ch], &x[(first*width+j)*c+ch]
			switch {
			case tier == AVX512 && rows == 3:
				depthwiseWeights3F32AVX512(dw, db, dy, x, n, row, c, vecs, edges)
			case tier == AVX512 && rows == 2:
				depthwiseWeights2F32AVX512(dw, db, dy, x, n, row, c, vecs, edges)
			case tier == AVX512:
				depthwiseWeights1F32AVX512(dw, db, dy, x, n, row, c, vecs, edges)
			case rows == 3:
				depthwiseWeights3F32AVX2(dw, db, dy, x, n, row, c, vecs, edges)
			case rows == 2:
				depthwiseWeights2F32AVX2(dw, db, dy, x, n, row, c, vecs, edges)
			default:
				depthwiseWeights1F32AVX2(dw, db, dy, x, n, row, c, vecs, edges)
			}
		}
	})
	if from < c {
		for i := range h {
			depthwiseWeightsGenericF32(dw, db, dy, x, h, width, c, i, from)
		}
	}
}

func depthwiseRowsI16(y, x, w []int16, bias, mul []int32, h, width, c, from, to int) {
	done := 0
	for l := tier; l > Generic; l-- { // what is less than a vector, with shorter ones
		done = depthwiseVectorsI16(l, y, x, w, bias, mul, h, width, c, from, to, done)
	}
	if done < c {
		for i := from; i < to; i++ {
			depthwiseGenericI16(y, x, w, bias, mul, h, width, c, i, done)
		}
	}
}

// depthwiseVectorsI16 sets the channels from ch on that fill vectors of level l. It
// returns the first channel left over.
func depthwiseVectorsI16(l Level, y, x, w []int16, bias, mul []int32, h, width, c, from, to, ch int) (done int) {
	lanes, row := l.lanes32(), width*c
	var params [2*tileChannels + 1]int32
	return depthwiseTiles(width, ch, c, 2*lanes, 3072, func(j, n, ch, vecs, edges int) {
		if j == 0 {
			for v := range vecs {
				d, at := params[4*v*lanes:][:4*lanes], ch+2*v*lanes
				splitFours(d[:2*lanes], bias[at:])
				splitFours(d[2*lanes:], mul[at:])
			}
		}
		for i := from; i < to; i++ {
			edges := edges
			if i > 0 {
				edges |= hasAbove
			}
			if i < h-1 {
				edges |= hasBelow
			}
			y, x := &y[(i*width+j)*c+ch], &x[(i*width+j)*c+ch]
			if l == AVX512 {
				depthwiseI16AVX512(y, x, &w[ch], &params[0], n, row, c, vecs, edges)
			} else {
				depthwiseI16AVX2(y, x, &w[ch], &params[0], n, row, c, vecs, edges)
			}
		}
	})
}

// splitFours sets the first half of dst to elements 0 to 3 of each 8 of src, and the
// second half to elements 4 to 7.
func splitFours(dst, src []int32) {
	half := len(dst) / 2
	for i := 0; i < half; i += 4 {
		copy(dst[i:][:4], src[2*i:])
		copy(dst[half+i:][:4], src[2*i+4:])
	}
}
