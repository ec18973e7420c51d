package circuit

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
)

// Sharing says which parameters of a circuit are the same, so that few vectors suffice
// to learn them, and model files are small: for structure that is alike wherever it
// is, such as textures. Variables of one class have the same states and the same
// leaves. Transitions are the same where child and parent are of the same classes and
// lie in the same direction and distance from each other.
type Sharing struct {
	Class []int    // of each variable: any numbers
	Place [][2]int // of each variable: its coordinates
}

// ShareSquares returns the sharing of pictures with so many channels, whose variable
// of sample c of the pixel (x, y) is (y*width+x)*channels+c: pixels in the same square
// of side x side share, each channel apart.
func ShareSquares(width, height, channels, side int) *Sharing {
	s := new(Sharing)
	across := (width + side - 1) / side
	for y := range height {
		for x := range width {
			for c := range channels {
				s.Class = append(s.Class, (y/side*across+x/side)*channels+c)
				s.Place = append(s.Place, [2]int{x, y})
			}
		}
	}
	return s
}

func (s *Sharing) validate(vars int) error {
	if len(s.Class) != vars || len(s.Place) != vars {
		return fmt.Errorf("%w: sharing of %d and %d of %d variables", ErrOptions, len(s.Class), len(s.Place), vars)
	}
	return nil
}

// edgeKind is what edges that share transitions have in common.
type edgeKind struct{ child, parent, x, y int }

func (s *Sharing) kind(child, parent int) edgeKind {
	a, b := s.Place[child], s.Place[parent]
	return edgeKind{s.Class[child], s.Class[parent], a[0] - b[0], a[1] - b[1]}
}

// ties returns for each position of t the first that has the same transitions, and
// the first that has the same leaves.
func (s *Sharing) ties(t *Tree) (trans, leaf []int) {
	kinds, classes := map[edgeKind]int{}, map[int]int{}
	for i, v := range t.Order {
		first := i
		if i > 0 {
			k := s.kind(v, t.Order[t.Parent[i]])
			if at, ok := kinds[k]; ok {
				first = at
			}
			kinds[k] = first
		}
		trans = append(trans, first)
		first = i
		if at, ok := classes[s.Class[v]]; ok {
			first = at
		}
		classes[s.Class[v]] = first
		leaf = append(leaf, first)
	}
	return trans, leaf
}

// average replaces the mutual information of every two variables by the mean over
// those between which edges would be the same.
func (s *Sharing) average(info []float64, vars int) {
	sums, counts := map[edgeKind]float64{}, map[edgeKind]float64{}
	kind := func(v, w int) edgeKind {
		// Of both directions the one that comes first.
		a, b := s.kind(v, w), s.kind(w, v)
		if a.x > b.x || a.x == b.x && (a.y > b.y || a.y == b.y && a.child > b.child) {
			return b
		}
		return a
	}
	for v := range vars {
		for w := range v + 1 {
			k := kind(v, w)
			sums[k] += info[v*vars+w]
			counts[k]++
		}
	}
	for v := range vars {
		for w := range v + 1 {
			k := kind(v, w)
			g := sums[k] / counts[k]
			info[v*vars+w], info[w*vars+v] = g, g
		}
	}
}

// equalise gives the positions that share leaves as many states as the one with most.
func equalise(states, leafOf []int) {
	for i, first := range leafOf {
		states[first] = max(states[first], states[i])
	}
	for i, first := range leafOf {
		states[i] = states[first]
	}
}

// tied adds up p over the positions with the same first and makes them share the sum.
func tied(p [][]float32, of []int) {
	for i, first := range of {
		if first != i {
			kernels.AxpbyF32(p[first], 1, p[i], 1)
			p[i] = p[first]
		}
	}
}

// checkTies returns an error unless of has for each position the first of those that
// are the same.
func checkTies(of []int, n int) error {
	if of != nil && len(of) != n {
		return fmt.Errorf("circuit: %d ties of %d nodes", len(of), n)
	}
	for i, first := range of {
		if first < 0 || first > i || of[first] != first {
			return fmt.Errorf("circuit: position %d has the parameters of %d", i, first)
		}
	}
	return nil
}

// first returns of[i], or i if there are no ties.
func first(of []int, i int) int {
	if of == nil {
		return i
	}
	return of[i]
}
