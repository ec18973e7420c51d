package tensor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// BenchmarkBlock reports GB/s of numbers by processor time, and what they take.
func BenchmarkBlock(b *testing.B) {
	for _, d := range []tensorfile.DType{tensorfile.BF16, tensorfile.F16, tensorfile.F32, tensorfile.F64} {
		data := gaussian(blockBytes/d.Size(), d)
		for _, l := range kernels.Tiers() {
			restore, err := kernels.SetTier(l)
			if err != nil {
				b.Fatal(err)
			}
			var c coder
			block := c.append(nil, data, d.Size())
			b.Run(fmt.Sprintf("%s/%v/encode", d, l), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				start := cpuTime()
				for b.Loop() {
					block = c.append(block[:0], data, d.Size())
				}
				b.ReportMetric(float64(len(data))*float64(b.N)/(cpuTime()-start).Seconds()/1e9, "cpu-GB/s")
				b.ReportMetric(100*float64(len(block))/float64(len(data)), "%size")
			})
			b.Run(fmt.Sprintf("%s/%v/decode", d, l), func(b *testing.B) {
				got := make([]byte, len(data))
				b.SetBytes(int64(len(data)))
				start := cpuTime()
				for b.Loop() {
					if err := c.decode(got, block, d.Size()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(data))*float64(b.N)/(cpuTime()-start).Seconds()/1e9, "cpu-GB/s")
			})
			restore()
		}
	}
}

// BenchmarkFile does the same with a file of one tensor and one worker.
func BenchmarkFile(b *testing.B) {
	const n = 16 << 20
	var in, out bytes.Buffer
	list := []tensorfile.Tensor{{Name: "w", DType: tensorfile.BF16, Shape: []int{n}, Data: gaussian(n, tensorfile.BF16)}}
	if err := tensorfile.WriteSafetensors(&in, list, nil); err != nil {
		b.Fatal(err)
	}
	o := &Options{Workers: 1}
	if _, err := Compress(context.Background(), &out, bytes.NewReader(in.Bytes()), o); err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"compress": func() error {
			_, err := Compress(context.Background(), io.Discard, bytes.NewReader(in.Bytes()), o)
			return err
		},
		"decompress": func() error {
			return Decompress(context.Background(), io.Discard, bytes.NewReader(out.Bytes()), o)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(in.Len()))
			start := cpuTime()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(in.Len())*float64(b.N)/(cpuTime()-start).Seconds()/1e9, "cpu-GB/s")
			b.ReportMetric(100*float64(out.Len())/float64(in.Len()), "%size")
		})
	}
}
