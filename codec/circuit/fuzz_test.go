package circuit

import (
	"bytes"
	"context"
	"hash/crc32"
	"image"
	"io"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
)

// fuzzLimits are small, so that a file cannot ask for much.
func fuzzOptions(m *Model) *codec.DecodeOptions {
	return &codec.DecodeOptions{
		Limits:  codec.Limits{MaxPixels: 1 << 12, MaxBytes: 1 << 24, MaxFrames: 1, MaxModelBytes: 1 << 20},
		Weights: []codec.Weights{m},
	}
}

// resum makes the checksums of the header and the sections right, as far as they can be
// found, so that the fuzzer comes past them.
func resum(file []byte) []byte {
	file = bytes.Clone(file)
	table := crc32.MakeTable(crc32.Castagnoli)
	put := func(from, to int) {
		sum := crc32.Checksum(file[from:to], table)
		for i := range 4 {
			file[to+i] = byte(sum >> (8 * i))
		}
	}
	at := 8 + 1 + 1 + 1 + 2 + 1 + 1 // the header of a small picture of version 1
	if len(file) < at+4 {
		return file
	}
	put(0, at)
	at += 4
	for len(file)-at >= 9 {
		length, n := 0, 0
		for shift := 0; ; shift += 7 {
			b := file[at+4+n]
			length |= int(b&0x7f) << shift
			n++
			if b < 0x80 || n > 3 || at+4+n >= len(file) {
				break
			}
		}
		end := at + 4 + n + length>>1
		if end+4 > len(file) {
			break
		}
		put(at, end)
		at = end + 4
	}
	return file
}

func FuzzArchive(f *testing.F) {
	m := testModel(f, 4, 3, 1, 256, 2, 1)
	pictures := testPictures(m, 7, 1)
	f.Add(archive(f, m, pictures, &ArchiveOptions{Block: 3}))
	f.Add(archive(f, m, pictures, &ArchiveOptions{Block: 3}, "1", "2", "3", "4", "x/5", "x/6", "y"))
	f.Add(archive(f, m, pictures[:1], &ArchiveOptions{Collection: IDX, CollectionName: "idx"}))
	small := testModel(f, 2, 2, 3, 4, 2, 1)
	f.Add(archive(f, small, testPictures(small, 3, 1), &ArchiveOptions{Embed: true}))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, file := range [][]byte{file, resum(file)} {
			a, err := NewArchiveReader(bytes.NewReader(file), int64(len(file)), fuzzOptions(m))
			if err != nil {
				continue
			}
			n := 0
			if err := a.All(context.Background(), func(i int, p image.Image, err error) error {
				if i != n || (p == nil) != (err != nil) {
					t.Fatalf("picture %d: %d %v %v", n, i, p, err)
				}
				if n++; n > 1000 {
					return io.EOF
				}
				if name := a.Name(i); name != "" && checkName(name) != nil {
					t.Fatalf("name %q", name)
				}
				return nil
			}); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if n < 1000 && n != a.Len() {
				t.Fatalf("%d pictures of %d", n, a.Len())
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	m := testModel(f, 4, 3, 1, 256, 2, 1)
	small := testModel(f, 2, 2, 3, 4, 2, 1)
	for _, embed := range []bool{false, true} {
		for _, m := range []*Model{m, small} {
			o := encodeOptions(m)
			o.EmbedWeights = embed
			f.Add(codectest.Encode(f, testPictures(m, 1, 1)[0], o))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, file := range [][]byte{file, resum(file)} {
			d, err := codec.NewDecoder(bytes.NewReader(file), fuzzOptions(m))
			if err != nil || d.Header().Codec != Name {
				continue
			}
			h := d.Header()
			if p, err := d.Decode(context.Background()); err == nil && p.Bounds() != h.Bounds() {
				t.Fatalf("%v, not %v", p.Bounds(), h.Bounds())
			}
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add(packNames([]string{"a/1.png", "a/2.png", "b"}), 3)
	f.Add(packNames(numberedNames(100)), 100)
	f.Add([]byte{namesStored, 0, 0, 1, 'a', 0, 1, 1, 'b'}, 2)
	f.Fuzz(func(t *testing.T, payload []byte, count int) {
		names, err := unpackNames(payload, min(count, 1000), 1<<16)
		if err != nil {
			return
		}
		again, err := unpackNames(packNames(names), len(names), 1<<20)
		if err != nil || len(again) != len(names) {
			t.Fatal(err)
		}
		for i := range names {
			if again[i] != names[i] {
				t.Fatalf("%q, not %q", again[i], names[i])
			}
		}
	})
}
