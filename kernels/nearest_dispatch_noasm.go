//go:build !amd64 || noasm

package kernels

func (p *Nearest) scan(first, tiles int, x, best []float32, tile []uint32) {
	p.scanGeneric(first, tiles, x, best, tile)
}

func (p *Nearest) within(index []uint32, score, x []float32, ldx int) {
	p.withinGeneric(index, score, x, ldx)
}
