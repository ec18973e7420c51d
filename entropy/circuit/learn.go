package circuit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// Options say how a circuit is learnt. Begin from [DefaultOptions].
type Options struct {
	States  int     // of each hidden variable
	Ordered bool    // near values are alike, as those of pixels; otherwise they are mere names
	Rooting Rooting // of the tree

	Epochs     int // by batches
	Batch      int // vectors in a batch
	FirstRate  float64
	LastRate   float64 // weight of a batch in the averaged counts, falling exponentially from the first to the last
	FullEpochs int     // at the end, by all vectors at once

	// After Epochs, so many times: the share Prune of all states, those with the
	// least flow, is removed, the others are divided in two, as long as a variable
	// has at most MaxStates, and GrowEpochs follow, with rates from GrowRate to
	// LastRate.
	Grow       int
	GrowEpochs int
	GrowRate   float64
	Prune      float64
	MaxStates  int

	// Prior counts that are spread over a row of transitions and of leaves, beside
	// the counts of the training set. The leaves' are spread like the variable's own
	// distribution.
	TransPrior, LeafPrior float64
	// BandPrior counts are, for ordered values, spread over each band of 16 values of
	// a row of leaves, like the variable's own distribution within the band.
	BandPrior float64

	// Logistics, if not 0, makes leaves mixtures of so many discretised logistics, at
	// most MaxLogistics, instead of tables: values must be ordered. BandPrior does not
	// apply.
	Logistics int

	// Share, if not nil, says which parameters are the same. It excludes Grow.
	Share *Sharing `json:",omitempty"`

	Validation float64 // share of the vectors that is held out
	Seed       uint64
	Workers    int // goroutines; 0 means GOMAXPROCS. Results do not depend on it

	// Progress, if not nil, is called after every epoch.
	Progress func(Progress) `json:"-"`
	// Checkpoint, if not nil, is called after every epoch and may call
	// [Trainer.WriteTo]. Its error ends the training.
	Checkpoint func(*Trainer) error `json:"-"`
}

// Progress says how far training has come.
type Progress struct {
	Epoch      int     // finished ones
	Epochs     int     // all there will be
	Train      float64 // bits a value, averaged over the epoch as it went
	Validation float64 // bits a value now; NaN if nothing is held out
	Time       time.Duration
}

// DefaultOptions returns what nil Options mean.
func DefaultOptions() *Options {
	return &Options{
		States: 16, Ordered: true,
		Epochs: 20, Batch: 256, FirstRate: 0.5, LastRate: 0.01, FullEpochs: 2,
		GrowEpochs: 10, GrowRate: 0.1, Prune: 0.25, MaxStates: 128,
		TransPrior: 1, LeafPrior: 1, BandPrior: 20,
		Validation: 0.05, Seed: 1,
	}
}

// ErrOptions is the error of options out of range.
var ErrOptions = errors.New("circuit: invalid options")

func (o *Options) validate() error {
	for _, c := range []struct {
		ok   bool
		what string
		v    any
	}{
		{o.States >= 1 && o.States <= MaxStates, "states", o.States},
		{o.Rooting <= RootCentroid, "rooting", o.Rooting},
		{o.Epochs >= 0, "epochs", o.Epochs},
		{o.FullEpochs >= 0, "full epochs", o.FullEpochs},
		{o.Batch >= 1 && o.Batch <= 1<<16, "batch", o.Batch},
		{o.FirstRate > 0 && o.FirstRate <= 1, "first rate", o.FirstRate},
		{o.LastRate > 0 && o.LastRate <= 1, "last rate", o.LastRate},
		{o.Grow >= 0 && o.Grow <= 10, "rounds of growing", o.Grow},
		{o.GrowEpochs >= 1, "epochs after growing", o.GrowEpochs},
		{o.GrowRate > 0 && o.GrowRate <= 1, "rate after growing", o.GrowRate},
		{o.Prune >= 0 && o.Prune < 1, "share to prune", o.Prune},
		{o.MaxStates >= 1 && o.MaxStates <= MaxStates, "largest number of states", o.MaxStates},
		{o.TransPrior > 0 && o.TransPrior < 1e6, "prior of transitions", o.TransPrior},
		{o.LeafPrior > 0 && o.LeafPrior < 1e6, "prior of leaves", o.LeafPrior},
		{o.BandPrior > 0 && o.BandPrior < 1e6, "prior of bands", o.BandPrior},
		{o.Logistics >= 0 && o.Logistics <= MaxLogistics && (o.Ordered || o.Logistics == 0), "logistics", o.Logistics},
		{o.Share == nil || o.Grow == 0, "growing of shared states", o.Grow},
		{o.Validation >= 0 && o.Validation < 1, "validation", o.Validation},
		{o.Workers >= 0, "workers", o.Workers},
	} {
		if !c.ok {
			return fmt.Errorf("%w: %s %v", ErrOptions, c.what, c.v)
		}
	}
	return nil
}

// Learn returns a circuit of the data: its tree by [ChowLiu], its parameters by
// expectation maximisation. When ctx is done it stops with ctx's error.
func Learn(ctx context.Context, d *Dataset, o *Options) (*Circuit, error) {
	t, err := NewTrainer(d, o)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if err := t.Run(ctx); err != nil {
		return nil, err
	}
	return t.Circuit(), nil
}

// A Trainer is a training that can be interrupted and goes on later.
type Trainer struct {
	o          Options
	data       *Dataset
	train      *Dataset
	validation *Dataset // nil if nothing is held out
	c          *Circuit
	// Averaged counts a vector: what the parameters are made from.
	trans, leaf [][]float32
	own         [2][][]float32 // with Options.Share, counts of each node in a batch
	marginal    [][]float32    // of the variable at each position: what LeafPrior is spread like
	epoch       int
	spent       time.Duration
	em          *em
	pool        *nn.Pool
}

// NewTrainer learns the tree and sets up the first parameters. Close the trainer when
// it is no longer needed.
func NewTrainer(d *Dataset, o *Options) (*Trainer, error) {
	start := time.Now()
	t, err := newTrainer(d, o)
	if err != nil {
		return nil, err
	}
	info := MutualInformation(t.train, t.o.Ordered, t.pool)
	if o := t.o.Share; o != nil {
		o.average(info, d.Vars)
	}
	tree, err := ChowLiu(info, d.Vars, t.o.Rooting)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(t.o.Seed, 2))
	t.setCircuit(initialise(t.train, tree, info, t.o.States, t.o.Ordered, t.o.Share, r, t.pool))
	if t.o.Logistics > 0 {
		t.firstLogistics()
	}
	t.spent = time.Since(start)
	return t, nil
}

// newTrainer returns a trainer without a circuit.
func newTrainer(d *Dataset, o *Options) (*Trainer, error) {
	if o == nil {
		o = DefaultOptions()
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if o.Share != nil {
		if err := o.Share.validate(d.Vars); err != nil {
			return nil, err
		}
	}
	t := &Trainer{o: *o, data: d, train: d, pool: nn.NewPool(o.Workers)}
	if o.Validation > 0 {
		t.train, t.validation = d.Split(o.Validation, o.Seed)
		if t.train.Len() == 0 || t.validation.Len() == 0 {
			t.pool.Close()
			return nil, fmt.Errorf("%w: a share of %v for validation leaves nothing of %d vectors", ErrOptions, o.Validation, d.Len())
		}
	}
	return t, nil
}

// setCircuit makes t go on from c.
func (t *Trainer) setCircuit(c *Circuit) {
	t.c = c
	n := len(c.States)
	t.trans, t.leaf, t.marginal = make([][]float32, n), make([][]float32, n), make([][]float32, n)
	counts := make([]float32, n*c.Cats)
	for i := range t.train.Len() {
		for v, x := range t.train.Row(i) {
			counts[v*c.Cats+int(x)]++
		}
	}
	total := float32(t.train.Len())
	for i, v := range c.Order {
		// One more count, spread evenly: no value is impossible.
		t.marginal[i] = counts[v*c.Cats:][:c.Cats]
		for x := range t.marginal[i] {
			t.marginal[i][x] = (t.marginal[i][x] + 1/float32(c.Cats)) / (total + 1)
		}
	}
	// Counts that c's parameters would come from, if every state were as likely as
	// the circuit says.
	states := make([][]float32, n)
	for i, m := range c.States {
		above := []float32{1}
		if i > 0 {
			above = states[c.Parent[i]]
		}
		states[i] = make([]float32, m)
		t.trans[i], t.leaf[i] = make([]float32, len(c.Trans[i])), make([]float32, len(c.Leaf[i]))
		for k, p := range c.Trans[i] {
			t.trans[i][k] = p * above[k/m]
			states[i][k%m] += t.trans[i][k]
		}
		for k, p := range c.Leaf[i] {
			t.leaf[i][k] = p * states[i][k/c.Cats]
		}
	}
	if t.o.Share != nil {
		for i := range t.trans {
			t.own[0] = append(t.own[0], make([]float32, len(t.trans[i])))
			t.own[1] = append(t.own[1], make([]float32, len(t.leaf[i])))
		}
		mean(t.marginal, c.LeafOf)
		tied(t.trans, c.TransOf)
		tied(t.leaf, c.LeafOf)
	}
	t.em = newEM(c, t.o.Batch, t.pool)
}

// Close ends the workers.
func (t *Trainer) Close() { t.pool.Close() }

// Circuit returns the circuit as it is. It must not be changed, and changes when the
// training goes on.
func (t *Trainer) Circuit() *Circuit { return t.c }

// Epochs returns how many epochs are done, and how many there will be.
func (t *Trainer) Epochs() (done, all int) { return t.epoch, t.batchEpochs() + t.o.FullEpochs }

// batchEpochs returns how many epochs by batches there will be.
func (t *Trainer) batchEpochs() int { return t.o.Epochs + t.o.Grow*t.o.GrowEpochs }

// Run trains until all epochs are done or ctx is.
func (t *Trainer) Run(ctx context.Context) error {
	for _, all := t.Epochs(); t.epoch < all; {
		start := time.Now()
		var bits float64
		var err error
		if t.epoch < t.batchEpochs() {
			first, epoch, epochs := t.o.FirstRate, t.epoch, t.o.Epochs
			if t.epoch >= t.o.Epochs {
				first, epoch, epochs = t.o.GrowRate, (t.epoch-t.o.Epochs)%t.o.GrowEpochs, t.o.GrowEpochs
				if epoch == 0 {
					t.prune(t.o.Prune)
					t.grow(t.o.MaxStates, growNoise, rand.New(rand.NewPCG(t.o.Seed, 1<<32+uint64(t.epoch))))
				}
			}
			bits, err = t.batches(ctx, first, float64(epoch)/float64(epochs), 1/float64(epochs))
		} else {
			bits, err = t.full(ctx)
		}
		if err != nil {
			return err
		}
		t.epoch++
		p := Progress{Epoch: t.epoch, Epochs: all, Train: bits, Validation: math.NaN()}
		if t.validation != nil {
			p.Validation = t.measure(t.validation)
		}
		t.spent += time.Since(start)
		p.Time = t.spent
		if t.o.Progress != nil {
			t.o.Progress(p)
		}
		if t.o.Checkpoint != nil {
			if err := t.o.Checkpoint(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// batches trains an epoch by batches (Cappé and Moulines, "On-line
// expectation-maximization algorithm for latent data models", 2009): counts are
// averages over the latest batches. The rate falls from first to LastRate in a number
// of epochs, of which the share done is done and this one is the share more. It returns
// the mean of bits a value.
func (t *Trainer) batches(ctx context.Context, first, done, more float64) (float64, error) {
	n := t.train.Len()
	order := rand.New(rand.NewPCG(t.o.Seed, 100+uint64(t.epoch))).Perm(n)
	steps := (n + t.o.Batch - 1) / t.o.Batch
	sum := 0.0
	for s := range steps {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rows := order[s*n/steps : (s+1)*n/steps]
		rate := first * math.Pow(t.o.LastRate/first, done+more*float64(s)/float64(steps))
		t.em.up(t.train, rows)
		for _, b := range t.em.bits[:len(rows)] {
			sum += b
		}
		keep, add := float32(1-rate), float32(rate/float64(len(rows)))
		t.em.down(len(rows), func(i int, trans, leaf []float32) {
			for k, p := range t.c.Trans[i] {
				trans[k] *= p
			}
			if t.o.Share != nil {
				// Others still need the parameters.
				copy(t.own[0][i], trans)
				copy(t.own[1][i], leaf)
				return
			}
			kernels.AxpbyF32(t.trans[i], keep, trans, add)
			kernels.AxpbyF32(t.leaf[i], keep, leaf, add)
			t.maximise(i)
		})
		if t.o.Share != nil {
			t.average(t.trans, t.own[0], t.c.TransOf, keep, add)
			t.average(t.leaf, t.own[1], t.c.LeafOf, keep, add)
			t.maximiseAll()
		}
	}
	return sum / float64(n*t.train.Vars), nil
}

// average adds the counts of a batch to averages that positions share.
func (t *Trainer) average(all, batch [][]float32, of []int, keep, add float32) {
	for i, first := range of {
		if i == first {
			kernels.AxpbyF32(all[i], keep, batch[i], add)
		} else {
			kernels.AxpbyF32(all[first], 1, batch[i], add)
		}
	}
}

// full trains an epoch by all vectors at once.
func (t *Trainer) full(ctx context.Context) (float64, error) {
	n := t.train.Len()
	trans, leaf := make([][]float32, len(t.trans)), make([][]float32, len(t.trans))
	for i := range trans {
		trans[i], leaf[i] = make([]float32, len(t.trans[i])), make([]float32, len(t.leaf[i]))
	}
	sum := 0.0
	rows := make([]int, 0, t.o.Batch)
	for from := 0; from < n; from += t.o.Batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rows = rows[:0]
		for k := from; k < min(from+t.o.Batch, n); k++ {
			rows = append(rows, k)
		}
		t.em.up(t.train, rows)
		for _, b := range t.em.bits[:len(rows)] {
			sum += b
		}
		add := 1 / float32(n)
		t.em.down(len(rows), func(i int, counts, leafCounts []float32) {
			for k, p := range t.c.Trans[i] {
				trans[i][k] += add * p * counts[k]
			}
			kernels.AxpbyF32(leaf[i], 1, leafCounts, add)
		})
	}
	if t.o.Share != nil {
		tied(trans, t.c.TransOf)
		tied(leaf, t.c.LeafOf)
	}
	t.trans, t.leaf = trans, leaf
	t.maximiseAll()
	return sum / float64(n*t.train.Vars), nil
}

// maximise makes the parameters at position i from the counts; those that it shares
// with a position before it are made there.
func (t *Trainer) maximise(i int) { t.maximiseBy(i, logisticSteps) }

// maximiseBy is maximise with so many steps for mixtures.
func (t *Trainer) maximiseBy(i, steps int) {
	if first(t.c.TransOf, i) == i {
		t.maximiseTrans(i)
	}
	if first(t.c.LeafOf, i) != i {
		return
	}
	if t.o.Logistics > 0 {
		t.maximiseMix(i, steps)
	} else {
		t.maximiseLeaf(i)
	}
}

func (t *Trainer) maximiseTrans(i int) {
	c, n := t.c, float32(t.train.Len())
	states := c.States[i]
	prior := float32(t.o.TransPrior) / n
	for y := range c.parentStates(i) {
		counts, row := t.trans[i][y*states:][:states], c.Trans[i][y*states:][:states]
		for z, x := range counts {
			if x < 1e-20 {
				counts[z] = 0
			}
		}
		sum := prior + float32(kernels.SumF32(counts))
		for z, x := range counts {
			row[z] = x/sum + prior/sum/float32(states)
		}
	}
}

func (t *Trainer) maximiseLeaf(i int) {
	c, n := t.c, float32(t.train.Len())
	width := bands
	if !t.o.Ordered {
		width = c.Cats
	}
	prior, band := float32(t.o.LeafPrior)/n, float32(t.o.BandPrior)/n
	for z := range c.States[i] {
		counts, row := t.leaf[i][z*c.Cats:][:c.Cats], c.Leaf[i][z*c.Cats:][:c.Cats]
		sum := prior + float32(kernels.SumF32(counts))
		for from := 0; from < c.Cats; from += width {
			to := min(from+width, c.Cats)
			counts, row, spread := counts[from:to], row[from:to], t.marginal[i][from:to]
			row, spread = row[:len(counts)], spread[:len(counts)]
			in, likely := float32(0), float32(0)
			for k, x := range counts {
				// Averages fade; numbers that are hardly any are slow.
				if x < 1e-20 {
					counts[k], x = 0, 0
				}
				in += x
				likely += spread[k]
			}
			p := (in + prior*likely) / sum / (in + band) // of the band, and normalising it
			q := p * band / likely
			for k, x := range counts {
				row[k] = spread[k]*q + x*p
			}
		}
	}
}

// maximiseMix improves the mixtures at position i by so many steps; by none, it only
// makes their tables.
func (t *Trainer) maximiseMix(i, steps int) {
	c, prior := t.c, float32(t.o.LeafPrior)/float32(t.train.Len())
	f, size := newLogisticFit(c.Cats, c.Logistics), logisticSize(c.Logistics)
	for z := range c.States[i] {
		counts, p := t.leaf[i][z*c.Cats:][:c.Cats], logisticParams(c.Mix[i][z*size:][:size])
		for k, x := range counts {
			if x < 1e-20 {
				counts[k] = 0
			}
		}
		f.load(p)
		if steps > 0 {
			f.setCounts(counts, t.marginal[i], prior)
			f.improve(steps)
		}
		f.store(p, c.Leaf[i][z*c.Cats:][:c.Cats])
	}
}

// firstLogistics fits mixtures to the counts of leaves.
func (t *Trainer) firstLogistics() {
	c, prior := t.c, float32(t.o.LeafPrior)/float32(t.train.Len())
	size := logisticSize(t.o.Logistics)
	c.Logistics, c.Mix = t.o.Logistics, make([][]float32, len(c.States))
	t.pool.Run(len(c.States), func(_, i int) {
		if first(c.LeafOf, i) != i {
			return
		}
		c.Mix[i] = make([]float32, c.States[i]*size)
		f := newLogisticFit(c.Cats, c.Logistics)
		for z := range c.States[i] {
			row := c.Leaf[i][z*c.Cats:][:c.Cats]
			f.setCounts(t.leaf[i][z*c.Cats:][:c.Cats], t.marginal[i], prior)
			f.guess()
			f.improve(firstLogisticSteps)
			f.store(c.Mix[i][z*size:][:size], row)
		}
	})
	for i, first := range c.LeafOf {
		c.Mix[i] = c.Mix[first]
	}
}

// growNoise is the deviation of the logarithm of the factors by which copies of a state
// differ.
const growNoise = 0.3

// bands is how many ordered values share BandPrior.
const bands = 16

// maximiseAll is maximise for all positions.
func (t *Trainer) maximiseAll() {
	t.pool.Run(len(t.trans), func(_, i int) { t.maximise(i) })
}

// measure returns the mean cost of d in bits a value.
func (t *Trainer) measure(d *Dataset) float64 {
	sum := 0.0
	for from := 0; from < d.Len(); from += t.o.Batch {
		var rows []int
		for k := from; k < min(from+t.o.Batch, d.Len()); k++ {
			rows = append(rows, k)
		}
		t.em.up(d, rows)
		for _, b := range t.em.bits[:len(rows)] {
			sum += b
		}
	}
	return sum / float64(len(d.Values))
}
