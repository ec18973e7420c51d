//go:build !noasm

package kernels

//go:generate go -C _generate run ./depthwise -out ../depthwise_amd64.s -stubs ../depthwise_amd64.go -pkg kernels

// The assembly takes one row of a tile and whole vectors of channels, the Go functions
// the channels left over. Three rows of a tile, 18 kB, stay in the first-level cache, so
// that the second level is asked for each input once.

// depthwiseTiles calls f with tiles of columns and channels that are multiples of lanes;
// edges are the bits that the assembly knows. It returns the channels left over.
func depthwiseTiles(width, c, lanes int, f func(column, n, ch, vecs, edges int)) (from int) {
	const tile, most, least = 1536, 512, 4
	if tier == Generic {
		return 0
	}
	whole := c &^ (lanes - 1)
	for ch := 0; ch < whole; ch += most {
		chans := min(whole-ch, most)
		columns := max(tile/chans, least)
		for j := 0; j < width; j += columns {
			edges := 0
			if j > 0 {
				edges |= 1
			}
			if j+columns < width {
				edges |= 2
			}
			f(j, min(columns, width-j), ch, chans/lanes, edges)
		}
	}
	return whole
}

func depthwiseRowsF32(y, x, w, b []float32, h, width, c int, flip bool) {
	at, wstep, row := 0, c, width*c
	if flip {
		at, wstep = 8*c, -c
	}
	from := depthwiseTiles(width, c, tier.lanes32(), func(j, n, ch, vecs, edges int) {
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
	from := depthwiseTiles(width, c, tier.lanes32(), func(j, n, ch, vecs, edges int) {
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
