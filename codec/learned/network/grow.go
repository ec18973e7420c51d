package network

import (
	"fmt"
	"math/rand/v2"

	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Grow returns a network of architecture c, which has at least as many blocks in each
// place as n's, and is the same otherwise but for the rates that it is for, that gives the same results as n: blocks begin
// as the identity, and new ones come after the old. So a trained network can be made
// larger and trained on.
func (n *Network) Grow(c Config, r *rand.Rand, pool *nn.Pool) (*Network, error) {
	o := n.Config
	if c.AnalysisFine < o.AnalysisFine || c.AnalysisCoarse < o.AnalysisCoarse || c.SynthesisCoarse < o.SynthesisCoarse || c.SynthesisFine < o.SynthesisFine {
		return nil, fmt.Errorf("network: %+v has fewer blocks than %+v", c, o)
	}
	o.AnalysisFine, o.AnalysisCoarse, o.SynthesisCoarse, o.SynthesisFine = c.AnalysisFine, c.AnalysisCoarse, c.SynthesisCoarse, c.SynthesisFine
	o.Low, o.High = c.Low, c.High
	if o != c {
		return nil, fmt.Errorf("network: %+v differs from %+v in more than blocks", c, n.Config)
	}
	g, err := New(c, pool)
	if err != nil {
		return nil, err
	}
	g.Init(r)
	to := map[string]*nn.Param{}
	for _, p := range g.params {
		to[p.Name] = p
	}
	renamed := func(name string) string { return name }
	for _, net := range []struct {
		name     string
		old, new []convnet.Op
	}{
		{"analysis", n.Analysis.Ops, g.Analysis.Ops},
		{"synthesis", n.Synthesis.Ops, g.Synthesis.Ops},
	} {
		before := renamed
		places := match(net.old, net.new)
		renamed = func(name string) string {
			var op int
			var rest string
			if k, _ := fmt.Sscanf(name, net.name+".%d.%s", &op, &rest); k != 2 {
				return before(name)
			}
			return fmt.Sprintf("%s.%d.%s", net.name, places[op], rest)
		}
	}
	for _, p := range n.params {
		copy(to[renamed(p.Name)].Data, p.Data)
	}
	g.Refresh()
	return g, nil
}

// match returns the place in the longer list of each operation of the shorter one, which
// lacks only blocks that follow others, or the operation before them.
func match(short, long []convnet.Op) []int {
	var places []int
	at := 0
	for _, op := range short {
		for op.Kind != convnet.OpBlock && long[at].Kind == convnet.OpBlock {
			at++
		}
		places = append(places, at)
		at++
	}
	return places
}
