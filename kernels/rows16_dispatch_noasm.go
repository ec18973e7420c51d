//go:build !amd64 || noasm

package kernels

func (p *PanelsI16) rows(y []int16, ldy int, x []int16, ldx, rows int, e *EpilogueI16) {
	p.rowsGeneric(y, ldy, x, ldx, rows, e)
}

func (p *PanelsI16) sums(y []int32, ldy int, x []int16, ldx, rows int, bias []int32) {
	p.sumsGeneric(y, ldy, x, ldx, rows, bias)
}

func dotLoopI16(n int) (ops int) { return dotLoopI16Generic(n) }
