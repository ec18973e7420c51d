package network

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/nn"
)

// metadataKey names the architecture in the metadata of a safetensors file.
const metadataKey = "burin.learned"

// WriteSafetensors writes the weights in float32, named as the parameters are, and the
// architecture in the metadata.
func (n *Network) WriteSafetensors(w io.Writer) error {
	config, err := json.Marshal(n.Config)
	if err != nil {
		return err
	}
	var tensors []tensorfile.Tensor
	for _, p := range n.params {
		tensors = append(tensors, tensorfile.FromFloat32s(p.Name, p.Data, p.Rows, p.Cols))
	}
	return tensorfile.WriteSafetensors(w, tensors, map[string]string{metadataKey: string(config)})
}

// ReadSafetensors reads what WriteSafetensors wrote, of at most maxBytes.
func ReadSafetensors(r io.Reader, maxBytes int64, pool *nn.Pool) (*Network, error) {
	tensors, meta, err := tensorfile.ReadSafetensors(r, maxBytes)
	if err != nil {
		return nil, err
	}
	var c Config
	if err := json.Unmarshal([]byte(meta[metadataKey]), &c); err != nil {
		return nil, fmt.Errorf("network: no weights of the learned codec: %w", err)
	}
	// The parameters are counted before they are allocated.
	var values int
	for i := range tensors {
		values += tensors[i].Elements()
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	if want := c.Parameters(); want != values {
		return nil, fmt.Errorf("network: %d weights for an architecture of %d", values, want)
	}
	n, err := New(c, pool)
	if err != nil {
		return nil, err
	}
	named := tensorfile.ByName(tensors)
	for _, p := range n.params {
		if err := named.Copy(p.Data, p.Name); err != nil {
			return nil, err
		}
	}
	n.Refresh()
	return n, nil
}
