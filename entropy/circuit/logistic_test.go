package circuit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// randomMixtures gives c random leaves of so many logistics.
func randomMixtures(r *rand.Rand, c *Circuit, logistics int) {
	c.Logistics, c.Mix = logistics, nil
	f := newLogisticFit(c.Cats, logistics)
	for i, m := range c.States {
		c.Mix = append(c.Mix, make([]float32, m*logisticSize(logistics)))
		for z := range m {
			p := logisticParams(c.Mix[i][z*logisticSize(logistics):][:logisticSize(logistics)])
			weights := randomRows(r, 1, logistics+1, 1)
			p[0] = weights[0]
			for k := range logistics {
				p[1+3*k] = weights[1+k]
				p[2+3*k] = float32(r.Float64() * float64(c.Cats-1))
				p[3+3*k] = float32(math.Exp(r.Float64()*4 - 2))
			}
			f.load(p)
			f.store(p, c.Leaf[i][z*c.Cats:][:c.Cats])
		}
	}
}

// sigmoid is 1/(1+exp(-t)), and never falls.
func TestSigmoid(t *testing.T) {
	last := 0.0
	for i := -50000; i <= 50000; i++ {
		x := float64(i) / 1000
		got, want := sigmoid(x), 1/(1+math.Exp(-x))
		if math.Abs(got-want) > 1e-12*want+1e-17 {
			t.Fatalf("sigmoid(%v) = %v, want %v", x, got, want)
		}
		if got < last*(1-1e-15) {
			t.Fatalf("sigmoid falls at %v", x)
		}
		last = got
	}
}

// A mixture's table is differences of the distribution function, with the tails at the
// ends.
func TestMixture(t *testing.T) {
	weights, means, scales := []float64{0.2, 0.5, 0.3}, []float64{2.25, 17}, []float64{0.75, 3}
	const cats = 20
	row := make([]float32, cats)
	mixture(row, weights, means, scales, make([]float64, cats))
	for x := range row {
		want := weights[0] / cats
		for k, mean := range means {
			at := func(edge float64) float64 { return 0.5 + 0.5*math.Tanh((edge-mean)/scales[k]/2) }
			lo, hi := at(float64(x)-0.5), at(float64(x)+0.5)
			if x == 0 {
				lo = 0
			}
			if x == cats-1 {
				hi = 1
			}
			want += weights[k+1] * (hi - lo)
		}
		if math.Abs(float64(row[x])-want) > 1e-7 {
			t.Errorf("value %d: %v, want %v", x, row[x], want)
		}
	}
}

// No step lowers the likelihood of the counts, and in the end no parameter can be moved
// to raise it: by trying.
func TestImproveMixture(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const cats = 60
	for trial := range 30 {
		logistics := 1 + trial%3
		f := newLogisticFit(cats, logistics)
		counts, spread := make([]float32, cats), make([]float32, cats)
		for range 2000 {
			x := 20 + 6*r.NormFloat64()
			switch trial % 4 {
			case 1: // two heaps
				x += float64(30 * r.IntN(2))
			case 2: // all at the end
				x -= 40
			case 3: // a single value
				x = 7
			}
			counts[int(min(max(x+0.5, 0), cats-1))]++
		}
		for x := range spread {
			spread[x] = 1.0 / cats
		}
		f.setCounts(counts, spread, 1)
		f.guess()
		likelihood := func() float64 {
			row := make([]float64, cats)
			sum := 0.0
			for x := range row {
				row[x] = f.weights[0] / cats
			}
			for k := range logistics {
				logistic(f.next, f.means[k], f.scales[k])
				for x, p := range f.next {
					row[x] += f.weights[k+1] * p
				}
			}
			for x, p := range row {
				sum += f.counts[x] * math.Log(p)
			}
			return sum
		}
		last := likelihood()
		for step := range 400 {
			f.improve(1)
			now := likelihood()
			if now < last-1e-3 {
				t.Fatalf("trial %d, step %d: likelihood fell from %v to %v", trial, step, last, now)
			}
			last = now
		}
		for k := range logistics {
			for _, v := range []*float64{&f.means[k], &f.scales[k]} {
				keep := *v
				for _, factor := range []float64{0.95, 1.05} {
					*v = min(max(keep*factor, leastScale), cats-1)
					if now := likelihood(); now > last+2 {
						t.Errorf("trial %d: %v instead of %v raises the likelihood from %v to %v", trial, *v, keep, last, now)
					}
				}
				*v = keep
			}
		}
	}
}

// The likelihood with logistic leaves never falls in steps by all vectors, and comes
// near that of the circuit that the data are from; the coder agrees with it.
func TestLearnLogistics(t *testing.T) {
	truth := randomCircuit(8, 12, 40, 3, 1.5)
	randomMixtures(rand.New(rand.NewPCG(8, 8)), truth, 1)
	if err := truth.Validate(); err != nil {
		t.Fatal(err)
	}
	d, fresh := sampled(truth, 400, 1), sampled(truth, 1000, 2)
	o := testOptions()
	o.Epochs, o.FullEpochs, o.Logistics, o.Validation = 0, 15, 1, 0
	o.TransPrior, o.LeafPrior = 1e-5, 1e-5
	last := math.Inf(1)
	o.Progress = func(p Progress) {
		if p.Train > last+1e-5 {
			t.Errorf("epoch %d: %v bits a value, %v before", p.Epoch, p.Train, last)
		}
		last = p.Train
	}
	if _, err := Learn(context.Background(), d, o); err != nil {
		t.Fatal(err)
	}
	o = testOptions()
	o.Validation, o.Grow, o.GrowEpochs = 0, 1, 3
	tables, err := Learn(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Logistics = 1
	c, err := Learn(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	floor, got, other := meanBits(truth, fresh), meanBits(c, fresh), meanBits(tables, fresh)
	t.Logf("truth %.4f, logistics %.4f, tables %.4f bits a value", floor, got, other)
	if got > other {
		t.Errorf("logistics take %.4f bits a value of few vectors drawn from logistics, tables %.4f", got, other)
	}
	m, err := c.Quantise(DefaultVectors)
	if err != nil {
		t.Fatal(err)
	}
	if again := meanBits(m.Circuit(), fresh); again > got+0.01 {
		t.Errorf("quantised %.4f bits a value, before that %.4f", again, got)
	}
	table, err := tables.Quantise(DefaultVectors)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("models of %d and %d bytes", m.Size(), table.Size())
	if m.Size() >= table.Size() {
		t.Errorf("a model of %d bytes, %d with tables", m.Size(), table.Size())
	}
}

// Neither workers nor an interruption change what is learnt.
func TestLogisticsWorkersAndResume(t *testing.T) {
	d := sampled(randomCircuit(5, 10, 20, 5, 1.5), 200, 1)
	var saved []byte
	learn := func(workers int) string {
		o := testOptions()
		o.Workers, o.Logistics, o.Grow, o.GrowEpochs = workers, 2, 1, 2
		o.Checkpoint = func(tr *Trainer) error {
			var buf bytes.Buffer
			if done, _ := tr.Epochs(); done == 5 {
				if _, err := tr.WriteTo(&buf); err != nil {
					return err
				}
				saved = buf.Bytes()
			}
			return nil
		}
		c, err := Learn(context.Background(), d, o)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(c)
	}
	want := learn(1)
	if learn(3) != want {
		t.Error("three workers learn something else than one")
	}
	tr, err := ResumeTrainer(bytes.NewReader(saved), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(tr.Circuit()) != want {
		t.Error("another circuit after an interruption")
	}
	for i := 0; i < len(saved); i += 1 + len(saved)/50 {
		bad := append([]byte(nil), saved...)
		bad[i] ^= 0x44
		if _, err := ResumeTrainer(bytes.NewReader(bad), d, nil); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
	}
}

// Quantised mixtures are near those they were made from, whatever the number of
// values.
func TestMixCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, cats := range []int{2, 3, 16, 256, MaxCats} {
		c := &Circuit{Tree: Tree{[]int{0}, []int{-1}}, Cats: cats, States: []int{50}}
		c.Trans = [][]float32{randomRows(r, 1, 50, 1)}
		c.Leaf = [][]float32{make([]float32, 50*cats)}
		randomMixtures(r, c, 3)
		f, codes, row := newLogisticFit(cats, 3), make([]uint16, 10), make([]float32, cats)
		for z := range 50 {
			mixCodes(codes, c.Mix[0][z*10:][:10], cats)
			mixRow(row, codes, f)
			loss := 0.0
			for x, p := range c.Leaf[0][z*cats:][:cats] {
				loss += float64(p) * math.Log2(float64(p)/float64(row[x]))
			}
			if loss > 0.01 {
				t.Errorf("%d values, %v: %v bits lost", cats, c.Mix[0][z*10:][:10], loss)
			}
		}
	}
}

// goldenMixtures is goldenCodes with mixtures for leaves.
func goldenMixtures() (*codes, [][]uint16) {
	q, x := goldenCodes()
	r := rand.New(rand.NewPCG(11, 11))
	q.leaf, q.logistics = nil, 2
	for _, m := range q.states {
		mix := make([]uint16, m*logisticSize(2))
		for at := 0; at < len(mix); at += 7 {
			mix[at] = uint16(40 + r.IntN(60))
			for k := 1; k < 7; k += 3 {
				mix[at+k], mix[at+k+2] = uint16(r.IntN(24)), uint16(60+r.IntN(mostScaleCode-59))
				mix[at+k+1] = uint16(r.IntN(mostMean(q.cats, meanShift(mix[at+k+2])) + 1))
			}
		}
		q.mix = append(q.mix, mix)
	}
	return q, x
}

// Model files of version 2 are read for ever, and give the same streams everywhere.
func TestGoldenLogistics(t *testing.T) {
	q, x := goldenMixtures()
	file := q.marshal(nil)
	name := filepath.Join("testdata", "v2.model")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, file, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want) {
		t.Error("the model file is not that in testdata")
	}
	m, err := ReadModel(want, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	const golden = 0x498ab18b
	for _, level := range kernels.Tiers() {
		restore, err := kernels.SetTier(level)
		if err != nil {
			t.Fatal(err)
		}
		sum := crc32.NewIEEE()
		for _, s := range roundTrip(t, m, x, 23) {
			sum.Write(s)
		}
		if got := sum.Sum32(); got != golden {
			t.Errorf("%v: sum of the streams is %#x, want %#x", level, got, uint32(golden))
		}
		restore()
	}
	for i := range want {
		if _, err := ReadModel(want[:i], 1<<24); !errors.Is(err, ErrModel) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := ReadModel(want, m.Memory()/2); !errors.Is(err, ErrTooLarge) {
		t.Errorf("with little memory: %v", err)
	}
}
