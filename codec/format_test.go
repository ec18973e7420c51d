package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "write the golden file of the current format version anew")

var testMetadata = Metadata{
	ICC:  bytes.Repeat([]byte("profile "), 60),
	EXIF: []byte("II*\x00\x08\x00\x00\x00\x00\x00"),
	XMP:  []byte("<x:xmpmeta/>"),
}

// testFile returns a small file with all that there is in one, and its picture.
func testFile(t testing.TB) ([]byte, image.Image) {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 5, 11), testPalette)
	for i := range m.Pix {
		m.Pix[i] = byte(i * i % len(testPalette))
	}
	o := DefaultOptions()
	o.Orientation = 6
	meta := testMetadata
	o.Metadata = &meta
	var b bytes.Buffer
	if err := Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

// plainFile returns a file without metadata and its picture.
func plainFile(t testing.TB) ([]byte, image.Image) {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 6, 9))
	noise(1, m.Pix)
	var b bytes.Buffer
	if err := Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

func TestGolden(t *testing.T) {
	got, m := testFile(t)
	name := filepath.Join("testdata", "v1.burin")
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(bytes.NewReader(want), nil)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := d.Decode(context.Background())
	if err != nil || !reflect.DeepEqual(picture, m) {
		t.Errorf("the golden file decodes to another picture, %v", err)
	}
	if !reflect.DeepEqual(*d.Metadata(), testMetadata) {
		t.Errorf("metadata %q", *d.Metadata())
	}
	if h := d.Header(); h.Orientation != 6 || h.Codec != "raw" || h.CodecID != 255 || h.CodecVersion != 2 {
		t.Errorf("header %+v", h)
	}
	if d.Size() != int64(len(want)) {
		t.Errorf("%d bytes of %d read", d.Size(), len(want))
	}
	// Not the same bytes: how well deflate packs is not part of the format.
	headerSize := len(appendHeader(nil, d.header))
	if !bytes.Equal(got[:headerSize], want[:headerSize]) {
		t.Errorf("header\n%x, golden\n%x", got[:headerSize], want[:headerSize])
	}
}

func TestHeaderIsCompact(t *testing.T) {
	for _, m := range standardImages(image.Rect(0, 0, 4000, 3)) {
		src, err := NewSource(m)
		if err != nil {
			t.Fatal(err)
		}
		h := src.Header()
		h.CodecID, h.CodecVersion = 1, 1
		if n := len(appendHeader(nil, h)); n > 24 && h.Model != ModelPaletted {
			t.Errorf("%T: header of %d bytes", m, n)
		}
	}
}

func TestDecodeConfig(t *testing.T) {
	b, m := testFile(t)
	// The header is enough and no more than it is needed.
	cfg, format, err := image.DecodeConfig(bytes.NewReader(b[:100]))
	if err != nil || format != "burin" {
		t.Fatal(format, err)
	}
	if cfg.Width != 5 || cfg.Height != 11 || !reflect.DeepEqual(cfg.ColorModel, m.ColorModel()) {
		t.Errorf("%+v", cfg)
	}
	if got, _, err := image.Decode(bytes.NewReader(b)); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("image.Decode: %v", err)
	}
	for name, m := range standardImages(image.Rect(0, 0, 3, 2)) {
		src, err := NewSource(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Header().ColorModel(); !reflect.DeepEqual(got, m.ColorModel()) {
			t.Errorf("%s: another colour model", name)
		}
	}
}

func TestTruncation(t *testing.T) {
	b, _ := testFile(t)
	for n := range b {
		if _, err := Decode(bytes.NewReader(b[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

func TestBitFlips(t *testing.T) {
	for _, file := range []func(testing.TB) ([]byte, image.Image){testFile, plainFile} {
		b, m := file(t)
		for i := range 8 * len(b) {
			b[i/8] ^= 1 << (i % 8)
			got, err := Decode(bytes.NewReader(b))
			if err == nil && !reflect.DeepEqual(got, m) {
				t.Errorf("bit %d of byte %d: another picture", i%8, i/8)
			}
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestReaders(t *testing.T) {
	b, m := testFile(t)
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(b)),
		"data+err": iotest.DataErrReader(bytes.NewReader(b)),
	} {
		if got, err := Decode(r); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(b)))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("failing reader: %v", err)
	}
}

func TestWhatFollowsStaysUnread(t *testing.T) {
	b, m := testFile(t)
	r := bytes.NewReader(append(append(bytes.Clone(b), b...), "rest"...))
	for range 2 {
		if got, err := Decode(r); err != nil || !reflect.DeepEqual(got, m) {
			t.Fatal(err)
		}
	}
	if rest, _ := io.ReadAll(r); string(rest) != "rest" {
		t.Errorf("%d bytes are left", len(rest))
	}
}

// section returns the bytes of a section.
func section(kind string, mandatory bool, payload string) []byte {
	var b bytes.Buffer
	if err := (&SectionWriter{w: &b}).write(kind, mandatory, []byte(payload)); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// insert returns file with more put in after its header.
func insert(t testing.TB, file []byte, more ...[]byte) []byte {
	h, err := readHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	n := len(appendHeader(nil, h))
	return bytes.Join([][]byte{file[:n], bytes.Join(more, nil), file[n:]}, nil)
}

func TestUnknownSections(t *testing.T) {
	b, m := plainFile(t)
	optional, mandatory := section("ABCD", false, "anything"), section("ABCD", true, "")
	for name, file := range map[string][]byte{
		"first":      insert(t, b, optional),
		"in the end": bytes.Join([][]byte{b[:len(b)-EndSize], optional, b[len(b)-EndSize:]}, nil),
	} {
		if got, err := Decode(bytes.NewReader(file)); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("optional, %s: %v", name, err)
		}
	}
	var ue UnsupportedError
	if _, err := Decode(bytes.NewReader(insert(t, b, mandatory))); !errors.As(err, &ue) {
		t.Errorf("mandatory: %v", err)
	}
	broken := bytes.Clone(optional)
	broken[7] ^= 1
	if _, err := Decode(bytes.NewReader(insert(t, b, broken))); !errors.Is(err, ErrChecksum) {
		t.Errorf("broken optional: %v", err)
	}

	// Known to the codec, but more than there should be.
	var fe FormatError
	file := bytes.Join([][]byte{b[:len(b)-EndSize], section("RAWS", true, "x"), b[len(b)-EndSize:]}, nil)
	if _, err := Decode(bytes.NewReader(file)); !errors.As(err, &fe) {
		t.Errorf("left over: %v", err)
	}
}

func TestScan(t *testing.T) {
	b, _ := testFile(t)
	b = insert(t, b, section("ABCD", true, "unknown"))
	d, err := NewDecoder(bytes.NewReader(b), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Scan(context.Background()); err != nil {
		t.Fatal(err)
	}
	size := int64(len(appendHeader(nil, d.header)))
	var kinds []string
	for _, s := range d.Sections() {
		size += s.Size
		kinds = append(kinds, s.Kind)
	}
	if got := strings.Join(kinds, ","); got != "ABCD,ICCP,EXIF,XMP ,RAWS,RAWS,END " {
		t.Errorf("sections %s", got)
	}
	if size != int64(len(b)) || d.Size() != size {
		t.Errorf("sections add up to %d and %d of %d bytes", size, d.Size(), len(b))
	}
	if _, err := d.Decode(context.Background()); err == nil {
		t.Error("a second read succeeds")
	}
}

func TestMetadata(t *testing.T) {
	long := bytes.Repeat([]byte{1, 2, 3}, 1e5)
	random := make([]byte, 1e5)
	noise(1, random)
	for _, want := range [][]byte{nil, {0}, long, random} {
		o := DefaultOptions()
		o.Metadata = &Metadata{EXIF: want}
		var b bytes.Buffer
		if err := Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)), o); err != nil {
			t.Fatal(err)
		}
		if b.Len() > len(want)+100 {
			t.Errorf("%d bytes of metadata take %d", len(want), b.Len())
		}
		d, err := NewDecoder(&b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Metadata(); !bytes.Equal(got.EXIF, want) || got.ICC != nil || got.XMP != nil {
			t.Errorf("%d bytes of metadata came back as %d", len(want), len(got.EXIF))
		}
	}
	if err := Encode(io.Discard, image.NewGray(image.Rect(0, 0, 1, 1)), &Options{
		Effort: 1, Orientation: 1, Metadata: &Metadata{ICC: make([]byte, MaxMetadata+1)},
	}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large metadata: %v", err)
	}
}

func TestBadMetadata(t *testing.T) {
	b, _ := plainFile(t)
	icc := section("ICCP", false, "\x00profile")
	claim := func(size uint64) string {
		packed := packMetadata(make([]byte, 1000))
		_, n := binary.Uvarint(packed[1:])
		return "\x01" + string(binary.AppendUvarint(nil, size)) + string(packed[1+n:])
	}
	for name, file := range map[string][]byte{
		"two":        insert(t, b, icc, icc),
		"late":       bytes.Join([][]byte{b[:len(b)-EndSize], icc, b[len(b)-EndSize:]}, nil),
		"empty":      insert(t, b, section("ICCP", false, "")),
		"no data":    insert(t, b, section("ICCP", false, "\x00")),
		"no size":    insert(t, b, section("ICCP", false, "\x01")),
		"method":     insert(t, b, section("ICCP", false, "\x07profile")),
		"garbage":    insert(t, b, section("ICCP", false, "\x01\x05garbage")),
		"too short":  insert(t, b, section("ICCP", false, claim(1001))),
		"too long":   insert(t, b, section("ICCP", false, claim(999))),
		"far beyond": insert(t, b, section("ICCP", false, claim(1<<40))),
	} {
		if _, err := Decode(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLimits(t *testing.T) {
	b, _ := plainFile(t) // 6 x 9 NRGBA
	for name, c := range map[string]struct {
		change func(l *Limits)
		ok     bool
	}{
		"pixels":      {func(l *Limits) { l.MaxPixels = 54 }, true},
		"few pixels":  {func(l *Limits) { l.MaxPixels = 53 }, false},
		"bytes":       {func(l *Limits) { l.MaxBytes = int64(len(b)) }, true},
		"few bytes":   {func(l *Limits) { l.MaxBytes = 4*54 - 1 }, false},
		"small files": {func(l *Limits) { l.MaxBytes = 4*54 + 1 }, false},
	} {
		o := DefaultDecodeOptions()
		c.change(&o.Limits)
		d, err := NewDecoder(bytes.NewReader(b), o)
		if err == nil {
			_, err = d.Decode(context.Background())
		}
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLiesDoNotAllocate(t *testing.T) {
	huge := &Header{Width: MaxDimension, Height: MaxDimension, Model: ModelNRGBA, Depth: 16, Orientation: 1, CodecID: 255, CodecVersion: 1}
	small := &Header{Width: 1, Height: 1, Model: ModelNRGBA, Depth: 16, Orientation: 1, CodecID: 255, CodecVersion: 1}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"picture": {appendHeader(nil, huge), ErrTooLarge},
		"section": {append(appendHeader(nil, small), sectionHead("RAWS", true, 1<<29)...), io.ErrUnexpectedEOF},
		"skipped": {append(appendHeader(nil, small), sectionHead("ABCD", false, 1<<29)...), io.ErrUnexpectedEOF},
		"beyond":  {append(appendHeader(nil, small), sectionHead("RAWS", true, 1<<50)...), ErrTooLarge},
	} {
		var err error
		n := allocated(func() { _, err = Decode(bytes.NewReader(c.file)) })
		if !errors.Is(err, c.want) || n > 1<<20 {
			t.Errorf("%s: %v and %d bytes allocated", name, err, n)
		}
	}
}

func TestBadHeaders(t *testing.T) {
	good := func() *Header {
		return &Header{Width: 3, Height: 2, Model: ModelGray, Depth: 8, Orientation: 1, CodecID: 255, CodecVersion: 1}
	}
	for name, change := range map[string]func(h *Header){
		"no width":        func(h *Header) { h.Width = 0 },
		"no height":       func(h *Header) { h.Height = 0 },
		"wide":            func(h *Header) { h.Width = MaxDimension + 1 },
		"model 0":         func(h *Header) { h.Model = 0 },
		"model 9":         func(h *Header) { h.Model = 9 },
		"deep CMYK":       func(h *Header) { h.Model, h.Depth = ModelCMYK, 16 },
		"opaque gray":     func(h *Header) { h.Opaque = true },
		"subsampled gray": func(h *Header) { h.Subsample = image.YCbCrSubsampleRatio420 },
		"subsample 7":     func(h *Header) { h.Model, h.Subsample = ModelYCbCr, 7 },
		"no palette":      func(h *Header) { h.Model = ModelPaletted },
		"long palette": func(h *Header) {
			h.Model = ModelPaletted
			for range 257 {
				h.Palette = append(h.Palette, color.RGBA{})
			}
		},
		"codec 0":         func(h *Header) { h.CodecID = 0 },
		"codec version 0": func(h *Header) { h.CodecVersion = 0 },
	} {
		h := good()
		change(h)
		if _, err := DecodeConfig(bytes.NewReader(appendHeader(nil, h))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}

	var ue UnsupportedError
	newer := appendHeader(nil, good())
	newer[len(Magic)] = FormatVersion + 1
	if _, err := Decode(bytes.NewReader(newer)); !errors.As(err, &ue) {
		t.Errorf("newer format: %v", err)
	}
	h := good()
	h.CodecVersion = 3
	if _, err := Decode(bytes.NewReader(append(appendHeader(nil, h), section(kindEnd, true, "")...))); !errors.As(err, &ue) {
		t.Errorf("newer codec: %v", err)
	}
	h.CodecID = 254
	d, err := NewDecoder(bytes.NewReader(append(appendHeader(nil, h), section(kindEnd, true, "")...)), nil)
	if err != nil || d.Header().Codec != "" {
		t.Errorf("unknown codec: %v", err)
	} else if _, err := d.Decode(context.Background()); !errors.As(err, &ue) {
		t.Errorf("unknown codec: %v", err)
	}

	b, _ := plainFile(t)
	mangled := bytes.Replace(b, []byte("\r\n"), []byte("\n"), 1)
	if _, err := Decode(bytes.NewReader(mangled)); err == nil || !strings.Contains(err.Error(), "text mode") {
		t.Errorf("mangled by a text transfer: %v", err)
	}
}
