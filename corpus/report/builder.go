package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/bench"
)

// metricNames are the metrics that a cell keeps.
var metricNames = [...]string{PSNR, PSNRYUV, SSIM, MSSSIM, MSSSIMdB, SSIMULACRA2, Butteraugli, metricMSE}

const (
	iPSNR = iota
	iPSNRYUV
	iSSIM
	iMSSSIM
	iMSSSIMdB
	iSSIMULACRA2
	iButteraugli
	iMSE
	numMetrics
)

// A state says what a cell holds.
type state uint8

const (
	absent state = iota
	failed
	coded
)

// A cell is what is kept of a row.
type cell struct {
	bytes   int64
	metrics [numMetrics]float64 // NaN: not measured, +Inf: exact
	times   [4]float64          // encode CPU and wall, decode CPU and wall, seconds; 0: not measured
	memory  [2]int64            // encode, decode
	version int32               // index into Builder.strings, as are the next
	command int32
	error   int32
	machine int32
	state   state
}

// A picture is what rows say of theirs.
type picture struct {
	id, corpus, name             string
	width, height, planes, depth int
}

func (p *picture) pixels() int64 { return int64(p.width) * int64(p.height) }

// A series is a point before it is summed up: the cells of a curve at a rate.
type series struct {
	curve, rate string
	cells       []cell // by the number of the picture; shorter if the last are absent
}

// at returns the cell of a picture.
func (s *series) at(picture int) *cell {
	if picture < len(s.cells) {
		return &s.cells[picture]
	}
	return &noCell
}

// noCell is the cell of pictures that a series lacks. It is never written to.
var noCell = cell{state: absent}

// A Builder collects rows.
type Builder struct {
	o        *Options
	err      error
	pictures []picture
	byID     map[string]int
	corpora  map[string]bool
	series   []series
	bySeries map[[2]string]int
	strings  []string
	byString map[string]int32
}

// New returns an empty Builder. Nil stands for DefaultOptions.
func New(o *Options) *Builder {
	if o == nil {
		o = DefaultOptions()
	}
	c := *o
	return &Builder{
		o:        &c,
		byID:     make(map[string]int),
		corpora:  make(map[string]bool),
		bySeries: make(map[[2]string]int),
		byString: make(map[string]int32),
	}
}

// Add adds a row and keeps nothing of it that its caller may change. Of rows with
// the same key the last counts. A row that cannot be makes Report fail.
func (b *Builder) Add(row *bench.Row) {
	if b.err != nil {
		return
	}
	if err := checkRow(row); err != nil {
		b.err = fmt.Errorf("report: picture %q, curve %q, rate %q: %w", row.Name, row.Curve, row.Rate, err)
		return
	}
	n, ok := b.byID[row.Picture]
	p := picture{row.Picture, row.Corpus, row.Name, row.Width, row.Height, row.Planes, row.Depth}
	b.corpora[row.Corpus] = true
	if !ok {
		n = len(b.pictures)
		b.byID[row.Picture] = n
		b.pictures = append(b.pictures, p)
	} else {
		old := &b.pictures[n]
		if p.width != old.width || p.height != old.height || p.planes != old.planes || p.depth != old.depth {
			b.err = fmt.Errorf("report: picture %q (%s) has different sizes or depths in different rows", row.Name, row.Picture)
			return
		}
		// The same picture may lie in the corpus twice.
		if cmp.Or(cmp.Compare(p.corpus, old.corpus), cmp.Compare(p.name, old.name)) < 0 {
			*old = p
		}
	}
	key := [2]string{row.Curve, row.Rate}
	s, ok := b.bySeries[key]
	if !ok {
		s = len(b.series)
		b.bySeries[key] = s
		b.series = append(b.series, series{curve: row.Curve, rate: row.Rate})
	}
	cells := b.series[s].cells
	if n >= len(cells) {
		cells = append(cells, make([]cell, n+1-len(cells))...)
		b.series[s].cells = cells
	}
	c := &cells[n]
	*c = cell{
		bytes:   row.Bytes,
		times:   [4]float64{row.Cost.EncodeCPU, row.Cost.EncodeWall, row.Cost.DecodeCPU, row.Cost.DecodeWall},
		memory:  [2]int64{row.Cost.EncodeMemory, row.Cost.DecodeMemory},
		version: b.intern(row.Version),
		command: b.intern(row.Command),
		error:   b.intern(row.Error),
		machine: b.intern(row.Cost.Machine),
		state:   coded,
	}
	if row.Error != "" {
		c.state = failed
	}
	for i, name := range metricNames {
		c.metrics[i] = math.NaN()
		if v, ok := row.Metrics[name]; ok {
			c.metrics[i] = v
		}
	}
	// Rows leave out what is infinite.
	infinite := func(i int, exact bool) {
		if exact && math.IsNaN(c.metrics[i]) {
			c.metrics[i] = math.Inf(1)
		}
	}
	_, yuv := row.Metrics[metricYOfMSE]
	infinite(iPSNR, c.metrics[iMSE] == 0)
	infinite(iPSNRYUV, yuv)
	infinite(iMSSSIMdB, c.metrics[iMSSSIM] == 1)
}

// checkRow returns an error for a row that no run writes.
func checkRow(row *bench.Row) error {
	switch {
	case row.Picture == "":
		return fmt.Errorf("no hash of the picture")
	case row.Curve == "":
		return fmt.Errorf("no curve")
	case row.Width < 1 || row.Height < 1 || row.Width > codec.MaxDimension || row.Height > codec.MaxDimension || row.Pixels() > 1<<40:
		return fmt.Errorf("%d x %d pixels", row.Width, row.Height)
	case row.Planes < 1 || row.Planes > 4:
		return fmt.Errorf("%d planes", row.Planes)
	case row.Bytes < 0 || row.Bytes > 1<<44 || row.Bytes == 0 && row.Error == "":
		return fmt.Errorf("%d bytes", row.Bytes)
	}
	for name, v := range row.Metrics {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s is %v", name, v)
		}
	}
	if mse, ok := row.Metrics[metricMSE]; ok && mse < 0 {
		return fmt.Errorf("mse is %v", mse)
	}
	c := &row.Cost
	for _, v := range []float64{c.EncodeWall, c.EncodeCPU, c.DecodeWall, c.DecodeCPU} {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("a time of %v seconds", v)
		}
	}
	if c.EncodeMemory < 0 || c.DecodeMemory < 0 {
		return fmt.Errorf("%d and %d bytes of memory", c.EncodeMemory, c.DecodeMemory)
	}
	return nil
}

func (b *Builder) intern(s string) int32 {
	n, ok := b.byString[s]
	if !ok {
		n = int32(len(b.strings))
		b.byString[s] = n
		b.strings = append(b.strings, s)
	}
	return n
}

// byName returns the numbers of the pictures in the order of their names.
func (b *Builder) byName() []int {
	order := make([]int, len(b.pictures))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		p, q := &b.pictures[i], &b.pictures[j]
		return cmp.Or(cmp.Compare(p.corpus, q.corpus), compareNatural(p.name, q.name), cmp.Compare(p.id, q.id))
	})
	return order
}

// compareNatural compares strings such that "e2" comes before "e10".
func compareNatural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if digits(a[i:]) > 0 && digits(b[j:]) > 0 {
			m, n := a[i:i+digits(a[i:])], b[j:j+digits(b[j:])]
			i, j = i+len(m), j+len(n)
			for len(m) > 1 && m[0] == '0' {
				m = m[1:]
			}
			for len(n) > 1 && n[0] == '0' {
				n = n[1:]
			}
			if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
				return c
			}
			continue
		}
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
		i, j = i+1, j+1
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), cmp.Compare(a, b))
}

// digits returns how many digits a string starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
