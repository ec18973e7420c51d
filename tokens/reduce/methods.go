package reduce

import (
	"errors"
	"fmt"
	"strings"
)

// A Method is a reducer that has a name.
type Method struct {
	Name  string
	Usage string   // in a few words, with the paper's name
	Needs []string // what it needs of Tokens: "attention", "query", "frames", "audio"
	Auto  bool     // whether it can choose how many to keep
	// New returns the reducer with the defaults that its type's comments name.
	New func(o Options) Reducer
}

// Options are what methods chosen by name take beside their defaults.
type Options struct {
	Seed    uint64
	Queries []float32 // generic queries of "streammem", [q][key width]
}

// Methods returns all methods, in the order of their kinds.
func Methods() []Method {
	return []Method{
		{Name: "random", Usage: "tokens drawn at random (baseline)", New: func(o Options) Reducer { return Random{o.Seed} }},
		{Name: "uniform", Usage: "tokens at even distances (baseline)", New: fixed(Uniform{})},
		{Name: "pool", Usage: "means of neighbours (baseline)", New: fixed(Pool{})},
		{Name: "tome", Usage: "bipartite soft matching, merging", New: fixed(BipartiteMatching{})},
		{Name: "density", Usage: "density peaks clustering, merging", New: fixed(DensityPeaks{Neighbours: 5})},
		{Name: "zipvl", Usage: "greatest attention; auto: 97.5 % of its mass", Needs: []string{"attention"}, Auto: true, New: fixed(AttentionMass{Tau: 0.975})},
		{Name: "diffrate", Usage: "greatest attention, half of the rest merged into the most similar (DiffRate)", Needs: []string{"attention"}, New: fixed(PruneMerge{Merged: 0.5})},
		{Name: "visionzip", Usage: "dominant and contextual tokens", Needs: []string{"attention"}, New: fixed(DominantContextual{Contextual: 10.0 / 64})},
		{Name: "prumerge", Usage: "outliers of attention, neighbours merged", Needs: []string{"attention"}, Auto: true, New: fixed(PruMerge{Neighbours: 32})},
		{Name: "prumerge+", Usage: "prumerge and as many at even distances", Needs: []string{"attention"}, Auto: true, New: fixed(PruMerge{Neighbours: 32, Spread: 1})},
		{Name: "qg-vtc", Usage: "what a question asks for, the rest recycled softly", Needs: []string{"query"}, New: fixed(QuestionGuided{Temperature: 0.1, Recycle: 1})},
		{Name: "sparsevlm", Usage: "attention or a question, the better rest recycled as clusters; needs one of the two", New: fixed(Recycling{Share: 0.3})},
		{Name: "dycoke", Usage: "temporal merging in windows of four frames", Needs: []string{"frames"}, New: fixed(TemporalMerging{})},
		{Name: "evs", Usage: "what changes between frames", Needs: []string{"frames"}, New: fixed(ChangeDriven{})},
		{Name: "omnizip", Usage: "windows of four frames guided by audio", Needs: []string{"frames", "audio"}, New: fixed(AudioGuided{Window: 4, Guidance: 0.5})},
		{Name: "marc", Usage: "the best two clips of eight frames, pooled memory of others (MARC, VidCompress)", Needs: []string{"frames", "query"}, New: fixed(RetrieveClips{Frames: 8, Clips: 2, Memory: 4})},
		{Name: "infinipot-v", Usage: "a stream: temporal redundancy and value norm", Needs: []string{"frames"}, New: fixed(Streaming{StreamConfig{Recent: 0.25, Redundant: 0.5, PoolSide: 1}})},
		{Name: "streammem", Usage: "a stream: generic queries, a prototype for each frame; needs generic queries", Needs: []string{"frames"}, New: func(o Options) Reducer {
			return Streaming{StreamConfig{Policy: ByQueries, Queries: o.Queries}}
		}},
	}
}

func fixed(r Reducer) func(Options) Reducer { return func(Options) Reducer { return r } }

// ErrMethod says that there is no method of a name.
var ErrMethod = errors.New("reduce: no such method")

// New returns the method of a name, or, for names joined by commas such as
// "evs:50%,tome", a [Chain]: each but the last has what its stage keeps behind a colon.
func New(name string, o Options) (Reducer, error) {
	parts := strings.Split(name, ",")
	var c Chain
	for i, part := range parts {
		part, keep, stage := strings.Cut(part, ":")
		var r Reducer
		for _, m := range Methods() {
			if m.Name == part {
				r = m.New(o)
			}
		}
		if r == nil {
			return nil, fmt.Errorf("%w: %q", ErrMethod, part)
		}
		if i == len(parts)-1 {
			if stage {
				return nil, fmt.Errorf("reduce: %q: what the last method keeps is given apart: %w", name, ErrOption)
			}
			c.Last = r
			continue
		}
		if !stage {
			return nil, fmt.Errorf("reduce: %q: %s needs to say what it keeps, as in %s:50%%: %w", name, part, part, ErrOption)
		}
		k, err := ParseKeep(keep)
		if err != nil {
			return nil, err
		}
		c.First = append(c.First, Stage{r, k})
	}
	if len(c.First) == 0 {
		return c.Last, nil
	}
	return c, nil
}
