package tensor

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/bits"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

var update = flag.Bool("update", false, "write testdata/v1.burt")

// goldenInput is made of integers alone, the same everywhere: exponents by a geometric
// distribution.
func goldenInput(t *testing.T) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 60))
	w := tensorfile.Tensor{Name: "w", DType: tensorfile.BF16, Shape: []int{3, 3000}}
	for range 9000 {
		v := r.Uint64()
		w.Data = binary.LittleEndian.AppendUint16(w.Data, uint16(v&0x807f)|uint16(122-bits.LeadingZeros32(uint32(v>>32)))<<7)
	}
	list := []tensorfile.Tensor{
		w,
		{Name: "zeros", DType: tensorfile.F32, Shape: []int{100}, Data: make([]byte, 400)},
		{Name: "small", DType: tensorfile.F16, Shape: []int{50}, Data: w.Data[:100]},
		{Name: "none", DType: tensorfile.U8, Shape: []int{0}},
	}
	var b bytes.Buffer
	if err := tensorfile.WriteSafetensors(&b, list, map[string]string{"made": "for the test"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Files of version 1 are read for ever, and written the same on every processor.
func TestGolden(t *testing.T) {
	in := goldenInput(t)
	const name = "testdata/v1.burt"
	if *update {
		out, _ := compress(t, in, nil)
		if err := os.WriteFile(name, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	back, err := decompress(golden, nil)
	if err != nil || !bytes.Equal(back, in) {
		t.Fatalf("the file decompresses otherwise, %v", err)
	}
	eachTier(t, func() {
		// But for the header, which another version of DEFLATE may write otherwise.
		out, info := compress(t, in, nil)
		blocks := int64(0)
		for _, tensor := range info.Tensors {
			blocks += tensor.Stored
		}
		if !bytes.HasSuffix(golden, out[int64(len(out))-blocks:]) {
			t.Error("other blocks are written")
		}
	})
}

func eachTier(t *testing.T, f func()) {
	t.Helper()
	for _, l := range kernels.Tiers() {
		restore, err := kernels.SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		f()
		restore()
	}
}
