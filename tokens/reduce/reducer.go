package reduce

import "fmt"

// A Reducer cuts a matrix of tokens. Reducers are values without state, and safe to
// use by several goroutines.
type Reducer interface {
	// Reduce returns the tokens that are kept of t, which it does not change. Errors
	// are wrapped around ErrShape, ErrValue, ErrKeep, ErrMissing or ErrOption.
	Reduce(t *Tokens, keep Keep) (*Reduced, error)
}

// A Stage is one reduction of several.
type Stage struct {
	Reducer Reducer
	Keep    Keep // of the tokens that the stage is given
}

// A Chain reduces by First, one stage after the other, and by Last to the number asked
// for. Sources, places and sizes of the result are with respect to the first input.
// The query and audio of the input are there for all stages.
type Chain struct {
	First []Stage
	Last  Reducer
}

// Reduce implements [Reducer]; keep is that of the last stage, a share being one of the
// input of the chain.
func (c Chain) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if c.Last == nil {
		return nil, fmt.Errorf("reduce: a chain without a last stage: %w", ErrOption)
	}
	if keep.kind == keepShare {
		n, err := keep.Of(t.N)
		if err != nil {
			return nil, err
		}
		keep = Count(n)
	}
	var sum *Reduced
	in := t
	for i := range len(c.First) + 1 {
		stage := Stage{c.Last, keep}
		if i < len(c.First) {
			stage = c.First[i]
		}
		if stage.Reducer == nil {
			return nil, fmt.Errorf("reduce: stage %d of a chain without a reducer: %w", i, ErrOption)
		}
		r, err := stage.Reducer.Reduce(in, stage.Keep)
		if err != nil {
			return nil, fmt.Errorf("reduce: stage %d: %w", i, err)
		}
		if sum != nil {
			for j, k := range r.Kept {
				r.Kept[j] = sum.Kept[k]
			}
			r.Source = compose(sum.Source, r.Source)
		}
		sum, in = r, &r.Tokens
	}
	return sum, nil
}
