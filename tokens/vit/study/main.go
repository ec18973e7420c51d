// Command study trains the small vision transformer of tokens/vit and measures what
// reducers of visual tokens cost: the tables of doc/tokens-reduce.md.
//
//	go run ./tokens/vit/study train -data ../shared/data/fashion-mnist -weights w.safetensors
//	go run ./tokens/vit/study measure -data ../shared/data/fashion-mnist -weights w.safetensors -json study.json
//	go run ./tokens/vit/study table -json study.json
//	go run ./tokens/vit/study video -clip ../shared/data/video/foreman_qcif_100f.y4m
//	go run ./tokens/vit/study documents
//	go run ./tokens/vit/study cache -data ../shared/data/fashion-mnist -weights w.safetensors -out cache.safetensors
//
// The last writes the keys, values and queries that doc/tokens-kv.md measures on.
// It works on one thread, whose own time it reports, so that other work on the machine
// counts less; times are meant as ratios.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens/reduce"
	"github.com/burin-codec/burin/tokens/vit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "study:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	commands := map[string]func(context.Context, []string, io.Writer) error{"train": train, "measure": measure, "table": printTable, "video": video, "documents": documents, "cache": cache}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("say train, measure, table, video, documents or cache")
	}
	runtime.LockOSThread()
	return commands[args[0]](ctx, args[1:], out)
}

func train(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	data := f.String("data", "", "folder of MNIST or Fashion-MNIST")
	weights := f.String("weights", "", "file to write")
	epochs := f.Int("epochs", 12, "times that each picture is seen")
	seed := f.Uint64("seed", 1, "of weights and order")
	flip := f.Bool("flip", true, "mirror pictures at random: not for digits")
	if err := f.Parse(args); err != nil {
		return err
	}
	set, err := vit.ReadSet(*data, "train")
	if err != nil {
		return err
	}
	test, err := vit.ReadSet(*data, "t10k")
	if err != nil {
		return err
	}
	m, err := vit.New(vit.Small, *seed, nil)
	if err != nil {
		return err
	}
	start := cpuTime()
	err = m.Train(ctx, set, vit.TrainConfig{Epochs: *epochs, Batch: 64, Rate: 2e-3, Decay: 0.05, Seed: *seed, Flip: *flip, Progress: func(step, steps int, loss float64) {
		fmt.Fprintf(out, "step %d of %d: loss %.4f, %v\n", step, steps, loss, (cpuTime() - start).Round(time.Second))
	}})
	if err != nil {
		return err
	}
	file, err := os.Create(*weights)
	if err != nil {
		return err
	}
	if err := errors.Join(m.Save(file), file.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "accuracy %.4f on %d test pictures, before rounding to BF16\n", m.Accuracy(test), test.Len())
	return nil
}

// cache writes what attention sees of the first test pictures, all layers and heads.
func cache(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("cache", flag.ContinueOnError)
	data := f.String("data", "", "folder of MNIST or Fashion-MNIST")
	weights := f.String("weights", "", "what train wrote")
	name := f.String("out", "", "safetensors file to write")
	pictures := f.Int("pictures", 40, "of the test set")
	if err := f.Parse(args); err != nil {
		return err
	}
	test, err := vit.ReadSet(*data, "t10k")
	if err != nil {
		return err
	}
	if *pictures < 1 || *pictures > test.Len() {
		return fmt.Errorf("%d pictures of %d", *pictures, test.Len())
	}
	stored, err := os.ReadFile(*weights)
	if err != nil {
		return err
	}
	m, err := vit.Load(bytes.NewReader(stored), nil)
	if err != nil {
		return err
	}
	n := test.Side * test.Side
	seen := make([]float32, *pictures*n)
	for i := range *pictures {
		test.Load(seen[i*n:][:n], i)
	}
	queries, keys, values := m.Cache(seen, *pictures)
	shape := []int{m.Layers, m.Heads, *pictures * (1 + m.Tokens()), m.Dim / m.Heads}
	file, err := os.Create(*name)
	if err != nil {
		return err
	}
	err = tensorfile.WriteSafetensors(file, []tensorfile.Tensor{
		tensorfile.FromFloat32s("keys", keys, shape...),
		tensorfile.FromFloat32s("queries", queries, shape...),
		tensorfile.FromFloat32s("values", values, shape...),
	}, nil)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: keys, values and queries of %v\n", *name, shape)
	return nil
}

// A row is one measurement.
type row struct {
	Method       string  `json:"method"`
	Layer        string  `json:"layer"`
	Proportional bool    `json:"proportional"`
	Share        float64 `json:"share"`    // asked for; 0 is the method's own choice
	Kept         float64 `json:"kept"`     // mean tokens of a picture behind the last step
	Accuracy     float64 `json:"accuracy"` // share of the pictures that are right
	MACs         float64 `json:"macs"`     // of the network, over those without reduction
	Network      float64 `json:"network"`  // its time over that without reduction
	Reducing     float64 `json:"reducing"` // the reducers' time over the same
}

type report struct {
	Data     string `json:"data"`
	Pictures int    `json:"pictures"`
	Tokens   int    `json:"tokens"`
	Tier     string `json:"tier"`
	Rows     []row  `json:"rows"`
}

var shares = []float64{0.75, 0.50, 0.35, 0.25, 0.15}

// merging says which methods make tokens that stand for several, so that proportional
// attention does something.
var merging = map[string]bool{"pool": true, "tome": true, "density": true, "diffrate": true, "visionzip": true, "prumerge": true, "prumerge+": true, "qg-vtc": true, "sparsevlm": true}

func measure(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	data := f.String("data", "", "folder of MNIST or Fashion-MNIST")
	weights := f.String("weights", "", "what train wrote")
	jsonFile := f.String("json", "", "file to write")
	pictures := f.Int("pictures", 10000, "of the test set")
	if err := f.Parse(args); err != nil {
		return err
	}
	test, err := vit.ReadSet(*data, "t10k")
	if err != nil {
		return err
	}
	if *pictures < 1 || *pictures > test.Len() {
		return fmt.Errorf("%d pictures of %d", *pictures, test.Len())
	}
	test.Labels, test.Pixels = test.Labels[:*pictures], test.Pixels[:*pictures*test.Side*test.Side]
	learn, err := vit.ReadSet(*data, "train")
	if err != nil {
		return err
	}
	file, err := os.Open(*weights)
	if err != nil {
		return err
	}
	defer file.Close()
	m, err := vit.Load(file, nil)
	if err != nil {
		return err
	}
	var plans []vit.Plan
	var rows []row
	add := func(name, layer string, share float64, proportional bool, steps ...vit.Step) {
		plans = append(plans, vit.Plan{Steps: steps, Proportional: proportional})
		rows = append(rows, row{Method: name, Layer: layer, Share: share, Proportional: proportional})
	}
	add("none", "", 1, false)
	const at = 1 // the second of four layers
	for _, method := range reduce.Methods() {
		if needs(method, "frames") {
			continue
		}
		r := method.New(reduce.Options{Seed: 1})
		if p, ok := r.(reduce.PruMerge); ok {
			p.Neighbours = 3 // of 49 tokens, as 32 are of the paper's 576
			r = p
		}
		for _, share := range shares {
			step := vit.Step{Layer: at, Reducer: r, Keep: reduce.Share(share)}
			add(method.Name, "2", share, merging[method.Name], step)
			// What proportional attention is worth shows at two of the shares.
			if merging[method.Name] && (share == 0.5 || share == 0.25) {
				add(method.Name, "2", share, false, step)
			}
		}
		if method.Auto {
			add(method.Name, "2", 0, merging[method.Name], vit.Step{Layer: at, Reducer: r, Keep: reduce.Auto()})
		}
	}
	// Schedules over all layers of the same cost as a share kept in the second: DiffRate's
	// learned counts, beside the same share of tokens removed in each layer.
	for _, share := range []float64{0.5, 0.25} {
		target := m.Cost([]int{m.Tokens(), int(math.Round(share * float64(m.Tokens())))})
		learned, err := m.LearnRates(ctx, learn, vit.RateConfig{MACs: target, Steps: 200, Batch: 50, Rate: 0.1, Seed: 1})
		if err != nil {
			return err
		}
		for _, counts := range [][]int{learned, m.EvenCounts(target)} {
			for _, method := range []string{"diffrate", "tome", "random"} {
				r, err := reduce.New(method, reduce.Options{Seed: 1})
				if err != nil {
					return err
				}
				var steps []vit.Step
				for l, n := range counts {
					steps = append(steps, vit.Step{Layer: l, Reducer: r, Keep: reduce.Count(n)})
				}
				name := method + ", even"
				if &counts[0] == &learned[0] {
					name = method + ", learned"
				}
				add(name, strings.Trim(fmt.Sprint(counts), "[]"), share, merging[method], steps...)
			}
		}
	}
	// By thousands, so that what there is can be seen at any time.
	tallies := make([]vit.Tally, len(plans))
	area := test.Side * test.Side
	for from := 0; from < test.Len(); from += 1000 {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+1000, test.Len())
		part := &vit.Set{Side: test.Side, Pixels: test.Pixels[from*area : to*area], Labels: test.Labels[from:to]}
		of, err := m.Classify(part, plans, cpuTime)
		if err != nil {
			return err
		}
		for i := range tallies {
			tallies[i].Add(of[i])
		}
		if *jsonFile != "" {
			if err := newReport(*data, m, rows, tallies).write(*jsonFile); err != nil {
				return err
			}
		}
	}
	newReport(*data, m, rows, tallies).print(out)
	return nil
}

// newReport fills in the rows, of which the first is without reduction.
func newReport(data string, m *vit.Model, rows []row, tallies []vit.Tally) *report {
	base := tallies[0]
	for i, t := range tallies {
		n, r := float64(t.Pictures), &rows[i]
		r.Kept, r.Accuracy, r.MACs = float64(t.Kept)/n, float64(t.Right)/n, float64(t.MACs)/float64(base.MACs)
		r.Network, r.Reducing = float64(t.Network)/float64(base.Network), float64(t.Reducing)/float64(base.Network)
	}
	return &report{filepath.Base(data), base.Pictures, m.Tokens(), kernels.Tier().String(), rows}
}

func (r *report) write(name string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o666)
}

// printTable prints what measure wrote.
func printTable(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("table", flag.ContinueOnError)
	name := f.String("json", "", "what measure wrote")
	if err := f.Parse(args); err != nil {
		return err
	}
	b, err := os.ReadFile(*name)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("%s: %w", *name, err)
	}
	r.print(out)
	return nil
}

// print prints accuracies against shares, and below what has a row of its own.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d pictures, %d tokens, kernels of %s\n\n| method |", r.Data, r.Pictures, r.Tokens, r.Tier)
	for _, s := range shares {
		fmt.Fprintf(out, " %.0f %% |", 100*s)
	}
	fmt.Fprint(out, " reducer's time, at 25 % |\n|---|---:|---:|---:|---:|---:|---:|\n")
	var rest []row
	var names []string
	at := map[string]map[float64]row{}
	for _, r := range r.Rows {
		if r.Layer != "2" || r.Share == 0 || r.Proportional != merging[r.Method] {
			rest = append(rest, r)
			continue
		}
		if at[r.Method] == nil {
			at[r.Method] = map[float64]row{}
			names = append(names, r.Method)
		}
		at[r.Method][r.Share] = r
	}
	for _, name := range names {
		fmt.Fprintf(out, "| %s |", name)
		for _, s := range shares {
			fmt.Fprintf(out, " %.2f |", 100*at[name][s].Accuracy)
		}
		fmt.Fprintf(out, " %.3f |\n", at[name][0.25].Reducing)
	}
	fmt.Fprint(out, "| multiplications |")
	for _, s := range shares {
		fmt.Fprintf(out, " %.3f |", at["random"][s].MACs)
	}
	fmt.Fprint(out, " |\n| network's time |")
	for _, s := range shares {
		fmt.Fprintf(out, " %.3f |", at["random"][s].Network)
	}
	fmt.Fprint(out, " |\n\n| method | layer, or counts behind each | proportional | tokens kept | accuracy | multiplications | network's time | reducer's time |\n|---|---|---|---:|---:|---:|---:|---:|\n")
	for _, r := range rest {
		fmt.Fprintf(out, "| %s | %s | %v | %.1f | %.2f | %.3f | %.3f | %.3f |\n", r.Method, r.Layer, r.Proportional, r.Kept, 100*r.Accuracy, r.MACs, r.Network, r.Reducing)
	}
}

func needs(m reduce.Method, what string) bool {
	for _, n := range m.Needs {
		if n == what {
			return true
		}
	}
	return false
}
