package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// tree writes files into a folder of the test and returns its path.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root := t.TempDir()
	for name, b := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func pngFile(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, path string, o *Options) *Corpus {
	t.Helper()
	c, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// list returns a line for each entry: index, name, and ! for an error.
func list(t testing.TB, c *Corpus) []string {
	t.Helper()
	var lines []string
	for e, err := range c.All(context.Background()) {
		line := fmt.Sprintf("%d %s", e.Index, e.Name)
		if (e.Picture == nil) != (err != nil) {
			t.Errorf("%s: %v with %v", line, e.Picture, err)
		}
		if err != nil {
			line += " !"
			if !strings.HasPrefix(err.Error(), e.Name+": ") {
				t.Errorf("the error of %s does not begin with its name: %v", e.Name, err)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestFolder(t *testing.T) {
	one := pngFile(t, DeadLeaves(3, 2, 1))
	root := tree(t, map[string][]byte{
		"b.png": one, "a/x.png": one, "a.png": one, "a-b.png": one, "a/y/z.png": one, "noext": one,
		"broken.png":  one[:len(one)-9],
		"cut.y4m":     writeClip(t, smallClip, 3)[:150], // frames of 33 bytes
		"clip.y4m":    writeClip(t, smallClip, 2),
		"empty.y4m":   writeClip(t, smallClip, 0),
		"bad.y4m":     []byte(y4mMagic + "W0 H0\n"),
		"labels":      makeIDX(9),
		"idx.gz":      gzipped(t, makeIDX(2, 2, 3)),
		"bad.idx":     makeIDX(2, 2, 3)[:17],
		"notes.txt":   []byte("P1 is how this text begins, and what follows is none of the\n"),
		"P1.txt":      []byte("P1ease leave this out"),
		"nothing":     nil,
		"other.gz":    gzipped(t, []byte("some text")),
		"pic.avif":    []byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"),
		".hidden.png": one, ".git/a.png": one,
		"doc.pdf": []byte("%PDF-1.4\n"),
	})
	outside := tree(t, map[string][]byte{"real.png": one, "sub/other.png": one})
	for link, to := range map[string]string{
		"link.png": filepath.Join(outside, "real.png"), "linked": filepath.Join(outside, "sub"), "loop": root,
		"dangling.png": filepath.Join(outside, "gone.png"),
	} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Skip("SKIPPED: no symbolic links can be made: ", err)
		}
	}
	c := open(t, root, nil)
	want := []string{
		"a-b.png", "a.png", "a/x.png", "a/y/z.png", "b.png", "bad.idx !", "bad.y4m !", "broken.png !",
		"clip.y4m#0000", "clip.y4m#0001", "cut.y4m#0000", "cut.y4m#0001", "cut.y4m#0002 !", "dangling.png !", "doc.pdf !",
		"idx.gz#00000", "idx.gz#00001", "link.png", "noext", "notes.txt !",
	}
	for i := range want {
		want[i] = fmt.Sprintf("%d %s", i, want[i])
	}
	for range 2 { // as often as one likes
		if got := list(t, c); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if c.Len() != len(want) || c.Name() != filepath.Base(root) {
		t.Errorf("%d pictures of %s", c.Len(), c.Name())
	}
	// Every part of the corpus is that part of the whole.
	for n := 1; n < 5; n++ {
		for i := 1; i <= n; i++ {
			s, err := c.Shard(i, n)
			if err != nil {
				t.Fatal(err)
			}
			var part []string
			for j := i - 1; j < len(want); j += n {
				part = append(part, want[j])
			}
			if got := list(t, s); !slices.Equal(got, part) || s.Len() != len(part) {
				t.Errorf("shard %d of %d: %q, Len %d, want %q", i, n, got, s.Len(), part)
			}
		}
	}
}

// TestPDFWithout hands over a PDF file where nothing can read it.
func TestPDFWithout(t *testing.T) {
	_, err := Open(writeFile(t, "doc.pdf", []byte("%PDF-1.4\n")), nil)
	if !errors.Is(err, ErrNoPDF) || !strings.Contains(err.Error(), "-tags fitz") {
		t.Error(err)
	}
}

// fakePages is a document whose pages are of size (i+1) x 1, the second broken.
type fakePages struct{ closed *int }

func (p fakePages) Len() int { return 3 }
func (p fakePages) Page(i int) (image.Image, error) {
	if i == 1 {
		return nil, errors.New("broken page")
	}
	return image.NewGray(image.Rect(0, 0, i+1, 1)), nil
}
func (p fakePages) Close() error { *p.closed++; return nil }

func TestPDF(t *testing.T) {
	opened, closed := 0, 0
	RegisterPDF(func(path string, dpi float64, l codec.Limits) (Pages, error) {
		if filepath.Base(path) != "doc.pdf" || dpi != DefaultDPI || l != codec.DefaultLimits() {
			t.Errorf("%s at %v DPI, %+v", path, dpi, l)
		}
		opened++
		return fakePages{&closed}, nil
	})
	defer RegisterPDF(nil)
	c := open(t, writeFile(t, "doc.pdf", []byte("%PDF-1.4\n")), &Options{Limits: codec.DefaultLimits()})
	want := []string{"0 doc.pdf#1", "1 doc.pdf#2 !", "2 doc.pdf#3"}
	if got := list(t, c); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if opened != 2 || closed != 2 {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
}

func TestOpenRefuses(t *testing.T) {
	text := writeFile(t, "a.txt", []byte("text"))
	if _, err := Open(text, nil); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := Open(filepath.Dir(text), nil); err == nil || !strings.Contains(err.Error(), "no pictures") {
		t.Error(err)
	}
	if _, err := Open(text+"x", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Open("-", nil); err == nil {
		t.Error("standard input out of nowhere")
	}
	var option codec.OptionError
	for _, o := range []*Options{{}, {Limits: codec.DefaultLimits(), DPI: -1}, {Limits: codec.DefaultLimits(), DPI: 1e9}} {
		if _, err := Open(text, o); !errors.As(err, &option) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestSinglePicture(t *testing.T) {
	m := DeadLeaves(4, 3, 2)
	c := open(t, writeFile(t, "one.png", pngFile(t, m)), nil)
	for e, err := range c.All(context.Background()) {
		if err != nil || e.Name != "one.png" || maxDiff(e.Picture.Image, m) != 0 {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if c.Len() != 1 || c.Name() != "one.png" {
		t.Errorf("%d pictures of %s", c.Len(), c.Name())
	}
}

func TestPipe(t *testing.T) {
	b := writeClip(t, smallClip, 7)
	o := DefaultOptions()
	for i, want := range [][]string{
		{"0 stdin#0000", "3 stdin#0003", "6 stdin#0006 !"},
		{"1 stdin#0001", "4 stdin#0004"},
		{"2 stdin#0002", "5 stdin#0005"},
	} {
		// Without an interface of *bytes.Reader beyond Read.
		o.Stdin = struct{ io.Reader }{bytes.NewReader(b[:len(b)-1])}
		c := open(t, "-", o)
		if c.Len() != -1 || c.Name() != "stdin" {
			t.Errorf("%d pictures of %s", c.Len(), c.Name())
		}
		if _, err := c.Subset(1, 0); err == nil {
			t.Error("subset of an unknown number")
		}
		s, err := c.Shard(i+1, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := list(t, s); !slices.Equal(got, want) || s.Len() != -1 {
			t.Errorf("%q, want %q", got, want)
		}
		for _, err := range c.All(context.Background()) {
			if !errors.Is(err, errStdinTwice) {
				t.Errorf("second time: %v", err)
			}
		}
	}
	o.Stdin = bytes.NewReader(b)
	n := 0
	for e, err := range open(t, "-", o).All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(e.Picture.Image, image.Image(noiseFrame(smallClip, uint64(n)).RGB())) {
			t.Errorf("%s is another picture", e.Name)
		}
		n++
	}
	if n != 7 {
		t.Errorf("%d frames", n)
	}
	o.Stdin = strings.NewReader("no clip")
	for e, err := range open(t, "-", o).All(context.Background()) {
		if err == nil || e.Name != "stdin#0000" {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func TestSubset(t *testing.T) {
	c := Samples(200, 1, 1)
	names := func(c *Corpus) []string { return list(t, c) }
	whole := names(c)
	if whole[0] != "0 sample#0001" || whole[199] != "199 sample#0200" {
		t.Errorf("%s to %s", whole[0], whole[199])
	}
	var last []string
	for _, n := range []int{1, 5, 10, 77, 200} {
		s, err := c.Subset(n, 3)
		if err != nil {
			t.Fatal(err)
		}
		got := names(s)
		if len(got) != n || s.Len() != n || !slices.IsSortedFunc(got, func(a, b string) int {
			return slices.Index(whole, a) - slices.Index(whole, b)
		}) {
			t.Errorf("subset of %d, Len %d: %q", n, s.Len(), got)
		}
		for _, name := range last {
			if !slices.Contains(got, name) {
				t.Errorf("%s is in a smaller subset but not in that of %d", name, n)
			}
		}
		last = got
	}
	three, err := c.Subset(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	// By sort of sha256 of eight zero bytes and each name.
	if got, want := names(three), []string{"31 sample#0032", "69 sample#0070", "99 sample#0100"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	other, err := c.Subset(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(names(other), names(three)) {
		t.Error("the seed does not matter")
	}
	for _, n := range []int{-1, 0, 201} {
		if _, err := c.Subset(n, 0); err == nil {
			t.Errorf("subset of %d", n)
		}
	}
	// Shards of a subset, subsets of a shard, shards of shards.
	all, err := c.Subset(10, 3)
	if err != nil {
		t.Fatal(err)
	}
	var joined []string
	for i := 1; i <= 3; i++ {
		s, err := all.Shard(i, 3)
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, names(s)...)
	}
	slices.Sort(joined)
	ten := names(all)
	slices.Sort(ten)
	if !slices.Equal(joined, ten) {
		t.Errorf("shards hold %q, want %q", joined, ten)
	}
	half, err := c.Shard(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	few, err := half.Subset(4, 9)
	if err != nil {
		t.Fatal(err)
	}
	for e := range few.All(context.Background()) {
		if e.Index%2 != 1 {
			t.Errorf("%s is not in the shard", e.Name)
		}
	}
	quarter, err := half.Shard(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(quarter); got[0] != "3 sample#0004" || got[1] != "9 sample#0010" || len(got) != quarter.Len() {
		t.Errorf("shard of a shard: %q", got)
	}
	for _, bad := range [][2]int{{0, 1}, {2, 1}, {-1, -1}, {1, 0}, {1, maxStep + 1}} {
		if _, err := c.Shard(bad[0], bad[1]); err == nil {
			t.Errorf("shard %d of %d", bad[0], bad[1])
		}
	}
	last1, err := c.Shard(maxStep, maxStep)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(last1); len(got) != 0 || last1.Len() != 0 {
		t.Errorf("%q in the last shard of very many", got)
	}
	if _, err := last1.Shard(1, 2); err == nil {
		t.Error("a shard of too many")
	}
}

func TestSamples(t *testing.T) {
	for e, err := range Samples(3, 20, 10).All(context.Background()) {
		if err != nil || !reflect.DeepEqual(e.Picture.Image, image.Image(DeadLeaves(20, 10, uint64(e.Index+1)))) {
			t.Errorf("%s is another picture, %v", e.Name, err)
		}
	}
	for _, bad := range [][3]int{{0, 1, 1}, {1, 0, 1}, {1, 1, MaxLeaves + 1}, {maxPictures + 1, 1, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Samples(%v) does not panic", bad)
				}
			}()
			Samples(bad[0], bad[1], bad[2])
		}()
	}
}

func TestAllEnds(t *testing.T) {
	c := open(t, tree(t, map[string][]byte{
		"a": makeIDX(4, 2, 3), "b.png": pngFile(t, DeadLeaves(3, 2, 1)), "c.y4m": writeClip(t, smallClip, 3),
	}), nil)
	for stop := range c.Len() {
		n := 0
		for range c.All(context.Background()) {
			if n++; n > stop {
				break
			}
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		n = 0
		for e, err := range c.All(ctx) {
			if n++; n <= stop {
				if err != nil {
					t.Fatal(err)
				}
				if n == stop {
					cancel(nil)
				}
			} else if stop > 0 && (n != stop+1 || err != context.Canceled || e.Picture != nil || e.Index != stop) {
				t.Errorf("cancelled after %d, came %d: %+v, %v", stop, n, e, err)
			}
		}
		cancel(nil)
	}
}

func TestChecksum(t *testing.T) {
	one, two := pngFile(t, DeadLeaves(3, 2, 1)), pngFile(t, DeadLeaves(3, 2, 2))
	sum := func(files map[string][]byte) string {
		t.Helper()
		s, err := open(t, tree(t, files), nil).Checksum(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := sum(map[string][]byte{"a.png": one, "b.png": two})
	if b := sum(map[string][]byte{"a.png": one, "b.png": two, "c.txt": nil}); a != b {
		t.Error("the same pictures have another checksum")
	}
	if b := sum(map[string][]byte{"a.png": two, "b.png": one}); a == b {
		t.Error("swapped pictures have the same checksum")
	}
	if b := sum(map[string][]byte{"a.png": one, "c.png": two}); a == b {
		t.Error("another name has the same checksum")
	}
	c := open(t, tree(t, map[string][]byte{"a.png": one, "b.png": one[:40]}), nil)
	if _, err := c.Checksum(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "b.png: ") {
		t.Errorf("broken picture: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Checksum(ctx); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

func TestHash(t *testing.T) {
	hash := func(m image.Image) string {
		t.Helper()
		s, err := Hash(m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	leaves := DeadLeaves(7, 5, 1)
	want := hash(leaves)
	// The same picture by way of two formats.
	for _, ext := range []string{".png", ".tif", ".bmp", ".ppm", ".pam"} {
		var b bytes.Buffer
		if _, err := Write(&b, &Picture{Image: leaves}, ext); err != nil {
			t.Fatal(err)
		}
		p, err := Read(&b, codec.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got := hash(p.Image); got != want {
			t.Errorf("%s, a %T: another hash", ext, p.Image)
		}
	}
	// As a part of another.
	large := image.NewRGBA(image.Rect(-3, -4, 20, 20))
	draw.Draw(large, image.Rect(2, 1, 9, 6), leaves, image.Point{}, draw.Src)
	if got := hash(large.SubImage(image.Rect(2, 1, 9, 6))); got != want {
		t.Error("a sub-image has another hash")
	}
	// Pictures that differ in one thing.
	gray := image.NewGray(image.Rect(0, 0, 6, 4))
	gray16 := image.NewGray16(gray.Rect)
	clear := image.NewNRGBA(gray.Rect)
	seen := make(map[string]string)
	for name, m := range map[string]image.Image{
		"gray": gray, "gray16": gray16, "alpha": image.NewAlpha(gray.Rect), "turned": image.NewGray(image.Rect(0, 0, 4, 6)),
		"clear": clear, "premultiplied": image.NewRGBA(gray.Rect), "leaves": leaves, "420": image.NewYCbCr(gray.Rect, image.YCbCrSubsampleRatio420),
		"440":   image.NewYCbCr(image.Rect(0, 0, 6, 4), image.YCbCrSubsampleRatio440),
		"black": image.NewPaletted(gray.Rect, color.Palette{color.Black}), "white": image.NewPaletted(gray.Rect, color.Palette{color.White}),
		"dot": &image.Gray{Pix: append(make([]byte, 23), 1), Stride: 6, Rect: gray.Rect},
	} {
		h := hash(m)
		if len(h) != 64 || seen[h] != "" {
			t.Errorf("%s has the hash of %s", name, seen[h])
		}
		seen[h] = name
	}
	// printf 'Gray 2 1 16 opaque=false YCbCrSubsampleRatio444\n\001\002\377\376' | sha256sum
	deep := &image.Gray16{Pix: []byte{1, 2, 0xff, 0xfe}, Stride: 4, Rect: image.Rect(0, 0, 2, 1)}
	if got, want := hash(deep), "f5dbf982ba5a3bbb76f8802915711fc28cd463aaa7433af832246e2c6da44501"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	if _, err := Hash(image.NewGray(image.Rectangle{})); err == nil {
		t.Error("hash of nothing")
	}
}

// TestFlatMemory checks that a corpus does not hold on to what it has read.
func TestFlatMemory(t *testing.T) {
	const size = 512
	big := make(map[string][]byte)
	for i := range 40 {
		big[fmt.Sprintf("%02d.png", i)] = pngFile(t, image.NewGray(image.Rect(0, 0, size, size)))
	}
	big["idx"] = makeIDX(40, size, size)
	c := open(t, tree(t, big), nil)
	clear(big)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range c.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%20 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 8*size*size {
				t.Errorf("after %d pictures of %d bytes the heap has grown by %d", n, size*size, grown)
			}
		}
	}
	if n != 80 {
		t.Errorf("%d pictures", n)
	}
}
