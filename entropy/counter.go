package entropy

// A Counter is an adaptive estimate of the probability that a bit is 1: 22 bits
// of probability above 10 bits that count the bits seen, up to a limit. The
// n-th bit moves the estimate by about 1/n of the way at first, so that a fresh
// counter learns fast, and by 1/limit in the long run.
type Counter uint32

const (
	counterBits = 10
	counterMask = 1<<counterBits - 1

	// CounterInit is a counter that has seen nothing.
	CounterInit Counter = 1 << 31

	// CounterLimit is the largest limit of [Counter.Update].
	CounterLimit = counterMask
)

// counterRate[n] is 65536/(n+1.6), the step after n bits.
var counterRate [counterMask + 1]uint32

func init() {
	for n := range counterRate {
		counterRate[n] = uint32(655360 / (10*n + 16))
	}
}

// P returns the estimate, from 0 to 65535 of 65536.
func (c Counter) P() uint32 { return uint32(c >> 16) }

// Count returns how many bits the counter has seen, up to its limit.
func (c Counter) Count() uint32 { return uint32(c & counterMask) }

// Update adds a bit, 0 or 1, to what the counter has seen.
func (c *Counter) Update(bit int, limit uint32) {
	n := uint32(*c) & counterMask
	p := uint32(*c) >> counterBits
	rate := uint64(counterRate[n])
	if bit != 0 {
		p += uint32(uint64(1<<22-1-p) * rate >> 16)
	} else {
		p -= uint32(uint64(p) * rate >> 16)
	}
	if n < limit {
		n++
	}
	*c = Counter(p<<counterBits | n)
}
