package network

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/nn"
)

// metadataKey names the architecture in the metadata of a safetensors file.
const metadataKey = "burin.vector"

// Tensors returns all numbers of the network: weights named as the parameters are,
// codebooks and their statistics, in an order that depends on the architecture alone.
// The tensors' data are copies.
func (n *Network) Tensors() []tensorfile.Tensor {
	var t []tensorfile.Tensor
	n.arrays(func(name string, data []float32, shape ...int) {
		t = append(t, tensorfile.FromFloat32s(name, data, shape...))
	})
	return t
}

func (n *Network) arrays(f func(name string, data []float32, shape ...int)) {
	for _, p := range n.all {
		f(p.Name, p.Data, p.Rows, p.Cols)
	}
	for l, books := range n.Books {
		for s, b := range books {
			name := fmt.Sprintf("book%d.%d", l, s)
			f(name+".words", b.Data, b.Words, b.Dim)
			f(name+".use", b.Use, b.Words)
			f(name+".seen", b.Seen, n.Config.Anchors, Classes, 2)
		}
	}
	f("low_energy", n.LowEnergy[:], Levels)
}

// SetTensors sets all numbers to those of tensors, found by name.
func (n *Network) SetTensors(tensors []tensorfile.Tensor) error {
	named := tensorfile.ByName(tensors)
	var err error
	n.arrays(func(name string, data []float32, _ ...int) {
		if err == nil {
			err = named.Copy(data, name)
		}
	})
	for _, books := range n.Books {
		for _, b := range books {
			for _, s := range [][]float32{b.Use, b.Seen} {
				for _, v := range s {
					if err == nil && !(v > 0) {
						err = fmt.Errorf("network: a statistic is %v", v)
					}
				}
			}
			b.fresh = false
		}
	}
	n.Refresh()
	return err
}

// header is what a file says besides tensors.
type header struct {
	Config Config  `json:"config"`
	Weight float32 `json:"weight"`
}

// WriteSafetensors writes all numbers in float32, and the architecture in the metadata.
func (n *Network) WriteSafetensors(w io.Writer) error {
	h, err := json.Marshal(header{n.Config, n.Weight})
	if err != nil {
		return err
	}
	return tensorfile.WriteSafetensors(w, n.Tensors(), map[string]string{metadataKey: string(h)})
}

// ReadSafetensors reads what WriteSafetensors wrote, of at most maxBytes.
func ReadSafetensors(r io.Reader, maxBytes int64, pool *nn.Pool) (*Network, error) {
	tensors, meta, err := tensorfile.ReadSafetensors(r, maxBytes)
	if err != nil {
		return nil, err
	}
	var h header
	if err := json.Unmarshal([]byte(meta[metadataKey]), &h); err != nil {
		return nil, fmt.Errorf("network: no weights of the vector codec: %w", err)
	}
	if err := h.Config.Check(); err != nil {
		return nil, err
	}
	if !(h.Weight > 0 && h.Weight < 1e6) {
		return nil, fmt.Errorf("network: a weight of %v", h.Weight)
	}
	// Numbers are counted before they are allocated.
	values := 0
	for i := range tensors {
		values += tensors[i].Elements()
	}
	if want := h.Config.Numbers(); values < want {
		return nil, fmt.Errorf("network: %d numbers for an architecture of %d", values, want)
	}
	n, err := New(h.Config, pool)
	if err != nil {
		return nil, err
	}
	n.Weight = h.Weight
	return n, n.SetTensors(tensors)
}
