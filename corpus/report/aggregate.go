package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/burin-codec/burin/corpus/anchor"
)

// A curve is what a Curve is made from.
type curve struct {
	name   string
	points []*series // those that coded at least a picture, in the order of Curve.Points
	shared []int     // the pictures that all points coded, in the order of the report
}

// Report sums the rows up. It may be called more than once, and rows may be added
// in between.
func (b *Builder) Report() (*Report, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := b.o.check(); err != nil {
		return nil, err
	}
	all, drawn, err := b.o.published()
	if err != nil {
		return nil, err
	}
	r := &Report{Title: b.o.Title, Date: b.o.Date, Machine: b.o.Machine, Anchor: b.o.Anchor, Pictures: len(b.pictures), Curves: []Curve{}, o: b.o, rows: b}
	r.Corpora = slices.Sorted(maps.Keys(b.corpora))
	if r.Title == "" {
		r.Title = strings.Join(r.Corpora, ", ")
	}
	r.order = b.byName()
	for _, p := range r.order {
		r.Pixels += b.pictures[p].pixels()
	}

	r.Checksum = b.checksum()

	groups := make(map[string][]*series)
	var names []string
	for i := range b.series {
		s := &b.series[i]
		if groups[s.curve] == nil {
			names = append(names, s.curve)
		}
		groups[s.curve] = append(groups[s.curve], s)
	}
	slices.SortFunc(names, compareNatural)
	for _, name := range names {
		r.addCurve(name, groups[name])
	}

	r.compareMachines()
	reference := r.find(b.o.Anchor)
	published := findPublished(all, b.o.Anchor)
	switch {
	case b.o.Anchor == "":
	case reference >= 0:
		r.compareWith(reference)
	case published != nil:
		r.compareWithPublished(published)
		if findPublished(drawn, published.Name) == nil {
			drawn = append([]anchor.Curve{*published}, drawn...)
		}
	default:
		return nil, fmt.Errorf("report: the anchor %q is neither a curve of the journal nor a published one", b.o.Anchor)
	}
	for _, c := range drawn {
		r.Published = append(r.Published, fromAnchor(c))
	}
	for _, c := range all {
		r.every = append(r.every, fromAnchor(c))
	}
	return r, nil
}

// checksum is that of the pictures, see Report.Checksum.
func (b *Builder) checksum() string {
	lines := make([]string, len(b.pictures))
	for i, p := range b.pictures {
		lines[i] = p.name + "\x00" + p.id
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		name, id, _ := strings.Cut(line, "\x00")
		fmt.Fprintf(sum, "%s  %s\n", id, name)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// find returns the number of a curve, or -1.
func (r *Report) find(name string) int {
	return slices.IndexFunc(r.Curves, func(c Curve) bool { return c.Name == name })
}

// compareMachines says what the times were taken on, and warns if speeds cannot be
// compared.
func (r *Report) compareMachines() {
	var all []string
	for i := range r.Curves {
		all = append(all, r.Curves[i].Machines...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if r.Machine == "" {
		r.Machine = strings.Join(all, "; ")
	}
	if len(all) > 1 {
		r.note("Times were taken on %d machines: speeds compare within one only.", len(all))
		return
	}
	for i := range r.Curves {
		r.Curves[i].Machines = nil
	}
}

// addCurve sums up a curve and notes what is wrong with it.
func (r *Report) addCurve(name string, all []*series) {
	b := r.rows
	slices.SortFunc(all, func(s, t *series) int { return compareNatural(s.rate, t.rate) })
	in := curve{name: name}
	out := Curve{Name: name, Points: []Point{}}
	versions, machines := make(map[string]bool), make(map[string]bool)
	commands := make(map[*series][]string)
	for _, s := range all {
		done, bad := 0, 0
		seen := make(map[string]bool)
		for _, p := range r.order {
			c := s.at(p)
			switch c.state {
			case coded:
				done++
				if m := b.strings[c.machine]; m != "" {
					machines[m] = true
				}
			case failed:
				bad++
				q := &b.pictures[p]
				r.Failures = append(r.Failures, Failure{name, s.rate, q.name, q.id, b.strings[c.error]})
			}
			if c.state != absent {
				versions[b.strings[c.version]] = true
				seen[b.strings[c.command]] = true
			}
		}
		out.Failed += bad
		commands[s] = slices.Sorted(maps.Keys(seen))
		if done > 0 {
			in.points = append(in.points, s)
		} else {
			r.note("%s at rate %q failed on each of %s.", name, s.rate, count(bad, "picture"))
		}
	}
	out.Versions = slices.SortedFunc(maps.Keys(versions), compareNatural)
	out.Machines = slices.Sorted(maps.Keys(machines))
	if len(out.Versions) > 1 {
		r.note(severalVersions, name, strings.Join(out.Versions, "; "))
	}

	// The pictures that all points coded.
	least, most := len(r.order), 0
	for _, p := range r.order {
		if !slices.ContainsFunc(in.points, func(s *series) bool { return s.at(p).state != coded }) && len(in.points) > 0 {
			in.shared = append(in.shared, p)
		}
	}
	out.Pictures = len(in.shared)
	for _, s := range in.points {
		n := 0
		for _, p := range r.order {
			if s.at(p).state == coded {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
		out.Uneven = out.Uneven || n != out.Pictures
	}
	switch {
	case out.Uneven && out.Pictures == 0:
		r.note("%s has no picture that all of its rates coded: it is left out.", name)
	case out.Uneven:
		r.note("%s has rates that cover different pictures (%d to %d of %d): its figures are of the %d that all of them coded.", name, least, most, r.Pictures, out.Pictures)
	case len(in.points) > 0 && out.Pictures < r.Pictures:
		r.note("%s is of %d of %d pictures only: do not compare its figures with those of curves of all.", name, out.Pictures, r.Pictures)
	}
	if out.Pictures == 0 {
		in.points = nil
	}

	// The pictures of which every point has a metric.
	measured := make([][]int, numMetrics)
	for m := range measured {
		for _, p := range in.shared {
			if !slices.ContainsFunc(in.points, func(s *series) bool { return math.IsNaN(s.at(p).metrics[m]) }) {
				measured[m] = append(measured[m], p)
			}
		}
		if n := len(measured[m]); 0 < n && n < len(in.shared) && m != iMSE {
			if out.Partial == nil {
				out.Partial = make(map[string]int)
			}
			out.Partial[metricNames[m]] = n
			r.note("%s has %s of %d of its %d pictures only.", name, metricTitle(metricNames[m]), n, out.Pictures)
		}
	}

	out.Lossless = len(in.points) > 0
	points := make(map[*series]Point)
	for _, s := range in.points {
		p := r.point(s, in.shared, measured)
		p.Rate = s.rate
		p.Command = commands[s][0]
		if n := len(commands[s]); n > 1 {
			p.Commands = n
		}
		for _, q := range r.order {
			switch s.at(q).state {
			case coded:
				p.Coded++
			case failed:
				p.Failed++
			}
		}
		out.Lossless = out.Lossless && p.Exact == out.Pictures
		points[s] = p
	}
	if !out.Lossless {
		slices.SortStableFunc(in.points, func(s, t *series) int { return cmp.Compare(points[s].BPP, points[t].BPP) })
	}
	for _, s := range in.points {
		out.Points = append(out.Points, points[s])
	}
	r.curves = append(r.curves, in)
	r.Curves = append(r.Curves, out)
}

// point sums a series up over pictures, and a metric over those it was measured
// of.
func (r *Report) point(s *series, pictures []int, measured [][]int) Point {
	p := Point{Quality: make(map[string]float64)}
	var bpp float64
	var pixels, samples int64
	var seconds [4]float64
	var timed [4]int64
	for _, n := range pictures {
		c, q := s.at(n), &r.rows.pictures[n]
		p.Bytes += c.bytes
		pixels += q.pixels()
		samples += q.pixels() * int64(q.planes)
		bpp += 8 * float64(c.bytes) / float64(q.pixels())
		if c.metrics[iMSE] == 0 {
			p.Exact++
		}
		for i, t := range c.times {
			if t > 0 {
				seconds[i] += t
				timed[i] += q.pixels()
			}
		}
		p.EncodeMemory = max(p.EncodeMemory, c.memory[0])
		p.DecodeMemory = max(p.DecodeMemory, c.memory[1])
	}
	p.BPP = round(bpp/float64(len(pictures)), 5)
	p.TotalBPP = round(8*float64(p.Bytes)/float64(pixels), 5)
	p.BPSP = round(8*float64(p.Bytes)/float64(samples), 5)
	for i, to := range []*float64{&p.EncodeCPU, &p.EncodeWall, &p.DecodeCPU, &p.DecodeWall} {
		if seconds[i] > 0 {
			*to = significant(float64(timed[i])/1e6/seconds[i], 4)
		}
	}
	for m, name := range metricNames {
		mean := s.mean(m, measured[m])
		if m == iMSE {
			name, mean = PSNRMeanMSE, 10*math.Log10(255*255/mean)
		}
		if !math.IsNaN(mean) && !math.IsInf(mean, 0) {
			p.Quality[name] = round(mean, decimals(name))
		}
	}
	return p
}

// mean returns the mean of a metric, NaN over no pictures.
func (s *series) mean(metric int, pictures []int) float64 {
	var sum float64
	for _, p := range pictures {
		sum += s.at(p).metrics[metric]
	}
	return sum / float64(len(pictures))
}

// decimals returns how many decimals of a metric are kept.
func decimals(metric string) int {
	if metric == SSIM || metric == MSSSIM {
		return 6
	}
	return 4
}

func (r *Report) note(format string, a ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, a...))
}

// round rounds to decimals.
func round(v float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	if w := math.Round(v*scale) / scale; !math.IsInf(w, 0) {
		return w + 0 // no -0
	}
	return v
}

// significant rounds to digits. v is positive.
func significant(v float64, digits int) float64 {
	return round(v, digits-1-int(math.Floor(math.Log10(v))))
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func fromAnchor(c anchor.Curve) Published {
	p := Published{Name: c.Name, Source: c.Source, Reference: c.Reference, Note: c.Note, DecoderMACs: c.DecoderMACs, Points: []PublishedPoint{}}
	for _, q := range c.Points {
		out := PublishedPoint{BPP: round(q.BPP, 5), PSNR: round(q.PSNR, 4), MSSSIM: round(q.MSSSIM, 6), MSSSIMdB: round(q.MSSSIMdB, 4)}
		if q.MSSSIMdB == 0 && q.MSSSIM > 0 && q.MSSSIM < 1 {
			out.MSSSIMdB, out.DBOfMean = round(decibels(q.MSSSIM), 4), true
		}
		p.Points = append(p.Points, out)
	}
	return p
}

// decibels is MS-SSIM on the scale on which its differences are seen.
func decibels(msssim float64) float64 { return -10 * math.Log10(1-msssim) }
