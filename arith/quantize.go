package arith

// quantize writes into freq integers that sum to total and follow counts as
// closely as coding cost goes: every counted symbol gets at least 1, no symbol
// gets more than limit. It uses integers only, so that an encoder and a decoder
// that hold the same counts make the same table.
//
// The caller sees to it that 1 <= used symbols <= total and that limit times
// their number is at least total; counts stay below 1<<40 and total at or below
// 1<<16.
func quantize(freq []uint16, counts []uint64, total, limit uint64) {
	// Symbols too rare for their share to reach 1 get 1, the others share the
	// rest in proportion. Setting some aside shrinks the share of the others,
	// which may make another one rare; few passes settle it.
	clear(freq)
	var sum, left uint64
	for _, c := range counts {
		sum += c
	}
	left = total
	for again := true; again; {
		again = false
		for i, c := range counts {
			if c != 0 && freq[i] == 0 && c*left < sum {
				freq[i] = 1
				left--
				sum -= c
				again = true
			}
		}
	}
	used := total - left
	for i, c := range counts {
		if c != 0 && freq[i] == 0 {
			f := min(max((c*left+sum/2)/sum, 1), limit)
			freq[i] = uint16(f)
			used += f
		}
	}
	// Rounding leaves the sum off by a little. Take or give where the cost moves
	// in the best way: changing f to f±1 changes the cost of c symbols by about
	// c/(f±1/2), compared crosswise to stay with integers.
	for ; used > total; used-- {
		best := -1
		for i, f := range freq {
			if f > 1 && (best < 0 || counts[i]*uint64(2*int(freq[best])-1) < counts[best]*uint64(2*int(f)-1)) {
				best = i
			}
		}
		freq[best]--
	}
	for ; used < total; used++ {
		best := -1
		for i, f := range freq {
			if f > 0 && uint64(f) < limit && (best < 0 || counts[i]*uint64(2*int(freq[best])+1) > counts[best]*uint64(2*int(f)+1)) {
				best = i
			}
		}
		freq[best]++
	}
}
