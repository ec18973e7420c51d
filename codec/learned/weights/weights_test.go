package weights

import (
	"testing"

	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/learned"
	"github.com/burin-codec/burin/corpus/dataset"
)

var shipped = codectest.Shipped{Codec: learned.Name, Lambda: learned.Lambda}

// TestModel checks that the model covers its range of rates, and that effort pays.
func TestModel(t *testing.T) {
	m := dataset.DeadLeaves(192, 128, 1)
	shipped.Range(t, m, 1, 0, 50, 100)
	shipped.Effort(t, m, 6, 40)
}

func BenchmarkCodec(b *testing.B) { shipped.Benchmark(b, 30, 70) }
