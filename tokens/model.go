package tokens

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Model is a model, or several that share a rule and its numbers.
type Model struct {
	Name       string   // as its vendor spells it, lower case
	Family     string   // whose rule it follows
	Aliases    []string // other names: of checkpoints, of the API
	Since      string   // date from which the rule holds, YYYY-MM-DD; of some models known to the month only
	Confidence Confidence
	Source     string // of the rule and of its numbers
	Note       string // what else to know

	rule  rule
	video *clipRule // nil if each frame is planned as a picture
	page  *clipRule // nil if each page is planned as a picture
}

// A rule counts the tokens of a picture. Options and Result are values so that they need
// not be allocated.
type rule interface {
	// options returns the options that the rule has beside Images.
	options() optionSet
	// plan returns r, in which Model, Width, Height, Confidence and Source are set, with
	// the rest for a picture of w x h pixels.
	plan(w, h int, o Options, r Result) (Result, error)
}

var newRule = map[string]func() rule{
	"smart-resize":   func() rule { return new(smartResize) },
	"row-patches":    func() rule { return new(rowPatches) },
	"ceil-patches":   func() rule { return new(ceilPatches) },
	"fixed":          func() rule { return new(fixed) },
	"aspect-tiles":   func() rule { return new(aspectTiles) },
	"any-res":        func() rule { return new(anyRes) },
	"split-tiles":    func() rule { return new(splitTiles) },
	"slices":         func() rule { return new(slicesRule) },
	"canvas":         func() rule { return new(canvas) },
	"phi-3":          func() rule { return new(phi3) },
	"phi-4":          func() rule { return new(phi4) },
	"openai-tiles":   func() rule { return new(openAITiles) },
	"openai-patches": func() rule { return new(openAIPatches) },
	"gemini-tiles":   func() rule { return new(geminiTiles) },
	"gemini-levels":  func() rule { return new(geminiLevels) },
}

//go:embed models.json
var modelsJSON []byte

// TableVersion is the date of the table of models, YYYY-MM-DD.
var TableVersion string

var (
	table  []*Model
	byName = make(map[string]*Model) // by name and alias
)

func init() {
	if err := load(modelsJSON); err != nil {
		panic("tokens: models.json: " + err.Error()) // it is part of the build
	}
}

// load reads the table of models.
func load(b []byte) error {
	var file struct {
		Version string
		Models  []struct {
			Model
			Rule        string
			Params      json.RawMessage
			Video, Page *clipRule
		}
	}
	if err := decodeStrictly(b, &file); err != nil {
		return err
	}
	TableVersion = file.Version
	for _, e := range file.Models {
		m := e.Model
		create := newRule[e.Rule]
		if create == nil {
			return fmt.Errorf("%s: unknown rule %q", m.Name, e.Rule)
		}
		m.rule, m.video, m.page = create(), e.Video, e.Page
		if err := decodeStrictly(e.Params, m.rule); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if p, ok := m.rule.(interface{ prepare() }); ok {
			p.prepare()
		}
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			if byName[name] != nil || name != normalise(name) {
				return fmt.Errorf("%s: name %q is not a new one in normal form", m.Name, name)
			}
			byName[name] = &m
		}
		table = append(table, &m)
	}
	return nil
}

func decodeStrictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// Models returns the models of the table, in its order.
func Models() []*Model { return slices.Clone(table) }

// Lookup returns the model of a name: one of the table, an alias, or a name that begins
// with one of them, as names of checkpoints and dated names of an API do:
// "Qwen/Qwen2.5-VL-7B-Instruct" and "gpt-4o-2024-08-06". Case does not matter. It returns
// an error that wraps ErrModel and suggests names if there is none.
func Lookup(name string) (*Model, error) {
	if m := byName[name]; m != nil {
		return m, nil
	}
	n := normalise(name)
	if m := byName[n]; m != nil {
		return m, nil
	}
	// The longest name that n begins with and that ends where a word does.
	for i := len(n) - 1; i > 0; i-- {
		if strings.IndexByte("-:@", n[i]) >= 0 {
			if m := byName[n[:i]]; m != nil {
				return m, nil
			}
		}
	}
	near := suggestions(n)
	if len(near) == 0 {
		return nil, fmt.Errorf("%w %q", ErrModel, name)
	}
	return nil, fmt.Errorf("%w %q; did you mean %s?", ErrModel, name, strings.Join(near, ", "))
}

// normalise returns a name without the organisation before it, in lower case.
func normalise(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
}

// suggestions returns up to three names of the table like name, the likest first.
func suggestions(name string) []string {
	const longest = 64 // of a name that may be meant
	if name == "" || len(name) > longest {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	for _, m := range table {
		best := candidate{m.Name, len(name)}
		for _, other := range append([]string{m.Name}, m.Aliases...) {
			d := editDistance(name, other)
			if len(name) >= 3 && (strings.Contains(other, name) || strings.Contains(name, other)) {
				d = min(d, 1)
			}
			best.distance = min(best.distance, d)
		}
		if best.distance <= max(2, len(name)/3) {
			found = append(found, best)
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	names := make([]string, 0, 3)
	for _, c := range found[:min(len(found), 3)] {
		names = append(names, c.name)
	}
	return names
}

// editDistance returns the Levenshtein distance of two names.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
