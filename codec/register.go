package codec

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// A Codec is what a sub-package registers. doc/format.md lists the IDs taken;
// those from 240 on are for experiments and never appear in published files.
type Codec struct {
	ID      uint8  // 1 to 255, in the file
	Name    string // as in Options.Codec: lower case, one word
	Version int    // of the bit stream Encode writes; Decode reads all up to it

	// Targets lists the targets that Encode can aim at.
	Targets []TargetKind

	// Anytime says that Encode heeds TimeLimit and Stop of the options: it ends by
	// then, or soon after, with the best file that it has. NewEncoder refuses a
	// TimeLimit for other codecs.
	Anytime bool

	// Packets says that Encode heeds Packets of the options, writing parts as optional
	// sections, and Decode heeds Conceal. NewEncoder refuses Packets above 1 for
	// other codecs.
	Packets bool

	// Sections lists the kinds of section that Encode writes. Decode sees no
	// others: unknown optional ones are skipped and unknown mandatory ones
	// refused before it is asked.
	Sections []string

	// Encode writes the samples of src to w. The options are checked: Workers is
	// at least 1, Target is among Targets, and Progress and Status may be called
	// from any goroutine; Status tells Progress. It returns soon after ctx is done,
	// with an error.
	Encode func(ctx context.Context, src *Source, o *Options, w *SectionWriter) error

	// Decode reads the sections up to io.EOF and writes every sample of every
	// plane to dst. The limits have been checked against the header; MaxFrames
	// and MaxModelBytes are for Decode to check. The input may be hostile:
	// Decode must neither panic nor spend memory that h does not warrant.
	Decode func(ctx context.Context, h *Header, r *SectionReader, o *DecodeOptions, dst *Sink) error
}

// Supports reports whether the codec can aim at a kind of target.
func (c *Codec) Supports(k TargetKind) bool { return slices.Contains(c.Targets, k) }

var registry struct {
	sync.RWMutex
	codecs []Codec // by ID
}

// Register adds a codec. It is meant to be called from init functions and
// panics when the codec is incomplete or its ID or name is taken.
func Register(c Codec) {
	if c.ID == 0 || c.Name == "" || c.Version < 1 || len(c.Targets) == 0 || c.Encode == nil || c.Decode == nil {
		panic(fmt.Sprintf("codec: Register: codec %q (ID %d) is incomplete", c.Name, c.ID))
	}
	for _, kind := range c.Sections {
		if err := checkKind(kind); err != nil {
			panic(fmt.Sprintf("codec: Register: codec %q: %v", c.Name, err))
		}
	}
	registry.Lock()
	defer registry.Unlock()
	for _, d := range registry.codecs {
		if d.ID == c.ID || d.Name == c.Name {
			panic(fmt.Sprintf("codec: Register: codec %q (ID %d): taken by %q (ID %d)", c.Name, c.ID, d.Name, d.ID))
		}
	}
	// A new slice, so that the ones handed out stay as they are.
	registry.codecs = append(slices.Clone(registry.codecs), c)
	slices.SortFunc(registry.codecs, func(a, b Codec) int { return cmp.Compare(a.ID, b.ID) })
}

// Codecs returns the registered codecs by ID.
func Codecs() []Codec {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Clone(registry.codecs)
}

// codecByID returns the registered codec with an ID, or nil.
func codecByID(id uint8) *Codec {
	for _, c := range Codecs() {
		if c.ID == id {
			return &c
		}
	}
	return nil
}

// choose returns the codec that checked options ask for.
func choose(o *Options) (*Codec, error) {
	codecs := Codecs()
	if len(codecs) == 0 {
		return nil, UnsupportedError("no codec is registered: import one, such as codec/lossless")
	}
	for _, c := range codecs {
		switch {
		case o.Codec != "" && o.Codec != c.Name:
			continue
		case c.Supports(o.Target.Kind) && (c.Anytime || o.TimeLimit == 0) && (c.Packets || o.Packets <= 1):
			return &c, nil
		case o.Codec == "":
			continue
		case c.Supports(o.Target.Kind) && !c.Packets && o.Packets > 1:
			return nil, UnsupportedError(fmt.Sprintf("codec %q has no packets", c.Name))
		case c.Supports(o.Target.Kind):
			return nil, UnsupportedError(fmt.Sprintf("codec %q cannot keep to a time limit", c.Name))
		default:
			return nil, UnsupportedError(fmt.Sprintf("codec %q cannot aim at a target of %v", c.Name, o.Target.Kind))
		}
	}
	if o.Codec != "" {
		return nil, UnsupportedError(fmt.Sprintf("codec %q is not registered", o.Codec))
	}
	limit := ""
	if o.TimeLimit > 0 {
		limit = " within a time limit"
	}
	if o.Packets > 1 {
		limit += " in packets"
	}
	return nil, UnsupportedError(fmt.Sprintf("no registered codec can aim at a target of %v%s", o.Target.Kind, limit))
}
