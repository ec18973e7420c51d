package entropy

import "fmt"

// countLimit is the largest value, less the sign, that Counts tells from others: larger
// ones are in the tail.
const countLimit = maxWindow/2 - 1

// Counts tells how often each integer was coded with each table. Trained models make
// tables of them, which fit better than those of any family. The zero value has no
// tables.
type Counts struct {
	tab []countTable
}

type countTable struct {
	n            []uint64 // of the values -len/2 .. len/2
	below, above uint64   // of values beyond countLimit
}

// NewCounts returns counts of nothing for tables 0..tables-1.
func NewCounts(tables int) *Counts { return &Counts{tab: make([]countTable, max(tables, 0))} }

// Len returns the number of tables.
func (c *Counts) Len() int { return len(c.tab) }

// Add counts q[i] for the table numbered table[i]. It panics if there is none.
func (c *Counts) Add(q []int16, table []uint8) {
	table = table[:len(q)]
	for i, v := range q {
		c.tab[table[i]].add(int(v))
	}
}

// AddChannels counts q, of shape [...][Len()], for the tables of its channels.
func (c *Counts) AddChannels(q []int16) {
	for len(q) > 0 {
		for i := range c.tab {
			c.tab[i].add(int(q[i]))
		}
		q = q[len(c.tab):]
	}
}

func (t *countTable) add(v int) {
	switch {
	case v < -countLimit:
		t.below++
	case v > countLimit:
		t.above++
	default:
		if r := max(v, -v); r >= (len(t.n)+1)/2 {
			wider := make([]uint64, 2*max(r, min(len(t.n), countLimit), 7)+1)
			copy(wider[(len(wider)-len(t.n))/2:], t.n)
			t.n = wider
		}
		t.n[v+len(t.n)/2]++
	}
}

// of returns how often v was seen.
func (t *countTable) of(v int) uint64 {
	if i := v + len(t.n)/2; i >= 0 && i < len(t.n) {
		return t.n[i]
	}
	return 0
}

// NewTablesFromCounts makes tables, one for each of c, of how often values were seen.
//
// prior, if not nil, has as many tables, of one offset. Values that it expects are
// taken for seen that many times more, all together, as weight says: at 0 the counts
// stand for themselves, and tables that were never counted are those of the prior in
// any case. Its skipped tables stay skipped. Without a prior every value of the window
// and both tails are taken for seen once more.
//
// The window goes to the outermost values that get at least half a unit in 1<<16 and
// have -1, 0 and 1 in it. It returns [ErrTables] if prior does not match or there are no tables or more
// than 256.
func NewTablesFromCounts(c *Counts, prior *Tables, weight uint32) (*Tables, error) {
	if n := c.Len(); n < 1 || n > maxTables {
		return nil, fmt.Errorf("%w: counts of %d tables, want 1 to %d", ErrTables, n, maxTables)
	}
	return tablesFromCounts(c, prior, weight)
}

func tablesFromCounts(c *Counts, prior *Tables, weight uint32) (*Tables, error) {
	var base *ScaleOptions
	if prior != nil {
		if prior.offsets != 1 || prior.Len() != c.Len() {
			return nil, fmt.Errorf("%w: %d tables of %d offsets as the prior of %d", ErrTables, prior.Len(), prior.offsets, c.Len())
		}
		base = prior.base
	}
	tab := make([]table, c.Len())
	counted := make([]bool, c.Len())
	entries := 0
	for i := range tab {
		seen := &c.tab[i]
		sum := seen.below + seen.above
		for _, n := range seen.n {
			sum += n
		}
		if prior != nil && (prior.tab[i].cdf == nil || sum == 0) {
			tab[i] = prior.tab[i]
			counted[i] = prior.counted != nil && prior.counted[i]
			continue
		}
		counted[i] = true
		var expected *table
		if prior != nil {
			expected = &prior.tab[i]
		}
		var err error
		if tab[i], err = countedTable(seen, sum, expected, weight); err != nil {
			return nil, err
		}
		if entries += len(tab[i].cum); entries > maxEntries {
			return nil, fmt.Errorf("%w: more than %d frequencies", ErrTables, maxEntries)
		}
	}
	return newTables(tab, 1, base, counted), nil
}

// countedTable makes a table of counts, whose sum is above 0 if there is a prior. It
// may use any arithmetic: decoders are handed its result.
func countedTable(seen *countTable, sum uint64, prior *table, weight uint32) (table, error) {
	count := func(v int) float64 {
		n := float64(seen.of(v))
		if prior == nil {
			return n + 1
		}
		if s := v - int(prior.first); s > 0 && s <= prior.values() {
			n += float64(weight) * float64(prior.cum[s+1]-prior.cum[s]) / tableTotal
		}
		return n
	}
	least := (float64(sum) + float64(weight)) / (2 * tableTotal)
	if prior == nil {
		least = 1 + max(1, float64(sum)/(2*tableTotal)) // seen at all
	}
	lo, hi := -1, 1
	for r := 2; r <= countLimit; r++ {
		if count(-r) >= least {
			lo = -r
		}
		if count(r) >= least {
			hi = r
		}
	}
	masses := make([]float64, hi-lo+3)
	last := len(masses) - 1
	masses[0], masses[last] = float64(seen.below), float64(seen.above)
	if prior == nil {
		masses[0]++
		masses[last]++
	}
	for v := -countLimit; v <= countLimit; v++ {
		switch {
		case v < lo:
			masses[0] += float64(seen.of(v))
		case v > hi:
			masses[last] += float64(seen.of(v))
		default:
			masses[v-lo+1] = count(v)
		}
	}
	total := 0.0
	for _, m := range masses {
		total += m
	}
	units := make([]uint32, len(masses))
	for i, m := range masses {
		units[i] = max(1, uint32(m/total*(1<<30)))
	}
	return newTable(lo, units)
}
