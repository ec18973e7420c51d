package tensor

import (
	"context"
	"sync"
)

// A job is a block on its way from the reader through a worker to the writer.
type job struct {
	in, out []byte
	from    int // where in out the block begins
	size    int // bytes of a number
	bytes   int // bytes of the numbers
	tensor  int // which one
	err     error
	done    chan struct{}
}

// ordered calls read until it returns false, work on what it read, by several workers at
// a time, and write with the results in the order in which they were read. It returns the
// first error of any, or ctx's. Jobs are used again and again: their slices keep their
// memory.
func ordered(ctx context.Context, workers int, read func(*job) (bool, error), work func(*coder, *job), write func(*job) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	free := make(chan *job, 2*workers)
	for range cap(free) {
		free <- &job{done: make(chan struct{}, 1)}
	}
	queued, order := make(chan *job, cap(free)), make(chan *job, cap(free))
	var readErr error
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(queued)
		defer close(order)
		for ctx.Err() == nil {
			var j *job
			select {
			case j = <-free:
			case <-ctx.Done():
				return
			}
			more, err := read(j)
			if err != nil || !more {
				readErr = err
				return
			}
			queued <- j
			order <- j
		}
	})
	for range workers {
		wait.Go(func() {
			var c coder
			for j := range queued {
				work(&c, j)
				j.done <- struct{}{}
			}
		})
	}
	var err error
	for j := range order {
		<-j.done
		if err == nil {
			if err = j.err; err == nil {
				err = write(j)
			}
			if err != nil {
				cancel()
			}
		}
		free <- j
	}
	if err == nil {
		err = ctx.Err()
	}
	wait.Wait()
	if err == nil {
		err = readErr
	}
	return err
}
