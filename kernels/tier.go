package kernels

import (
	"fmt"
	"os"
)

// A Level names a set of instructions that the kernels may use. Higher levels
// include the lower ones.
type Level uint8

const (
	Generic Level = iota // pure Go
	AVX2                 // amd64 with AVX2, FMA, BMI2 and POPCNT
	AVX512               // the above and AVX-512 F, BW, DQ, VL and VNNI
)

var levelNames = [...]string{"generic", "avx2", "avx512"}

// String returns the name that BURIN_KERNELS accepts for l.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// best is the highest level this processor and build support; tier is the one
// in use.
var (
	best = detect()
	tier = choose(best, os.Getenv("BURIN_KERNELS"))
)

// choose returns the best level that is neither above the processor's nor
// above the one named. Names it does not know leave the processor's.
func choose(best Level, name string) Level {
	for l, s := range levelNames {
		if s == name {
			return min(best, Level(l))
		}
	}
	return best
}

// Tier returns the level in use.
func Tier() Level { return tier }

// Tiers returns the levels this processor and build support, lowest first.
func Tiers() []Level {
	return []Level{Generic, AVX2, AVX512}[:best+1]
}

// SetTier makes the kernels use level l until restore is called. It exists for
// tests that compare tiers and must not be called while kernels run in other
// goroutines. It fails where l is not among [Tiers].
func SetTier(l Level) (restore func(), err error) {
	if l > best {
		return nil, fmt.Errorf("kernels: level %v is not supported here (best is %v)", l, best)
	}
	old := tier
	tier = l
	return func() { tier = old }, nil
}
