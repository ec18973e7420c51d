package overfit

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"time"

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
	e := &encoder{ctx: ctx, src: src, o: o, pool: pool, tiles: t, start: time.Now()}
	var err error
	if suits(src.Header()) {
		if e.priors, err = priorsFor(o.Weights); err != nil {
			return err
		}
	}
	b, err := e.newBudget(w.Written() + e.largestPrior())
	if err != nil {
		return err
	}
	for i := range e.tiles.count() {
		data, f, err := e.tile(i, b)
		if err != nil {
			return err
		}
		if err := e.embed(f, w); err != nil {
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
	start time.Time
	// priors are those that fits may start from.
	priors   []*inr.Prior
	embedded bool
}

// largestPrior returns the bytes that a prior may take in the file.
func (e *encoder) largestPrior() int64 {
	most := int64(0)
	if !e.o.EmbedWeights {
		return most
	}
	for _, p := range e.priors {
		file, _ := p.MarshalBinary() // never fails
		most = max(most, int64(codec.SectionSize(len(file))))
	}
	return most
}

// embed writes the prior of the first fit that has one, if priors are to be in the file.
// No other is used after that.
func (e *encoder) embed(f *inr.Fitted, w *codec.SectionWriter) error {
	if !e.o.EmbedWeights || e.embedded || f.Start == nil {
		return nil
	}
	e.embedded = true
	e.priors = []*inr.Prior{f.Start.Prior}
	file, err := f.Start.Prior.MarshalBinary()
	if err != nil {
		return err
	}
	return w.Write(kindPrior, true, file)
}

// over reports whether the rest is to be cut short.
func (e *encoder) over() bool {
	select {
	case <-e.o.Stop:
		return true
	default:
		return e.o.TimeLimit > 0 && time.Since(e.start) >= e.o.TimeLimit
	}
}

// limit gives a fit a share of the time that is left, if there is a limit.
func (e *encoder) limit(fo *inr.FitOptions, share float64) {
	if e.o.TimeLimit > 0 {
		left := e.o.TimeLimit - time.Since(e.start)
		fo.TimeLimit = max(time.Duration(share*float64(left)), 1)
	}
}

// options returns how a tile is fitted.
func (e *encoder) options(r image.Rectangle, spend effort) *inr.FitOptions {
	channels := len(e.src.Header().Planes())
	return &inr.FitOptions{
		Arch:       inr.Presets[spend.preset].Arch(r.Dx(), r.Dy(), channels),
		Iterations: spend.iterations, RefineNets: spend.nets, Refine: spend.latents, Pool: e.pool, Stop: e.o.Stop,
		Priors: e.priors,
	}
}

func (e *encoder) fit(r image.Rectangle, fo *inr.FitOptions) (*inr.Fitted, []byte, error) {
	f, err := inr.Fit(e.ctx, read(e.src, r), r.Dx(), r.Dy(), fo)
	if err != nil {
		return nil, nil, err
	}
	data, err := inr.EncodeStream(&f.Arch, f.Nets, f.Latents, f.Start)
	return f, data, err
}

// sizeTries is how many fits may try to keep to a rate. More than one are needed only
// where the networks alone take too much of it, each with smaller ones, or for a lower rate
// where these are the smallest.
const (
	sizeTries = 4
	lessBytes = 0.9
)

// tile codes tile i within the budget.
func (e *encoder) tile(i int, b *budget) ([]byte, *inr.Fitted, error) {
	r := e.tiles.rect(i)
	kind := e.o.Target.Kind
	bytes := math.Inf(1)
	if kind == codec.TargetBPP || kind == codec.TargetSize {
		bytes = math.Floor(b.bytes(i))
	}
	best, bestData := b.draft(i)
	if bestData == nil || !e.over() {
		var err error
		if best, bestData, err = e.fitTo(i, b, bytes); err != nil {
			return nil, nil, err
		}
	}
	// A fit of very few bytes or iterations may be worse than nothing.
	flat, data, err := e.flat(r)
	if err != nil {
		return nil, nil, err
	}
	tooLong := kind == codec.TargetSize && float64(len(bestData)) > bytes
	if !tooLong && best.MSE <= flat.MSE {
		return bestData, best, nil
	}
	if tooLong && float64(len(data)) > bytes {
		return nil, nil, codec.UnsupportedError(fmt.Sprintf("overfit: a size of %.0f bytes: too small", e.o.Target.Value))
	}
	return data, flat, nil
}

// fitTo fits tile i, in so many bytes if it can.
func (e *encoder) fitTo(i int, b *budget, bytes float64) (best *inr.Fitted, bestData []byte, err error) {
	r := e.tiles.rect(i)
	spend := efforts[e.o.Effort-1]
	fo := e.options(r, spend)
	switch e.o.Target.Kind {
	case codec.TargetQuality:
		fo.Lambda = Lambda(e.o.Target.Value)
	case codec.TargetPSNR:
		fo.TargetPSNR = psnrOfMSE(b.mse(i))
	default:
		fo.TargetBPP = 8 * max(bytes, 1) / float64(r.Dx()*r.Dy())
	}
	// Networks cost little, whatever the rate, if they start from a prior.
	lambda, bits := inr.Estimate(read(e.src, r), r.Dx(), r.Dy(), fo)
	if len(e.o.Weights) == 0 && !priorPays(bits, r.Dx()*r.Dy()) {
		fo.Priors = nil
	}
	second := false
	if !slices.ContainsFunc(fo.Priors, func(p *inr.Prior) bool { return p.Suits(&fo.Arch) && p.Covers(lambda) }) {
		spend = spend.fit(bits)
		fo.Arch = e.options(r, spend).Arch
		// A time limit is better spent on one fit.
		second = spend.second && e.o.TimeLimit == 0
	}
	var last inr.FitProgress
	fo.Progress = func(p inr.FitProgress) {
		if last = p; second {
			p.Done /= 2
		}
		e.tell(i, p)
	}
	for range sizeTries {
		e.limit(fo, b.share(i))
		f, data, err := e.fit(r, fo)
		if err != nil {
			return nil, nil, err
		}
		if best == nil || len(data) < len(bestData) {
			best, bestData = f, data
		}
		if float64(len(data)) <= bytes || e.over() {
			break
		}
		second = false
		if spend.preset == 0 {
			fo.TargetBPP *= lessBytes * bytes / float64(len(data))
			continue
		}
		spend.preset--
		fo.Arch = e.options(r, spend).Arch
	}
	if !second || e.over() {
		return best, bestData, nil
	}
	spend.preset++
	fo.Arch = e.options(r, spend).Arch
	fo.Progress = func(p inr.FitProgress) {
		p.Done = (1 + p.Done) / 2
		e.tell(i, p)
	}
	f, data, err := e.fit(r, fo)
	if err != nil {
		return nil, nil, err
	}
	if float64(len(data)) <= bytes && f.MSE+best.Lambda*f.BPP < best.Loss {
		return f, data, nil
	}
	e.tell(i, last)
	return best, bestData, nil
}

// tell reports how far the fit of tile i is.
func (e *encoder) tell(i int, p inr.FitProgress) {
	n := e.tiles.count()
	stage := p.Phase
	if n > 1 {
		stage = fmt.Sprintf("tile %d of %d, %s", i+1, n, stage)
	}
	e.o.Status(codec.Status{
		Done: (float64(i) + p.Done) / float64(n), Stage: stage, Iteration: p.Iteration, Iterations: p.Total,
		Loss: p.Loss, BPP: p.BPP, PSNR: p.PSNR,
	})
}

// flat returns the tile's mean colour as a fit, with about its error, and its stream, the
// shortest there is.
func (e *encoder) flat(r image.Rectangle) (*inr.Fitted, []byte, error) {
	a := e.options(r, effort{}).Arch
	f := &inr.Fitted{Arch: a, Nets: inr.NewQuantised(&a), Latents: inr.NewLatents(&a, r.Dx(), r.Dy())}
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
		f.MSE += max(squares/float64(n)-mean*mean, 0) / float64(a.Channels)
		step := math.Ldexp(1, int(f.Nets.Step[bias.Module]))
		f.Nets.Ints[bias.Module][bias.Offset+c] = int32(math.Round(mean * step))
	}
	data, err := inr.EncodeStream(&f.Arch, f.Nets, f.Latents, nil)
	return f, data, err
}

// A budget divides a rate or an error among tiles in the proportion in which drafts of
// them at one lambda took it, so that all have about the same lambda again. The drafts
// stand in for tiles that are not begun when the encoder is stopped.
type budget struct {
	bytesLeft, errorLeft float64   // for the tiles to come; the squared error times pixels
	bits, errors         []float64 // of the drafts
	pixels               []float64
	drafts               []*inr.Fitted // none if there is one tile or nothing to divide
	data                 [][]byte      // of the drafts
}

// The drafts are by the smallest preset, those that divide a budget at one lambda and
// others at that of the quality asked for. They take at most a part of the time limit.
const (
	draftIterations = 60
	draftShare      = 0.1 // of the iterations of a fit, if no budget is to be divided, and of the time
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
	if t := e.o.Target.Kind; (t == codec.TargetBPP || t == codec.TargetSize) && b.bytesLeft < float64(minTile*n) {
		return nil, codec.UnsupportedError(fmt.Sprintf("overfit: a target of %v %v: the file's frame alone takes %.0f bytes", e.o.Target.Value, e.o.Target.Kind, frame))
	}
	if n == 1 {
		b.bits, b.errors = []float64{1}, []float64{1}
		return b, nil
	}
	if e.o.Target.Kind == codec.TargetQuality && e.o.Stop == nil && e.o.TimeLimit == 0 {
		return b, nil
	}
	for i := range n {
		f, data, err := e.draft(e.tiles.rect(i), draftShare/float64(n-i))
		if err != nil {
			return nil, err
		}
		b.drafts, b.data = append(b.drafts, f), append(b.data, data)
		b.bits = append(b.bits, f.BPP*b.pixels[i])
		b.errors = append(b.errors, max(f.MSE, 1e-8)*b.pixels[i])
	}
	return b, nil
}

// draft fits a tile a little, for at most a share of the time.
func (e *encoder) draft(r image.Rectangle, share float64) (*inr.Fitted, []byte, error) {
	spend := effort{iterations: draftIterations}
	lambda := draftLambda
	if e.o.Target.Kind == codec.TargetQuality {
		spend.iterations = min(draftIterations, int(draftShare*float64(efforts[e.o.Effort-1].iterations)))
		lambda = Lambda(e.o.Target.Value)
	}
	fo := e.options(r, spend)
	if e.o.EmbedWeights {
		fo.Priors = nil // the file is to have that of fits
	}
	fo.Lambda = lambda
	e.limit(fo, share)
	return e.fit(r, fo)
}

// draft returns the draft of tile i, nil if there is none.
func (b *budget) draft(i int) (*inr.Fitted, []byte) {
	if b.drafts == nil {
		return nil, nil
	}
	return b.drafts[i], b.data[i]
}

// share returns the pixels of tile i by those of it and all to come.
func (b *budget) share(i int) float64 { return b.pixels[i] / sum(b.pixels[i:]) }

// minTile is the least number of bytes that a stream may take.
const minTile = 8

// bytes returns the size of the stream of tile i, all before having been spent.
func (b *budget) bytes(i int) float64 { return b.bytesLeft * b.bits[i] / sum(b.bits[i:]) }

// mse returns the error of tile i, likewise.
func (b *budget) mse(i int) float64 {
	return max(b.errorLeft*b.errors[i]/sum(b.errors[i:])/b.pixels[i], 1e-9)
}

// spend takes what tile i took off the budget.
func (b *budget) spend(i, bytes int, f *inr.Fitted) {
	b.bytesLeft -= float64(bytes)
	b.errorLeft -= f.MSE * b.pixels[i]
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}
