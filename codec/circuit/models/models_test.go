package models

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/circuit"
	"github.com/burin-codec/burin/corpus/dataset"
)

// sets are the models that are shipped, the test pictures of the data set that each
// was learnt from, and the most that these may take, in bits per pixel.
var sets = []struct {
	name, folder string
	most         float64
}{
	{"mnist", "mnist", 1.17},
	{"fashion-mnist", "fashion-mnist", 3.27},
}

// TestModels reads the models and codes a picture with each.
func TestModels(t *testing.T) {
	for _, set := range sets {
		m, err := circuit.Named(set.name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Width() != 28 || m.Height() != 28 || m.Channels() != 1 || m.Size() > 6<<20 {
			t.Errorf("%s: %v, %d bytes", set.name, m, m.Size())
		}
		// The name is all that the file has.
		o := codec.DefaultOptions()
		o.Codec, o.Weights = circuit.Name, []codec.Weights{m}
		p := image.NewGray(image.Rect(0, 0, 28, 28))
		p.Pix[28*14+14] = 200
		var b bytes.Buffer
		if err := codec.Encode(&b, p, o); err != nil {
			t.Fatal(err)
		}
		got, err := codec.Decode(&b)
		if g, ok := got.(*image.Gray); err != nil || !ok || !bytes.Equal(g.Pix, p.Pix) {
			t.Errorf("%s: another picture, %v", set.name, err)
		}
	}
}

// dataDir returns the folder of the data sets: $BURIN_DATA, or shared/data beside or
// above the repository.
func dataDir(t testing.TB) string {
	if dir := os.Getenv("BURIN_DATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if data := filepath.Join(dir, "shared", "data"); isDir(data) {
			return data
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("SKIPPED: no shared/data beside the repository and no $BURIN_DATA: MNIST and Fashion-MNIST are not coded")
		}
		dir = up
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// TestRoundTrip codes all 20,000 test pictures and compares what comes back, and the
// size of the archives with their likelihood.
func TestRoundTrip(t *testing.T) {
	if testing.Short() {
		t.Skip("20,000 pictures with -short")
	}
	data := dataDir(t)
	for _, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			corpus, err := dataset.Open(filepath.Join(data, set.folder, "t10k-images-idx3-ubyte.gz"), nil)
			if err != nil {
				t.Skip("SKIPPED: ", err)
			}
			var pictures []image.Image
			for e, err := range corpus.All(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				pictures = append(pictures, e.Picture.Image)
			}
			candidates, err := circuit.ModelsFor(28, 28, 1)
			if err != nil {
				t.Fatal(err)
			}
			m, err := circuit.Choose(t.Context(), candidates, pictures[:64])
			if err != nil {
				t.Fatal(err)
			}
			if name := circuit.NameOf(m.ID()); name != set.name {
				t.Errorf("model %s codes them smallest", name)
			}
			var b bytes.Buffer
			w, err := circuit.NewArchiveWriter(&b, m, &circuit.ArchiveOptions{Collection: circuit.IDX})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pictures {
				if err := w.Write(p, ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			a, err := circuit.NewArchiveReader(bytes.NewReader(b.Bytes()), int64(b.Len()), nil)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			if err := a.All(context.Background(), func(i int, p image.Image, err error) error {
				if err != nil {
					return err
				}
				if !bytes.Equal(p.(*image.Gray).Pix, pictures[i].(*image.Gray).Pix) {
					return fmt.Errorf("another picture %d", i)
				}
				n++
				return nil
			}); err != nil || n != 10000 {
				t.Fatal(n, err)
			}
			bpp := 8 * float64(b.Len()) / float64(n*28*28)
			over, err := overLikelihood(t.Context(), m, pictures[:1280])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes, %.4f bpp, %.2f %% above the likelihood", b.Len(), bpp, 100*over)
			if bpp > set.most || over > 0.005 {
				t.Errorf("%.4f bpp, %.2f %% above the likelihood", bpp, 100*over)
			}
		})
	}
}

// overLikelihood returns by how much an archive of pictures exceeds their likelihood.
func overLikelihood(ctx context.Context, m *circuit.Model, pictures []image.Image) (float64, error) {
	var b bytes.Buffer
	w, err := circuit.NewArchiveWriter(&b, m, nil)
	if err != nil {
		return 0, err
	}
	for _, p := range pictures {
		if err := w.Write(p, ""); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	bits, err := circuit.Cost(ctx, m, pictures)
	return 8*float64(b.Len())/bits - 1, err
}
