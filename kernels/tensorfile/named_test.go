package tensorfile

import (
	"math"
	"slices"
	"testing"
)

func TestNamed(t *testing.T) {
	n := ByName([]Tensor{
		FromFloat32s("a", []float32{1, 2}, 2), FromFloat32s("nan", []float32{1, float32(math.NaN())}, 2),
		{Name: "complex", DType: C64, Shape: []int{2}, Data: make([]byte, 16)},
	})
	got := make([]float32, 2)
	if err := n.Copy(got, "a"); err != nil || !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"nan", "complex", "none"} {
		if err := n.Copy(got, name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("an error left %v", got)
	}
	if err := n.Copy(make([]float32, 3), "a"); err == nil {
		t.Error("two elements were taken for three")
	}
}
