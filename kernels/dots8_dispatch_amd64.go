//go:build !noasm

package kernels

//go:generate go -C _generate run ./dots8 -out ../dots8_amd64.s -stubs ../dots8_amd64.go -pkg kernels

func (p *PanelsI8) dots(c []int32, ldc int, a []int8, lda, m int) {
	if tier < AVX512 || p.k == 0 {
		p.dotsGeneric(c, ldc, a, lda, m)
		return
	}
	var bias [8]int32
	var edge [8 * stripI8]int32 // the last strip, of fewer rows than a tile writes
	for i := 0; i < m; {
		mr := 8
		switch left := m - i; {
		case left < 4:
			mr = 1
		case left < 8:
			mr = 4
		}
		for r := range mr {
			// The packed elements are 128 too high.
			var s int32
			for _, v := range a[(i+r)*lda : (i+r)*lda+p.k] {
				s += int32(v)
			}
			bias[r] = -128 * s
		}
		for j := 0; j < p.n; j += stripI8 {
			d, ldd := c[i*ldc+j:], ldc
			if j+stripI8 > p.n {
				d, ldd = edge[:], stripI8
			}
			b := &p.data[j*p.k]
			switch mr {
			case 8:
				dots8I8AVX512(p.k/4, &a[i*lda], lda, b, &bias[0], &d[0], ldd)
			case 4:
				dots4I8AVX512(p.k/4, &a[i*lda], lda, b, &bias[0], &d[0], ldd)
			default:
				dots1I8AVX512(p.k/4, &a[i*lda], lda, b, &bias[0], &d[0], ldd)
			}
			if j+stripI8 > p.n {
				for r := range mr {
					copy(c[(i+r)*ldc+j:][:p.n-j], edge[r*stripI8:])
				}
			}
		}
		i += mr
	}
}
