package training

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// State is where a loop stands besides tensors: a part of what a checkpoint's metadata
// says in JSON.
type State struct {
	Step    int     `json:"step"`
	Adam    int     `json:"adam_steps"`
	Average float64 `json:"average_weight"`
}

// State returns the present one.
func (l *Loop) State() State {
	steps, _ := l.adam.State()
	weight, _ := l.average.State()
	return State{l.step, *steps, *weight}
}

// A Format is that of a codec's checkpoints: safetensors files of what the network
// writes, if anything, and of the optimiser's state and the average of each parameter in
// turn.
type Format struct {
	Key string // of the state, in the metadata
	// Params says that parameters themselves are before what there is of them, as
	// weights.NAME, and not among what the network writes.
	Params bool
}

// arrays calls f for the loop's arrays that are in a checkpoint.
func (f Format) arrays(l *Loop, each func(name string, data []float32, rows, cols int)) {
	_, moments := l.adam.State()
	_, mean := l.average.State()
	for i, p := range l.net.Params() {
		if f.Params {
			each("weights."+p.Name, p.Data, p.Rows, p.Cols)
		}
		each("mean."+p.Name, moments[2*i], p.Rows, p.Cols)
		each("square."+p.Name, moments[2*i+1], p.Rows, p.Cols)
		each("average."+p.Name, mean[i], p.Rows, p.Cols)
	}
}

// Write writes a checkpoint: state, of which l.State() is a part, what the network writes,
// and the loop's arrays. It returns the bytes written.
func (f Format) Write(w io.Writer, l *Loop, state any, network []tensorfile.Tensor) (int64, error) {
	f.arrays(l, func(name string, data []float32, rows, cols int) {
		network = append(network, tensorfile.FromFloat32s(name, data, rows, cols))
	})
	return WriteCheckpoint(w, f.Key, state, network)
}

// maxCheckpoint is how large a file Read reads.
const maxCheckpoint = 1 << 31

// Read reads a checkpoint's tensors, and its state, a pointer to what Write wants.
func (f Format) Read(r io.Reader, state any) ([]tensorfile.Tensor, error) {
	return ReadCheckpoint(r, maxCheckpoint, f.Key, state)
}

// WriteCheckpoint writes a safetensors file of tensors, with a state in JSON under a key
// of its metadata, and returns the bytes written.
func WriteCheckpoint(w io.Writer, key string, state any, tensors []tensorfile.Tensor) (int64, error) {
	s, err := json.Marshal(state)
	if err != nil {
		return 0, err
	}
	c := &counter{w: w}
	err = tensorfile.WriteSafetensors(c, tensors, map[string]string{key: string(s)})
	return c.n, err
}

// ReadCheckpoint reads what WriteCheckpoint wrote, of at most so many bytes: it sets state,
// a pointer, and returns the tensors.
func ReadCheckpoint(r io.Reader, maxBytes int64, key string, state any) ([]tensorfile.Tensor, error) {
	tensors, meta, err := tensorfile.ReadSafetensors(r, maxBytes)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(meta[key]), state); err != nil {
		return nil, fmt.Errorf("train: not a checkpoint: %w", err)
	}
	return tensors, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Restore sets a loop to what Read found.
func (f Format) Restore(l *Loop, s State, tensors []tensorfile.Tensor) error {
	if s.Step < 0 || s.Adam < 0 || !(s.Average >= 0 && s.Average <= 1) {
		return fmt.Errorf("train: checkpoint of step %d", s.Step)
	}
	steps, _ := l.adam.State()
	weight, _ := l.average.State()
	l.step, *steps, *weight = s.Step, s.Adam, s.Average
	named := tensorfile.ByName(tensors)
	var err error
	f.arrays(l, func(name string, data []float32, _, _ int) {
		if err == nil {
			err = named.Copy(data, name)
		}
	})
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	l.net.Refresh()
	return nil
}
