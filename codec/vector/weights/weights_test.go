package weights

import (
	"testing"

	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/corpus/dataset"
)

var shipped = codectest.Shipped{Codec: vector.Name, Lambda: func(quality float64) float64 { return network.Lambda(quality / 100) }}

// TestModel checks that the model covers its range of rates, and that effort pays.
func TestModel(t *testing.T) {
	m := dataset.DeadLeaves(384, 256, 1)
	shipped.Range(t, m, 2, 0, 40, 80)
	shipped.Effort(t, m, 6, 40)
}

func BenchmarkCodec(b *testing.B) { shipped.Benchmark(b, 10, 50) }
