package circuit

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// Training begins from hidden states that are clusters: the state of a node in a
// vector is the nearest of as many prototypes, by the variables that tell most about
// the node's own. All nodes begin with the same vectors as prototypes, so that states
// of neighbours correspond, and move them a few times as k-means does. Counts of
// states and pairs of states, blurred a little, are the first parameters. (The idea
// is that of latent variable distillation: Liu, Zhang and Van den Broeck, "Scaling up
// probabilistic circuits by latent variable distillation", 2023.)

const (
	clusterRows   = 8000 // vectors that are clustered
	clusterVars   = 12   // variables that a cluster is of
	clusterRounds = 3
	clusterBlur   = 0.15 // share of the first parameters that is not by clusters
	enoughEntropy = 0.3  // nats in a branch that deserve all states
	wholeWeight   = 1    // of the whole vector's mean distance, in variables
)

// initialise returns a circuit on the tree t whose hidden variables are clusters.
func initialise(d *Dataset, t *Tree, info []float64, states int, ordered bool, share *Sharing, r *rand.Rand, pool *nn.Pool) *Circuit {
	rows := min(d.Len(), clusterRows)
	pick := r.Perm(d.Len())[:rows]
	c := &Circuit{Tree: *t, Cats: d.Cats}
	n := d.Vars
	prototypes := make([]int, states) // of all nodes, at first
	for z := range prototypes {
		prototypes[z] = pick[r.IntN(rows)]
	}
	// Where prototypes look alike nearby, as in empty surroundings, the one that is
	// nearer as a whole wins: states carry what is known from elsewhere.
	whole := make([]float32, rows*states)
	pool.Run(rows, func(_, i int) {
		x := d.Row(pick[i])
		for z, p := range prototypes {
			whole[i*states+z] = wholeWeight * distance(x, d.Row(p), ordered) / float32(n)
		}
	})
	cluster := make([]uint16, n*rows) // [position][row]
	c.States = statesOf(t, info, states)
	if share != nil {
		c.TransOf, c.LeafOf = share.ties(t)
		equalise(c.States, c.LeafOf)
	}
	pool.Run(n, func(_, i int) {
		v := t.Order[i]
		if share != nil {
			return
		}
		near := make([]int, n)
		for w := range near {
			near[w] = w
		}
		slices.SortStableFunc(near, func(a, b int) int {
			switch x, y := info[v*n+a], info[v*n+b]; {
			case a == v || x > y && b != v:
				return -1
			case b == v || x < y:
				return 1
			}
			return 0
		})
		near = near[:min(clusterVars, n)]
		assign(cluster[i*rows:][:rows], d, near, pick, prototypes[:c.States[i]], whole, ordered)
	})
	if share != nil {
		quantiles(cluster, c, d, pick)
	}
	c.Trans, c.Leaf = make([][]float32, n), make([][]float32, n)
	marginal := make([]float64, d.Cats)
	for i, v := range t.Order {
		parents, states := c.parentStates(i), c.States[i]
		trans := make([]float64, parents*states)
		leaf := make([]float64, states*d.Cats)
		clear(marginal)
		for k, row := range pick {
			z, y := int(cluster[i*rows+k]), 0
			if i > 0 {
				y = int(cluster[t.Parent[i]*rows+k])
			}
			x := int(d.Row(row)[v])
			trans[y*states+z]++
			leaf[z*d.Cats+x]++
			marginal[x] += 1 / float64(rows)
		}
		c.Trans[i], c.Leaf[i] = make([]float32, len(trans)), make([]float32, len(leaf))
		// What is not by clusters: any state, and the variable's own distribution.
		blur(c.Trans[i], trans, states, func(z int) float64 { return 0.5 + r.Float64() })
		blur(c.Leaf[i], leaf, d.Cats, func(x int) float64 {
			return (marginal[x] + 0.01/float64(d.Cats)) * (0.9 + 0.2*r.Float64())
		})
	}
	if share != nil {
		mean(c.Trans, c.TransOf)
		mean(c.Leaf, c.LeafOf)
	}
	return c
}

// mean replaces parameters that are to be the same by their mean.
func mean(p [][]float32, of []int) {
	members := make([]float32, len(p))
	for _, first := range of {
		members[first]++
	}
	tied(p, of)
	for i, first := range of {
		if i == first {
			kernels.AxpbyF32(p[i], 1/members[i], p[i], 0)
		}
	}
}

// quantiles sets cluster, [position][picked vector], for shared parameters, for which
// states must mean the same everywhere: a state stands for an interval of the
// variable's own value, all about as likely among the variables of a class.
func quantiles(cluster []uint16, c *Circuit, d *Dataset, pick []int) {
	rows := len(pick)
	counts := map[int][]int{} // by first position
	for i, first := range c.LeafOf {
		if counts[first] == nil {
			counts[first] = make([]int, d.Cats)
		}
		for _, row := range pick {
			counts[first][d.Row(row)[c.Order[i]]]++
		}
	}
	for _, n := range counts {
		// The cumulative counts up to the middle of each value.
		below := 0
		for x, k := range n {
			n[x] = below + k/2
			below += k
		}
	}
	members := map[int]int{}
	for _, first := range c.LeafOf {
		members[first]++
	}
	for i, first := range c.LeafOf {
		n, all := counts[first], members[first]*rows
		for k, row := range pick {
			cluster[i*rows+k] = uint16(min(n[d.Row(row)[c.Order[i]]]*c.States[i]/all, c.States[i]-1))
		}
	}
}

// statesOf returns how many states each hidden variable is to have: at most states,
// fewer where the branch below has little to tell.
func statesOf(t *Tree, info []float64, states int) []int {
	n := len(t.Order)
	below := make([]float64, n) // sums of entropies
	m := make([]int, n)
	for i := n - 1; i >= 0; i-- {
		v := t.Order[i]
		below[i] += info[v*n+v]
		if i > 0 {
			below[t.Parent[i]] += below[i]
		}
		m[i] = 1
		if below[i] > 0 {
			share := min(below[i]/enoughEntropy, 1)
			m[i] = min(int(math.Ceil(share*float64(states)/4))*4, states)
		}
	}
	return m
}

// blur sets the rows of p to counts, normalised, mixed with other.
func blur(p []float32, counts []float64, cols int, other func(int) float64) {
	for from := 0; from < len(p); from += cols {
		sum, sumOther := 0.0, 0.0
		rest := make([]float64, cols)
		for k, n := range counts[from:][:cols] {
			sum += n
			rest[k] = other(k)
			sumOther += rest[k]
		}
		share := 1.0
		if sum > 0 {
			share = clusterBlur
		}
		for k, n := range counts[from:][:cols] {
			q := share * rest[k] / sumOther
			if sum > 0 {
				q += (1 - share) * n / sum
			}
			p[from+k] = float32(q)
		}
	}
}

// distance returns the squared distance of two vectors, or the number of variables in
// which they differ.
func distance(x, y []uint16, ordered bool) float32 {
	sum := float32(0)
	for i, v := range x {
		if e := float32(v) - float32(y[i]); ordered {
			sum += e * e
		} else if e != 0 {
			sum++
		}
	}
	return sum
}

// assign sets cluster to the nearest prototypes of the picked vectors, by the
// variables near and by how far they are as a whole, [picked][prototypes].
func assign(cluster []uint16, d *Dataset, near, pick, prototypes []int, whole []float32, ordered bool) {
	k, states := len(near), len(prototypes)
	centre := make([]float32, states*k)
	for z, row := range prototypes {
		for j, v := range near {
			centre[z*k+j] = float32(d.Row(row)[v])
		}
	}
	x := make([]float32, len(pick)*k)
	for i, row := range pick {
		for j, v := range near {
			x[i*k+j] = float32(d.Row(row)[v])
		}
	}
	// The variable itself counts most.
	weight := make([]float32, k)
	for j := range weight {
		weight[j] = 1
	}
	weight[0] = 4
	rounds := clusterRounds
	if !ordered {
		rounds = 0 // there is no mean of values without order
	}
	for round := 0; ; round++ {
		for i := range pick {
			best := float32(math.Inf(1))
			p := x[i*k:][:k]
			for z := range states {
				q, sum := centre[z*k:][:k], whole[i*(len(whole)/len(pick))+z]
				for j, w := range weight {
					e := p[j] - q[j]
					switch {
					case ordered:
						sum += w * e * e
					case e != 0:
						sum += w
					}
				}
				if sum < best {
					best, cluster[i] = sum, uint16(z)
				}
			}
		}
		if round == rounds {
			return
		}
		counts := make([]float32, states)
		sums := make([]float32, states*k)
		for i, z := range cluster {
			counts[z]++
			for j := range k {
				sums[int(z)*k+j] += x[i*k+j]
			}
		}
		for z, n := range counts {
			for j := 0; j < k && n > 0; j++ {
				centre[z*k+j] = sums[z*k+j] / n
			}
		}
	}
}
