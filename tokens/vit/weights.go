package vit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/nn"
)

// maxWeights is the most bytes that a file of weights may have.
const maxWeights = 64 << 20

// Save writes the model as a safetensors file of BF16 numbers: half the size of float32,
// and what they lose does not change the accuracy that the study reports, which is that
// of the file.
func (m *Model) Save(w io.Writer) error {
	var tensors []tensorfile.Tensor
	for _, p := range m.params {
		data := make([]byte, 0, 2*len(p.Data))
		for _, v := range p.Data {
			b := math.Float32bits(v)
			b += 0x7fff + b>>16&1 // to the nearest, ties to even
			data = binary.LittleEndian.AppendUint16(data, uint16(b>>16))
		}
		tensors = append(tensors, tensorfile.Tensor{Name: p.Name, DType: tensorfile.BF16, Shape: []int{p.Rows, p.Cols}, Data: data})
	}
	config, err := json.Marshal(m.Config)
	if err != nil {
		return err
	}
	return tensorfile.WriteSafetensors(w, tensors, map[string]string{"vit": string(config)})
}

// Load reads a model that [Model.Save] wrote. The pool may be nil.
func Load(r io.Reader, pool *nn.Pool) (*Model, error) {
	tensors, metadata, err := tensorfile.ReadSafetensors(r, maxWeights)
	if err != nil {
		return nil, err
	}
	var c Config
	if err := json.Unmarshal([]byte(metadata["vit"]), &c); err != nil {
		return nil, fmt.Errorf("vit: not weights of this package: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	// Before anything of the sizes it claims is allocated.
	elements := 0
	for i := range tensors {
		elements += tensors[i].Elements()
	}
	if n := c.parameters(); n != elements {
		return nil, fmt.Errorf("vit: %d weights for %d parameters of %+v", elements, n, c)
	}
	m, err := New(c, 0, pool)
	if err != nil {
		return nil, err
	}
	byName := map[string]*tensorfile.Tensor{}
	for i := range tensors {
		byName[tensors[i].Name] = &tensors[i]
	}
	for _, p := range m.params {
		t := byName[p.Name]
		if t == nil {
			return nil, fmt.Errorf("vit: no weights of %s", p.Name)
		}
		v, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		if len(v) != len(p.Data) {
			return nil, fmt.Errorf("vit: %d weights of %s, want %d", len(v), p.Name, len(p.Data))
		}
		for _, f := range v {
			if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
				return nil, fmt.Errorf("vit: %s has the weight %v", p.Name, f)
			}
		}
		copy(p.Data, v)
	}
	m.Refresh()
	return m, nil
}
