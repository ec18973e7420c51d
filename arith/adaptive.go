package arith

// An AdaptiveBit estimates the probability that a bit is 1 from the bits seen
// so far, as the mean of a fast and a slow exponential average. Its zero value
// stands at one half. It is the simplest model that works well; better ones mix
// several such estimates.
type AdaptiveBit struct {
	fast, slow int16 // probability in 1/65536, less one half
}

// The averages move by 1/16 and 1/128 of the distance to each bit.
const (
	fastRate = 4
	slowRate = 7
)

// P returns the probability that the next bit is 1, in units of 1/65536. It
// lies in 71..65464, so it is always codable.
func (a *AdaptiveBit) P() uint32 {
	return uint32(int32(a.fast)+int32(a.slow)+1<<16) >> 1
}

// Update takes note of a bit, 0 or 1.
func (a *AdaptiveBit) Update(bit int) {
	// A bit pulls towards 65535, or towards the rate's rounding bias, which
	// makes both directions round to the middle and keeps the ends out of reach.
	const half = 1 << 15
	b := int32(bit)
	a.fast += int16((b*(1<<16-1<<fastRate) + (1<<fastRate - 1 - half) - int32(a.fast)) >> fastRate)
	a.slow += int16((b*(1<<16-1<<slowRate) + (1<<slowRate - 1 - half) - int32(a.slow)) >> slowRate)
}
