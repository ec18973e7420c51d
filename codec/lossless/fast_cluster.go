package lossless

import "github.com/burin-codec/burin/arith"

// entropyOf returns what coding the counted symbols with their own frequencies
// takes, in 1/65536 bit, and how many symbols occur.
func entropyOf(hist []uint32) (cost uint64, distinct int) {
	var total uint64
	for _, c := range hist {
		if c > 0 {
			total += uint64(c)
			cost -= uint64(c) * log2(c)
			distinct++
		}
	}
	if total > 0 {
		cost += total * log2(uint32(total))
	}
	return cost, distinct
}

// symbolCost is about what a symbol takes in a table, in 1/65536 bit.
const symbolCost = 5 << 16

// cluster gathers neighbouring activity levels as long as that saves more in
// tables than it costs in symbols, and returns the tables.
func cluster(hist *[activityLevels * symbolStride]uint32) *levelTables {
	type group struct {
		first int // level
		hist  []uint32
		cost  uint64 // with the table
		joint uint64 // cost when merged with the next group
	}
	price := func(h []uint32) uint64 {
		c, n := entropyOf(h)
		return c + uint64(n)*symbolCost
	}
	var groups []group
	for i := range activityLevels {
		h := hist[i*symbolStride:][:fastSymbols]
		if c := price(h); c > 0 {
			groups = append(groups, group{first: i, hist: h, cost: c})
		}
	}
	var sum [fastSymbols]uint32
	join := func(i int) {
		if i < 0 || i+1 >= len(groups) {
			return
		}
		for s := range sum {
			sum[s] = groups[i].hist[s] + groups[i+1].hist[s]
		}
		groups[i].joint = price(sum[:])
	}
	for i := range groups {
		join(i)
	}
	for {
		best, gain := -1, int64(0)
		for i := range len(groups) - 1 {
			g := int64(groups[i].cost+groups[i+1].cost) - int64(groups[i].joint)
			if best < 0 || g > gain {
				best, gain = i, g
			}
		}
		if best < 0 || gain < 0 {
			break
		}
		a, b := &groups[best], &groups[best+1]
		for s := range a.hist {
			a.hist[s] += b.hist[s]
		}
		a.cost = a.joint
		groups = append(groups[:best+1], groups[best+2:]...)
		join(best - 1)
		join(best)
	}
	t := &levelTables{freqs: make([]*arith.ByteTable, len(groups))}
	for i, g := range groups {
		var counts [256]uint32
		copy(counts[:], g.hist)
		t.freqs[i] = arith.NewByteTable(&counts)
		if i > 0 {
			for l := g.first; l < activityLevels; l++ {
				t.of[l] = uint8(i)
			}
		}
	}
	return t
}
