//go:build !noasm

package kernels

//go:generate go -C _generate run ./planes -out ../planes_amd64.s -stubs ../planes_amd64.go -pkg kernels

// The assembly takes 32 numbers at a time. It moves bytes at the speed of the cache
// with AVX2 already, so the AVX-512 tier uses the same. Each call stays short because
// assembly cannot be pre-empted.

// planesCall is the numbers of a call.
const planesCall = 1 << 16

func splitPlanes(dst, src []byte, n, size int) (done int) {
	if tier == Generic || size > 4 {
		return 0
	}
	for done+32 <= n {
		m := min(n-done, planesCall) &^ 31
		if size == 2 {
			splitPlanes2AVX2(&dst[done], &src[2*done], n, m)
		} else {
			splitPlanes4AVX2(&dst[done], &src[4*done], n, m)
		}
		done += m
	}
	return done
}

func joinPlanes(dst, src []byte, n, size int) (done int) {
	if tier == Generic || size > 4 {
		return 0
	}
	for done+32 <= n {
		m := min(n-done, planesCall) &^ 31
		if size == 2 {
			joinPlanes2AVX2(&dst[2*done], &src[done], n, m)
		} else {
			joinPlanes4AVX2(&dst[4*done], &src[done], n, m)
		}
		done += m
	}
	return done
}
