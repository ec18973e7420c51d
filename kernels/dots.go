package kernels

// dotChunk is about how many elements of each row DotsF32 goes through before
// it adds to c: short enough that the rows stay in cache while every pair is
// formed.
const dotChunk = 1024

// DotsF32 adds to each element of c the dot product of a row of a with a row of
// x, each row made of pieces of n elements, as the weight gradients of linear
// layers (one piece) and convolutions (a piece for each row of the picture)
// need:
//
//	c[i*ldc+j] += sum over r < pieces, t < n of a[i*lda+r*stepA+t] * x[off[j]+r*stepX+t]
//
// for i < m and j < len(off). The order of the sum depends on the tier and on n
// and pieces, on nothing else. DotsF32 panics if the arguments do not fit.
func DotsF32(c []float32, ldc int, a []float32, lda, stepA, m int, x []float32, off []int, stepX, n, pieces int) {
	if m < 0 || n < 0 || pieces < 0 || lda < 0 || stepA < 0 || stepX < 0 {
		panic("kernels: DotsF32: negative size")
	}
	if m == 0 || len(off) == 0 || n == 0 || pieces == 0 {
		return
	}
	if ldc < len(off) && m > 1 || (m-1)*ldc+len(off) > len(c) ||
		(m-1)*lda+(pieces-1)*stepA+n > len(a) {
		panic("kernels: DotsF32: arguments of bad size")
	}
	lo, hi := off[0], off[0]
	for _, o := range off {
		lo, hi = min(lo, o), max(hi, o)
	}
	if lo < 0 || hi+(pieces-1)*stepX+n > len(x) {
		panic("kernels: DotsF32: rows outside x")
	}
	d := dotArgs{c: c, ldc: ldc, a: a, lda: lda, stepA: stepA, x: x, off: off, stepX: stepX}
	if n > 2*dotChunk {
		for r := range pieces {
			for t := 0; t < n; t += dotChunk {
				d.n, d.pieces = min(dotChunk, n-t), 1
				d.a, d.x = a[r*stepA+t:], x[r*stepX+t:]
				d.run(m)
			}
		}
		return
	}
	step := (dotChunk + n/2) / n
	for r := 0; r < pieces; r += max(step, 1) {
		d.n, d.pieces = n, min(max(step, 1), pieces-r)
		d.a, d.x = a[r*stepA:], x[r*stepX:]
		d.run(m)
	}
}

// dotArgs is one chunk of the dot products.
type dotArgs struct {
	c          []float32
	ldc        int
	a          []float32
	lda, stepA int
	x          []float32
	off        []int
	stepX      int
	n, pieces  int
}

func (d dotArgs) run(m int) {
	if tier == Generic {
		d.generic(m, len(d.off))
		return
	}
	// Tiles of four columns, then of three: any number from six up divides so.
	k := len(d.off)
	threes := 0
	for (k-3*threes)%4 != 0 && k-3*threes > 2 {
		threes++
	}
	fours := (k - 3*threes) / 4
	d.tiles(m, 4, fours)
	d.shift(4 * fours)
	d.tiles(m, 3, threes)
	d.shift(3 * threes)
	rest := len(d.off)
	if rest == 0 {
		return
	}
	// One or two columns are left: the last stands in for what lacks, and the
	// results go by way of a tile.
	off := [3]int{d.off[0], d.off[rest-1], d.off[rest-1]}
	most := dotRows(tier, 3)
	for i, b := 0, 0; i < m; b++ {
		mr := blockSize(m, most, b)
		var tile [8 * 3]float32
		t := d
		t.c, t.ldc, t.off, t.a = tile[:], 3, off[:], d.a[i*d.lda:]
		t.call(mr, 3)
		for r := range mr {
			for j := range rest {
				d.c[(i+r)*d.ldc+j] += tile[3*r+j]
			}
		}
		i += mr
	}
}

// shift drops the first columns.
func (d *dotArgs) shift(columns int) {
	if d.off = d.off[columns:]; len(d.off) > 0 {
		d.c = d.c[columns:]
	}
}

// tiles forms the first count*width columns.
func (d dotArgs) tiles(m, width, count int) {
	if count == 0 {
		return
	}
	most := dotRows(tier, width)
	t := d
	for i, b := 0, 0; i < m; b++ {
		mr := blockSize(m, most, b)
		t.a = d.a[i*d.lda:]
		for j := 0; j < count*width; j += width {
			t.c, t.off = d.c[i*d.ldc+j:], d.off[j:]
			t.call(mr, width)
		}
		i += mr
	}
}

// dotRows is the largest number of rows of a tile of the given width.
func dotRows(l Level, width int) int {
	switch {
	case l == AVX512:
		return 24 / width
	case width == 3:
		return 4
	}
	return 3
}

// generic is the specification of what the assembly computes.
func (d *dotArgs) generic(m, k int) {
	for i := range m {
		for j := range k {
			var s float32
			for r := range d.pieces {
				x := d.x[d.off[j]+r*d.stepX:][:d.n]
				for t, v := range d.a[i*d.lda+r*d.stepA:][:d.n] {
					s += v * x[t]
				}
			}
			d.c[i*d.ldc+j] += s
		}
	}
}
