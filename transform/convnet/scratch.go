package convnet

import "sync"

// scratch is memory of a task.
type scratch struct{ data []int16 }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func getScratch(n int) *scratch {
	s := scratches.Get().(*scratch)
	if cap(s.data) < n {
		s.data = make([]int16, n)
	}
	s.data = s.data[:n]
	return s
}

func putScratch(s *scratch) { scratches.Put(s) }
