package circuit

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/entropy/circuit"
)

// digitModel returns a model for gray pictures of 28 x 28 that codes like one of digits
// does, although it was learnt from nothing: in most states of most pixels four of
// five values are 0, so that a value takes about two decisions.
func digitModel(t testing.TB, states int) *Model {
	t.Helper()
	const side, cats = 28, 256
	r := rand.New(rand.NewPCG(1, 1))
	c := &circuit.Circuit{Cats: cats}
	for i := range side * side {
		c.Order = append(c.Order, i)
		// Rows of pixels, each hanging on the first pixel of the one above.
		parent, above := i-1, states
		if i%side == 0 {
			parent = i - side
		}
		if i == 0 {
			parent, above = -1, 1
		}
		c.Parent, c.States = append(c.Parent, parent), append(c.States, states)
		trans := make([]float32, 0, above*states)
		for range above {
			row, sum := make([]float32, states), float32(0)
			for z := range row {
				row[z] = r.Float32()
				row[z] *= row[z] * row[z]
				sum += row[z]
			}
			for z := range row {
				row[z] /= sum
			}
			trans = append(trans, row...)
		}
		leaf := make([]float32, states*cats)
		for z := range states {
			zero := 0.7 + 0.3*r.Float32()
			for v := range cats {
				leaf[z*cats+v] = (1 - zero) / (cats - 1)
			}
			leaf[z*cats] = zero
		}
		c.Trans, c.Leaf = append(c.Trans, trans), append(c.Leaf, leaf)
	}
	q, err := c.Quantise(0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(q, side, side, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// digits returns pictures of which four in five pixels are 0.
func digits(n int) (pictures []image.Image) {
	r := rand.New(rand.NewPCG(2, 2))
	for range n {
		p := image.NewGray(image.Rect(0, 0, 28, 28))
		for i := range p.Pix {
			if r.IntN(5) == 0 {
				p.Pix[i] = uint8(r.IntN(256))
			}
		}
		pictures = append(pictures, p)
	}
	return pictures
}

// BenchmarkArchive codes 512 pictures of 28 x 28 into blocks of 64 and back, with all
// CPUs.
func BenchmarkArchive(b *testing.B) {
	pictures := digits(512)
	for _, states := range []int{16, 32, 64, 128} {
		m := digitModel(b, states)
		rate := func(b *testing.B) {
			b.SetBytes(int64(len(pictures)) * 784)
			b.ReportMetric(float64(b.N)*float64(len(pictures))/b.Elapsed().Seconds(), "pictures/s")
		}
		var file []byte
		b.Run(fmt.Sprintf("encode/states=%d", states), func(b *testing.B) {
			for b.Loop() {
				file = archive(b, m, pictures, nil)
			}
			rate(b)
		})
		b.Run(fmt.Sprintf("decode/states=%d", states), func(b *testing.B) {
			file = archive(b, m, pictures, nil)
			for b.Loop() {
				a := openArchive(b, file, m)
				if err := a.All(context.Background(), func(_ int, _ image.Image, err error) error { return err }); err != nil {
					b.Fatal(err)
				}
			}
			rate(b)
		})
	}
}

// BenchmarkPicture reads pictures out of order, each from another block.
func BenchmarkPicture(b *testing.B) {
	m := digitModel(b, 16)
	pictures := digits(256)
	for _, block := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("block=%d", block), func(b *testing.B) {
			file := archive(b, m, pictures, &ArchiveOptions{Block: block})
			a := openArchive(b, file, m)
			i := 0
			for b.Loop() {
				if _, err := a.Picture(i); err != nil {
					b.Fatal(err)
				}
				i = (i + block) % len(pictures)
			}
			b.ReportMetric(8*float64(len(file))/float64(len(pictures)*784), "bpp")
		})
	}
}

// BenchmarkOpen opens an archive of 10,000 pictures.
func BenchmarkOpen(b *testing.B) {
	m := testModel(b, 4, 4, 1, 256, 2, 1)
	file := archive(b, m, testPictures(m, 10000, 1), nil)
	for b.Loop() {
		openArchive(b, file, m)
	}
}
