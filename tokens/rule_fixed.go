package tokens

import "math"

// fixed is the rule of models that see every picture at one size: LLaVA-1.5, PaliGemma
// and Gemma 3, which can cut elongated pictures into crops beside the whole.
type fixed struct {
	Size   int // of the square that is seen, pixels
	Tokens int // of a view
	Wrap   int // tokens around a view
	// MinCrop, MaxCrops and MinRatio are those of pan and scan; MaxCrops is 0 for models
	// without it.
	MinCrop, MaxCrops int
	MinRatio          float64
}

func (f *fixed) options() optionSet {
	if f.MaxCrops > 0 {
		return optionPanAndScan
	}
	return 0
}

func (f *fixed) plan(w, h int, o Options, r Result) (Result, error) {
	cols, rows := 0, 0
	if o.PanAndScan {
		if w >= h {
			cols, rows = f.crops(w, h), 1
		} else {
			cols, rows = 1, f.crops(h, w)
		}
	}
	n := 1
	if crops := cols * rows; crops > 0 {
		n += crops
		r.Grid, r.Tiles, r.Thumbnail = Grid{cols, rows}, n, true
	} else {
		r.Grid = Grid{1, 1}
	}
	r.resized(f.Size, f.Size)
	r.count(n*f.Tokens, 0)
	r.Wrap = n * f.Wrap
	return r, nil
}

// crops returns into how many crops pan and scan cuts a picture along its longer side.
func (f *fixed) crops(long, short int) int {
	ratio := float64(long) / float64(short)
	if ratio < f.MinRatio {
		return 0
	}
	n := int(math.Floor(ratio + 0.5))
	n = min(long/f.MinCrop, n)
	n = min(f.MaxCrops, max(2, n))
	if min(ceilDiv(long, n), short) < f.MinCrop {
		return 0
	}
	return n
}
