package kernels

import "fmt"

// MaxHadamard is the longest row that [Hadamard] takes.
const MaxHadamard = 1 << 16

// Hadamard replaces every row of n consecutive elements of x by its Walsh-Hadamard
// transform, the matrix in its natural order (Sylvester's) and not normalised: entry
// i, j is 1 if i&j has an even number of bits set, else -1. The transform twice over
// is n times the row, so a division by n, which is exact, undoes it up to rounding.
//
// The sums and differences of elements 1 apart come first, then those 2 apart, 4, and
// so on; every tier rounds alike, so decoders may depend on the result. Hadamard
// panics unless n is a power of two up to [MaxHadamard] and divides the length of x.
func Hadamard(x []float32, n int) {
	if n < 1 || n > MaxHadamard || n&(n-1) != 0 || len(x)%n != 0 {
		panic(fmt.Sprintf("kernels: Hadamard: rows of %d in %d elements", n, len(x)))
	}
	if n > 1 && len(x) > 0 {
		hadamard(x, n)
	}
}

func hadamardGeneric(x []float32, n int) {
	for ; len(x) >= n; x = x[n:] {
		row := x[:n]
		for h := 1; h < n; h *= 2 {
			for i := 0; i < n; i += 2 * h {
				a, b := row[i:i+h], row[i+h:i+2*h]
				b = b[:len(a)]
				for j, u := range a {
					v := b[j]
					a[j], b[j] = u+v, u-v
				}
			}
		}
	}
}
