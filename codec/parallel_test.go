package codec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// checkGoroutines returns a function that reports goroutines left behind since.
func checkGoroutines(t *testing.T) func() {
	before := runtime.NumGoroutine()
	return func() {
		t.Helper()
		for range 100 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

func TestRunOrdered(t *testing.T) {
	defer checkGoroutines(t)()
	for _, workers := range []int{0, 1, 2, 3, 8} {
		for _, n := range []int{0, 1, 5, 100} {
			var started, emitted atomic.Int64
			next := 0
			err := RunOrdered(context.Background(), n, workers,
				func(ctx context.Context, i int) (int, error) {
					if out := started.Add(1) - emitted.Load(); out > int64(2*max(workers, 1)) {
						return 0, fmt.Errorf("%d outstanding with %d workers", out, workers)
					}
					if i%7 == 0 {
						time.Sleep(100 * time.Microsecond)
					}
					return i * i, nil
				},
				func(i, result int) error {
					if i != next || result != i*i {
						return fmt.Errorf("emit(%d, %d), want index %d", i, result, next)
					}
					next++
					emitted.Add(1)
					return nil
				})
			if err != nil || next != n {
				t.Errorf("workers %d, n %d: %d emitted, %v", workers, n, next, err)
			}
		}
	}
}

func TestRunFed(t *testing.T) {
	defer checkGoroutines(t)()
	for _, workers := range []int{0, 1, 3} {
		for _, n := range []int{0, 1, 50} {
			var fed, done, sum atomic.Int64
			err := RunFed(context.Background(), workers,
				func(i int) (int, error) {
					if i == n {
						return 0, io.EOF
					}
					if out := fed.Add(1) - done.Load(); out > int64(2*max(workers, 1)+1) {
						return 0, fmt.Errorf("%d outstanding with %d workers", out, workers)
					}
					return 10 * i, nil
				},
				func(ctx context.Context, i, item int) error {
					if item != 10*i {
						return fmt.Errorf("item %d at %d", item, i)
					}
					sum.Add(int64(item))
					done.Add(1)
					return nil
				})
			if want := int64(5 * n * (n - 1)); err != nil || sum.Load() != want {
				t.Errorf("workers %d, n %d: sum %d, want %d, %v", workers, n, sum.Load(), want, err)
			}
		}
	}
}

var errTest = errors.New("test")

// running calls both helpers with the same failures in work and at the caller.
func running(ctx context.Context, workers int, work func(ctx context.Context, i int) error, atCaller func(i int) error) map[string]error {
	const n = 1000
	return map[string]error{
		"RunOrdered": RunOrdered(ctx, n, workers,
			func(ctx context.Context, i int) (int, error) { return i, work(ctx, i) },
			func(i, _ int) error { return atCaller(i) }),
		"RunFed": RunFed(ctx, workers,
			func(i int) (int, error) {
				if i == n {
					return 0, io.EOF
				}
				return i, atCaller(i)
			},
			func(ctx context.Context, i, _ int) error { return work(ctx, i) }),
	}
}

func TestRunStopsAtTheFirstError(t *testing.T) {
	defer checkGoroutines(t)()
	ctx := context.Background()
	for _, workers := range []int{1, 2, 4} {
		// The others wait for the failure to cancel them, so a run that
		// noticed it only in order of index would never end.
		fail := func(ctx context.Context, i int) error {
			if i == workers-1 {
				return errTest
			}
			if workers > 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		for name, err := range running(ctx, workers, fail, func(int) error { return nil }) {
			if err != errTest {
				t.Errorf("%s, %d workers, failing work: %v", name, workers, err)
			}
		}
		var calls atomic.Int64
		count := func(context.Context, int) error { calls.Add(1); return nil }
		for name, err := range running(ctx, workers, count, func(i int) error {
			if i == 10 {
				return errTest
			}
			return nil
		}) {
			if err != errTest || calls.Load() > 100 {
				t.Errorf("%s, %d workers, failing caller: %v after %d calls", name, workers, err, calls.Load())
			}
		}
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	defer checkGoroutines(t)()
	for _, workers := range []int{1, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		work := func(ctx context.Context, i int) error {
			if i == 3 {
				cancel()
			}
			return nil
		}
		for name, err := range running(ctx, workers, work, func(int) error { return nil }) {
			if err != context.Canceled {
				t.Errorf("%s, %d workers: %v", name, workers, err)
			}
		}
	}
}

func TestRunPanics(t *testing.T) {
	defer checkGoroutines(t)()
	panics := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	none := func(int, int) error { return nil }
	for _, workers := range []int{1, 4} {
		if panics(func() {
			RunOrdered(context.Background(), 20, workers, func(ctx context.Context, i int) (int, error) { panic("work") }, none)
		}) == nil {
			t.Errorf("%d workers: a panic in work is lost", workers)
		}
		if v := panics(func() {
			RunOrdered(context.Background(), 20, workers,
				func(ctx context.Context, i int) (int, error) { return 0, nil },
				func(int, int) error { panic("emit") })
		}); v != "emit" {
			t.Errorf("%d workers: emit panicked with %v", workers, v)
		}
	}
}
