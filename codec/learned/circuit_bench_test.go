package learned

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/entropy/circuit"
	"github.com/burin-codec/burin/transform/convnet"
)

// BenchmarkCircuitOnHyperlatents sets a probabilistic circuit beside the factorised prior
// on a real latent map: that of the shipped model's hyperprior, 4 x 4 positions of 64
// channels for a crop of 256 x 256. Both are learnt from crops of the training pictures
// and measured on crops of the photographs.
func BenchmarkCircuitOnHyperlatents(b *testing.B) {
	data := os.Getenv("BURIN_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := os.ReadFile(filepath.Join("weights", "photo.model"))
	if err != nil {
		b.Fatal(err)
	}
	m, err := ReadModel(file, 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	const (
		side, reach = 256, 12 // values beyond reach are clamped, and counted
		rate        = convnet.RateUnit / 2
		vars        = 16 * 64
	)
	clamped := 0
	maps := func(folder string, crops int) (d *circuit.Dataset, q [][]int16) {
		pictures, err := training.Load(context.Background(), filepath.Join(data, folder), side, nil)
		if err != nil {
			b.Skipf("NOT MEASURED: %v", err)
		}
		d = &circuit.Dataset{Vars: vars, Cats: 2*reach + 1}
		buffers := convnet.NewBuffers(nil)
		for _, p := range pictures.Crops(crops, side, 1) {
			y, s := m.analysis.Forward(buffers, pixels.FromFloats(p), convnet.Shape{N: 1, H: side, W: side}, rate)
			h := m.hyperOf(buffers, y, s, rate)
			buffers.Give(y)
			for i, v := range h {
				if v < -reach || v > reach {
					clamped++
				}
				h[i] = min(max(v, -reach), reach)
				d.Values = append(d.Values, uint16(h[i]+reach))
			}
			q = append(q, h)
		}
		return d, q
	}
	learnt, learntQ := maps("train", 6000)
	tested, testedQ := maps("photos", 500)
	counts := entropy.NewCounts(64)
	for _, q := range learntQ {
		counts.AddChannels(q)
	}
	prior, err := entropy.NewFactorisedPrior(counts)
	if err != nil {
		b.Fatal(err)
	}
	var factorised float64
	for _, q := range testedQ {
		factorised += prior.Cost(q)
	}
	for _, variant := range []struct {
		name  string
		share *circuit.Sharing
	}{{"apart", nil}, {"shared", circuit.ShareSquares(4, 4, 64, 4)}} {
		b.Run(variant.name, func(b *testing.B) {
			var bytes int
			for b.Loop() {
				o := circuit.DefaultOptions()
				o.States, o.Epochs, o.Grow, o.Ordered, o.Share = 16, 20, 0, true, variant.share
				c, err := circuit.Learn(b.Context(), learnt, o)
				if err != nil {
					b.Fatal(err)
				}
				model, err := c.Quantise(circuit.DefaultVectors)
				if err != nil {
					b.Fatal(err)
				}
				bytes = 0
				p := model.NewPredictor()
				for i := range tested.Len() {
					e := arith.NewBinaryEncoder(nil)
					p.Reset()
					for x := tested.Row(i); p.Variable() >= 0; {
						p.Encode(e, int(x[p.Variable()]))
					}
					bytes += len(e.Finish())
				}
			}
			n := float64(len(tested.Values))
			b.ReportMetric(factorised/n, "factorised-bits/latent")
			b.ReportMetric(8*float64(bytes)/n, "circuit-bits/latent")
			b.ReportMetric(100*float64(clamped)/(n+float64(len(learnt.Values))), "%clamped")
		})
	}
}
