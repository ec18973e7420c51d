package overfit

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/inr"
	"github.com/burin-codec/burin/transform/nn"
)

func encode(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
	h := src.Header()
	return encodeTiles(ctx, src, o, w, tilesOf(h.Width, h.Height))
}

// encodeTiles fits one tile after the other, each by all workers.
func encodeTiles(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter, t tiles) error {
	if src.Header().Model == codec.ModelPaletted {
		return codec.UnsupportedError("overfit: a paletted picture: convert it to NRGBA first")
	}
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	e := &encoder{ctx: ctx, src: src, o: o, pool: pool, tiles: t}
	b, err := e.newBudget(w.Written())
	if err != nil {
		return err
	}
	for i := range e.tiles.count() {
		data, f, err := e.tile(i, b)
		if err != nil {
			return err
		}
		if err := w.Write(kindTile, true, data); err != nil {
			return err
		}
		b.spend(i, len(data), f)
	}
	return nil
}

type encoder struct {
	ctx   context.Context
	src   *codec.Source
	o     *codec.Options
	pool  *nn.Pool
	tiles tiles
}

// options returns how a tile is fitted.
func (e *encoder) options(r image.Rectangle, spend effort) *inr.FitOptions {
	channels := len(e.src.Header().Planes())
	return &inr.FitOptions{
		Arch:       inr.Presets[spend.preset].Arch(r.Dx(), r.Dy(), channels),
		Iterations: spend.iterations, Refine: spend.refine, Pool: e.pool,
	}
}

func (e *encoder) fit(r image.Rectangle, fo *inr.FitOptions) (*inr.Fitted, []byte, error) {
	f, err := inr.Fit(e.ctx, read(e.src, r), r.Dx(), r.Dy(), fo)
	if err == nil {
		// Fit ends early without an error.
		err = e.ctx.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := inr.EncodeStream(&f.Arch, f.Nets, f.Latents, 0, nil)
	return f, data, err
}

// A fit comes within a per cent of its bits, which leave out the streamHead bytes of a
// stream's header and its code's end. So one of limited size aims a margin lower. A fit that
// misses its rate or PSNR by far, as may happen to those that begin far off and have few
// iterations, is repeated once from the lambda that it came to, and one that exceeds its
// size until it does not.
const (
	streamHead   = 5
	sizeMargin   = 0.99
	bitsMissable = 0.04 // of the target
	dbMissable   = 0.2
	tries        = 2
	sizeTries    = 4
)

// tile codes tile i within the budget.
func (e *encoder) tile(i int, b *budget) ([]byte, *inr.Fitted, error) {
	r := e.tiles.rect(i)
	spend := effortFor(e.o, r.Dx()*r.Dy())
	fo := e.options(r, spend)
	fo.Progress = func(p inr.FitProgress) {
		e.o.Progress((float64(i) + spend.share(p)) / float64(e.tiles.count()))
	}
	kind := e.o.Target.Kind
	aim := 0.0 // bytes
	switch kind {
	case codec.TargetQuality:
		fo.Lambda = lambdaOfQuality(e.o.Target.Value)
		f, data, err := e.fit(r, fo)
		return data, f, err
	case codec.TargetPSNR:
		mse := b.mse(i)
		fo.Lambda, fo.TargetPSNR = lambdaOfMSE(mse), psnrOfMSE(mse)
	case codec.TargetBPP:
		aim = b.bytes(i)
	case codec.TargetSize:
		aim = b.bytes(i) * sizeMargin
	}
	var best *inr.Fitted
	var bestData []byte
	least := math.Inf(1)
	for try := range sizeTries {
		if aim > 0 {
			fo.TargetBPP = 8 * max(aim-streamHead, 1) / float64(r.Dx()*r.Dy())
			if try == 0 {
				fo.Lambda = lambdaOfBPP(fo.TargetBPP)
			}
		}
		f, data, err := e.fit(r, fo)
		if err != nil {
			return nil, nil, err
		}
		missed := math.Abs(f.PSNR-fo.TargetPSNR) / dbMissable
		if aim > 0 {
			missed = math.Abs(float64(len(data))/aim-1) / bitsMissable
		}
		if kind == codec.TargetSize {
			if excess := float64(len(data)) - math.Floor(b.bytes(i)); excess > 0 {
				missed = math.Inf(1)
				// Lower, with smaller networks.
				aim = max(aim-excess, aim/2)
				if spend.preset > 0 {
					spend.preset--
					fo.Arch = e.options(r, spend).Arch
				}
			}
		}
		if missed < least {
			best, bestData, least = f, data, missed
		}
		if missed <= 1 || try+1 >= tries && best != nil {
			break
		}
		fo.Lambda = f.Lambda
	}
	if kind != codec.TargetSize {
		return bestData, best, nil
	}
	// A fit of very few bytes may be worse than nothing.
	data, mse, err := e.flat(r)
	if err != nil || best != nil && best.MSE <= mse {
		return bestData, best, err
	}
	if float64(len(data)) > b.bytes(i) {
		return nil, nil, codec.UnsupportedError(fmt.Sprintf("overfit: a size of %.0f bytes: too small", e.o.Target.Value))
	}
	return data, nil, nil
}

// flat returns the stream of the tile's mean colour, the shortest there is, and about its
// mean squared error.
func (e *encoder) flat(r image.Rectangle) (data []byte, mse float64, err error) {
	a := e.options(r, effort{}).Arch
	q := inr.NewQuantised(&a)
	v := read(e.src, r)
	n := r.Dx() * r.Dy()
	bias := a.Layout()[inr.SynB2]
	for c := range a.Channels {
		sum, squares := 0.0, 0.0
		for _, s := range v[c*n : (c+1)*n] {
			sum += float64(s)
			squares += float64(s) * float64(s)
		}
		mean := sum / float64(n)
		mse += (squares/float64(n) - mean*mean) / float64(a.Channels)
		step := math.Ldexp(1, int(q.Step[bias.Module]))
		q.Ints[bias.Module][bias.Offset+c] = int32(math.Round(mean * step))
	}
	data, err = inr.EncodeStream(&a, q, inr.NewLatents(&a, r.Dx(), r.Dy()), 0, nil)
	return data, mse, err
}

// A budget divides a rate or an error among tiles in the proportion in which drafts of
// them at one lambda took it, so that all have about the same lambda again.
type budget struct {
	bytesLeft, errorLeft float64   // for the tiles to come; the squared error times pixels
	bits, errors         []float64 // of the drafts
	pixels               []float64
}

// The drafts that divide a budget, by the smallest preset.
const (
	draftIterations = 60
	draftLambda     = 1e-3
)

// newBudget returns the budget of a file of which there are written bytes.
func (e *encoder) newBudget(written int64) (*budget, error) {
	b := &budget{}
	n, all := e.tiles.count(), 0.0
	for i := range n {
		size := e.tiles.rect(i).Size()
		b.pixels = append(b.pixels, float64(size.X*size.Y))
		all += b.pixels[i]
	}
	frame := float64(written) + codec.EndSize
	switch t := e.o.Target; t.Kind {
	case codec.TargetQuality:
		return b, nil
	case codec.TargetPSNR:
		b.errorLeft = mseOfPSNR(t.Value) * all
	case codec.TargetBPP:
		b.bytesLeft = t.Value*all/8 - frame
	case codec.TargetSize:
		b.bytesLeft = t.Value - frame
	}
	for range n {
		// The length of a section takes more bytes the longer it is.
		size := max(int(b.bytesLeft/float64(n)), 0)
		b.bytesLeft -= float64(codec.SectionSize(size) - size)
	}
	if b.errorLeft == 0 && b.bytesLeft < float64(minTile*n) {
		return nil, codec.UnsupportedError(fmt.Sprintf("overfit: a target of %v %v: the file's frame alone takes %.0f bytes", e.o.Target.Value, e.o.Target.Kind, frame))
	}
	if n == 1 {
		b.bits, b.errors = []float64{1}, []float64{1}
		return b, nil
	}
	for i := range n {
		r := e.tiles.rect(i)
		fo := e.options(r, effort{iterations: draftIterations})
		fo.Lambda = draftLambda
		f, _, err := e.fit(r, fo)
		if err != nil {
			return nil, err
		}
		b.bits = append(b.bits, f.BPP*b.pixels[i])
		b.errors = append(b.errors, max(f.MSE, 1e-8)*b.pixels[i])
	}
	return b, nil
}

// minTile is the least number of bytes that a stream may take.
const minTile = 8

// bytes returns the size of the stream of tile i, all before having been spent.
func (b *budget) bytes(i int) float64 { return b.bytesLeft * b.bits[i] / sum(b.bits[i:]) }

// mse returns the error of tile i, likewise.
func (b *budget) mse(i int) float64 {
	return max(b.errorLeft*b.errors[i]/sum(b.errors[i:])/b.pixels[i], 1e-9)
}

// spend takes what tile i took off the budget. There is no fit if it became its mean.
func (b *budget) spend(i, bytes int, f *inr.Fitted) {
	b.bytesLeft -= float64(bytes)
	if f != nil {
		b.errorLeft -= f.MSE * b.pixels[i]
	}
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}
