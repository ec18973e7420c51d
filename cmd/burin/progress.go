package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/burin-codec/burin/codec"
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
	line atomic.Pointer[string] // what an encoder tells, behind the bar
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
			mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.NewElapsed(decor.ET_STYLE_GO, p.start),
				decor.Any(func(decor.Statistics) string { return p.told() })))
	}
	p.bar.SetCurrent(int64(done * progressSteps))
}

// tell sets what stands behind the bar.
func (p *progress) tell(s codec.Status) {
	line := statusLine(s)
	p.line.Store(&line)
}

func (p *progress) told() string {
	// Without the lock, which finish holds while it waits for the bar.
	if line := p.line.Load(); line != nil {
		return *line
	}
	return ""
}

// statusLine says how far an encoder is, what the file would be like and how long it
// takes yet, as far as these are known.
func statusLine(s codec.Status) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	stage := s.Stage
	if s.Iterations > 0 {
		stage += fmt.Sprintf(" %d/%d", s.Iteration, s.Iterations)
	}
	if stage != "" {
		add("%s", stage)
	}
	if !math.IsNaN(s.Loss) {
		add("loss %.3g", s.Loss)
	}
	if !math.IsNaN(s.BPP) {
		add("%.3f bpp", s.BPP)
	}
	if !math.IsNaN(s.PSNR) {
		add("%.2f dB", s.PSNR)
	}
	if s.Left >= 0 {
		add("%v left", s.Left.Round(time.Second))
	}
	return " " + strings.Join(parts, ", ")
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
