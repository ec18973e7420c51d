//go:build !linux

package blocks

import "time"

var started = time.Now()

// cpuTime returns the time since the start, where that of the thread is not known.
func cpuTime() time.Duration { return time.Since(started) }
