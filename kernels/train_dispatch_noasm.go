//go:build !amd64 || noasm

package kernels

// Only Generic exists here, and the callers ask for assembly only above it.

func (c *combArgs) call(l Level, mr int) { c.generic(mr) }

func (d *dotArgs) call(mr, width int) { d.generic(mr, width) }

func copy48(dst, src []float32, ld, rows int) { copy48Generic(dst, src, ld, rows) }

func fmaLoop(n int) (flops int) { return fmaLoopGeneric(n) }

func axpbyF32(y, x []float32, b, a float32) { axpbyGeneric(y, x, b, a) }

func mulAddF32(y, a, b []float32) { mulAddGeneric(y, a, b) }

func gateF32(dst, src, by []float32, slope float32) { gateGeneric(dst, src, by, slope) }

func leakyF32(dst, src []float32, slope float32) { leakyGeneric(dst, src, slope) }

func expF32(dst, src []float32) { expGeneric(dst, src) }

func logF32(dst, src []float32) { logGeneric(dst, src) }

func tanhF32(dst, src []float32) { tanhGeneric(dst, src) }

func sigmoidF32(dst, src []float32) { sigmoidGeneric(dst, src) }

func geluF32(dst, src []float32) { geluGeneric(dst, src) }

func geluGradF32(dx, dy, x []float32) { geluGradGeneric(dx, dy, x) }

func softRoundF32(dst, src []float32, inverse, half float32) {
	softRoundGeneric(dst, src, inverse, half)
}

func softRoundGradF32(dx, dy, x []float32, inverse, half float32) {
	softRoundGradGeneric(dx, dy, x, inverse, half)
}

func adamF32(p, g, m, v []float32, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay float32) {
	adamGeneric(p, g, m, v, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay)
}

func laplaceBitsF32(bits, dx, dmu, ds, x, mu, s []float32, weight, lo, hi float32) {
	laplaceBitsGeneric(bits, dx, dmu, ds, x, mu, s, weight, lo, hi)
}

func interleaveF32(dst, a, b []float32) { interleaveGeneric(dst, a, b) }

func deinterleaveF32(a, b, src []float32) { deinterleaveGeneric(a, b, src) }

func dotF32(x, y []float32) float32 { return dotGeneric(x, y) }

func sumF32(x []float32) float32 { return sumGeneric(x) }

func normalF32(dst []float32, key, first uint32, scale, offset float32) {
	normalGeneric(dst, key, first, scale, offset)
}

func uniformF32(dst []float32, key, first uint32, scale, offset float32) {
	uniformGeneric(dst, key, first, scale, offset)
}
