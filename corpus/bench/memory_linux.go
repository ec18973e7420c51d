package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// watchMemory watches the peak resident size of a process until the function it
// returns is called with the state the process ended in.
//
// What the system itself notes for a process that has ended is at least the size
// of its parent, from before the program was loaded: below that only looking at
// the process while it runs tells, here every two milliseconds. The result is 0
// for a process too short to be seen.
func watchMemory(pid int) func(*os.ProcessState) int64 {
	own := highWater(os.Getpid())
	var seen int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				seen = max(seen, highWater(pid))
			}
		}
	}()
	return func(s *os.ProcessState) int64 {
		close(stop)
		<-stopped
		if r, ok := s.SysUsage().(*syscall.Rusage); ok {
			if noted := int64(r.Maxrss) * 1024; noted > own {
				return noted
			}
		}
		return seen
	}
}

// highWater returns the peak resident size of a running process so far, in bytes,
// and 0 if it is not known.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
			n, _ := strconv.ParseInt(string(kib), 10, 64)
			return n * 1024
		}
	}
	return 0
}
