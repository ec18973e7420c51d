package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// A Usage is what a piece of work took. What was not measured is 0.
type Usage struct {
	Wall, CPU float64 // seconds
	Memory    int64   // peak bytes
}

// median returns the median of each field by itself.
func median(list []Usage) Usage {
	pick := func(get func(Usage) float64) float64 {
		v := make([]float64, len(list))
		for i, u := range list {
			v[i] = get(u)
		}
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	return Usage{
		Wall:   pick(func(u Usage) float64 { return u.Wall }),
		CPU:    pick(func(u Usage) float64 { return u.CPU }),
		Memory: int64(pick(func(u Usage) float64 { return float64(u.Memory) })),
	}
}

// heapMetric is the memory that objects take, dead ones not yet swept included.
const heapMetric = "/memory/classes/heap/objects:bytes"

func heapBytes() int64 {
	s := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// inProcess measures work in this process. Its CPU time and its memory are those
// of the process, so that they mean something only while nothing else runs: with
// exclusive false they are not measured. The memory is how far the heap grew, as
// seen every millisecond.
func inProcess(exclusive bool, f func() error) (Usage, error) {
	if !exclusive {
		start := time.Now()
		err := f()
		return Usage{Wall: time.Since(start).Seconds()}, err
	}
	runtime.GC() // or one on the way would hide what the work takes
	base := heapBytes()
	peak := base
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, heapBytes())
			case <-stop:
				peak = max(peak, heapBytes())
				return
			}
		}
	}()
	cpu, start := cpuTime(), time.Now()
	err := f()
	u := Usage{Wall: time.Since(start).Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	close(stop)
	<-stopped
	u.Memory = peak - base
	return u, err
}

// maxMessage bounds what is kept of the messages of a program.
const maxMessage = 400

// process runs a program in a folder to its end and returns what the whole process
// took. When ctx is done the program is killed, with its children.
func process(ctx context.Context, dir string, args []string) (Usage, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	var messages tail
	cmd.Stdout, cmd.Stderr = &messages, &messages
	cmd.WaitDelay = time.Second
	isolate(cmd)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, err
	}
	memory := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	u := Usage{Wall: time.Since(start).Seconds(), Memory: memory(cmd.ProcessState)}
	u.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return u, cause
		}
		text := strings.ToValidUTF8(strings.TrimSpace(string(messages)), "")
		return u, fmt.Errorf("%s: %w: %s", args[0], err, text)
	}
	return u, nil
}

// A tail keeps the last bytes written: programs say why they failed at the end.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if n := len(*t) - maxMessage; n > 0 {
		*t = append((*t)[:0], (*t)[n:]...)
	}
	return len(p), nil
}

// fileSize returns the size of what a program wrote.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errors.New("no file came out")
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
