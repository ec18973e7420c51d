package dataset

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// makeVideo has ffmpeg code frames of noise without loss and returns the video and
// the header of the frames. It skips the test without ffmpeg.
func makeVideo(t testing.TB, ext string, frames int) (string, Y4MHeader) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: ffmpeg is not installed")
	}
	h := Y4MHeader{Width: 34, Height: 18, RateNum: 10, RateDen: 1, AspectNum: 1, AspectDen: 1, Interlacing: 'p', Chroma: Chroma444}
	path := filepath.Join(t.TempDir(), "film"+ext)
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-c:v", "ffv1", "-level", "3", "-slicecrc", "1", path)
	cmd.Stdin = bytes.NewReader(writeClip(t, h, frames))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return path, h
}

func TestOpenClip(t *testing.T) {
	h := smallClip
	b := writeClip(t, h, 4)
	o := DefaultOptions()
	o.Stdin = bytes.NewReader(b)
	video, vh := makeVideo(t, ".mkv", 4)
	for path, want := range map[string]Y4MHeader{writeFile(t, "clip", b): h, "-": h, video: vh} {
		c, err := OpenClip(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if c.Header() != want {
			t.Errorf("%s: header %+v, want %+v", path, c.Header(), want)
		}
		for i := range 4 {
			if i == 2 {
				if err := c.Skip(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			f, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(f, noiseFrame(want, uint64(i))) {
				t.Errorf("%s: another frame %d", path, i)
			}
		}
		for range 2 {
			if _, err := c.Next(); err != io.EOF {
				t.Errorf("%s: after the last frame: %v", path, err)
			}
			if err := c.Skip(); err != io.EOF {
				t.Errorf("%s: after the last frame: %v", path, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenClipRefuses(t *testing.T) {
	text := writeFile(t, "a.txt", []byte("text"))
	for path, message := range map[string]string{
		writeFile(t, "a.png", pngFile(t, DeadLeaves(2, 2, 1))): "not a video",
		writeFile(t, "a", makeIDX(1, 2, 2)):                    "not a video",
		writeFile(t, "a.y4m", []byte(y4mMagic+"W0 H1\n")):      "0 x 1",
		text + "x":         "no such file",
		filepath.Dir(text): "is a folder",
		"-":                "no standard input",
	} {
		if _, err := OpenClip(path, nil); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v, want %s", path, err, message)
		}
	}
	if _, err := OpenClip(text, &Options{}); err == nil {
		t.Error("zero options")
	}
	t.Setenv("PATH", "")
	if _, err := OpenClip(text, nil); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "install") {
		t.Errorf("without ffmpeg: %v", err)
	}
}

func TestVideoErrors(t *testing.T) {
	video, _ := makeVideo(t, ".avi", 30)
	// What is no video, but is called one.
	if _, err := OpenClip(writeFile(t, "a.mp4", []byte("text")), nil); err == nil || !strings.Contains(err.Error(), "ffmpeg: ") {
		t.Error(err)
	}
	// A frame that is too large ends ffmpeg.
	o := DefaultOptions()
	o.Limits.MaxPixels = 34*18 - 1
	if _, err := OpenClip(video, o); !errors.Is(err, codec.ErrTooLarge) {
		t.Error(err)
	}
	// 10 bits.
	deep := filepath.Join(t.TempDir(), "deep.mkv")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-i", video, "-c:v", "ffv1", "-pix_fmt", "yuv420p10le", deep).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := OpenClip(deep, nil); err == nil || !strings.Contains(err.Error(), "10 bits") {
		t.Error(err)
	}
	// A damaged frame is complained of after all frames, whatever ffmpeg makes of it.
	b, err := os.ReadFile(video)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		b[len(b)/2+i] ^= 0x55
	}
	c := open(t, writeFile(t, "damaged.avi", b), nil)
	var failed error
	for e, err := range c.All(context.Background()) {
		if failed != nil {
			t.Errorf("%s comes after an error", e.Name)
		}
		failed = err
	}
	if failed == nil || !strings.Contains(failed.Error(), "ffmpeg: ") {
		t.Errorf("damage: %v", failed)
	}
}

// TestVideoInFolder counts on past videos whose length is not known.
func TestVideoInFolder(t *testing.T) {
	video, h := makeVideo(t, ".mkv", 5)
	b, err := os.ReadFile(video)
	if err != nil {
		t.Fatal(err)
	}
	one := pngFile(t, DeadLeaves(2, 2, 1))
	c := open(t, tree(t, map[string][]byte{"a.png": one, "b": b, "c.png": one, "d.mov": b[:40], "e.png": one}), nil)
	if c.Len() != -1 {
		t.Errorf("Len %d", c.Len())
	}
	want := []string{"0 a.png", "1 b#0000", "2 b#0001", "3 b#0002", "4 b#0003", "5 b#0004", "6 c.png", "7 d.mov#0000 !", "8 e.png"}
	if got := list(t, c); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for n := 2; n < 5; n++ {
		for i := 1; i <= n; i++ {
			s, err := c.Shard(i, n)
			if err != nil {
				t.Fatal(err)
			}
			var part []string
			for j := i - 1; j < len(want); j += n {
				part = append(part, want[j])
			}
			if got := list(t, s); !slices.Equal(got, part) {
				t.Errorf("shard %d of %d: %q, want %q", i, n, got, part)
			}
		}
	}
	for e := range c.All(context.Background()) {
		if e.Index == 3 && !reflect.DeepEqual(e.Picture.Image, any(noiseFrame(h, 2).RGB())) {
			t.Error("another frame")
		}
	}
}

// TestNoFFmpegLeft leaves films in the middle in all ways there are and looks for
// children of this process.
func TestNoFFmpegLeft(t *testing.T) {
	children := func() string {
		var all []byte
		tasks, _ := filepath.Glob("/proc/self/task/*/children")
		for _, task := range tasks {
			b, _ := os.ReadFile(task)
			all = append(all, b...)
		}
		return strings.TrimSpace(string(all))
	}
	video, _ := makeVideo(t, ".mkv", 500)
	c, err := OpenClip(video, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	if children() == "" {
		t.Skip("SKIPPED: there is no /proc that lists children")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Next(); err == nil {
		// What was buffered may still come, but not all of it.
		for range 500 {
			if _, err = c.Next(); err != nil {
				break
			}
		}
		if err == nil || err == io.EOF {
			t.Errorf("after Close: %v", err)
		}
	}
	corpus := open(t, video, nil)
	for range corpus.All(context.Background()) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for _, err := range corpus.All(ctx) {
		last = err
		cancel()
	}
	if last != context.Canceled {
		t.Errorf("cancelled: %v", last)
	}
	if left := children(); left != "" {
		t.Errorf("processes %s are left", left)
	}
}

func TestSniff(t *testing.T) {
	ts := make([]byte, 400)
	ts[0], ts[188], ts[376] = 'G', 'G', 'G'
	m2ts := make([]byte, 400)
	m2ts[4], m2ts[196], m2ts[388] = 'G', 'G', 'G'
	for _, c := range []struct {
		name, b string
		want    kind
	}{
		{"a", "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", kindVideo},
		{"a", "\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00", kindVideo},
		{"a.mp4", "\x00\x00\x00\x1cftypavif", kindUnknown},
		{"a.heic", "\x00\x00\x00\x1cftypheic", kindUnknown},
		{"a.m4a", "\x00\x00\x00\x1cftypM4A ", kindUnknown},
		{"a", "\x1a\x45\xdf\xa3....", kindVideo},
		{"a", "RIFF1234AVI LIST", kindVideo},
		{"a", "RIFF1234WEBPVP8 ", kindPicture},
		{"a", "RIFF1234WAVEfmt ", kindUnknown},
		{"a", string(ts), kindVideo},
		{"a", string(m2ts), kindVideo},
		{"a.ts", "const x = 1", kindUnknown},
		{"a.MOV", "????wide", kindVideo},
		{"a.mp4", "", kindVideo},
		{"a.txt", "the wide sea", kindUnknown},
		{"a", "YUV4MPEG2 W1 H1\n", kindY4M},
		{"a.y4m", "YUV4MPEG1 W1 H1\n", kindUnknown},
		{"a", "P6 1 1 255 abc", kindPicture},
		{"a", "P6#", kindPicture},
		{"a", "P6MA", kindUnknown},
		{"a", "%PDF-1.7", kindPDF},
		{"a", "\x00\x00\x08\x01....", kindLabels},
		{"a", "\x00\x00\x08\x03....", kindIDX},
		{"a", "\x00\x00\x08\x00....", kindUnknown},
		{"a.ico", "\x00\x00\x01\x00\x01\x00", kindUnknown},
	} {
		if got := sniff(c.name, []byte(c.b)); got != c.want {
			t.Errorf("%s with %.20q: kind %d, want %d", c.name, c.b, got, c.want)
		}
	}
}
