package report

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/burin-codec/burin/corpus/bench"
)

// folder returns the folder of a picture, or "" if its hash cannot name one.
func (p *picture) folder() string {
	dir := bench.PictureDir(p.id)
	if dir == "" || strings.Trim(dir, "0123456789abcdef") != "" {
		return ""
	}
	return dir
}

// A viewed picture is one that the page embeds in several versions.
type viewed struct {
	Picture  int       `json:"picture"` // index into pageData.Pictures
	Original string    `json:"original"`
	Versions []version `json:"versions"`
}

// A version is what a curve at a rate decoded.
type version struct {
	Curve int    `json:"curve"` // index into Report.Curves
	Point int    `json:"point"` // index into Curve.Points
	URI   string `json:"uri"`
}

// A candidate is a version of a picture that may be embedded.
type candidate struct {
	file         string
	curve, point int // -1: the original
	size         int64
}

// embedPictures reads the pictures for the viewer, up to budget bytes of page, and
// says what it left out. pictures are the numbers of those that the page knows.
//
// A little of everything beats all of one picture: it takes the lowest, middle
// and highest rate of each curve for as many pictures as that goes for, spread
// over the corpus, and more rates once all pictures are in.
func (r *Report) embedPictures(pictures []int, budget int64) ([]viewed, string, error) {
	if r.o.Pictures == nil {
		return nil, "", nil
	}
	// What there is, by picture and then by level: more levels, more rates.
	type source struct {
		picture int // in pictures
		files   []candidate
		levels  []int // of files
	}
	var sources []source
	total, top := 0, 0
	for _, i := range spread(len(pictures)) {
		p := &r.rows.pictures[pictures[i]]
		dir := p.folder()
		if dir == "" {
			continue
		}
		original, ok, err := r.stat(dir + "/" + bench.OriginalFile)
		if err != nil {
			return nil, "", err
		}
		if !ok {
			continue
		}
		s := source{i, []candidate{{dir + "/" + bench.OriginalFile, -1, -1, original}}, []int{0}}
		for level := 0; ; level++ {
			more := false
			for k := range r.Curves {
				c := &r.Curves[k]
				order := spread(len(c.Points))
				if c.Lossless || level >= len(order) {
					continue
				}
				more = true
				file := dir + "/" + bench.PictureFile(c.Name, c.Points[order[level]].Rate)
				size, ok, err := r.stat(file)
				if err != nil {
					return nil, "", err
				}
				if ok {
					s.files = append(s.files, candidate{file, k, order[level], size})
					s.levels = append(s.levels, level)
					top = max(top, level)
				}
			}
			if !more {
				break
			}
		}
		if len(s.files) > 1 {
			sources = append(sources, s)
			total += len(s.files)
		}
	}
	// take returns how many pictures fit, whole, with the levels up to one.
	fits := func(level int) (n int) {
		left := budget
		for _, s := range sources {
			for i, f := range s.files {
				if s.levels[i] <= level {
					left -= embedded(f.size)
				}
			}
			if left < 0 {
				break
			}
			n++
		}
		return n
	}
	level := min(2, top)
	for level > 0 && fits(level) == 0 {
		level--
	}
	for level < top && fits(level+1) == len(sources) {
		level++
	}
	n := fits(level)
	if n == 0 && len(sources) > 0 {
		n = 1 // as much of it as goes
	}
	var out []viewed
	left := budget
	taken := 0
	for _, s := range sources[:n] {
		v := viewed{Picture: s.picture}
		for i, f := range s.files {
			if s.levels[i] > level || embedded(f.size) > left {
				continue
			}
			b, err := fs.ReadFile(r.o.Pictures, f.file)
			if err != nil {
				return nil, "", fmt.Errorf("report: %w", err)
			}
			if !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) {
				return nil, "", fmt.Errorf("report: %s is no PNG file", f.file)
			}
			left -= embedded(int64(len(b)))
			uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(b)
			if f.curve < 0 {
				v.Original = uri
			} else {
				v.Versions = append(v.Versions, version{f.curve, f.point, uri})
			}
			taken++
		}
		if v.Original != "" && len(v.Versions) > 0 {
			out = append(out, v)
		}
	}
	note := ""
	if taken < total {
		note = fmt.Sprintf("To keep the page small it holds %d of %d pictures, and %d of their %d versions.", len(out), len(sources), taken, total)
	}
	slices.SortFunc(out, func(a, b viewed) int { return cmp.Compare(a.Picture, b.Picture) })
	for _, v := range out {
		slices.SortFunc(v.Versions, func(a, b version) int { return cmp.Or(cmp.Compare(a.Curve, b.Curve), cmp.Compare(a.Point, b.Point)) })
	}
	return out, note, nil
}

// stat returns the size of a file of Options.Pictures and whether it exists.
func (r *Report) stat(name string) (int64, bool, error) {
	info, err := fs.Stat(r.o.Pictures, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("report: %w", err)
	}
	return info.Size(), info.Mode().IsRegular(), nil
}

// embedded returns how many bytes of the page a picture takes at most.
func embedded(size int64) int64 { return (size+2)/3*4 + 100 }

// spread returns 0 to n-1 in an order of which every beginning is spread over the
// whole: the middle, the ends, then halves of the largest gaps.
func spread(n int) []int {
	var order []int
	taken := make([]bool, n)
	take := func(i int) {
		if !taken[i] {
			taken[i] = true
			order = append(order, i)
		}
	}
	if n == 0 {
		return nil
	}
	take((n - 1) / 2)
	take(0)
	take(n - 1)
	for parts := 4; len(order) < n; parts *= 2 {
		for k := 1; k < parts; k += 2 {
			take((n - 1) * k / parts)
		}
		if parts > 2*n {
			for i := range n {
				take(i)
			}
		}
	}
	return order
}
