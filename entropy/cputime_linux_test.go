package entropy

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the time that the program has run on all processors.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
