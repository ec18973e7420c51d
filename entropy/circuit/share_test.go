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

// wavy returns vectors that are alike wherever they are: walks over a grid of side x
// side that begin anywhere.
func wavy(n, side, cats int, seed uint64) *Dataset {
	r := rand.New(rand.NewPCG(seed, seed))
	d := &Dataset{Vars: side * side, Cats: cats}
	for range n {
		row := make([]uint16, side*side)
		for k := range row {
			v := r.IntN(cats)
			if k > 0 && r.IntN(8) > 0 {
				at := k - 1
				if k%side == 0 {
					at = k - side
				}
				v = int(row[at]) + r.IntN(3) - 1
			}
			row[k] = uint16(min(max(v, 0), cats-1))
		}
		d.Values = append(d.Values, row...)
	}
	return d
}

func shareOptions(side int) *Options {
	o := testOptions()
	o.Share, o.Validation, o.Workers = ShareSquares(side, side, 1, side), 0, 1
	return o
}

func TestTies(t *testing.T) {
	// A path through 2 x 3 pixels: right, right, down, left, left.
	tree := &Tree{[]int{0, 1, 2, 5, 4, 3}, []int{-1, 0, 1, 2, 3, 4}}
	trans, leaf := ShareSquares(3, 2, 1, 3).ties(tree)
	if got, want := fmt.Sprint(trans, leaf), "[0 1 1 3 4 4] [0 0 0 0 0 0]"; got != want {
		t.Errorf("one square: %v, want %v", got, want)
	}
	// Squares of side 2: columns 0 and 1, and column 2.
	trans, leaf = ShareSquares(3, 2, 1, 2).ties(tree)
	if got, want := fmt.Sprint(trans, leaf), "[0 1 2 3 4 5] [0 0 2 2 0 0]"; got != want {
		t.Errorf("two squares: %v, want %v", got, want)
	}
	s := ShareSquares(4, 1, 1, 4)
	info := make([]float64, 16)
	for i := range info {
		info[i] = float64(i/4 + i%4)
	}
	s.average(info, 4)
	if want := fmt.Sprint([]float64{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}); fmt.Sprint(info) != want {
		t.Errorf("averaged %v", info)
	}
}

// A step by all vectors gives what the expected counts, by enumeration of the hidden
// variables and summed over what is shared, say.
func TestSharedStep(t *testing.T) {
	d := wavy(9, 3, 4, 3)
	o := shareOptions(3)
	o.States, o.TransPrior, o.LeafPrior, o.BandPrior = 2, 1e-6, 1e-6, 1e-6
	tr, err := NewTrainer(d, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	c := tr.Circuit()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	trans, leaf := make([][]float64, 9), make([][]float64, 9)
	for i := range 9 {
		trans[i], leaf[i] = make([]float64, len(c.Trans[i])), make([]float64, len(c.Leaf[i]))
	}
	shared := 0
	for i := range 9 {
		if c.TransOf[i] != i {
			shared++
		}
	}
	if shared == 0 {
		t.Fatal("no shared transitions")
	}
	for k := range d.Len() {
		x := d.Row(k)
		whole := math.Exp(c.LogProbability(x))
		enumerate(9, 2, func(z []uint16) {
			p := 1 / whole
			for i := range c.States {
				p *= float64(c.Trans[i][c.edge(z, i)]) * float64(c.Leaf[i][int(z[i])*4+int(x[c.Order[i]])])
			}
			for i := range c.States {
				trans[c.TransOf[i]][c.edge(z, i)] += p
				leaf[c.LeafOf[i]][int(z[i])*4+int(x[c.Order[i]])] += p
			}
		})
	}
	if _, err := tr.full(context.Background()); err != nil {
		t.Fatal(err)
	}
	compare := func(what string, i int, got []float32, counts []float64, cols int) {
		for from := 0; from < len(got); from += cols {
			sum := 0.0
			for _, n := range counts[from:][:cols] {
				sum += n
			}
			for k, n := range counts[from:][:cols] {
				if math.Abs(float64(got[from+k])-n/sum) > 1e-4 {
					t.Errorf("position %d, %s %d: %v, want %v", i, what, from+k, got[from+k], n/sum)
				}
			}
		}
	}
	for i := range 9 {
		compare("transition", i, c.Trans[i], trans[c.TransOf[i]], c.States[i])
		compare("leaf", i, c.Leaf[i], leaf[c.LeafOf[i]], c.Cats)
	}
}

// Steps by all vectors never lower the likelihood; few vectors of what is alike
// everywhere are learnt better shared; files are smaller, hold each matrix once, and
// code.
func TestLearnShared(t *testing.T) {
	d, fresh := wavy(60, 6, 12, 1), wavy(300, 6, 12, 2)
	for _, logistics := range []int{0, 1} {
		o := shareOptions(6)
		o.Logistics, o.Epochs, o.FullEpochs, o.States = logistics, 0, 25, 8
		o.TransPrior, o.LeafPrior, o.BandPrior = 1e-5, 1e-5, 1e-5
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
		var bits [2]float64
		var size [2]int
		for k := range 2 {
			o := shareOptions(6)
			o.Logistics, o.States = logistics, 8
			if k == 1 {
				o.Share = nil
			}
			c, err := Learn(context.Background(), d, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			m, err := c.Quantise(DefaultVectors)
			if err != nil {
				t.Fatal(err)
			}
			bits[k], size[k] = meanBits(c, fresh), m.Size()
			if again := meanBits(m.Circuit(), fresh); math.Abs(again-bits[k]) > 0.02 {
				t.Errorf("quantised %v bits a value, before that %v", again, bits[k])
			}
			var x [][]uint16
			for i := range 20 {
				x = append(x, fresh.Row(i))
			}
			roundTrip(t, m, x, 16)
		}
		t.Logf("%d logistics: shared %.4f bits a value, %d bytes; apart %.4f, %d bytes", logistics, bits[0], size[0], bits[1], size[1])
		if bits[0] >= bits[1] || size[0] >= size[1]/2 {
			t.Errorf("%d logistics: sharing does not pay", logistics)
		}
	}
}

// Neither workers nor an interruption change what is learnt.
func TestSharedWorkersAndResume(t *testing.T) {
	d := wavy(50, 4, 9, 1)
	for _, logistics := range []int{0, 2} {
		var saved []byte
		learn := func(workers int) string {
			o := shareOptions(4)
			o.Workers, o.Logistics = workers, logistics
			o.Checkpoint = func(tr *Trainer) error {
				var buf bytes.Buffer
				if done, _ := tr.Epochs(); done == 2 {
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
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(tr.Circuit()) != want {
			t.Error("another circuit after an interruption")
		}
		tr.Close()
	}
}

func TestShareOptions(t *testing.T) {
	d := wavy(10, 3, 5, 1)
	o := shareOptions(3)
	o.Grow = 1
	if _, err := Learn(context.Background(), d, o); !errors.Is(err, ErrOptions) {
		t.Errorf("with growing: %v", err)
	}
	o = shareOptions(4)
	if _, err := Learn(context.Background(), d, o); !errors.Is(err, ErrOptions) {
		t.Errorf("of another size: %v", err)
	}
}

// Model files of version 3 are read for ever, and give the same streams everywhere.
func TestGoldenShared(t *testing.T) {
	q, x := goldenCodes()
	for i := range q.states {
		k, l := i, i
		for j := range i {
			if k == i && j > 0 && q.states[j] == q.states[i] && q.states[q.tree.Parent[j]] == q.states[q.tree.Parent[i]] && q.transOf[j] == j {
				k = j
			}
			if l == i && q.states[j] == q.states[i] && q.leafOf[j] == j {
				l = j
			}
		}
		q.transOf, q.leafOf = append(q.transOf, k), append(q.leafOf, l)
	}
	q.tie()
	file := q.marshal(nil)
	name := filepath.Join("testdata", "v3.model")
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
	const golden = 0x72a316c7
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
}
