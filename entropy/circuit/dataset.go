package circuit

import (
	"fmt"
	"math/rand/v2"
)

// A Dataset holds the vectors that a circuit is learnt from.
type Dataset struct {
	Vars, Cats int
	Values     []uint16 // [vectors][Vars], each below Cats
}

// Len returns the number of vectors.
func (d *Dataset) Len() int { return len(d.Values) / d.Vars }

// Row returns vector i, which shares memory with d.
func (d *Dataset) Row(i int) []uint16 { return d.Values[i*d.Vars:][:d.Vars:d.Vars] }

// Validate returns an error unless d holds at least one vector and all values are in
// range.
func (d *Dataset) Validate() error {
	if d.Vars < 1 || d.Vars > MaxVars || d.Cats < 2 || d.Cats > MaxCats {
		return fmt.Errorf("circuit: data of %d variables of %d values", d.Vars, d.Cats)
	}
	if len(d.Values) == 0 || len(d.Values)%d.Vars != 0 {
		return fmt.Errorf("circuit: %d values are not vectors of %d", len(d.Values), d.Vars)
	}
	for i, v := range d.Values {
		if int(v) >= d.Cats {
			return fmt.Errorf("circuit: value %d of vector %d is not below %d", v, i/d.Vars, d.Cats)
		}
	}
	return nil
}

// Split divides the vectors at random into two sets, the second with the given share
// of them, rounded. The same seed divides in the same way.
func (d *Dataset) Split(share float64, seed uint64) (rest, part *Dataset) {
	n := d.Len()
	k := int(float64(n)*share + 0.5)
	order := rand.New(rand.NewPCG(seed, 1)).Perm(n)
	pick := func(rows []int) *Dataset {
		p := &Dataset{d.Vars, d.Cats, make([]uint16, 0, len(rows)*d.Vars)}
		for _, i := range rows {
			p.Values = append(p.Values, d.Row(i)...)
		}
		return p
	}
	return pick(order[k:]), pick(order[:k])
}
