package vq

import (
	"runtime"
	"testing"
)

// unmarshalChecked is [Unmarshal], of which the test fails if it allocates more than its
// documentation says.
func unmarshalChecked(t testing.TB, data []byte) (Quantiser, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	q, err := Unmarshal(data)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20+100*uint64(len(data)) {
		t.Errorf("%d bytes allocated for %d", n, len(data))
	}
	return q, err
}

// TestUnmarshalMemory tries those of each kind that make the most of their bytes.
func TestUnmarshalMemory(t *testing.T) {
	zeros := func(n, d int) []*Codebook {
		books := make([]*Codebook, n)
		for i := range books {
			books[i] = newCodebook(make([]float32, d), d, Euclidean)
		}
		return books
	}
	groups := make([]*RQ, maxGroups)
	for i := range groups {
		groups[i] = newRQ(zeros(1, 1), 1)
	}
	const odd = 1<<16 - 5 // what is no power of two takes two rows of signs
	inner := must(NewHIGGS(odd, must(NewHIGGS(odd, must(NewLloydMax(2, 1)), 1)), 1))
	identity := make([]float32, 256*256)
	for name, q := range map[string]Quantiser{
		"codebook":   newCodebook(make([]float32, MaxDim), MaxDim, Cosine),
		"pq":         newPQ(zeros(maxCodes, 1)),
		"opq":        newOPQ(newPQ(zeros(256, 1)), identity),
		"rq":         newRQ(zeros(maxStages, 1), 1),
		"grvq":       newGRVQ(groups),
		"mcrvq":      newMCRVQ(newPQ(zeros(100, 1)), newRQ(zeros(1, 100), 1)),
		"lsq":        newLSQ(zeros(maxLSQBooks, 1), LSQSearch{1, 0, 1, 0}, 1),
		"ssvq":       newSSVQ(zeros(1, MaxDim)[0]),
		"lloydmax":   must(NewLloydMax(MaxLevels, 1)),
		"normalgrid": must(NewNormalGrid(256, 1)),
		"fsq":        must(NewFSQ([]int{MaxSize}, FSQClamp)),
		"lfq":        must(NewLFQ(MaxDim, 1)),
		"voronoi":    must(NewVoronoiCode(LatticeZ, MaxLatticeDim, MaxLatticeSize, 1)),
		"e8p":        must(NewE8P(4, 1)),
		"glvq":       newGLVQ(1, []glvqGroup{{1, 0, []float32{1}, []float32{1}}}),
		"higgs":      must(NewHIGGS(odd, inner, 1)),
		"trellis":    must(NewHIGGS(maxTrellisDim, must(NewTrellis(maxTrellisDim, 4, MaxTrellisStates, 1)), 1)),
		"nsn":        must(newNSN(make([]float32, odd), must(NewLloydMax(2, 1)), 1)),
		"rabitq":     must(NewRaBitQ(make([]float32, odd), MaxRaBitQBits, 1)),
		"saq":        newSAQ(make([]float32, 255), make([]float32, 255*255), []int{255}, []int{9}, 1),
		"lvq":        newLVQ(make([]float32, maxCodes/2-1), 12, 12),
	} {
		data := must(q.MarshalBinary())
		if _, err := unmarshalChecked(t, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
