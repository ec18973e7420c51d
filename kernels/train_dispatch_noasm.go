//go:build !amd64 || noasm

package kernels

// Only Generic exists here, and the callers ask for assembly only above it.

func (c *combArgs) call(l Level, mr int) { c.generic(mr) }

func (d *dotArgs) call(mr, width int) { d.generic(mr, width) }

func copy48(dst, src []float32, ld, rows int) { copy48Generic(dst, src, ld, rows) }

func fmaLoop(n int) (flops int) { return fmaLoopGeneric(n) }
