package circuit

import (
	"fmt"
	"math"
)

// A Circuit is a hidden Chow-Liu tree in the form that is trained: with parameters
// of any precision. [Circuit.Quantise] makes a [Model] of it, which codes.
//
// The node at position i has a hidden variable Z of States[i] states, whose
// distribution depends on the state of its parent, and a visible one, X, the
// variable Order[i], whose distribution depends on the state of Z:
//
//	P(x) = sum over all z of product over i of Trans[i][z[parent]][z[i]] * Leaf[i][z[i]][x[Order[i]]]
type Circuit struct {
	Tree
	Cats   int         // of every visible variable: 0..Cats-1
	States []int       // of the hidden variable at each position
	Trans  [][]float32 // [states of the parent][states]; [1][states] at the root. Rows sum to 1
	Leaf   [][]float32 // [states][Cats]. Rows sum to 1

	// Logistics is 0 for leaves that are tables. Otherwise every leaf is a mixture of
	// so many discretised logistics and a uniform distribution, and Leaf has what
	// follows from Mix: for each state the weight of the uniform distribution, then of
	// each logistic its weight, its mean, from 0 to Cats-1, and its scale, from 1/32
	// to 4096.
	Logistics int
	Mix       [][]float32 // [states][1+3*Logistics]

	// TransOf and LeafOf, if not nil, have for each position the first one with the
	// same Trans and the same Leaf and Mix, which model files hold once.
	TransOf, LeafOf []int
}

// Limits of what a circuit may be. What fits in memory is a matter of the limit of
// [ReadModel].
const (
	MaxVars   = 1 << 20
	MaxCats   = 1 << 12
	MaxStates = 1 << 10
)

// Validate returns an error unless c is a circuit: a tree in preorder, and rows of
// numbers from 0 to 1 that sum to 1 within 0.001.
func (c *Circuit) Validate() error {
	if err := c.Tree.Validate(); err != nil {
		return err
	}
	n := len(c.Order)
	if c.Cats < 2 || c.Cats > MaxCats {
		return fmt.Errorf("circuit: %d categories, not 2 to %d", c.Cats, MaxCats)
	}
	if len(c.States) != n || len(c.Trans) != n || len(c.Leaf) != n {
		return fmt.Errorf("circuit: parameters of %d, %d and %d of %d nodes", len(c.States), len(c.Trans), len(c.Leaf), n)
	}
	if c.Logistics < 0 || c.Logistics > MaxLogistics || c.Logistics > 0 && len(c.Mix) != n {
		return fmt.Errorf("circuit: mixtures of %d logistics at %d of %d nodes", c.Logistics, len(c.Mix), n)
	}
	if err := checkTies(c.TransOf, n); err != nil {
		return err
	}
	if err := checkTies(c.LeafOf, n); err != nil {
		return err
	}
	for i, m := range c.States {
		if a, b := first(c.TransOf, i), first(c.LeafOf, i); len(c.Trans[i]) != len(c.Trans[a]) || m != c.States[a] || m != c.States[b] {
			return fmt.Errorf("circuit: position %d shares parameters with %d and %d, of other sizes", i, a, b)
		}
		if m < 1 || m > MaxStates {
			return fmt.Errorf("circuit: %d states at position %d, not 1 to %d", m, i, MaxStates)
		}
		if err := checkRows(c.Trans[i], c.parentStates(i), m); err != nil {
			return fmt.Errorf("circuit: transitions at position %d: %w", i, err)
		}
		if err := checkRows(c.Leaf[i], m, c.Cats); err != nil {
			return fmt.Errorf("circuit: leaves at position %d: %w", i, err)
		}
		if c.Logistics == 0 {
			continue
		}
		size := logisticSize(c.Logistics)
		if len(c.Mix[i]) != m*size {
			return fmt.Errorf("circuit: leaves at position %d: %d numbers of mixtures, not %d x %d", i, len(c.Mix[i]), m, size)
		}
		for z := range m {
			if err := logisticParams(c.Mix[i][z*size:][:size]).validate(c.Cats); err != nil {
				return fmt.Errorf("circuit: leaves at position %d: %w", i, err)
			}
		}
	}
	return nil
}

// parentStates returns the states of the parent of position i, 1 for the root.
func (c *Circuit) parentStates(i int) int {
	if i == 0 {
		return 1
	}
	return c.States[c.Parent[i]]
}

func checkRows(p []float32, rows, cols int) error {
	if len(p) != rows*cols {
		return fmt.Errorf("%d parameters, not %d x %d", len(p), rows, cols)
	}
	for r := range rows {
		sum := 0.0
		for _, x := range p[r*cols:][:cols] {
			if !(x >= 0 && x <= 1.001) {
				return fmt.Errorf("probability %v", x)
			}
			sum += float64(x)
		}
		if math.Abs(sum-1) > 1e-3 {
			return fmt.Errorf("row %d sums to %v", r, sum)
		}
	}
	return nil
}

// Parameters returns how many parameters of c are not zero. A logistic has three,
// and those that are shared count once.
func (c *Circuit) Parameters() int {
	n := 0
	count := func(p []float32) {
		for _, x := range p {
			if x != 0 {
				n++
			}
		}
	}
	for i := range c.States {
		if first(c.TransOf, i) == i {
			count(c.Trans[i])
		}
		switch {
		case first(c.LeafOf, i) != i:
		case c.Logistics > 0:
			count(c.Mix[i])
		default:
			count(c.Leaf[i])
		}
	}
	return n
}

// LogProbability returns the natural logarithm of P(x), len(x) being the number of
// variables: the plain sum-product algorithm, for tests and single vectors.
func (c *Circuit) LogProbability(x []uint16) float64 {
	up := make([][]float64, len(c.States)) // likelihood of the branch below, but for scale
	log := 0.0
	for i, m := range c.States {
		up[i] = make([]float64, m)
		for z := range m {
			up[i][z] = float64(c.Leaf[i][z*c.Cats+int(x[c.Order[i]])])
		}
	}
	for i := len(up) - 1; ; i-- {
		most := 0.0
		for _, u := range up[i] {
			most = max(most, u)
		}
		if most == 0 {
			return math.Inf(-1)
		}
		log += math.Log(most)
		row := c.Trans[i]
		for y := range c.parentStates(i) {
			sum := 0.0
			for z, u := range up[i] {
				sum += float64(row[y*len(up[i])+z]) * (u / most)
			}
			if i == 0 {
				return log + math.Log(sum)
			}
			up[c.Parent[i]][y] *= sum
		}
	}
}
