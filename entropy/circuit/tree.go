package circuit

import (
	"fmt"
	"math"
)

// A Tree is a rooted tree over the variables 0..len-1. Nodes are numbered by their
// position in a depth-first preorder, which is the order of coding.
type Tree struct {
	Order  []int // the variable at each position, each once
	Parent []int // the position of the parent; -1 for position 0, the root
}

// Validate returns an error unless t is a tree whose nodes are in preorder: the
// parent of each node but the first is the node before it or one above that.
func (t *Tree) Validate() error {
	n := len(t.Order)
	if n == 0 || n > MaxVars || len(t.Parent) != n {
		return fmt.Errorf("circuit: a tree of %d variables and %d parents", n, len(t.Parent))
	}
	seen := make([]bool, n)
	for i, v := range t.Order {
		if v < 0 || v >= n || seen[v] {
			return fmt.Errorf("circuit: variable %d at position %d of the tree", v, i)
		}
		seen[v] = true
	}
	var path []int
	for i, p := range t.Parent {
		for len(path) > 0 && path[len(path)-1] != p {
			path = path[:len(path)-1]
		}
		if (i == 0) != (p == -1) || i > 0 && len(path) == 0 {
			return fmt.Errorf("circuit: parent %d at position %d is not in preorder", p, i)
		}
		path = append(path, i)
	}
	return nil
}

// depths returns the distance of every position from the root.
func (t *Tree) depths() []int {
	d := make([]int, len(t.Parent))
	for i, p := range t.Parent[1:] {
		d[i+1] = d[p] + 1
	}
	return d
}

// A Rooting says which variable becomes the root of a Chow-Liu tree. It does not
// change what a tree can model.
type Rooting uint8

const (
	// RootCentre roots at the centre of the tree, which makes it as flat as can be.
	RootCentre Rooting = iota
	// RootCentroid roots at the variable whose largest branch is smallest.
	RootCentroid
)

// ChowLiu returns the tree of largest total mutual information between neighbours
// (Chow and Liu, "Approximating discrete probability distributions with dependence
// trees", 1968). info is symmetric, vars x vars, row-major.
func ChowLiu(info []float64, vars int, rooting Rooting) (*Tree, error) {
	if vars < 1 || vars > MaxVars || len(info) != vars*vars {
		return nil, fmt.Errorf("circuit: %d mutual informations of %d variables", len(info), vars)
	}
	if rooting > RootCentroid {
		return nil, fmt.Errorf("circuit: rooting %d", rooting)
	}
	// Prim's algorithm, for a dense graph.
	adjacent := make([][]int, vars)
	best, from, in := make([]float64, vars), make([]int, vars), make([]bool, vars)
	for v := range best {
		best[v] = math.Inf(-1)
	}
	for next := 0; ; {
		in[next] = true
		for v := range vars {
			if g := info[next*vars+v]; !in[v] && (g > best[v] || math.IsInf(best[v], -1)) {
				best[v], from[v] = g, next
			}
		}
		next = -1
		for v := range vars {
			if !in[v] && (next < 0 || best[v] > best[next]) {
				next = v
			}
		}
		if next < 0 {
			break
		}
		adjacent[next] = append(adjacent[next], from[next])
		adjacent[from[next]] = append(adjacent[from[next]], next)
	}
	root := 0
	switch rooting {
	case RootCentre:
		// The middle of a longest path.
		a, _ := farthest(adjacent, 0)
		b, before := farthest(adjacent, a)
		path := []int{b}
		for v := b; v != a; {
			v = before[v]
			path = append(path, v)
		}
		root = path[len(path)/2]
	case RootCentroid:
		t := preorder(adjacent, 0)
		size := t.sizes()
		largest := make([]int, vars)
		for i := range largest {
			largest[i] = vars - size[i]
		}
		for i, p := range t.Parent[1:] {
			largest[p] = max(largest[p], size[i+1])
		}
		at := 0
		for i := range largest {
			if largest[i] < largest[at] {
				at = i
			}
		}
		root = t.Order[at]
	}
	return preorder(adjacent, root), nil
}

// sizes returns how many nodes the branch at every position has.
func (t *Tree) sizes() []int {
	size := make([]int, len(t.Parent))
	for i := len(size) - 1; i >= 0; i-- {
		size[i]++
		if i > 0 {
			size[t.Parent[i]] += size[i]
		}
	}
	return size
}

// farthest returns a node farthest from start, and for every node the one before
// it on the way.
func farthest(adjacent [][]int, start int) (last int, before []int) {
	before = make([]int, len(adjacent))
	for v := range before {
		before[v] = -1
	}
	before[start] = start
	queue := []int{start}
	for len(queue) > 0 {
		last, queue = queue[0], queue[1:]
		for _, v := range adjacent[last] {
			if before[v] < 0 {
				before[v] = last
				queue = append(queue, v)
			}
		}
	}
	return last, before
}

// preorder numbers the nodes of a tree. The largest branch of a node comes last:
// nothing after it needs the message out of it if its own come last, too.
func preorder(adjacent [][]int, root int) *Tree {
	n := len(adjacent)
	// Sizes of the branches, from any preorder.
	var order []int
	parent := make([]int, n)
	parent[root] = -1
	stack := []int{root}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		order = append(order, v)
		for _, w := range adjacent[v] {
			if w != parent[v] {
				parent[w] = v
				stack = append(stack, w)
			}
		}
	}
	size := make([]int, n)
	for i := n - 1; i >= 0; i-- {
		v := order[i]
		size[v]++
		if parent[v] >= 0 {
			size[parent[v]] += size[v]
		}
	}

	t := &Tree{Order: make([]int, 0, n), Parent: make([]int, 0, n)}
	position := make([]int, n)
	stack = append(stack, root)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		position[v] = len(t.Order)
		t.Order = append(t.Order, v)
		if v == root {
			t.Parent = append(t.Parent, -1)
		} else {
			t.Parent = append(t.Parent, position[parent[v]])
		}
		// The top of the stack comes first.
		first := len(stack)
		for _, w := range adjacent[v] {
			if w != parent[v] {
				stack = append(stack, w)
				for k := len(stack) - 1; k > first && size[stack[k]] > size[stack[k-1]]; k-- {
					stack[k], stack[k-1] = stack[k-1], stack[k]
				}
			}
		}
	}
	return t
}
