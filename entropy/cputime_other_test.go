//go:build !linux

package entropy

import "time"

var started = time.Now()

// cpuTime returns the time since the start, where that of the program is not known.
func cpuTime() time.Duration { return time.Since(started) }
