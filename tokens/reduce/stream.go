package reduce

import (
	"fmt"
	"math"
)

// A StreamConfig describes a [Stream].
type StreamConfig struct {
	// Capacity is the most tokens that are ever held; when a frame would not fit, they
	// are compressed to Compressed, which leaves room for a frame: the tokens of a frame
	// are at most Capacity - Compressed. 1 <= Compressed < Capacity.
	Capacity, Compressed int
	// Recent is the share of the frames held that count as recent, in (0, 1]: 0.25 is
	// the paper's. Only ByRedundancy uses it.
	Recent float64
	// Redundant is the share of the compressed tokens that are chosen by their
	// redundancy, in 0..1, the others being chosen by the norms of values: 0.5 is the
	// paper's. Only ByRedundancy uses it.
	Redundant float64
	// PoolSide is the side of the square of places, odd, over which norms of values are
	// averaged within a frame before they are compared: 1 for none; the paper has 5 and 3
	// in some layers of a network. Only ByRedundancy uses it, and with positions.
	PoolSide int
	// Queries, [q][key width], are generic queries that do not depend on a question, such
	// as those of a chat template's tokens. Only ByQueries uses them, and needs them.
	Queries []float32
	// Similar, in (0, 1], skips a frame whose mean of keys has at least this cosine to
	// that of the last frame taken: 1 skips only what is the same. 0 skips none.
	Similar float64
	Policy  Policy
}

// A Policy is how a [Stream] chooses what stays.
type Policy uint8

const (
	// ByRedundancy is InfiniPot-V ("InfiniPot-V: Memory-Constrained KV Cache Compression
	// for Streaming Video Understanding", arXiv 2506.15745, 2025): recent frames stay; of the
	// older tokens, a part is those whose keys are least similar to the keys at their
	// place in the recent frames (TaR), the rest those with the greatest norms of values
	// (VaN). Recent frames take at most half of Compressed. What does not stay is dropped.
	ByRedundancy Policy = iota
	// ByQueries is StreamMem ("StreamMem: Query-Agnostic KV Cache Memory for Streaming
	// Video Understanding", arXiv 2508.15717, 2025): tokens stay by the attention that generic
	// queries pay them, and those of a frame that do not stay are merged into one, its
	// prototype, weighted by that attention.
	ByQueries
)

// A Stream holds the tokens of a stream of frames in constant memory, however long it
// is: it never holds more than Capacity tokens. It is for one goroutine at a time.
//
// Frames of one stream have the same features, keys, values and positions or none.
// Whole maps of where tokens went would grow with the stream; a caller who wants them
// can watch [Stream.Merged] and the identities that [Stream.Tokens] come with.
//
// Not taken over: the papers' budgets for layers and heads (hold a stream for each), and
// the stretched rotary positions of StreamMem.
type Stream struct {
	c StreamConfig
	// Merged, unless nil, is called for each token that goes: with the identity of the
	// token that it merged into, or Dropped. Identities count the tokens pushed, of frames
	// that were skipped, too, from 0 on; a prototype has that of its first token. Several
	// tokens of one frame that merge are reported one by one.
	Merged func(id, into int64)

	started          bool
	x, keys, values  []float32 // [Capacity][d], [Capacity][keyDim], [Capacity][valueDim]
	d, keyDim        int
	valueDim         int
	hasKeys, hasVals bool
	hasPos           bool
	pos              []Position
	frame            []int64
	id               []int64
	size             []float32
	n                int
	frames, pushed   int64
	compressions     int64
	seen             int64     // the first identity after those of the last compression
	mean, next       []float32 // of keys of the last frame taken, and of this one
	meanSet          bool

	// For compressions.
	score, norm, pooled []float64
	keep                []bool
	weights, sum        []float64
	places              map[streamPlace]int32
	byPlace             map[place][]int32
}

type streamPlace struct {
	frame int64
	x, y  int32
}

// NewStream returns an empty stream.
func NewStream(c StreamConfig) (*Stream, error) {
	switch {
	case c.Compressed < 1 || c.Capacity <= c.Compressed || c.Capacity > MaxTokens:
		return nil, fmt.Errorf("reduce: a stream of %d tokens that are compressed to %d: %w", c.Capacity, c.Compressed, ErrOption)
	case c.Policy > ByQueries:
		return nil, optionError("Stream", "Policy", c.Policy)
	case !(c.Similar >= 0 && c.Similar <= 1):
		return nil, optionError("Stream", "Similar", c.Similar)
	}
	if c.Policy == ByQueries {
		if len(c.Queries) == 0 {
			return nil, fmt.Errorf("reduce: a stream by queries needs queries: %w", ErrMissing)
		}
		if i := firstBad(c.Queries); i >= 0 {
			return nil, fmt.Errorf("reduce: query %d is %v: %w", i, c.Queries[i], ErrValue)
		}
		return &Stream{c: c}, nil
	}
	switch {
	case !(c.Recent > 0 && c.Recent <= 1):
		return nil, optionError("Stream", "Recent", c.Recent)
	case !(c.Redundant >= 0 && c.Redundant <= 1):
		return nil, optionError("Stream", "Redundant", c.Redundant)
	case c.PoolSide < 1 || c.PoolSide%2 == 0 || c.PoolSide > 31:
		return nil, optionError("Stream", "PoolSide", c.PoolSide)
	}
	return &Stream{c: c}, nil
}

// Len returns how many tokens are held.
func (s *Stream) Len() int { return s.n }

// Frames returns how many frames were pushed.
func (s *Stream) Frames() int64 { return s.frames }

// Compressions returns how often the stream was compressed.
func (s *Stream) Compressions() int64 { return s.compressions }

// start allocates for tokens like t.
func (s *Stream) start(t *Tokens) error {
	s.d, s.keyDim, s.valueDim = t.D, t.D, t.D
	s.hasKeys, s.hasVals, s.hasPos = t.Keys != nil, t.Values != nil, t.Pos != nil
	n := s.c.Capacity
	widest := t.D
	if s.hasKeys {
		s.keyDim = t.KeyDim
		widest = max(widest, t.KeyDim)
	}
	if s.hasVals {
		s.valueDim = t.ValueDim
		widest = max(widest, t.ValueDim)
	}
	if int64(n)*int64(widest) > maxElements {
		return fmt.Errorf("reduce: a stream of %d tokens of %d numbers: %w", n, widest, ErrShape)
	}
	if len(s.c.Queries)%s.keyDim != 0 {
		return fmt.Errorf("reduce: queries of %d numbers for keys of %d: %w", len(s.c.Queries), s.keyDim, ErrShape)
	}
	s.x = make([]float32, n*s.d)
	if s.hasKeys {
		s.keys = make([]float32, n*s.keyDim)
	} else {
		s.keys = s.x
	}
	if s.hasVals {
		s.values = make([]float32, n*s.valueDim)
	} else {
		s.values = s.x
	}
	s.pos, s.frame, s.id = make([]Position, n), make([]int64, n), make([]int64, n)
	s.size = make([]float32, n)
	s.mean, s.next = make([]float32, s.keyDim), make([]float32, s.keyDim)
	s.score, s.norm, s.pooled = make([]float64, n), make([]float64, n), make([]float64, n)
	s.weights, s.sum = make([]float64, n), make([]float64, widest)
	s.keep = make([]bool, n)
	s.places = make(map[streamPlace]int32, n)
	s.byPlace = make(map[place][]int32, n)
	s.started = true
	return nil
}

// Push takes the tokens of the next frame, t.Frame and t.Size being of no effect. It
// reports whether the frame was taken, rather than skipped as too similar to the last.
// After an error the stream is as it was.
func (s *Stream) Push(t *Tokens) (taken bool, err error) {
	if err := t.Validate(); err != nil {
		return false, err
	}
	if t.N > s.c.Capacity-s.c.Compressed {
		return false, fmt.Errorf("reduce: a frame of %d tokens for a stream of %d that is compressed to %d: %w", t.N, s.c.Capacity, s.c.Compressed, ErrShape)
	}
	if !s.started {
		if err := s.start(t); err != nil {
			return false, err
		}
	}
	keyDim, valueDim := t.D, t.D
	if t.Keys != nil {
		keyDim = t.KeyDim
	}
	if t.Values != nil {
		valueDim = t.ValueDim
	}
	if t.D != s.d || keyDim != s.keyDim || valueDim != s.valueDim || (t.Keys != nil) != s.hasKeys || (t.Values != nil) != s.hasVals || (t.Pos != nil) != s.hasPos {
		return false, fmt.Errorf("reduce: a frame unlike those before: %w", ErrShape)
	}
	first := s.pushed
	s.pushed += int64(t.N)
	s.frames++
	if s.c.Similar > 0 && s.skip(t) {
		if s.Merged != nil {
			for i := range t.N {
				s.Merged(first+int64(i), Dropped)
			}
		}
		return false, nil
	}
	if s.n+t.N > s.c.Capacity {
		s.compress()
	}
	copy(s.x[s.n*s.d:], t.X)
	if s.hasKeys {
		copy(s.keys[s.n*s.keyDim:], t.Keys)
	}
	if s.hasVals {
		copy(s.values[s.n*s.valueDim:], t.Values)
	}
	for i := range t.N {
		at := s.n + i
		s.frame[at], s.id[at], s.size[at] = s.frames-1, first+int64(i), 1
		s.pos[at] = Position{X: int32(i)}
		if s.hasPos {
			s.pos[at] = t.Pos[i]
		}
	}
	s.n += t.N
	return true, nil
}

// skip reports whether the mean of keys is similar to the last frame's, and takes it
// over otherwise.
func (s *Stream) skip(t *Tokens) bool {
	m := t.metric()
	clear(s.next)
	for i := range m.n {
		for c, v := range m.row(i) {
			s.next[c] += v / float32(m.n)
		}
	}
	a, b := math.Sqrt(dot64(s.next, s.next)), math.Sqrt(dot64(s.mean, s.mean))
	// The cosine of a vector to itself may round to less than 1.
	if s.meanSet && cosine(s.next, s.mean, a, b) >= s.c.Similar-1e-12 {
		return true
	}
	s.mean, s.next, s.meanSet = s.next, s.mean, true
	return false
}

// Tokens returns what is held: copies, in the order of the stream, frames being counted
// from that of the first token held, and the identities of the tokens. The sizes of
// prototypes count what was merged.
func (s *Stream) Tokens() (t *Tokens, id []int64) {
	t = &Tokens{N: s.n, D: s.d, X: append([]float32(nil), s.x[:s.n*s.d]...)}
	if s.hasKeys {
		t.KeyDim = s.keyDim
		t.Keys = append([]float32(nil), s.keys[:s.n*s.keyDim]...)
	}
	if s.hasVals {
		t.ValueDim = s.valueDim
		t.Values = append([]float32(nil), s.values[:s.n*s.valueDim]...)
	}
	if s.hasPos {
		t.Pos = append([]Position(nil), s.pos[:s.n]...)
	}
	t.Size = append([]float32(nil), s.size[:s.n]...)
	for i := range s.n {
		// Frames further apart than an int32 holds are as far as it holds.
		t.Frame = append(t.Frame, int32(min(s.frame[i]-s.frame[0], math.MaxInt32)))
	}
	return t, append([]int64(nil), s.id[:s.n]...)
}

func (s *Stream) key(i int) []float32   { return s.keys[i*s.keyDim : (i+1)*s.keyDim] }
func (s *Stream) value(i int) []float32 { return s.values[i*s.valueDim : (i+1)*s.valueDim] }

// compress leaves Compressed tokens.
func (s *Stream) compress() {
	if s.n <= s.c.Compressed {
		return
	}
	s.compressions++
	clear(s.keep[:s.n])
	if s.c.Policy == ByQueries {
		s.byQueries()
	} else {
		s.byRedundancy()
	}
	s.seen = s.id[s.n-1] + 1
	at := 0
	for i := range s.n {
		if !s.keep[i] {
			continue
		}
		if at < i {
			copy(s.x[at*s.d:(at+1)*s.d], s.x[i*s.d:])
			if s.hasKeys {
				copy(s.key(at), s.key(i))
			}
			if s.hasVals {
				copy(s.value(at), s.value(i))
			}
			s.pos[at], s.frame[at], s.id[at], s.size[at] = s.pos[i], s.frame[i], s.id[i], s.size[i]
		}
		at++
	}
	s.n = at
}

// byRedundancy marks what stays, and reports what goes.
func (s *Stream) byRedundancy() {
	// Frames held, from the last on, are recent while they fit.
	frames := 1
	for i := 1; i < s.n; i++ {
		if s.frame[i] != s.frame[i-1] {
			frames++
		}
	}
	recent := max(1, int(s.c.Recent*float64(frames)))
	from := s.n
	for f := 0; f < recent && from > 0; f++ {
		start := from - 1
		for start > 0 && s.frame[start-1] == s.frame[start] {
			start--
		}
		if s.n-start > max(1, s.c.Compressed/2) {
			break
		}
		from = start
	}
	left := s.c.Compressed
	for i := from; i < s.n; i++ {
		s.keep[i] = true
		left--
	}
	// TaR: minus the mean cosine to the recent keys at the same place. Without one that
	// fits, the last frame is what is recent.
	compare := from
	if compare == s.n {
		for compare--; compare > 0 && s.frame[compare-1] == s.frame[compare]; compare-- {
		}
	}
	for k, v := range s.byPlace {
		s.byPlace[k] = v[:0]
	}
	for i := range s.n {
		s.norm[i] = math.Sqrt(dot64(s.key(i), s.key(i)))
	}
	for i := compare; i < s.n; i++ {
		p := place{Position: s.pos[i]}
		s.byPlace[p] = append(s.byPlace[p], int32(i))
	}
	for i := range from {
		s.score[i] = 1 // nothing to repeat
		if same := s.byPlace[place{Position: s.pos[i]}]; len(same) > 0 {
			var sum float64
			for _, j := range same {
				sum += cosine(s.key(i), s.key(int(j)), s.norm[i], s.norm[j])
			}
			s.score[i] = -sum / float64(len(same))
		}
	}
	// Places that no recent token has are forgotten, so that the map stays bounded.
	for k, v := range s.byPlace {
		if len(v) == 0 {
			delete(s.byPlace, k)
		}
	}
	n := min(left, int(math.Round(s.c.Redundant*float64(left))))
	for _, i := range descending(s.score[:from]) {
		if n == 0 {
			break
		}
		s.keep[i] = true
		n--
		left--
	}
	// VaN: the norms of values, averaged over neighbours.
	for i := range s.n {
		s.norm[i] = math.Sqrt(dot64(s.value(i), s.value(i)))
	}
	s.pool(from)
	for _, i := range descending(s.pooled[:from]) {
		if left == 0 {
			break
		}
		if !s.keep[i] {
			s.keep[i] = true
			left--
		}
	}
	if s.Merged != nil {
		for i := range s.n {
			if !s.keep[i] {
				s.Merged(s.id[i], Dropped)
			}
		}
	}
}

// pool averages norms over squares of places within frames.
func (s *Stream) pool(n int) {
	if s.c.PoolSide == 1 || !s.hasPos {
		copy(s.pooled[:n], s.norm[:n])
		return
	}
	clear(s.places)
	for i := range n {
		s.places[streamPlace{s.frame[i], s.pos[i].X, s.pos[i].Y}] = int32(i)
	}
	r := int32(s.c.PoolSide / 2)
	for i := range n {
		var sum, count float64
		for y := -r; y <= r; y++ {
			for x := -r; x <= r; x++ {
				if j, ok := s.places[streamPlace{s.frame[i], s.pos[i].X + x, s.pos[i].Y + y}]; ok {
					sum += s.norm[j]
					count++
				}
			}
		}
		s.pooled[i] = sum / count
	}
}

// byQueries marks what stays, merges prototypes, and reports what goes.
func (s *Stream) byQueries() {
	clear(s.score[:s.n])
	scale := 1 / math.Sqrt(float64(s.keyDim))
	for at := 0; at < len(s.c.Queries); at += s.keyDim {
		q := s.c.Queries[at : at+s.keyDim]
		top := math.Inf(-1)
		for i := range s.n {
			s.weights[i] = scale * dot64(q, s.key(i))
			top = max(top, s.weights[i])
		}
		var sum float64
		for i := range s.n {
			s.weights[i] = math.Exp(s.weights[i] - top)
			sum += s.weights[i]
		}
		for i := range s.n {
			s.score[i] += s.weights[i] / sum
		}
	}
	// A frame that was not compressed yet gets a prototype, as far as half of the room
	// goes, from the newest frame on: it stands at the first of its tokens that goes.
	fresh := 0
	for i := s.n - 1; i >= 0 && fresh < s.c.Compressed/2; i-- {
		if (i == 0 || s.frame[i-1] != s.frame[i]) && s.whole(i) {
			fresh++
		}
	}
	left := s.c.Compressed - fresh
	for _, i := range descending(s.score[:s.n])[:left] {
		s.keep[i] = true
	}
	for to := s.n; to > 0; {
		from := to - 1
		for from > 0 && s.frame[from-1] == s.frame[from] {
			from--
		}
		if s.whole(from) && fresh > 0 {
			fresh--
			s.prototype(from, to)
		} else if s.Merged != nil {
			for i := from; i < to; i++ {
				if !s.keep[i] {
					s.Merged(s.id[i], Dropped)
				}
			}
		}
		to = from
	}
}

// whole reports whether the frame that begins at token i came after the last
// compression, so that nothing of it went yet.
func (s *Stream) whole(i int) bool { return s.id[i] >= s.seen }

// prototype merges the tokens from..to-1 that are not marked into the first of them.
func (s *Stream) prototype(from, to int) {
	first := -1
	var total float64
	var size float32
	for i := from; i < to; i++ {
		if !s.keep[i] {
			if first < 0 {
				first = i
			}
			s.weights[i] = (s.score[i] + 1e-30) * float64(s.size[i])
			total += s.weights[i]
			size += s.size[i]
			if i > first && s.Merged != nil {
				s.Merged(s.id[i], s.id[first])
			}
		}
	}
	if first < 0 {
		return
	}
	mean := func(x []float32, d int) {
		sum := s.sum[:d]
		clear(sum)
		for i := from; i < to; i++ {
			if s.keep[i] {
				continue
			}
			for c, v := range x[i*d : (i+1)*d] {
				sum[c] += s.weights[i] / total * float64(v)
			}
		}
		for c, v := range sum {
			x[first*d+c] = float32(v)
		}
	}
	mean(s.x, s.d)
	if s.hasKeys {
		mean(s.keys, s.keyDim)
	}
	if s.hasVals {
		mean(s.values, s.valueDim)
	}
	s.size[first], s.keep[first] = size, true
}

// Streaming reduces by a [Stream]: the frames are pushed one by one into one whose
// capacity is what is kept and the largest frame. Sources are those of [Stream.Merged].
// It needs frames.
type Streaming struct {
	// Config is that of the stream; its Capacity and Compressed are not used.
	Config StreamConfig
}

// Reduce implements [Reducer]. Fewer tokens than asked for may stay.
func (m Streaming) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("Streaming", "frames"); err != nil {
		return nil, err
	}
	frames := t.frames()
	largest := 0
	for _, f := range frames {
		largest = max(largest, f[1]-f[0])
	}
	c := m.Config
	c.Capacity, c.Compressed = k+largest, k
	s, err := NewStream(c)
	if err != nil {
		return nil, err
	}
	into := make([]int32, t.N)
	for i := range into {
		into[i] = int32(i)
	}
	s.Merged = func(id, target int64) { into[id] = int32(target) }
	for _, f := range frames {
		frame := &Tokens{N: f[1] - f[0], D: t.D, X: t.X[f[0]*t.D : f[1]*t.D]}
		if t.Keys != nil {
			frame.KeyDim, frame.Keys = t.KeyDim, t.Keys[f[0]*t.KeyDim:f[1]*t.KeyDim]
		}
		if t.Values != nil {
			frame.ValueDim, frame.Values = t.ValueDim, t.Values[f[0]*t.ValueDim:f[1]*t.ValueDim]
		}
		if t.Pos != nil {
			frame.Pos = t.Pos[f[0]:f[1]]
		}
		if _, err := s.Push(frame); err != nil {
			return nil, err
		}
	}
	s.compress()
	held, ids := s.Tokens()
	if len(ids) == 0 {
		return nil, fmt.Errorf("reduce: Streaming: nothing stays: %w", ErrKeep)
	}
	kept := make([]int32, len(ids))
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	for j, id := range ids {
		kept[j], source[id] = int32(id), int32(j)
	}
	for i := range source {
		// A token may have merged into one that went later.
		at := int32(i)
		for at != Dropped && into[at] != at {
			at = into[at]
		}
		if at != Dropped {
			source[i] = source[at]
		}
	}
	r := t.assemble(kept, source, false)
	copy(r.X, held.X)
	copy(r.Keys, held.Keys)
	copy(r.Values, held.Values)
	return r, nil
}
