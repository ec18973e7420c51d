package blocks

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the time that the thread has run, so that what else the machine does
// counts less.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
