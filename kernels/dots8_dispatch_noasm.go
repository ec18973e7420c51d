//go:build !amd64 || noasm

package kernels

func (p *PanelsI8) dots(c []int32, ldc int, a []int8, lda, m int) {
	p.dotsGeneric(c, ldc, a, lda, m)
}
