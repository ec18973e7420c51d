package kernels

// Similarity searches first compare vectors in 8 bits: four times the products of
// float32 per instruction, in a quarter of the memory.

// A PanelsI8 is n rows of k int8s packed for dot products with other rows. The zero
// value is empty; it may be packed again and again and allocates only to grow. Once
// packed it may be used by several goroutines at a time.
//
// Only the AVX-512 tier has assembly for it (VPDPBUSD, which is exact: products of
// unsigned and signed bytes summed in 32 bits); elsewhere the Go function runs, and
// [Gemm] on float32 is faster.
type PanelsI8 struct {
	// data holds strips of 48 rows, [k/4][48][4], each element raised by 128: the
	// instruction multiplies unsigned by signed bytes. Rows past the last are 128.
	data []uint8
	n, k int
}

// stripI8 is the rows of a strip.
const stripI8 = 48

// MaxI8 is the most elements of a row of [PanelsI8]: their dot products fit an int32.
const MaxI8 = 1 << 16

// Pack packs the row-major matrix x[i*ldx+j], i < n, j < k, k a multiple of four of at
// most [MaxI8]. It panics if the arguments do not fit.
func (p *PanelsI8) Pack(x []int8, n, k, ldx int) {
	if n < 0 || k < 0 || k%4 != 0 || k > MaxI8 || ldx < k || n > 0 && len(x) < (n-1)*ldx+k {
		panic("kernels: PanelsI8.Pack: arguments do not fit")
	}
	p.n, p.k = n, k
	strips := (n + stripI8 - 1) / stripI8
	if size := strips * stripI8 * k; cap(p.data) < size {
		p.data = make([]uint8, size)
	} else {
		p.data = p.data[:size]
	}
	for s := range strips {
		d := p.data[s*stripI8*k : (s+1)*stripI8*k]
		for r := range stripI8 {
			i := s*stripI8 + r
			if i >= n {
				for j := 0; j < k; j += 4 {
					copy(d[(j/4*stripI8+r)*4:], []uint8{128, 128, 128, 128})
				}
				continue
			}
			row := x[i*ldx : i*ldx+k]
			at := r * 4
			for ; len(row) >= 4; row = row[4:] {
				q := d[at : at+4 : at+4]
				q[0], q[1], q[2], q[3] = uint8(row[0])^128, uint8(row[1])^128, uint8(row[2])^128, uint8(row[3])^128
				at += 4 * stripI8
			}
		}
	}
}

// Dims returns the rows and columns of the matrix packed last.
func (p *PanelsI8) Dims() (n, k int) { return p.n, p.k }

// Dots sets c[i*ldc+j], i < m, j < n, to the dot product of row i of a, which starts
// at a[i*lda], with row j of the packed matrix. It panics if the arguments do not fit.
func (p *PanelsI8) Dots(c []int32, ldc int, a []int8, lda, m int) {
	if m < 0 || lda < p.k || ldc < p.n || m > 0 && (len(a) < (m-1)*lda+p.k || len(c) < (m-1)*ldc+p.n) {
		panic("kernels: PanelsI8.Dots: arguments do not fit")
	}
	if m > 0 && p.n > 0 {
		p.dots(c, ldc, a, lda, m)
	}
}

func (p *PanelsI8) dotsGeneric(c []int32, ldc int, a []int8, lda, m int) {
	for i := range m {
		row := a[i*lda : i*lda+p.k]
		for j := range p.n {
			at := j/stripI8*stripI8*p.k + j%stripI8*4
			var s int32
			for q := 0; q < p.k; q += 4 {
				b := p.data[at : at+4]
				s += int32(row[q])*int32(int8(b[0]^128)) + int32(row[q+1])*int32(int8(b[1]^128)) +
					int32(row[q+2])*int32(int8(b[2]^128)) + int32(row[q+3])*int32(int8(b[3]^128))
				at += 4 * stripI8
			}
			c[i*ldc+j] = s
		}
	}
}
