package tensorfile

import "fmt"

// Named is tensors by their names.
type Named map[string]*Tensor

// ByName returns tensors, which it refers to, by their names.
func ByName(tensors []Tensor) Named {
	n := make(Named, len(tensors))
	for i := range tensors {
		n[tensors[i].Name] = &tensors[i]
	}
	return n
}

// Copy sets dst to the elements of the tensor of a name as Float32s returns them, of which
// there must be as many, all finite: otherwise dst stays as it is.
func (n Named) Copy(dst []float32, name string) error {
	t := n[name]
	if t == nil {
		return fmt.Errorf("tensorfile: no tensor %q", name)
	}
	v, err := t.Float32s()
	if err != nil {
		return err
	}
	if len(v) != len(dst) {
		return fmt.Errorf("tensorfile: tensor %q has %d elements, not %d", name, len(v), len(dst))
	}
	for i, x := range v {
		if !(x-x == 0) {
			return fmt.Errorf("tensorfile: tensor %q: element %d is %v", name, i, x)
		}
	}
	copy(dst, v)
	return nil
}
