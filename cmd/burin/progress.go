package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// patience is how long work goes on before its progress is shown.
const patience = time.Second

// A progress shows a bar on a terminal, and nothing on anything else.
type progress struct {
	out   io.Writer
	w     io.Writer // out, or nil if it is not a terminal
	label string
	start time.Time

	mu   sync.Mutex
	bars *mpb.Progress
	bar  *mpb.Bar
	over bool
}

func newProgress(w io.Writer, label string) *progress {
	p := &progress{out: w, label: label, start: time.Now()}
	if isTerminal(w) {
		p.w = w
	}
	return p
}

const progressSteps = 1000

// report shows the share done, from 0 to 1.
func (p *progress) report(done float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil || p.over || p.bar == nil && time.Since(p.start) < patience {
		return
	}
	if p.bar == nil {
		p.bars = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(60))
		p.bar = p.bars.AddBar(progressSteps,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(p.label+" ")),
			mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.NewElapsed(decor.ET_STYLE_GO, p.start)))
	}
	p.bar.SetCurrent(int64(done * progressSteps))
}

// finish takes the bar away.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.bar != nil {
		p.bar.Abort(true)
		p.bars.Wait()
		p.bar = nil
	}
}

// note prints a line above the bar.
func (p *progress) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.out
	if p.bars != nil && p.bar != nil {
		w = p.bars
	}
	fmt.Fprintln(w, line)
}
