package circuit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/transform/nn"
)

// sampled returns a dataset drawn from a circuit.
func sampled(c *Circuit, n int, seed uint64) *Dataset {
	d := &Dataset{Vars: len(c.States), Cats: c.Cats}
	for _, x := range c.sample(rand.New(rand.NewPCG(seed, seed)), n) {
		d.Values = append(d.Values, x...)
	}
	return d
}

// meanBits returns the mean of bits a value that c takes for d.
func meanBits(c *Circuit, d *Dataset) float64 {
	sum := 0.0
	for i := range d.Len() {
		sum -= c.LogProbability(d.Row(i)) / math.Ln2
	}
	return sum / float64(len(d.Values))
}

// The expected counts are the posterior probabilities of the hidden variables, summed
// over the vectors: by enumeration.
func TestExpectedCounts(t *testing.T) {
	c := &Circuit{Tree: Tree{[]int{2, 0, 4, 1, 3, 5, 6}, []int{-1, 0, 1, 1, 0, 0, 0}}, Cats: 5}
	r := rand.New(rand.NewPCG(1, 1))
	for i, m := range []int{3, 2, 3, 1, 4, 2, 3} {
		c.States = append(c.States, m)
		c.Trans = append(c.Trans, randomRows(r, c.parentStates(i), m, 1))
		c.Leaf = append(c.Leaf, randomRows(r, m, 5, 1))
	}
	d := sampled(c, 7, 3)
	trans, leaf := make([][]float64, 7), make([][]float64, 7)
	var bits []float64
	for i := range trans {
		trans[i], leaf[i] = make([]float64, len(c.Trans[i])), make([]float64, len(c.Leaf[i]))
	}
	for k := range d.Len() {
		x := d.Row(k)
		logP := c.LogProbability(x)
		bits = append(bits, -logP/math.Ln2)
		enumerate(7, 4, func(z []uint16) {
			p := 1 / math.Exp(logP)
			for i, m := range c.States {
				if int(z[i]) >= m {
					return
				}
				p *= float64(c.Trans[i][c.edge(z, i)]) * float64(c.Leaf[i][int(z[i])*5+int(x[c.Order[i]])])
			}
			for i := range c.States {
				trans[i][c.edge(z, i)] += p
				leaf[i][int(z[i])*5+int(x[c.Order[i]])] += p
			}
		})
	}
	e := newEM(c, 10, nil)
	e.up(d, []int{0, 1, 2, 3, 4, 5, 6})
	for k, want := range bits {
		if math.Abs(e.bits[k]-want) > 1e-4 {
			t.Errorf("vector %d: %v bits, want %v", k, e.bits[k], want)
		}
	}
	e.down(7, func(i int, gotTrans, gotLeaf []float32) {
		for k, want := range trans[i] {
			if got := float64(gotTrans[k] * c.Trans[i][k]); math.Abs(got-want) > 1e-4 {
				t.Errorf("position %d, transition %d: count %v, want %v", i, k, got, want)
			}
		}
		for k, want := range leaf[i] {
			if math.Abs(float64(gotLeaf[k])-want) > 1e-4 {
				t.Errorf("position %d, leaf %d: count %v, want %v", i, k, gotLeaf[k], want)
			}
		}
	})
}

// edge returns the index in Trans[i] of the states z.
func (c *Circuit) edge(z []uint16, i int) int {
	y := 0
	if i > 0 {
		y = int(z[c.Parent[i]])
	}
	return y*c.States[i] + int(z[i])
}

func testOptions() *Options {
	o := DefaultOptions()
	o.States, o.Batch, o.Epochs, o.FullEpochs, o.Validation, o.Workers = 6, 64, 4, 6, 0, 2
	return o
}

// Training by all vectors never lowers the likelihood, but for what the priors cost.
func TestFullBatchImproves(t *testing.T) {
	d := sampled(randomCircuit(3, 20, 8, 5, 1.5), 600, 1)
	o := testOptions()
	o.Epochs, o.FullEpochs = 0, 12
	o.TransPrior, o.LeafPrior, o.BandPrior = 1e-6, 1e-6, 1e-6
	last := math.Inf(1)
	o.Progress = func(p Progress) {
		if p.Train > last+1e-6 {
			t.Errorf("epoch %d: %v bits a value after %v", p.Epoch, p.Train, last)
		}
		if !math.IsNaN(p.Validation) {
			t.Errorf("validation %v, though nothing is held out", p.Validation)
		}
		last = p.Train
	}
	c, err := Learn(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got := meanBits(c, d); got > last+1e-6 {
		t.Errorf("%v bits a value in the end, %v before", got, last)
	}
}

// A circuit learnt from what another says comes near it on vectors neither has seen,
// and far below what independent variables, or a tree without hidden ones, can.
func TestLearn(t *testing.T) {
	truth := randomCircuit(8, 24, 6, 6, 3)
	d, fresh := sampled(truth, 4000, 1), sampled(truth, 1000, 2)
	o := testOptions()
	o.Ordered = false
	c, err := Learn(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	floor, got := meanBits(truth, fresh), meanBits(c, fresh)
	counts := make([]float64, d.Vars*d.Cats)
	for i, x := range d.Values {
		counts[i%d.Vars*d.Cats+int(x)]++
	}
	independent := 0.0
	for i, x := range fresh.Values {
		independent -= math.Log2((counts[i%d.Vars*d.Cats+int(x)] + 1) / (4000 + 6))
	}
	independent /= float64(len(fresh.Values))
	t.Logf("truth %.4f, learnt %.4f, independent %.4f bits a value", floor, got, independent)
	if got > floor+(independent-floor)*0.15 {
		t.Errorf("learnt %.4f bits a value, the truth takes %.4f and independent variables %.4f", got, floor, independent)
	}
}

// Few vectors, one variable, variables that never change: all can be learnt, and code.
func TestLearnSmall(t *testing.T) {
	for _, d := range []*Dataset{
		{Vars: 1, Cats: 2, Values: []uint16{1}},
		{Vars: 1, Cats: 300, Values: []uint16{5, 299, 7}},
		{Vars: 3, Cats: 5, Values: []uint16{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}},
		{Vars: 200, Cats: 4, Values: make([]uint16, 600)}, // a star of constants
	} {
		for _, ordered := range []bool{true, false} {
			o := testOptions()
			o.Ordered, o.Grow, o.GrowEpochs, o.Prune = ordered, 1, 1, 0.3
			c, err := Learn(context.Background(), d, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
			if got := meanBits(c, d); !(got < 3) {
				t.Errorf("%d variables of %d values: %v bits a value", d.Vars, d.Cats, got)
			}
			m, err := c.Quantise(DefaultVectors)
			if err != nil {
				t.Fatal(err)
			}
			var x [][]uint16
			for i := range d.Len() {
				x = append(x, d.Row(i))
			}
			roundTrip(t, m, x, 2)
		}
	}
}

// Neither workers nor an interruption change the result.
func TestWorkersAndResume(t *testing.T) {
	d := sampled(randomCircuit(5, 15, 20, 5, 1.5), 500, 1)
	learn := func(workers int) *Circuit {
		o := testOptions()
		o.Workers, o.Validation, o.Grow, o.GrowEpochs = workers, 0.1, 1, 2
		c, err := Learn(context.Background(), d, o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := fmt.Sprint(learn(1))
	if got := fmt.Sprint(learn(3)); got != want {
		t.Error("three workers learn something else than one")
	}

	var saved []byte
	o := testOptions()
	o.Validation, o.Grow, o.GrowEpochs = 0.1, 1, 2
	enough := errors.New("enough")
	o.Checkpoint = func(tr *Trainer) error {
		if done, _ := tr.Epochs(); done < 5 {
			return nil
		}
		var buf bytes.Buffer
		if n, err := tr.WriteTo(&buf); err != nil || n != int64(buf.Len()) {
			t.Errorf("WriteTo: %d bytes of %d, %v", n, buf.Len(), err)
		}
		saved = buf.Bytes()
		return enough
	}
	if _, err := Learn(context.Background(), d, o); err != enough {
		t.Fatalf("error %v of a checkpoint", err)
	}
	tr, err := ResumeTrainer(bytes.NewReader(saved), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(tr.Circuit()); got != want {
		t.Error("another circuit after an interruption")
	}

	other := &Dataset{d.Vars, d.Cats, append([]uint16(nil), d.Values...)}
	other.Values[7] ^= 1
	if _, err := ResumeTrainer(bytes.NewReader(saved), other, nil); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("with other data: %v", err)
	}
	for i := 0; i < len(saved); i += 1 + len(saved)/200 {
		if _, err := ResumeTrainer(bytes.NewReader(saved[:i]), d, nil); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		bad := append([]byte(nil), saved...)
		bad[i] ^= 4
		if _, err := ResumeTrainer(bytes.NewReader(bad), d, nil); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
	}
}

// Growing alone, without noise, changes nothing but the number of states; pruning takes
// the states that matter least.
func TestPruneAndGrow(t *testing.T) {
	d := sampled(randomCircuit(3, 12, 5, 4, 2), 800, 1)
	o := testOptions()
	o.TransPrior, o.LeafPrior, o.BandPrior = 1e-6, 1e-6, 1e-6
	tr, err := NewTrainer(d, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	total := func() int {
		n := 0
		for _, m := range tr.Circuit().States {
			n += m
		}
		return n
	}
	before, states := tr.measure(d), total()
	tr.grow(9, 0, nil)
	if err := tr.Circuit().Validate(); err != nil {
		t.Fatal(err)
	}
	if got := tr.measure(d); math.Abs(got-before) > 1e-4 {
		t.Errorf("grown: %v bits a value, %v before", got, before)
	}
	for i, m := range tr.Circuit().States {
		if m != 1 && m != 9 && m != 8 {
			t.Errorf("position %d has %d states", i, m)
		}
	}
	grown := total()
	if grown < states*5/4 {
		t.Errorf("%d states grew to %d", states, grown)
	}
	tr.prune(0.1)
	if err := tr.Circuit().Validate(); err != nil {
		t.Fatal(err)
	}
	if got := total(); got < grown*85/100 || got > grown*95/100 {
		t.Errorf("%d states pruned to %d", grown, got)
	}
	if got := tr.measure(d); got > before*1.05 {
		t.Errorf("pruned: %v bits a value, %v before", got, before)
	}
	tr.prune(0.999)
	if got := total(); got != d.Vars {
		t.Errorf("%d states left of %d variables", got, d.Vars)
	}
}

func TestInterrupted(t *testing.T) {
	d := sampled(randomCircuit(5, 10, 4, 3, 1), 100, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Learn(ctx, d, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOptions(t *testing.T) {
	d := sampled(randomCircuit(5, 10, 4, 3, 1), 20, 1)
	for i, change := range []func(*Options){
		func(o *Options) { o.States = 0 },
		func(o *Options) { o.Rooting = 9 },
		func(o *Options) { o.Batch = 0 },
		func(o *Options) { o.Epochs = -1 },
		func(o *Options) { o.FullEpochs = -1 },
		func(o *Options) { o.FirstRate = math.NaN() },
		func(o *Options) { o.LastRate = 1.5 },
		func(o *Options) { o.Grow = -1 },
		func(o *Options) { o.GrowEpochs = 0 },
		func(o *Options) { o.GrowRate = 0 },
		func(o *Options) { o.Prune = 1 },
		func(o *Options) { o.MaxStates = 0 },
		func(o *Options) { o.TransPrior = 0 },
		func(o *Options) { o.LeafPrior = -1 },
		func(o *Options) { o.BandPrior = math.Inf(1) },
		func(o *Options) { o.Validation = 1 },
		func(o *Options) { o.Validation = 0.999 },
		func(o *Options) { o.Workers = -1 },
		func(o *Options) { o.Logistics = -1 },
		func(o *Options) { o.Logistics = MaxLogistics + 1 },
		func(o *Options) { o.Logistics, o.Ordered = 1, false },
	} {
		o := DefaultOptions()
		change(o)
		if _, err := Learn(context.Background(), d, o); !errors.Is(err, ErrOptions) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	for _, d := range []*Dataset{{}, {Vars: 3, Cats: 2}, {Vars: 3, Cats: 2, Values: make([]uint16, 4)}, {Vars: 1, Cats: 2, Values: []uint16{2}}} {
		if _, err := Learn(context.Background(), d, nil); err == nil {
			t.Errorf("data %v: no error", d)
		}
	}
}

// The tree of largest mutual information, from data of a chain of copies with errors.
func TestStructure(t *testing.T) {
	const vars, rows = 12, 3000
	r := rand.New(rand.NewPCG(6, 6))
	chain := r.Perm(vars)
	d := &Dataset{vars, 40, make([]uint16, vars*rows)}
	for i := range rows {
		x := r.IntN(40)
		for _, v := range chain {
			if r.IntN(4) == 0 {
				x = r.IntN(40)
			}
			d.Values[i*vars+v] = uint16(x)
		}
	}
	at := make([]int, vars)
	for k, v := range chain {
		at[v] = k
	}
	pool := nn.NewPool(2)
	defer pool.Close()
	for _, ordered := range []bool{true, false} {
		info := MutualInformation(d, ordered, pool)
		for _, rooting := range []Rooting{RootCentre, RootCentroid} {
			tree, err := ChowLiu(info, vars, rooting)
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Validate(); err != nil {
				t.Fatal(err)
			}
			deepest := 0
			for _, depth := range tree.depths() {
				deepest = max(deepest, depth)
			}
			if deepest != vars/2 {
				t.Errorf("ordered %v, rooting %d: depth %d of a chain of %d", ordered, rooting, deepest, vars)
			}
			for i, p := range tree.Parent[1:] {
				if gap := at[tree.Order[i+1]] - at[tree.Order[p]]; gap*gap != 1 {
					t.Errorf("ordered %v, rooting %d: an edge that is not of the chain", ordered, rooting)
				}
			}
		}
	}
	if _, err := ChowLiu(make([]float64, 3), 2, RootCentre); err == nil {
		t.Error("no error of a matrix of three")
	}
}

func TestTreeValidate(t *testing.T) {
	for _, tree := range []Tree{
		{},
		{[]int{0, 1}, []int{-1}},
		{[]int{0, 0}, []int{-1, 0}},
		{[]int{0, 2}, []int{-1, 0}},
		{[]int{0, 1}, []int{0, 0}},
		{[]int{0, 1}, []int{-1, -1}},
		{[]int{0, 1}, []int{-1, 1}},
		{[]int{0, 1, 2, 3}, []int{-1, 0, 0, 1}},
	} {
		if tree.Validate() == nil {
			t.Errorf("no error of %v", tree)
		}
	}
	good := Tree{[]int{3, 1, 2, 0}, []int{-1, 0, 1, 0}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzResumeTrainer feeds damaged checkpoints.
func FuzzResumeTrainer(f *testing.F) {
	d := sampled(randomCircuit(5, 6, 4, 3, 1), 40, 1)
	o := testOptions()
	o.Workers, o.Epochs, o.FullEpochs = 1, 0, 1
	tr, err := NewTrainer(d, o)
	if err != nil {
		f.Fatal(err)
	}
	defer tr.Close()
	var buf bytes.Buffer
	if _, err := tr.WriteTo(&buf); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4 {
			data = resum(append([]byte(nil), data...), 0, data[0])
		}
		if tr, err := ResumeTrainer(bytes.NewReader(data), d, &Options{Workers: 1}); err == nil {
			tr.Close()
		}
	})
}

// BenchmarkEM measures training, one core, in vectors of 784 values a second.
func BenchmarkEM(b *testing.B) {
	for _, states := range []int{16, 32, 64} {
		b.Run(fmt.Sprint(states), func(b *testing.B) {
			r := rand.New(rand.NewPCG(9, 9))
			c := &Circuit{Tree: randomTree(r, 784), Cats: 256}
			for i := range 784 {
				c.States = append(c.States, states)
				c.Trans = append(c.Trans, randomRows(r, c.parentStates(i), states, 1))
				c.Leaf = append(c.Leaf, randomRows(r, states, 256, 2))
			}
			d := sampled(c, 256, 1)
			o := DefaultOptions()
			o.Workers, o.Validation = 1, 0
			t, err := newTrainer(d, o)
			if err != nil {
				b.Fatal(err)
			}
			defer t.Close()
			t.setCircuit(c)
			b.ResetTimer()
			for range b.N {
				if _, err := t.batches(context.Background(), 0.1, 0, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*256)/b.Elapsed().Seconds(), "vectors/s")
		})
	}
}
