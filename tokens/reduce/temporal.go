package reduce

import (
	"fmt"
	"slices"
)

// A place is where in its frame a token is: its position, or else its number there.
type place struct {
	Position
	index int32
}

func (t *Tokens) place(i, first int) place {
	if t.Pos != nil {
		return place{Position: t.Pos[i]}
	}
	return place{index: int32(i - first)}
}

// before returns, for each token of the frame to, the token of the frame from at the
// same place, or -1. of says where in the tokens the frames are.
func (t *Tokens) before(from, to [2]int) []int32 {
	at := make(map[place]int32, from[1]-from[0])
	for i := from[0]; i < from[1]; i++ {
		at[t.place(i, from[0])] = int32(i)
	}
	out := make([]int32, to[1]-to[0])
	for i := range out {
		j, ok := at[t.place(to[0]+i, to[0])]
		if out[i] = -1; ok {
			out[i] = j
		}
	}
	return out
}

// A timeline drops tokens that repeat those of earlier frames.
type timeline struct {
	t      *Tokens
	metric rows
	norm   []float64
	frames [][2]int
	like   []int32   // for each token, the one that it is compared with, or -1
	change []float64 // one minus the cosine to it; 2 without one
}

func newTimeline(t *Tokens) *timeline {
	l := &timeline{t: t, metric: t.metric(), frames: t.frames(), like: make([]int32, t.N), change: make([]float64, t.N)}
	l.norm = norms(l.metric)
	for i := range l.like {
		l.like[i], l.change[i] = -1, 2
	}
	return l
}

// compare compares frame to with frame from, place by place. Two tokens of zeros are
// the same.
func (l *timeline) compare(from, to int) {
	for o, j := range l.t.before(l.frames[from], l.frames[to]) {
		if j < 0 {
			continue
		}
		i := l.frames[to][0] + o
		l.like[i] = j
		l.change[i] = 1 - cosine(l.metric.row(i), l.metric.row(int(j)), l.norm[i], l.norm[j])
		if l.norm[i] == 0 && l.norm[j] == 0 {
			l.change[i] = 0
		}
	}
}

// keep returns the result of keeping the marked tokens: the source of another is that
// of the one it was compared with, if that has one.
func (l *timeline) keep(marked []bool) *Reduced {
	var kept []int32
	source := make([]int32, l.t.N)
	for i, m := range marked {
		source[i] = Dropped
		switch {
		case m:
			source[i] = int32(len(kept))
			kept = append(kept, int32(i))
		case l.like[i] >= 0: // which is earlier
			source[i] = source[l.like[i]]
		}
	}
	return l.t.assemble(kept, source, false)
}

// mark marks, of the unmarked tokens of a frame, the n that changed most.
func (l *timeline) mark(marked []bool, frame [2]int, n int) {
	order := descending(l.change[frame[0]:frame[1]])
	for _, o := range order[:n] {
		marked[frame[0]+int(o)] = true
	}
}

// TemporalMerging prunes, in windows of four frames, the tokens that are most similar to
// those at the same place earlier in the window (Tao et al., "DyCoke: Dynamic Compression
// of Tokens for Fast Video Large Language Models", 2025, first stage): the second frame is
// compared with the first, the fourth with the third, and the third with the first, whose
// tokens all stay. The others' budgets are equal by their numbers of tokens. A pruned
// token's source is the token that it repeats, directly or through another, unless that
// has nothing at its place, where it is dropped. It needs frames; the number to keep must
// cover the first frames of the windows, a quarter of all.
//
// The paper fixes the share that is pruned (0.7); here it follows from the number to
// keep. O(n d).
type TemporalMerging struct{}

// Reduce implements [Reducer].
func (TemporalMerging) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("TemporalMerging", "frames"); err != nil {
		return nil, err
	}
	l := newTimeline(t)
	marked := make([]bool, t.N)
	var weights []float64
	var room, others []int
	whole := 0
	for f, r := range l.frames {
		switch f % 4 {
		case 0:
			for i := r[0]; i < r[1]; i++ {
				marked[i] = true
			}
			whole += r[1] - r[0]
			continue
		case 1, 3:
			l.compare(f-1, f)
		case 2:
			l.compare(f-2, f)
		}
		others = append(others, f)
		weights = append(weights, float64(r[1]-r[0]))
		room = append(room, r[1]-r[0])
	}
	if k < whole {
		return nil, fmt.Errorf("reduce: TemporalMerging: to keep %d, with %d tokens in the first frames of windows: %w", k, whole, ErrKeep)
	}
	for i, n := range divide(weights, room, k-whole, 0) {
		l.mark(marked, l.frames[others[i]], n)
	}
	return l.keep(marked), nil
}

// ChangeDriven keeps the first frame and, of all others, the tokens that differ most
// from those at the same place a frame before (EVS: "Efficient Video
// Sampling: Pruning Temporally Redundant Tokens for Faster VLM Inference", 2025). A
// pruned token's source is the last one kept at its place. It needs frames; the number to
// keep must cover the first.
//
// The paper compares pixels or embeddings of patches; here it is the cosine of keys, or
// features without keys, so give pixels for the former. O(n (d + log n)).
type ChangeDriven struct{}

// Reduce implements [Reducer].
func (ChangeDriven) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("ChangeDriven", "frames"); err != nil {
		return nil, err
	}
	l := newTimeline(t)
	first := l.frames[0][1]
	if k < first {
		return nil, fmt.Errorf("reduce: ChangeDriven: to keep %d, with %d tokens in the first frame: %w", k, first, ErrKeep)
	}
	for f := 1; f < len(l.frames); f++ {
		l.compare(f-1, f)
	}
	marked := make([]bool, t.N)
	for i := range first {
		marked[i] = true
	}
	l.mark(marked, [2]int{first, t.N}, k-first)
	return l.keep(marked), nil
}

// AudioGuided keeps more of a video while its sound matters ("OmniZip: Audio-Guided
// Dynamic Token Compression for Fast Omnimodal Large Language Models", arXiv 2511.14582,
// 2025). Windows of frames share the kept tokens by the mean attention of the
// audio tokens heard in them; within a window frames share evenly, and are reduced in
// turn in space, by merging around density peaks, and in time, by pruning what is most
// similar to the frame before, whose source is the token that it repeats. It needs frames
// and audio.
//
// The paper also merges audio tokens around anchors by their similarity to the video;
// here audio guides only. O(n f d) for f tokens in a frame.
type AudioGuided struct {
	Window int // frames, from 1 on
	// Guidance, in 0..1, is how far audio decides: with 0 windows share by their numbers
	// of tokens, with 1 by those times the windows' audio attention.
	Guidance float64
}

// Reduce implements [Reducer].
func (m AudioGuided) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("AudioGuided", "frames", "audio"); err != nil {
		return nil, err
	}
	if m.Window < 1 {
		return nil, optionError("AudioGuided", "Window", m.Window)
	}
	if !(m.Guidance >= 0 && m.Guidance <= 1) {
		return nil, optionError("AudioGuided", "Guidance", m.Guidance)
	}
	l := newTimeline(t)
	if k < len(l.frames) {
		return nil, fmt.Errorf("reduce: AudioGuided: to keep %d of %d frames: %w", k, len(l.frames), ErrKeep)
	}
	// The weight of each frame is that of its window, and windows are filled by frames.
	weights := make([]float64, len(l.frames))
	room := make([]int, len(l.frames))
	share := m.windows(t, l.frames)
	for f, r := range l.frames {
		room[f] = r[1] - r[0]
		weights[f] = float64(room[f]) * (1 - m.Guidance + m.Guidance*share[f/m.Window])
	}
	budget := divide(weights, room, k, 1)

	var kept []int32
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	for f, r := range l.frames {
		n := r[1] - r[0]
		if f%m.Window%2 == 1 {
			l.compare(f-1, f)
			order := descending(l.change[r[0]:r[1]])
			for _, o := range order[:budget[f]] {
				source[r[0]+int(o)] = -2 // to be kept
			}
			for i := r[0]; i < r[1]; i++ {
				switch {
				case source[i] == -2:
					source[i] = int32(len(kept))
					kept = append(kept, int32(i))
				case l.like[i] >= 0:
					source[i] = source[l.like[i]]
				}
			}
			continue
		}
		metric := rows{l.metric.x[r[0]*l.metric.stride:], n, l.metric.d, l.metric.stride}
		centres := top(peaks(metric.normalised(), 5), budget[f])
		first := int32(len(kept))
		for j, c := range centres {
			source[r[0]+int(c)] = first + int32(j)
			kept = append(kept, int32(r[0])+c)
		}
		if rest := complement(centres, n); len(rest) > 0 {
			index, _ := nearest(metric.pick(rest), metric.pick(centres))
			for j, o := range rest {
				source[r[0]+int(o)] = first + index[j]
			}
		}
	}
	return t.assembleMixed(kept, source), nil
}

// windows returns the mean audio attention of each window of frames over that of all.
func (m AudioGuided) windows(t *Tokens, frames [][2]int) []float64 {
	n := (len(frames) + m.Window - 1) / m.Window
	sum, count := make([]float64, n), make([]float64, n)
	var all float64
	for i, f := range t.Audio.Frame {
		// The last frame of the video that has begun when the sound is heard.
		at, found := slices.BinarySearchFunc(frames, f, func(r [2]int, f int32) int { return int(t.Frame[r[0]]) - int(f) })
		if !found {
			at = max(0, at-1)
		}
		sum[at/m.Window] += float64(t.Audio.Attention[i])
		count[at/m.Window]++
		all += float64(t.Audio.Attention[i])
	}
	for w := range sum {
		switch {
		case all == 0:
			sum[w] = 1
		case count[w] > 0:
			sum[w] /= count[w] * all / float64(len(t.Audio.Frame))
		}
	}
	return sum
}

// assembleMixed merges the tokens of a frame, and leaves what repeats another frame's
// out of the mean.
func (t *Tokens) assembleMixed(kept, source []int32) *Reduced {
	within := slices.Clone(source)
	for i, s := range source {
		if s != Dropped && t.Frame[kept[s]] != t.Frame[i] {
			within[i] = Dropped
		}
	}
	r := t.assemble(kept, within, true)
	sizes := t.assemble(kept, source, false)
	r.Source, r.Size, r.Attention = source, sizes.Size, sizes.Attention
	return r
}
