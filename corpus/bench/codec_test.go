package bench

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/burin-codec/burin/codec/lossless"
)

func TestParse(t *testing.T) {
	list, err := Parse([]string{"lossless:e3", "jpeg", "lossless", "png"}, []string{"jpeg=30/q50/7.5"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		curve string
		rates []string
		line  string
	}{
		{"lossless:e3", []string{""}, "burin encode --codec lossless --effort 3"},
		{"jpeg", []string{"q30", "q50", "q7.5"}, "jpeg.Encode quality 30"},
		{"lossless:e5", []string{""}, "burin encode --codec lossless --effort 5"},
		{"png", []string{""}, "png.Encoder BestCompression"},
	} {
		c := list[i]
		if c.Curve != want.curve || !slices.Equal(c.Rates, want.rates) || c.Command(c.Rates[0]) != want.line || c.Version == "" {
			t.Errorf("%q, rates %q, %q, version %q; want %+v", c.Curve, c.Rates, c.Command(c.Rates[0]), c.Version, want)
		}
	}
	if list, err = Parse([]string{"jpeg"}, []string{"12/34", "jpeg=5"}); err != nil || !slices.Equal(list[0].Rates, []string{"q5"}) {
		t.Errorf("%v, %v: of two entries the last does not hold", list[0].Rates, err)
	}
	for _, c := range []struct{ spec, rates, message string }{
		{"jpg", "", `no codec "jpg"`},
		{"", "", `no codec ""`},
		{"lossless:e0", "", "not within"},
		{"lossless:e10", "", "not within"},
		{"lossless:x", "", "unknown option"},
		{"png:e3", "", "unknown option"},
		{"jpeg", "jpeg=", "no number"},
		{"jpeg", "jpeg=5/x", "no number"},
		{"jpeg", "jpeg=5/q5", "twice"},
		{"jpeg", "webp=5", "no lossy codec"},
		{"png", "5", "no lossy codec"},
		{"png,png", "", "twice"},
	} {
		var rates []string
		if c.rates != "" {
			rates = []string{c.rates}
		}
		if _, err := Parse(strings.Split(c.spec, ","), rates); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%q, rates %q: error %v, want %q", c.spec, c.rates, err, c.message)
		}
	}
	if lines := Families(); len(lines) < 8 || !strings.HasPrefix(lines[0], "lossless") {
		t.Errorf("%q", lines)
	}
}

// TestParsePeers checks the flags that programs get; none of them is run.
func TestParsePeers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"avifenc", "avifdec", "cwebp", "dwebp", "cjxl", "djxl", "EncoderApp", "DecoderApp"} {
		script(t, dir, name, "echo version 1.2.3 of $0 | sed s:/.*/::")
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("VTM_CFG", "intra.cfg")
	versions.Clear()
	t.Cleanup(versions.Clear)
	for spec, want := range map[string][2]string{
		"avif":             {"avif:s6:444:ssim", "avifenc -c aom -s 6 -j 1 -y 444 --min 0 --max 63 -a end-usage=q -a cq-level=30 -a tune=ssim IN OUT"},
		"avif:psnr:420:s3": {"avif:s3:420:psnr", "avifenc -c aom -s 3 -j 1 -y 420 --min 0 --max 63 -a end-usage=q -a cq-level=30 -a tune=psnr IN OUT"},
		"webp:m4:sharp":    {"webp:m4:sharp", "cwebp -quiet -m 4 -q 30 IN -o OUT -sharp_yuv"},
		"webp:lossless:z9": {"webp:lossless:z9", "cwebp -quiet -lossless -exact -z 9 IN -o OUT"},
		"jxl":              {"jxl:e7", "cjxl IN OUT -d 30 -e 7 --num_threads=0"},
		"jxl:e9:lossless":  {"jxl:lossless:e9", "cjxl IN OUT -d 0 -e 9 --num_threads=0"},
		"vtm":              {"vtm", "EncoderApp -c intra.cfg -i IN -b OUT -o /dev/null -q 30 -f 1 -fr 1 -wdt W -hgt H --InputBitDepth=8 --OutputBitDepth=8 --InputChromaFormat=444 --ChromaFormatIDC=444 --ConformanceWindowMode=1"},
	} {
		list, err := Parse([]string{spec}, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		unit, _ := splitRate(list[0].Rates[0])
		if c := list[0]; c.Curve != want[0] || c.Command(unit+"30") != want[1] {
			t.Errorf("%s: curve %q, %s", spec, c.Curve, c.Command(unit+"30"))
		}
		if !strings.Contains(list[0].Version, "1.2.3") {
			t.Errorf("%s: version %q", spec, list[0].Version)
		}
	}

	t.Setenv("PATH", t.TempDir())
	for _, spec := range []string{"jpegturbo", "webp", "avif", "jxl", "x265", "heif", "vtm", "optipng"} {
		if _, err := Parse([]string{spec}, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
