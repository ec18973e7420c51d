//go:build !noasm

package kernels

//go:generate go -C _generate run ./nearest -out ../nearest_amd64.s -stubs ../nearest_amd64.go -pkg kernels

func (p *Nearest) scan(first, tiles int, x, best []float32, tile []uint32) {
	rows := p.level.nearestRows()
	switch p.level {
	case AVX512:
		nearestAVX512(tiles, p.d, &p.w[first*rows*p.d], &p.bias[first*rows], &x[0], &best[0], &tile[0], uint32(first))
	case AVX2:
		nearestAVX2(tiles, p.d, &p.w[first*rows*p.d], &p.bias[first*rows], &x[0], &best[0], &tile[0], uint32(first))
	default:
		p.scanGeneric(first, tiles, x, best, tile)
	}
}

func (p *Nearest) within(index []uint32, score, x []float32, ldx int) {
	switch p.level {
	case AVX512:
		withinAVX512(len(index), p.d, &p.w[0], &p.bias[0], &x[0], ldx, &index[0], &score[0])
	case AVX2:
		withinAVX2(len(index), p.d, &p.w[0], &p.bias[0], &x[0], ldx, &index[0], &score[0])
	default:
		p.withinGeneric(index, score, x, ldx)
	}
}
