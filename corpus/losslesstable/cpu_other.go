//go:build !unix

package main

import "time"

var start = time.Now()

// cpuTime stands in for the CPU time by that of the clock.
func cpuTime() time.Duration { return time.Since(start) }
