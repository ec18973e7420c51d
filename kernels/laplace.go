package kernels

// The chance of the integer x under a Laplace distribution of mean mu and scale
// b = exp(s) is its mass between x-1/2 and x+1/2. With a = |x-mu|, e1 =
// exp(-(a+1/2)/b) and e2 = exp(-|a-1/2|/b) that is
//
//	P = (e2 - e1)/2        if a >= 1/2
//	P = 1 - (e1 + e2)/2    otherwise
//
// and with f1 = e1/2b and f2 = e2/2b, the density at both ends,
//
//	dP/dx = sign(x-mu)*(f1 - f2)    dP/ds = (a-1/2)*f2 - (a+1/2)*f1

// LaplaceBitsF32 sets bits[i] to the cost -log2 P in bits of x[i], which may be any
// real number, under the Laplace distribution of mean mu[i] and scale exp(s[i]), s
// being limited to lo..hi first, and dx, dmu and ds to weight times its gradient.
// P is not let below 2^-16, and there, as where s is limited, the gradient is zero.
// Errors: 1e-4 of a bit for |s| <= 5, and as much of the gradient. It panics if
// lengths differ or not -20 <= lo <= hi <= 20.
func LaplaceBitsF32(bits, dx, dmu, ds, x, mu, s []float32, weight, lo, hi float32) {
	check("LaplaceBitsF32", len(x), len(bits), len(dx), len(dmu), len(ds), len(mu), len(s))
	if !(-20 <= lo && lo <= hi && hi <= 20) {
		panic("kernels: LaplaceBitsF32: limits outside -20..20")
	}
	laplaceBitsF32(bits, dx, dmu, ds, x, mu, s, weight, lo, hi)
}

func laplaceBitsGeneric(bits, dx, dmu, ds, x, mu, s []float32, weight, lo, hi float32) {
	const least = 1.0 / 65536
	for i := range x {
		a, sign := x[i]-mu[i], float32(1)
		if a < 0 {
			a, sign = -a, -1
		}
		sc := min(max(s[i], lo), hi)
		inv := exp32(-sc)
		u, w := a+0.5, a-0.5
		e1, e2 := exp32(-u*inv), exp32(-max(w, -w)*inv)
		p := (e2 - e1) * 0.5
		if w < 0 {
			p = 1 - (e1+e2)*0.5
		}
		var g float32
		if p > least {
			g = weight * -log2e / p
		}
		bits[i] = log32(max(p, least)) * -log2e
		g *= inv * 0.5
		dx[i] = sign * (e1 - e2) * g
		dmu[i] = -dx[i]
		ds[i] = (w*e2 - u*e1) * g
		if sc != s[i] {
			ds[i] = 0
		}
	}
}
