package nn

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool is a fixed set of workers. One of them is the goroutine that calls
// [Pool.Run], so that a pool of one worker starts no goroutine. A nil *Pool has
// one worker.
type Pool struct {
	workers int
	wake    []chan struct{} // of the workers from 1 on
	left    sync.WaitGroup
	next    atomic.Int64
	tasks   int64
	f       func(worker, task int)
	failed  atomic.Pointer[any]
}

// NewPool returns a pool of the given number of workers, or of GOMAXPROCS if that
// is not positive. Close it when it is no longer needed.
func NewPool(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{workers: workers, wake: make([]chan struct{}, workers-1)}
	for i := range p.wake {
		c := make(chan struct{}, 1)
		p.wake[i] = c
		go func() {
			for range c {
				p.work(i + 1)
				p.left.Done()
			}
		}()
	}
	return p
}

// Workers returns the number of workers.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return p.workers
}

// Run calls f for each task in 0..tasks-1, in about that order, and returns when
// all are done. No two calls with the same worker, in 0..Workers()-1, run at the
// same time. A panic in f is passed on when the others have ended. Run must not be
// called by two goroutines at a time, nor by f.
func (p *Pool) Run(tasks int, f func(worker, task int)) {
	if p == nil || p.workers == 1 || tasks <= 1 {
		for i := range tasks {
			f(0, i)
		}
		return
	}
	p.f, p.tasks = f, int64(tasks)
	p.next.Store(0)
	helpers := min(tasks, p.workers) - 1
	p.left.Add(helpers)
	for _, c := range p.wake[:helpers] {
		c <- struct{}{}
	}
	p.work(0)
	p.left.Wait()
	p.f = nil
	if e := p.failed.Swap(nil); e != nil {
		panic(*e)
	}
}

func (p *Pool) work(worker int) {
	defer func() {
		if r := recover(); r != nil {
			e := r // on the heap only now
			p.failed.CompareAndSwap(nil, &e)
			p.next.Store(p.tasks) // no need for the rest
		}
	}()
	for {
		i := p.next.Add(1) - 1
		if i >= p.tasks {
			return
		}
		p.f(worker, int(i))
	}
}

// Close ends the workers. The pool must not be used afterwards.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	for _, c := range p.wake {
		close(c)
	}
	p.wake, p.workers = nil, 1
}
