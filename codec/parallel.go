package codec

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
)

// RunOrdered calls work(ctx, i) for i from 0 to n-1 on several goroutines and
// emit(i, result) in the order of i on the goroutine of the caller, which is how
// tiles coded in parallel make one file whatever the number of workers. At most
// 2*workers results are under way or waiting. workers below 1 counts as 1.
//
// It returns the first error of work or emit, or the one of ctx, after every
// goroutine it started has ended; the ctx given to work is cancelled as soon as
// there is an error. A panic in work is raised again in the caller.
func RunOrdered[T any](ctx context.Context, n, workers int, work func(ctx context.Context, i int) (T, error), emit func(i int, result T) error) error {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			result, err := work(ctx, i)
			if err != nil {
				return err
			}
			if err := emit(i, result); err != nil {
				return err
			}
		}
		return ctx.Err()
	}

	// Index i returns through slots[i%window]. No index is handed out before
	// the one a window earlier has been emitted, so no send ever blocks.
	window := 2 * workers
	slots := make([]chan T, window)
	for i := range slots {
		slots[i] = make(chan T, 1)
	}
	jobs := make(chan int, window)
	c := newCrew(ctx)
	for range workers {
		c.start(func(ctx context.Context) error {
			for i := range jobs {
				if ctx.Err() != nil {
					return nil
				}
				result, err := work(ctx, i)
				if err != nil {
					return err
				}
				slots[i%window] <- result
			}
			return nil
		})
	}
	return c.finish(func(ctx context.Context) error {
		defer close(jobs)
		next := 0
		for i := range n {
			for next < n && next < i+window {
				jobs <- next
				next++
			}
			select {
			case result := <-slots[i%window]:
				if err := emit(i, result); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	})
}

// RunFed is the counterpart for decoding: it calls next(i) for i = 0, 1, ... on
// the goroutine of the caller until it returns io.EOF, and work(ctx, i, item)
// on several goroutines, in no particular order. At most 2*workers items are
// under way or waiting. Errors, cancellation and panics are as in RunOrdered.
func RunFed[T any](ctx context.Context, workers int, next func(i int) (T, error), work func(ctx context.Context, i int, item T) error) error {
	workers = max(workers, 1)
	type job struct {
		i    int
		item T
	}
	jobs := make(chan job, workers-1)
	c := newCrew(ctx)
	for range workers {
		c.start(func(ctx context.Context) error {
			for j := range jobs {
				if ctx.Err() != nil {
					return nil
				}
				if err := work(ctx, j.i, j.item); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c.finish(func(ctx context.Context) error {
		defer close(jobs)
		for i := 0; ctx.Err() == nil; i++ {
			item, err := next(i)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			select {
			case jobs <- job{i, item}:
			case <-ctx.Done():
			}
		}
		return nil
	})
}

// A crew is a group of goroutines that stop together at the first error.
type crew struct {
	parent context.Context
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	once sync.Once
	err  error // the first one
	boom any   // what the first one panicked with, if it did
}

func newCrew(parent context.Context) *crew {
	c := &crew{parent: parent}
	c.ctx, c.cancel = context.WithCancel(parent)
	return c
}

func (c *crew) fail(err error, boom any) {
	c.once.Do(func() { c.err, c.boom = err, boom })
	c.cancel()
}

// start runs f on a goroutine of its own.
func (c *crew) start(f func(ctx context.Context) error) {
	c.wg.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				c.fail(nil, fmt.Sprintf("%v\n\n%s", v, debug.Stack()))
			}
		}()
		if err := f(c.ctx); err != nil {
			c.fail(err, nil)
		}
	})
}

// finish runs f on the goroutine of the caller, waits for the others and
// returns the first error.
func (c *crew) finish(f func(ctx context.Context) error) error {
	func() {
		// Also on a panic of f, the goroutines must not outlive the call.
		defer c.wg.Wait()
		ended := false
		defer func() {
			if !ended {
				c.cancel()
			}
		}()
		if err := f(c.ctx); err != nil {
			c.fail(err, nil)
		}
		ended = true
	}()
	c.cancel()
	if c.boom != nil {
		panic(c.boom)
	}
	if c.err != nil {
		return c.err
	}
	return c.parent.Err()
}
