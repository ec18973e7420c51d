package circuit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/burin-codec/burin/codec"
)

func TestArchive(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		m := testModel(t, 4, 3, channels, 256, 3, 1)
		for _, n := range []int{1, 7, 8, 9, 16, 50} {
			pictures := testPictures(m, n, uint64(n))
			for _, embed := range []bool{false, true} {
				o := &ArchiveOptions{Block: 8, Embed: embed, CollectionName: "letters", Orientation: 3, Metadata: &codec.Metadata{XMP: []byte("about")}}
				file := archive(t, m, pictures, o)
				weights := []codec.Weights{m}
				if embed {
					weights = nil
				}
				checkArchive(t, file, pictures, weights...)
				a := openArchive(t, file, weights...)
				want := Info{Archive: true, Pictures: n, Block: 8, CollectionName: "letters", Model: m.ID()}
				if embed {
					want.ModelBytes = m.Size()
				}
				if info, err := Stat(bytes.NewReader(file), int64(len(file)), nil); err != nil || *info != want || a.Info() != want {
					t.Errorf("%+v, %v", info, err)
				}
				if h := a.Header(); h.Orientation != 3 || h.Width != 4 || string(a.Metadata().XMP) != "about" || a.Name(0) != "" || a.Model().Hash() != m.Hash() {
					t.Errorf("%+v", h)
				}
				if _, err := a.Picture(n); err == nil {
					t.Error("a picture behind the last")
				}
				if _, err := a.Picture(-1); err == nil {
					t.Error("a picture before the first")
				}
			}
		}
	}
}

// TestArchiveSize checks that blocks cost what they are said to.
func TestArchiveSize(t *testing.T) {
	m := testModel(t, 8, 8, 1, 256, 3, 1)
	pictures := testPictures(m, 256, 1)
	x := make([][]uint16, len(pictures))
	for i, p := range pictures {
		x[i], _ = m.vector(p)
	}
	cost, err := costOf(t.Context(), m, x, 16)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []int{1, 16, 64} {
		file := archive(t, m, pictures, &ArchiveOptions{Block: block})
		frame := openArchive(t, file, m).offsets[0] + codec.EndSize + int64(codec.SectionSize(10))
		over := float64(len(file)) - float64(frame) - cost/8
		if per := over / float64((len(pictures)+block-1)/block); per > 16 || per < 10 {
			t.Errorf("blocks of %d cost %.2f bytes each", block, per)
		}
	}
}

func TestArchiveNames(t *testing.T) {
	m := testModel(t, 2, 2, 1, 256, 2, 1)
	var numbered []string
	for i := range 300 {
		numbered = append(numbered, fmt.Sprintf("set/%05d.png", i+95))
	}
	for _, names := range [][]string{
		{"a.png"},
		{"a", "b", "a/b", "täglich.png", "täglich.pnm", strings.Repeat("x", maxName)},
		{"9", "10", "99.png", "100.png", "099", "001", "002", "2a", "3a", "3b7c"},
		numbered,
	} {
		pictures := testPictures(m, len(names), 1)
		file := archive(t, m, pictures, nil, names...)
		checkArchive(t, file, pictures, m)
		a := openArchive(t, file, m)
		for i, name := range names {
			if a.Name(i) != name {
				t.Errorf("name %d: %q, want %q", i, a.Name(i), name)
			}
		}
		if !a.Info().Named || a.Name(-1) != "" || a.Name(len(names)) != "" {
			t.Error("names of pictures that are not there")
		}
	}
	if n := len(packNames(numbered)); n > 30 {
		t.Errorf("%d bytes for numbered names", n)
	}
}

func TestUnpackNamesInvalid(t *testing.T) {
	stored := func(b ...byte) []byte { return append([]byte{namesStored}, b...) }
	for i, payload := range [][]byte{
		{}, {2}, {namesDeflate}, {namesDeflate, 5, 1, 2, 3}, stored(),
		stored(0, 0, 1, 'a'),                    // one of two
		stored(0, 0, 1, 'a', 1),                 // the second would follow "a"
		stored(0, 0, 1, 'a', 0, 2, 1, 'b'),      // shares more than there is
		stored(0, 0, 1, 'a', 0, 0, 9, 'b'),      // more than is left
		stored(0, 0, 1, 'a', 0, 1, 0),           // the same again
		stored(0, 0, 1, '1', 1, 7),              // goes on
		stored(0, 0, 1, '9', 1),                 // no following
		stored(3, 0, 1, 'a'),                    // run too long
		stored(0, 0, 2, '.', '.', 0, 0, 1, 'b'), // leads out
		stored(0, 0, 2, '/', 'a', 0, 0, 1, 'b'), // leads out
		stored(0, 0, 3, 'a', '\\', 'b', 0, 0, 1, 'b'),
		stored(0, 0, 2, 0xff, 0xff, 0, 0, 1, 'b'),
		stored(0, 0, 2, 'a', '\n', 0, 0, 1, 'b'),
	} {
		if names, err := unpackNames(payload, 2, 1<<20); err == nil {
			t.Errorf("%d: %q", i, names)
		}
	}
	// A few bytes that ask for many names.
	if _, err := unpackNames(packNames(numberedNames(1000)), 1000, 1000); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("names beyond the limit: %v", err)
	}
}

func numberedNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%04d", i))
	}
	return names
}

// TestDamage flips a bit of each byte of an archive: the pictures of all blocks but
// one are still read, and no wrong ones.
func TestDamage(t *testing.T) {
	m := testModel(t, 4, 4, 1, 256, 2, 1)
	pictures := testPictures(m, 20, 1)
	const block = 6
	names := numberedNames(len(pictures))
	file := archive(t, m, pictures, &ArchiveOptions{Block: block}, names...)
	whole := openArchive(t, file, m)
	first, last := whole.offsets[0], whole.f.Size()
	refused := 0
	for at := range file {
		damaged := bytes.Clone(file)
		damaged[at] ^= 1 << (at % 8)
		o := codec.DefaultDecodeOptions()
		o.Weights = []codec.Weights{m}
		a, err := NewArchiveReader(bytes.NewReader(damaged), last, o)
		if err != nil {
			refused++
			if int64(at) >= first {
				t.Errorf("byte %d of %d: %v", at, last, err)
			}
			continue
		}
		if int64(at) < first {
			t.Errorf("byte %d, before the blocks: no error", at)
			continue
		}
		lost := 0
		if err := a.All(context.Background(), func(i int, p image.Image, err error) error {
			if err != nil {
				lost++
			} else if !samePicture(p, pictures[i]) {
				t.Errorf("byte %d: another picture %d", at, i)
			}
			if name := a.Name(i); name != names[i] && name != "" {
				t.Errorf("byte %d: name %q of %d", at, name, i)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if lost += len(pictures) - a.Len(); lost > block {
			t.Errorf("byte %d: %d pictures lost", at, lost)
		}
		if lost == 0 && a.Err() == nil && int64(at) < last-codec.EndSize {
			t.Errorf("byte %d: no error", at)
		}
	}
	if int64(refused) != first {
		t.Errorf("%d of %d refused", refused, len(file))
	}
}

// TestTruncated cuts an archive short: the pictures of whole blocks are still read.
func TestTruncated(t *testing.T) {
	m := testModel(t, 4, 4, 1, 256, 2, 1)
	pictures := testPictures(m, 20, 1)
	file := archive(t, m, pictures, &ArchiveOptions{Block: 6})
	whole := openArchive(t, file, m)
	for n := range file {
		o := codec.DefaultDecodeOptions()
		o.Weights = []codec.Weights{m}
		a, err := NewArchiveReader(bytes.NewReader(file[:n]), int64(n), o)
		if err != nil {
			if int64(n) >= whole.offsets[0] {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		want := 0
		for _, at := range whole.offsets {
			info, _ := whole.f.Head(at)
			if at+info.Size <= int64(n) {
				want = min(want+6, len(pictures))
			}
		}
		if a.Err() == nil || a.Len() != want {
			t.Errorf("%d bytes: %d pictures, want %d, %v", n, a.Len(), want, a.Err())
		}
		for i := range a.Len() {
			if p, err := a.Picture(i); err != nil || !samePicture(p, pictures[i]) {
				t.Errorf("%d bytes: picture %d: %v", n, i, err)
			}
		}
	}
	// What follows the file is not part of it, but the index is no longer found.
	long := append(bytes.Clone(file), "more"...)
	a := openArchive(t, long, m)
	if a.Len() != len(pictures) {
		t.Errorf("%d pictures, %v", a.Len(), a.Err())
	}
}

func TestNotArchive(t *testing.T) {
	m := testModel(t, 4, 4, 1, 256, 2, 1)
	p := testPictures(m, 1, 1)
	var single bytes.Buffer
	if err := codec.Encode(&single, p[0], encodeOptions(m)); err != nil {
		t.Fatal(err)
	}
	if _, err := NewArchiveReader(bytes.NewReader(single.Bytes()), int64(single.Len()), nil); !errors.Is(err, ErrNotArchive) {
		t.Error(err)
	}
	if info, err := Stat(bytes.NewReader(single.Bytes()), int64(single.Len()), nil); err != nil || *info != (Info{Pictures: 1, Block: 1, Model: m.ID()}) {
		t.Errorf("%+v, %v", info, err)
	}
	file := archive(t, m, p, nil)
	if _, err := codec.Decode(bytes.NewReader(file)); !errors.As(err, new(codec.UnsupportedError)) || !strings.Contains(err.Error(), "archive") {
		t.Error(err)
	}
	if _, err := NewArchiveReader(bytes.NewReader(file), int64(len(file)), nil); !errors.Is(err, codec.ErrModelMismatch) || !strings.Contains(err.Error(), fmt.Sprintf("%x", m.ID())) {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	m := testModel(t, 40, 30, 1, 256, 8, 1)
	p := testPictures(m, 2, 1)
	inside := archive(t, m, p, &ArchiveOptions{Embed: true})
	named := archive(t, m, p, &ArchiveOptions{Block: MaxBlock})
	for i, test := range []struct {
		file  []byte
		limit func(*codec.Limits)
		ok    bool
	}{
		{inside, func(*codec.Limits) {}, true},
		{inside, func(l *codec.Limits) { l.MaxModelBytes = m.circuit.Memory() / 2 }, false},
		{named, func(l *codec.Limits) { l.MaxModelBytes = 1 }, true},
		{named, func(l *codec.Limits) { l.MaxPixels = 1199 }, false},
		{named, func(l *codec.Limits) { l.MaxBytes = 1 << 26 }, false},
		{inside, func(l *codec.Limits) { l.MaxBytes = int64(len(inside)) - 1 }, false},
	} {
		o := codec.DefaultDecodeOptions()
		o.Weights = []codec.Weights{m}
		test.limit(&o.Limits)
		_, err := NewArchiveReader(bytes.NewReader(test.file), int64(len(test.file)), o)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	m, alpha := testModel(t, 4, 3, 1, 256, 2, 1), testModel(t, 4, 3, 4, 256, 2, 1)
	for i, o := range []ArchiveOptions{
		{Block: -1}, {Block: MaxBlock + 1}, {Workers: -1}, {Collection: 2}, {Orientation: 9},
		{CollectionName: "a/b"}, {CollectionName: ".."}, {Collection: IDX, Orientation: 2},
	} {
		if _, err := NewArchiveWriter(io.Discard, m, &o); !errors.As(err, new(codec.OptionError)) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := NewArchiveWriter(io.Discard, alpha, &ArchiveOptions{Collection: IDX}); err == nil {
		t.Error("an IDX file with alpha")
	}
	p := testPictures(m, 2, 1)
	write := func(o *ArchiveOptions, f func(w *ArchiveWriter) error) error {
		w, err := NewArchiveWriter(io.Discard, m, o)
		if err != nil {
			t.Fatal(err)
		}
		return f(w)
	}
	if err := write(nil, (*ArchiveWriter).Close); err == nil {
		t.Error("an archive without pictures")
	}
	if err := write(nil, func(w *ArchiveWriter) error { return w.Write(p[0], "../a") }); err == nil {
		t.Error("a name that leads out")
	}
	if err := write(&ArchiveOptions{Collection: IDX}, func(w *ArchiveWriter) error { return w.Write(p[0], "a") }); err == nil {
		t.Error("a name in an IDX file")
	}
	for _, second := range []string{"", "a"} {
		if err := write(nil, func(w *ArchiveWriter) error {
			if err := w.Write(p[0], "a"); err != nil {
				t.Fatal(err)
			}
			return w.Write(p[1], second)
		}); err == nil {
			t.Errorf("name %q after \"a\"", second)
		}
	}
	var size *SizeError
	var b bytes.Buffer
	w, err := NewArchiveWriter(&b, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(image.NewGray(image.Rect(0, 0, 3, 3)), ""); !errors.As(err, &size) || size.Width != 3 {
		t.Errorf("size: %v", err)
	}
	// The archive goes on without it.
	if err := errors.Join(w.Write(p[0], ""), w.Close()); err != nil {
		t.Error(err)
	}
	if w.Write(p[0], "") == nil || w.Close() == nil {
		t.Error("a closed archive goes on")
	}
	checkArchive(t, b.Bytes(), p[:1], m)

	failing := &failingWriter{left: 60}
	if w, err = NewArchiveWriter(failing, m, &ArchiveOptions{Block: 1, Workers: 1}); err == nil {
		err = w.Write(p[0], "")
		if err == nil {
			err = w.Write(p[1], "")
		}
		if e := w.Close(); !errors.Is(e, io.ErrShortWrite) {
			t.Errorf("closed after %v: %v", err, e)
		}
	}
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestConcurrentReads reads one archive on several goroutines.
func TestConcurrentReads(t *testing.T) {
	m := testModel(t, 4, 4, 1, 256, 3, 1)
	pictures := testPictures(m, 60, 1)
	a := openArchive(t, archive(t, m, pictures, &ArchiveOptions{Block: 7}), m)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range 60 {
				i := (k*13 + g*7) % 60
				if p, err := a.Picture(i); err != nil || !samePicture(p, pictures[i]) {
					t.Errorf("picture %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAllEnds(t *testing.T) {
	m := testModel(t, 4, 4, 1, 256, 2, 1)
	a := openArchive(t, archive(t, m, testPictures(m, 20, 1), &ArchiveOptions{Block: 3}), m)
	stop := errors.New("enough")
	var got []int
	if err := a.All(t.Context(), func(i int, _ image.Image, _ error) error {
		if got = append(got, i); i == 4 {
			return stop
		}
		return nil
	}); err != stop || !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Error(err, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.All(ctx, func(int, image.Image, error) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
