package codec

import (
	"sync"
	"time"
)

// A Status is what an encoder that takes long tells on its way.
type Status struct {
	Done  float64 // share of all work, from 0 to 1, never falling
	Stage string  // in a word or two, such as "fit"

	// Iteration of so many in the stage, both 0 if there are none to count.
	Iteration, Iterations int

	// What was measured last of the picture as it would be coded, or of the part of it
	// that the stage is about, NaN if there is nothing yet: the loss is what the encoder
	// minimises, in units of its own.
	Loss, BPP, PSNR float64

	// Left is about how long the encoder will take yet, negative if not known. It is
	// set by Encoder, not by the codec.
	Left time.Duration
}

// timed returns a function that sets Left, counting from now, makes sure that Done
// never falls, tells Progress and passes all on to f, which may be nil, one call at a
// time.
func (o *Options) timed(f func(Status)) func(Status) {
	progress, limit := o.Progress, o.TimeLimit
	if f == nil {
		return func(s Status) { progress(s.Done) }
	}
	var mu sync.Mutex
	start := time.Now()
	last := 0.0
	return func(s Status) {
		mu.Lock()
		defer mu.Unlock()
		progress(s.Done)
		last = min(max(s.Done, last), 1)
		s.Done = last
		s.Left = timeLeft(s.Done, time.Since(start), limit)
		f(s)
	}
}

// timeLeft returns how long the rest takes if it goes on like what is done, or until
// the limit if that is above 0 and earlier.
func timeLeft(done float64, elapsed, limit time.Duration) time.Duration {
	const known = 0.002 // of the work, before which a guess is worth nothing
	left := time.Duration(-1)
	if done >= known {
		left = time.Duration((1 - done) / done * float64(elapsed))
	}
	if limit > 0 && (left < 0 || left > limit-elapsed) {
		left = max(limit-elapsed, 0)
	}
	return left
}
