package vector

import "encoding/binary"

// What packets cannot do without, the tokens of the large cells, is cut into pieces with
// an erasure code: of n pieces, one for each packet, any k are enough. The code is a
// systematic Reed-Solomon code over GF(256), with a Cauchy matrix, of which every square
// part is invertible (Blömer et al., "An XOR-Based Erasure-Resilient Coding Scheme", 1995):
// piece i < k is data, piece i >= k the sum over j of data[j] / (i ^ j), numbers being
// elements of the field, whose polynomial is x^8 + x^4 + x^3 + x^2 + 1.

// neededPieces returns k for n packets: seven tenths of them may be enough.
func neededPieces(n int) int { return max(n*7/10, 1) }

// Powers of the generator 2 of the field, and their logarithms.
var gfExp, gfLog = func() (e [510]byte, l [256]byte) {
	x := 1
	for i := range 255 {
		e[i], e[i+255] = byte(x), byte(x)
		l[x] = byte(i)
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	return e, l
}()

func gfMul(a, b byte) byte {
	if a == 0 || b == 0 {
		return 0
	}
	return gfExp[int(gfLog[a])+int(gfLog[b])]
}

// gfInverse returns 1/a, a not being 0.
func gfInverse(a byte) byte { return gfExp[255-int(gfLog[a])] }

// gfAdd adds f times x to y.
func gfAdd(y, x []byte, f byte) {
	for i, v := range x {
		y[i] ^= gfMul(v, f)
	}
}

// gfWeight is that of data j in piece i of k and more.
func gfWeight(i, j, k int) byte {
	switch {
	case i >= k:
		return gfInverse(byte(i ^ j))
	case i == j:
		return 1
	}
	return 0
}

// spreadPieces returns n pieces of one length that b comes back from.
func spreadPieces(b []byte, n int) [][]byte {
	k := neededPieces(n)
	data := append(binary.AppendUvarint(nil, uint64(len(b))), b...)
	size := (len(data) + k - 1) / k
	data = append(data, make([]byte, k*size-len(data))...)
	pieces := make([][]byte, n)
	for i := range pieces {
		pieces[i] = make([]byte, size)
		for j := range k {
			gfAdd(pieces[i], data[j*size:(j+1)*size], gfWeight(i, j, k))
		}
	}
	return pieces
}

// joinPieces returns what spreadPieces was given, or false if there are too few pieces or
// they are damaged. pieces has n, nil for those that are missing.
func joinPieces(pieces [][]byte) ([]byte, bool) {
	k := neededPieces(len(pieces))
	// The pieces that there are, and their weights, become the data by elimination.
	var rows [][]byte // weights, and the piece after them
	size := -1
	for i, p := range pieces {
		if p == nil || len(rows) == k {
			continue
		}
		if size >= 0 && len(p) != size {
			return nil, false
		}
		size = len(p)
		row := make([]byte, k, k+size)
		for j := range row {
			row[j] = gfWeight(i, j, k)
		}
		rows = append(rows, append(row, p...))
	}
	if len(rows) < k {
		return nil, false
	}
	for j := range k {
		pivot := j
		for rows[pivot][j] == 0 {
			pivot++ // there is one: the weights are invertible
		}
		rows[j], rows[pivot] = rows[pivot], rows[j]
		f := gfInverse(rows[j][j])
		for i, v := range rows[j] {
			rows[j][i] = gfMul(v, f)
		}
		for i := range rows {
			if i != j {
				gfAdd(rows[i], rows[j], rows[i][j])
			}
		}
	}
	var data []byte
	for _, row := range rows {
		data = append(data, row[k:]...)
	}
	n, at := binary.Uvarint(data)
	if at <= 0 || n > uint64(len(data)-at) {
		return nil, false
	}
	return data[at : at+int(n)], true
}
