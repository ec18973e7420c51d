package kernels

import "math"

// The transcendental functions are polynomials after a reduction of the range,
// the coefficients minimax fits of our own. Their errors against the exact
// function, over the stated range, are measured by the tests.
//
//	exp(x) = 2^n (1 + r + r² P(r))           n = round(x / ln 2), r = x - n ln 2
//	log(x) = n ln 2 + f - f²/2 + f³ Q(f)     x = 2^n (1+f), sqrt(1/2) <= 1+f < sqrt(2)
//	tanh(x) = 1 - 2/(exp(2x) + 1)
//	sigmoid(x) = 1/(1 + exp(-x))
//
// ln 2 is subtracted in two parts, the first of few enough bits that n times it
// is exact.

const (
	ln2High  = 0.693359375
	ln2Low   = -2.12194440e-4
	log2e    = 1.4426950408889634
	sqrtHalf = 0x3f3504f3 // the bits of sqrt(1/2)
	roundF32 = 3 << 22    // adding it rounds small numbers to integers
)

// exp32 is exp(x) for -87 <= x <= 88 to a relative error of 2e-7, and the value at
// the nearer end outside.
func exp32(x float32) float32 {
	x = min(max(x, -87), 88)
	n := float32(x*log2e+roundF32) - roundF32
	r := x - n*ln2High - n*ln2Low
	p := float32(0.0013814467238262296)
	p = p*r + 0.008368780836462975
	p = p*r + 0.04166839271783829
	p = p*r + 0.1666651964187622
	p = p*r + 0.4999999403953552
	y := 1 + (r + r*r*p)
	if n != n {
		return n
	}
	return math.Float32frombits(math.Float32bits(y) + uint32(int32(n))<<23)
}

// log32 is log(x) for positive normal x to 1e-7 of the larger of its magnitude
// and one; below it is the logarithm of the smallest normal number.
func log32(x float32) float32 {
	x = min(max(x, 1.17549435e-38), math.MaxFloat32)
	u := int32(math.Float32bits(x) - sqrtHalf)
	f := math.Float32frombits(uint32(u&0x007fffff+sqrtHalf)) - 1
	n := float32(u >> 23)
	p := float32(-0.07634496688842773)
	p = p*f + 0.1276157647371292
	p = p*f - 0.13160182535648346
	p = p*f + 0.14201757311820984
	p = p*f - 0.16623356938362122
	p = p*f + 0.20001226663589478
	p = p*f - 0.2500081956386566
	p = p*f + 0.3333333134651184
	p = p*f - 0.5
	return p*(f*f) + n*ln2Low + f + n*ln2High
}

func tanh32(x float32) float32 { return 1 - 2/(exp32(x+x)+1) }

func sigmoid32(x float32) float32 { return 1 / (exp32(-x) + 1) }

// check panics unless all lengths are equal to the first.
func check(name string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic("kernels: " + name + ": lengths differ")
		}
	}
}

// AxpbyF32 sets y[i] = b*y[i] + a*x[i]. Like all elementwise functions here it
// takes slices of one length, any, and panics if they differ; a multiple of 16
// is fastest.
func AxpbyF32(y []float32, b float32, x []float32, a float32) {
	check("AxpbyF32", len(y), len(x))
	axpbyF32(y, x, b, a)
}

func axpbyGeneric(y, x []float32, b, a float32) {
	x = x[:len(y)]
	for i, v := range y {
		y[i] = b*v + a*x[i]
	}
}

// MulAddF32 adds a[i]*b[i] to y[i].
func MulAddF32(y, a, b []float32) {
	check("MulAddF32", len(y), len(a), len(b))
	mulAddF32(y, a, b)
}

func mulAddGeneric(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i, v := range y {
		y[i] = v + a[i]*b[i]
	}
}

// GateF32 sets dst[i] to src[i], times slope where by[i] is not above 0: the
// gradient of [LeakyF32] for an output by. dst may be src.
func GateF32(dst, src, by []float32, slope float32) {
	check("GateF32", len(dst), len(src), len(by))
	gateF32(dst, src, by, slope)
}

func gateGeneric(dst, src, by []float32, slope float32) {
	src, by = src[:len(dst)], by[:len(dst)]
	for i := range dst {
		v := src[i]
		if !(by[i] > 0) {
			v *= slope
		}
		dst[i] = v
	}
}

// LeakyF32 sets dst[i] = max(src[i], slope*src[i]): a ReLU for slope 0, leaky up to
// 1. dst may be src.
func LeakyF32(dst, src []float32, slope float32) {
	check("LeakyF32", len(dst), len(src))
	leakyF32(dst, src, slope)
}

func leakyGeneric(dst, src []float32, slope float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = max(v, slope*v)
	}
}

// ExpF32 sets dst[i] = exp(src[i]) for -87 <= src[i] <= 88, to a relative error of
// 2e-7; outside, the value at the nearer end. NaN gives NaN. dst may be src.
func ExpF32(dst, src []float32) {
	check("ExpF32", len(dst), len(src))
	expF32(dst, src)
}

func expGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] = exp32(v)
	}
}

// LogF32 sets dst[i] = log(src[i]) for positive normal numbers, to an error of 1e-7
// of the larger of its magnitude and one; smaller numbers give the logarithm of
// the smallest, and NaN gives some number. dst may be src.
func LogF32(dst, src []float32) {
	check("LogF32", len(dst), len(src))
	logF32(dst, src)
}

func logGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] = log32(v)
	}
}

// TanhF32 sets dst[i] = tanh(src[i]), to an absolute error of 2e-7. dst may be src.
func TanhF32(dst, src []float32) {
	check("TanhF32", len(dst), len(src))
	tanhF32(dst, src)
}

func tanhGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] = tanh32(v)
	}
}

// SigmoidF32 sets dst[i] = 1/(1+exp(-src[i])), to an absolute error of 2e-7. dst may
// be src.
func SigmoidF32(dst, src []float32) {
	check("SigmoidF32", len(dst), len(src))
	sigmoidF32(dst, src)
}

func sigmoidGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] = sigmoid32(v)
	}
}

// GELUF32 sets dst[i] = src[i]*sigmoid(1.702*src[i]), the sigmoid form of the
// Gaussian error linear unit (Hendrycks and Gimpel, "Gaussian Error Linear
// Units", 2016). dst may be src.
func GELUF32(dst, src []float32) {
	check("GELUF32", len(dst), len(src))
	geluF32(dst, src)
}

func geluGeneric(dst, src []float32) {
	for i, v := range src {
		dst[i] = v * sigmoid32(1.702*v)
	}
}

// GELUGradF32 sets dx[i] to dy[i] times the derivative of [GELUF32] at x[i]. dx may
// be dy.
func GELUGradF32(dx, dy, x []float32) {
	check("GELUGradF32", len(dx), len(dy), len(x))
	geluGradF32(dx, dy, x)
}

func geluGradGeneric(dx, dy, x []float32) {
	for i, v := range x {
		z := 1.702 * v
		g := sigmoid32(z)
		dx[i] = g * (1 + z*(1-g)) * dy[i]
	}
}

// SoftRoundF32 sets dst[i] to a smooth version of rounding of src[i]:
//
//	m + tanh((x-m)/t) / (2 tanh(1/(2t)))    m = floor(x) + 1/2
//
// which tends to rounding as the temperature t > 0 falls, and to the identity as
// it rises (Agustsson and Theis, "Universally Quantized Neural Compression",
// 2020). The absolute error is 1e-6 for |x| < 4 and t from 0.05 to 1, and grows with t
// and the magnitude of x. dst may be src.
func SoftRoundF32(dst, src []float32, t float32) {
	check("SoftRoundF32", len(dst), len(src))
	inverse, half := softRound(t)
	softRoundF32(dst, src, inverse, half)
}

// SoftRoundGradF32 sets dx[i] to dy[i] times the derivative of [SoftRoundF32] at
// x[i]. dx may be dy.
func SoftRoundGradF32(dx, dy, x []float32, t float32) {
	check("SoftRoundGradF32", len(dx), len(dy), len(x))
	inverse, half := softRound(t)
	softRoundGradF32(dx, dy, x, inverse, half)
}

func softRound(t float32) (inverse, half float32) {
	if !(t > 0) {
		panic("kernels: SoftRound: temperature not above 0")
	}
	return 1 / t, float32(0.5 / math.Tanh(0.5/float64(t)))
}

func softRoundGeneric(dst, src []float32, inverse, half float32) {
	for i, v := range src {
		m := float32(math.Floor(float64(v))) + 0.5
		dst[i] = m + half*tanh32((v-m)*inverse)
	}
}

func softRoundGradGeneric(dx, dy, x []float32, inverse, half float32) {
	for i, v := range x {
		m := float32(math.Floor(float64(v))) + 0.5
		t := tanh32((v - m) * inverse)
		dx[i] = (1 - t*t) * inverse * half * dy[i]
	}
}

// reduceChunk is how many float32s are summed up before the sum goes to a
// float64.
const reduceChunk = 4096

// DotF32 returns the sum of x[i]*y[i], which must be of one length: in float32 over
// chunks of 4096, in float64 over those.
func DotF32(x, y []float32) float64 {
	check("DotF32", len(x), len(y))
	var s float64
	for len(x) > reduceChunk {
		s += float64(dotF32(x[:reduceChunk], y[:reduceChunk]))
		x, y = x[reduceChunk:], y[reduceChunk:]
	}
	return s + float64(dotF32(x, y))
}

func dotGeneric(x, y []float32) float32 {
	var s float32
	y = y[:len(x)]
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// SumF32 returns the sum of x, formed like that of [DotF32].
func SumF32(x []float32) float64 {
	var s float64
	for len(x) > reduceChunk {
		s += float64(sumF32(x[:reduceChunk]))
		x = x[reduceChunk:]
	}
	return s + float64(sumF32(x))
}

func sumGeneric(x []float32) float32 {
	var s float32
	for _, v := range x {
		s += v
	}
	return s
}

// InterleaveF32 sets dst to a[0], b[0], a[1], b[1] and so on. a and b have the same
// length, dst twice that, and does not overlap them.
func InterleaveF32(dst, a, b []float32) {
	check("InterleaveF32", len(dst), 2*len(a), 2*len(b))
	interleaveF32(dst, a, b)
}

func interleaveGeneric(dst, a, b []float32) {
	for i, v := range a {
		dst[2*i], dst[2*i+1] = v, b[i]
	}
}

// DeinterleaveF32 undoes [InterleaveF32].
func DeinterleaveF32(a, b, src []float32) {
	check("DeinterleaveF32", len(src), 2*len(a), 2*len(b))
	deinterleaveF32(a, b, src)
}

func deinterleaveGeneric(a, b, src []float32) {
	for i := range a {
		a[i], b[i] = src[2*i], src[2*i+1]
	}
}

// AdamStep is what one step of [AdamF32] needs beside its arrays.
type AdamStep struct {
	GradScale float32 // multiplies the gradient first, as clipping does
	Beta1     float32 // decay of the mean
	Beta2     float32 // decay of the mean square
	Rate      float32 // learning rate divided by 1 - Beta1^step
	Square    float32 // 1 / (1 - Beta2^step)
	Floor     float32 // added to the corrected mean square: 0 is Adam
	Epsilon   float32
	Decay     float32 // learning rate times weight decay
}

// AdamF32 takes one step of Adam with decoupled weight decay (Kingma and Ba,
// 2015; Loshchilov and Hutter, 2019) on parameters p with gradients g, running
// means m and running mean squares v:
//
//	h = GradScale*g;  m = Beta1*m + (1-Beta1)*h;  v = Beta2*v + (1-Beta2)*h*h
//	p = p - Rate*m/(sqrt(Square*v+Floor)+Epsilon) - Decay*p
//
// Means below the smallest normal number become zero: without gradients they would
// decay to such and stay there, and computing with them is slow.
func AdamF32(p, g, m, v []float32, s *AdamStep) {
	check("AdamF32", len(p), len(g), len(m), len(v))
	adamF32(p, g, m, v, s.GradScale, s.Beta1, 1-s.Beta1, s.Beta2, 1-s.Beta2, s.Rate, s.Square, s.Floor, s.Epsilon, s.Decay)
}

func adamGeneric(p, g, m, v []float32, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay float32) {
	for i, w := range p {
		h := scale * g[i]
		m[i] = flush(b1*m[i] + a1*h)
		v[i] = flush(b2*v[i] + a2*(h*h))
		d := float32(math.Sqrt(float64(v[i]*correction+floor))) + epsilon
		p[i] = w - (m[i]*rate/d + decay*w)
	}
}

// flush returns zero for a number below the smallest normal one.
func flush(x float32) float32 {
	if math.Abs(float64(x)) < 0x1p-126 {
		return 0
	}
	return x
}
