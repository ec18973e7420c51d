package dataset

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/burin-codec/burin/codec"
)

var update = flag.Bool("update", false, "make the WebP files in testdata anew with cwebp and dwebp")

// dataDir returns the folder of test pictures that lies beside the repository
// or that $BURIN_DATA names. It skips the test without one.
func dataDir(t testing.TB) string {
	if dir := os.Getenv("BURIN_DATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if info, err := os.Stat(data); err == nil && info.IsDir() {
			return data
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("SKIPPED: no shared/data beside the repository and no $BURIN_DATA: the sample pictures are not read")
		}
		dir = up
	}
}

func read(t testing.TB, name string) *Picture {
	t.Helper()
	p, err := ReadFile(name, codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// maxDiff returns the largest difference of any channel of two 8-bit images.
func maxDiff(a, b image.Image) int {
	if a.Bounds().Size() != b.Bounds().Size() {
		return 256
	}
	most := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			c := color.NRGBAModel.Convert(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y)).(color.NRGBA)
			d := color.NRGBAModel.Convert(b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y)).(color.NRGBA)
			for _, v := range []int{int(c.R) - int(d.R), int(c.G) - int(d.G), int(c.B) - int(d.B), int(c.A) - int(d.A)} {
				most = max(most, v, -v)
			}
		}
	}
	return most
}

// The sizes of the WebP files in testdata: chroma that ends on all kinds of
// edge.
var webpSizes = []image.Point{{1, 1}, {2, 2}, {33, 20}, {16, 17}}

// TestWebPMatchesDwebp compares with what dwebp made of the same file.
func TestWebPMatchesDwebp(t *testing.T) {
	if *update {
		makeWebP(t)
	}
	for _, size := range webpSizes {
		for _, kind := range []string{"lossy", "alpha", "lossless"} {
			name := filepath.Join("testdata", fmt.Sprintf("%dx%d-%s", size.X, size.Y, kind))
			got, want := read(t, name+".webp"), read(t, name+".png")
			if d := maxDiff(got.Image, want.Image); d != 0 {
				t.Errorf("%s: differs by up to %d from dwebp", name, d)
			}
		}
	}
}

func makeWebP(t *testing.T) {
	for i, size := range webpSizes {
		m := DeadLeaves(size.X, size.Y, uint64(i))
		for _, kind := range []string{"lossy", "alpha", "lossless"} {
			if kind != "lossy" {
				for j := 3; j < len(m.Pix); j += 4 {
					m.Pix[j] = uint8(7 * j)
				}
			}
			name := filepath.Join("testdata", fmt.Sprintf("%dx%d-%s", size.X, size.Y, kind))
			source := filepath.Join(t.TempDir(), "source.png")
			f, err := os.Create(source)
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, m); err != nil {
				t.Fatal(err)
			}
			f.Close()
			args := []string{"-quiet", "-q", "60", "-exact", source, "-o", name + ".webp"}
			if kind == "lossless" {
				args = append([]string{"-lossless"}, args...)
			}
			for _, cmd := range []*exec.Cmd{
				exec.Command("cwebp", args...),
				exec.Command("dwebp", "-quiet", "-nodither", name+".webp", "-o", name+".png"),
			} {
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", cmd, err, out)
				}
			}
		}
	}
}

// TestWebPMatchesDwebpOnPhotos does the same live on larger files.
func TestWebPMatchesDwebpOnPhotos(t *testing.T) {
	data := dataDir(t)
	if _, err := exec.LookPath("dwebp"); err != nil {
		t.Skip("SKIPPED: dwebp is not installed")
	}
	for _, name := range []string{"flower.webp", "hopper.webp", "gen_basketball_lossless.webp", "transparent.webp"} {
		name = filepath.Join(data, "odd", name)
		want := filepath.Join(t.TempDir(), "want.png")
		if out, err := exec.Command("dwebp", "-quiet", "-nodither", name, "-o", want).CombinedOutput(); err != nil {
			t.Fatalf("dwebp %s: %v\n%s", name, err, out)
		}
		if d := maxDiff(read(t, name).Image, read(t, want).Image); d != 0 {
			t.Errorf("%s: differs by up to %d from dwebp", name, d)
		}
	}
}

// TestOddPictures reads every odd picture there is. Files that are refused are
// listed, so that one more refusal is noticed.
func TestOddPictures(t *testing.T) {
	data := dataDir(t)
	refused := map[string]string{
		"bimg_test.avif": "unknown", "hopper.ico": "unknown", "hopper.psd": "unknown",
		"hopper_rle8.bmp": "bmp", "rgb32bf-rgba.bmp": "bmp",
		"tiff_strip_cmyk_jpeg.tif": "tiff",
	}
	n := 0
	err := filepath.WalkDir(filepath.Join(data, "odd"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(d.Name(), "LICENSE") || strings.HasSuffix(d.Name(), "README") {
			return err
		}
		// PngSuite's files that begin with x are broken on purpose.
		broken := strings.HasPrefix(d.Name(), "x") && strings.Contains(path, "pngsuite")
		p, err := ReadFile(path, codec.DefaultLimits())
		_, bad := refused[d.Name()]
		if (err != nil) != (bad || broken) {
			t.Errorf("%s: %v", d.Name(), err)
		}
		if err != nil {
			t.Logf("refused: %v", err)
			return nil
		}
		n++
		if p.Orientation < 1 || p.Orientation > 8 || p.Image.Bounds().Empty() {
			t.Errorf("%s: %+v", d.Name(), p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pictures", n)
}

func TestMetadataOfOddPictures(t *testing.T) {
	data := filepath.Join(dataDir(t), "odd")
	for i := 2; i <= 8; i++ {
		if p := read(t, filepath.Join(data, fmt.Sprintf("hopper_orientation_%d.jpg", i))); p.Orientation != i {
			t.Errorf("orientation %d, want %d", p.Orientation, i)
		}
	}
	for _, c := range []struct {
		name string
		get  func(p *Picture) []byte
		sign string
		at   int
	}{
		{"hopper_orientation_6.webp", func(p *Picture) []byte { return p.Metadata.EXIF }, "", 0},
		{"pizza-rgb8-adobergb.jpg", func(p *Picture) []byte { return p.Metadata.ICC }, "acsp", 36},
		{"pizza-rgb8-srgb.png", func(p *Picture) []byte { return p.Metadata.ICC }, "acsp", 36},
		{"icc_profile.png", func(p *Picture) []byte { return p.Metadata.ICC }, "acsp", 36},
		{"exif_gps.jpg", func(p *Picture) []byte { return p.Metadata.EXIF }, "", 0},
		{"exif.png", func(p *Picture) []byte { return p.Metadata.EXIF }, "", 0},
	} {
		p := read(t, filepath.Join(data, c.name))
		b := c.get(p)
		if len(b) < c.at+8 || !bytes.HasPrefix(b[c.at:], []byte(c.sign)) {
			t.Errorf("%s: %d bytes of metadata", c.name, len(b))
		}
	}
	for _, name := range []string{"multipage.tiff", "iss634.webp", "iss634.apng", "dispose_bgnd_rgba.gif"} {
		if !read(t, filepath.Join(data, name)).More {
			t.Errorf("%s: taken for a single picture", name)
		}
	}
	if p := read(t, filepath.Join(data, "hopper_orientation_6.webp")); p.Orientation != 6 {
		t.Errorf("WebP: orientation %d", p.Orientation)
	}
}

var fullMetadata = codec.Metadata{
	ICC:  bytes.Repeat([]byte("profile"), 20000), // more than one JPEG segment
	EXIF: orientationEXIF(6),
	XMP:  []byte("<x:xmpmeta>\x00</x:xmpmeta>"),
}

func TestPNGKeepsMetadata(t *testing.T) {
	var b bytes.Buffer
	p := &Picture{Image: DeadLeaves(9, 7, 1), Metadata: fullMetadata, Orientation: 6}
	if notes, err := Write(&b, p, ".png"); err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	got, err := Read(&b, codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Metadata, p.Metadata) || got.Orientation != 6 {
		t.Error("the metadata came back changed")
	}
	if maxDiff(got.Image, p.Image) != 0 {
		t.Error("the picture came back changed")
	}
	// An orientation without EXIF to hold it.
	b.Reset()
	if _, err := Write(&b, &Picture{Image: p.Image, Orientation: 8}, ".png"); err != nil {
		t.Fatal(err)
	}
	if got, err = Read(&b, codec.DefaultLimits()); err != nil || got.Orientation != 8 {
		t.Errorf("orientation %d, %v", got.Orientation, err)
	}
}

func TestJPEGMetadata(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, DeadLeaves(9, 7, 1), nil); err != nil {
		t.Fatal(err)
	}
	segment := func(marker byte, parts ...string) string {
		data := strings.Join(parts, "")
		n := len(data) + 2
		return string([]byte{0xff, marker, byte(n >> 8), byte(n)}) + data
	}
	half := len(fullMetadata.ICC) / 3
	icc := string(fullMetadata.ICC)
	exif := string(fullMetadata.EXIF)
	file := b.String()[:2] +
		segment(0xe2, prefixICC, "\x02\x03", icc[half:2*half]) +
		segment(0xe1, prefixEXIF, exif) +
		"\xff" + segment(0xe2, prefixICC, "\x01\x03", icc[:half]) +
		segment(0xe1, prefixEXIF, "second") +
		segment(0xe1, prefixXMP, string(fullMetadata.XMP)) +
		segment(0xe2, prefixICC, "\x03\x03", icc[2*half:]) +
		b.String()[2:]
	p, err := Read(strings.NewReader(file), codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Metadata, fullMetadata) || p.Orientation != 6 {
		t.Errorf("metadata of %d, %d and %d bytes, orientation %d", len(p.Metadata.ICC), len(p.Metadata.EXIF), len(p.Metadata.XMP), p.Orientation)
	}
	if _, ok := p.Image.(*image.YCbCr); !ok {
		t.Errorf("image of type %T", p.Image)
	}
}

func TestLimits(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 100, 50))); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(l *codec.Limits){
		"pixels":  func(l *codec.Limits) { l.MaxPixels = 4999 },
		"picture": func(l *codec.Limits) { l.MaxBytes = 4999 },
		"file":    func(l *codec.Limits) { l.MaxBytes = 20 },
	} {
		l := codec.DefaultLimits()
		change(&l)
		if _, err := Read(bytes.NewReader(b.Bytes()), l); !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := codec.DefaultLimits()
	l.MaxPixels, l.MaxBytes = 5000, 5000
	if _, err := Read(bytes.NewReader(b.Bytes()), l); err != nil {
		t.Error(err)
	}
	if _, err := Read(strings.NewReader("neither"), l); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestGIFFrameSmallerThanScreen(t *testing.T) {
	palette := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{200, 100, 0, 255}}
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), palette)
	frame.Pix[0] = 1
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{frame, frame}, Delay: []int{0, 0},
		Config: image.Config{ColorModel: palette, Width: 6, Height: 5},
	}); err != nil {
		t.Fatal(err)
	}
	p, err := Read(&b, codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	m := p.Image
	if m.Bounds() != image.Rect(0, 0, 6, 5) || m.At(2, 1) != (color.NRGBA{200, 100, 0, 255}) || m.At(0, 0) != (color.NRGBA{}) {
		t.Errorf("bounds %v, colours %v and %v", m.Bounds(), m.At(2, 1), m.At(0, 0))
	}
	if !p.More {
		t.Error("the second frame goes unnoticed")
	}
}

func TestTIFFRefusals(t *testing.T) {
	var b bytes.Buffer
	if err := tiff.Encode(&b, DeadLeaves(5, 4, 1), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(b.Bytes()), codec.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	// What package tiff would decode to something else than the picture.
	file := b.Bytes()
	d := parseTIFF(file)
	for e := d.ifd; len(e) > 0; e = e[12:] {
		if d.order.Uint16(e) == 296 { // resolution unit, to planar configuration
			d.order.PutUint16(e, tagPlanar)
			d.order.PutUint16(e[8:], 2)
		}
	}
	if _, err := Read(bytes.NewReader(file), codec.DefaultLimits()); err == nil || !strings.Contains(err.Error(), "planes") {
		t.Errorf("separate planes: %v", err)
	}
}

func TestDeadLeaves(t *testing.T) {
	m := DeadLeaves(120, 80, 7)
	if sum := crc32.ChecksumIEEE(m.Pix); sum != 0xb54045b0 {
		t.Errorf("checksum %#08x: the same seed now gives another picture", sum)
	}
	if !m.Opaque() {
		t.Error("not opaque")
	}
	if bytes.Equal(m.Pix, DeadLeaves(120, 80, 8).Pix) {
		t.Error("the seed makes no difference")
	}
	for _, size := range []image.Point{{1, 1}, {1, 50}, {50, 1}} {
		if got := DeadLeaves(size.X, size.Y, 1).Bounds().Max; got != size {
			t.Errorf("size %v, want %v", got, size)
		}
	}
}
