package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// makeIDX returns an IDX file of unsigned bytes that count up from 0.
func makeIDX(dims ...uint32) []byte {
	b := []byte{0, 0, idxUbyte, byte(len(dims))}
	n := 1
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
		n *= int(d)
	}
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// writeFile writes a file in a folder of the test and returns its path.
func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIDX(t *testing.T) {
	gray, rgb := makeIDX(4, 2, 3), makeIDX(2, 2, 3, 3)
	for name, file := range map[string][]byte{"gray": gray, "gray.gz": gzipped(t, gray)} {
		c, err := Open(writeFile(t, name, file), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Len() != 4 || c.Name() != name {
			t.Errorf("%d pictures of %s", c.Len(), c.Name())
		}
		i := 0
		for e, err := range c.All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			m, ok := e.Picture.Image.(*image.Gray)
			if !ok || m.Rect != image.Rect(0, 0, 3, 2) || !bytes.Equal(m.Pix, gray[16+6*i:][:6]) {
				t.Errorf("%s: %v", e.Name, e.Picture.Image)
			}
			if want := name + "#0000" + string(rune('0'+i)); e.Name != want || e.Index != i {
				t.Errorf("picture %d is %s, %d", i, e.Name, e.Index)
			}
			i++
		}
		if i != 4 {
			t.Errorf("%d pictures came", i)
		}
	}
	c, err := Open(writeFile(t, "rgb", rgb), nil)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, err := range c.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		m := e.Picture.Image.(*image.NRGBA)
		for y := range 2 {
			for x := range 3 {
				want := rgb[20+18*i+9*y+3*x:]
				if got := m.NRGBAAt(x, y); got.R != want[0] || got.G != want[1] || got.B != want[2] || got.A != 255 {
					t.Errorf("%s at (%d, %d): %v, want %v", e.Name, x, y, got, want[:3])
				}
			}
		}
		i++
	}
	if i != 2 {
		t.Errorf("%d RGB pictures came", i)
	}
}

func TestIDXRefused(t *testing.T) {
	small := codec.DefaultLimits()
	small.MaxPixels = 5
	whole := makeIDX(4, 2, 3)
	huge := append([]byte{0, 0, idxUbyte, 3}, "\x00\x00\xff\xff\x00\x00\x00\x01\x00\x00\x00\x01"...)
	for name, c := range map[string]struct {
		file    []byte
		limits  codec.Limits
		message string
	}{
		"labels":         {makeIDX(9), codec.DefaultLimits(), "no pictures"},
		"header":         {whole[:9], codec.DefaultLimits(), "truncated"},
		"short":          {whole[:len(whole)-1], codec.DefaultLimits(), "truncated"},
		"no row":         {makeIDX(4, 0, 3), codec.DefaultLimits(), "3 x 0"},
		"no column":      {makeIDX(4, 3, 0), codec.DefaultLimits(), "0 x 3"},
		"channels":       {makeIDX(4, 2, 3, 4), codec.DefaultLimits(), "4 channels"},
		"limit":          {whole, small, "exceeds a limit"},
		"limit gz":       {gzipped(t, whole), small, "exceeds a limit"},
		"wide":           {[]byte("\x00\x00\x08\x03\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff"), codec.DefaultLimits(), "exceeds a limit"},
		"many":           {[]byte("\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x01"), codec.DefaultLimits(), "exceeds a limit"},
		"bomb":           {huge, codec.DefaultLimits(), "truncated"},
		"bomb gz":        {gzipped(t, huge), codec.DefaultLimits(), "truncated"},
		"floats":         {append([]byte{0, 0, 0x0d, 3}, whole[4:]...), codec.DefaultLimits(), "unknown"},
		"five":           {makeIDX(1, 1, 1, 1, 1), codec.DefaultLimits(), "unknown"},
		"gzip of a text": {gzipped(t, []byte("a text")), codec.DefaultLimits(), "unknown"},
		"gzip of little": {gzipped(t, []byte("\x00\x00")), codec.DefaultLimits(), "unknown"},
		"half of gzip":   {gzipped(t, whole)[:5], codec.DefaultLimits(), "unknown"},
	} {
		o := DefaultOptions()
		o.Limits = c.limits
		_, err := Open(writeFile(t, "file", c.file), o)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %s", name, err, c.message)
		}
	}
}

// TestIDXBroken reads files that show their damage only on the way.
func TestIDXBroken(t *testing.T) {
	whole := makeIDX(4, 2, 3)
	short := gzipped(t, whole[:len(whole)-8])
	sum := gzipped(t, whole)
	sum[len(sum)-8] ^= 1 // the checksum
	for name, c := range map[string]struct {
		file []byte
		good int
		want error
	}{
		"short":    {short, 2, io.ErrUnexpectedEOF},
		"long":     {append(bytes.Clone(whole), 7), 3, nil},
		"checksum": {sum, 3, gzip.ErrChecksum},
	} {
		corpus, err := Open(writeFile(t, "file", c.file), nil)
		if err != nil {
			t.Fatal(err)
		}
		good, bad := 0, 0
		for e, err := range corpus.All(context.Background()) {
			if err == nil {
				good++
				continue
			}
			bad++
			if c.want != nil && !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "file#0000") || e.Index != c.good || e.Picture != nil {
				t.Errorf("%s: %v, %+v", name, err, e)
			}
		}
		if good != c.good || bad != 1 {
			t.Errorf("%s: %d pictures and %d errors, want %d and 1", name, good, bad, c.good)
		}
	}
}

// TestMNIST reads all pictures of the test set and compares their samples with
// what the file holds.
func TestMNIST(t *testing.T) {
	path := filepath.Join(dataDir(t), "mnist", "t10k-images-idx3-ubyte.gz")
	f, err := os.Open(path)
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	want = want[16:]
	c, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range c.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		m := e.Picture.Image.(*image.Gray)
		if m.Rect != image.Rect(0, 0, 28, 28) || !bytes.Equal(m.Pix, want[784*n:][:784]) {
			t.Fatalf("%s is another picture", e.Name)
		}
		n++
	}
	if n != 10000 || c.Len() != n {
		t.Errorf("%d pictures, Len is %d", n, c.Len())
	}
	sum, err := c.Checksum(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pictures, checksum %s", n, sum)
}

func FuzzIDX(f *testing.F) {
	f.Add(makeIDX(2, 2, 3))
	f.Add(makeIDX(2, 2, 3, 3))
	f.Add(gzipped(f, makeIDX(2, 2, 3)))
	f.Add(makeIDX(4))
	f.Add([]byte("\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	limits := codec.DefaultLimits()
	limits.MaxPixels, limits.MaxBytes = 1<<12, 1<<14
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := newIDXReader(bytes.NewReader(b), &limits)
		if err != nil {
			return
		}
		s, err := newIDXReader(bytes.NewReader(b), &limits)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			p, err := d.Next()
			if skipErr := s.Skip(); (err == nil) != (skipErr == nil) {
				t.Fatalf("Next: %v, Skip: %v", err, skipErr)
			}
			if err != nil {
				return
			}
			if size := p.Image.Bounds().Size(); size != image.Pt(d.cols, d.rows) {
				t.Fatalf("picture of %v", size)
			}
		}
	})
}
