package bench

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

// script writes a program in the language of the shell.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no shell scripts here")
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}

func input(t *testing.T, m image.Image) *Input {
	t.Helper()
	in, err := newInput(m, filepath.Join(t.TempDir(), "in"))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestInput(t *testing.T) {
	opaque := dataset.DeadLeaves(5, 4, 1)
	clear := dataset.DeadLeaves(5, 4, 1)
	clear.Pix[3] = 0
	palette := image.NewPaletted(image.Rect(3, 3, 8, 7), color.Palette{color.Gray{7}, color.NRGBA{1, 2, 3, 255}})
	for _, c := range []struct {
		m             image.Image
		planes, depth int
		pnm           bool
	}{
		{opaque, 3, 8, true},
		{clear, 4, 8, false},
		{palette, 3, 8, true},
		{image.NewGray(image.Rect(0, 0, 5, 4)), 1, 8, true},
		{image.NewGray16(image.Rect(0, 0, 5, 4)), 1, 16, false},
		{image.NewYCbCr(image.Rect(1, 1, 6, 5), image.YCbCrSubsampleRatio420), 3, 8, true},
		{image.NewCMYK(image.Rect(0, 0, 5, 4)), 3, 8, true},
	} {
		in := input(t, c.m)
		if in.Planes != c.planes || in.Depth != c.depth {
			t.Errorf("%T: %d planes of %d bits", c.m, in.Planes, in.Depth)
		}
		sources := []func() (string, error){in.PNG}
		if c.pnm {
			sources = append(sources, in.PNM)
		} else if _, err := in.PNM(); err == nil {
			t.Errorf("%T: no error for PNM", c.m)
		}
		for _, f := range sources {
			name, err := f()
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := readImage(filepath.Join(in.dir, "folder", name))
			if err != nil {
				t.Error(err)
				continue
			}
			v, err := metric.Compare(in.Image, got, 0)
			if err != nil || v["mse"] != 0 || v["alpha_mse"] != 0 {
				t.Errorf("%T as %s: %v %v", c.m, name, v, err)
			}
		}
	}
}

// TestYUV checks that the way to raw planes and back is what it must be: exact for
// gray, within rounding for 4:4:4 and for smooth chroma in 4:2:0.
func TestYUV(t *testing.T) {
	const w, h = 33, 17 // odd
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(7 * x), uint8(100 + 5*y), uint8(255 - 3*x - 2*y), 255})
		}
	}
	for _, c := range []struct {
		chroma string
		worst  float64
	}{{chroma444, 1.5}, {chroma420, 14}} {
		in := input(t, m)
		name, pw, ph, err := in.YUV(c.chroma)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(in.dir, "folder", name)
		got, err := in.readYUV(path, c.chroma, pw, ph)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, v := range got.(*image.NRGBA).Pix {
			worst = max(worst, math.Abs(float64(v)-float64(m.Pix[i])))
		}
		if worst > c.worst || got.Bounds() != m.Rect {
			t.Errorf("%s: off by up to %v, %v", c.chroma, worst, got.Bounds())
		}
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := in.readYUV(path, c.chroma, pw, ph); err == nil {
			t.Errorf("%s: no error for a short file", c.chroma)
		}
	}
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	// Long enough to be looked at, also where it shares its one CPU with this process and others.
	busy := script(t, dir, "busy", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	u, err := process(t.Context(), dir, []string{busy})
	if err != nil || u.CPU <= 0 || u.Wall <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if runtime.GOOS == "linux" && (u.Memory < 1<<16 || u.Memory > 1<<28) {
		t.Errorf("%d bytes of memory", u.Memory)
	}
	bad := script(t, dir, "bad", "echo much >&2; echo broken >&2; exit 3")
	if _, err := process(t.Context(), dir, []string{bad}); err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "broken") {
		t.Error(err)
	}
	chatty := script(t, dir, "chatty", "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i; done; exit 1")
	if _, err := process(t.Context(), dir, []string{chatty}); err == nil || len(err.Error()) > maxMessage+100 || !strings.Contains(err.Error(), "line 1000") {
		t.Error(err)
	}
	// A program that waits is killed, and so is its child, which holds the pipe.
	waits := script(t, dir, "waits", "sleep 100 & wait")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errTimeout)
	defer cancel()
	start := time.Now()
	if _, err := process(ctx, dir, []string{waits}); !errors.Is(err, errTimeout) || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// TestProgram runs a codec that copies, and ones that fail.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	copies := script(t, dir, "copies", `cp "$1" "$2"`)
	silent := script(t, dir, "silent", "")
	garbage := script(t, dir, "garbage", `echo garbage > "$2"`)
	other := dataset.DeadLeaves(6, 4, 1)
	for _, c := range []struct {
		encoder, decoder, message string
	}{
		{copies, copies, ""},
		{silent, copies, "no file came out"},
		{copies, silent, "no such file"},
		{copies, garbage, "unknown picture format"},
	} {
		p := program{
			encoder: []string{c.encoder, "IN", "OUT", "RATE"}, decoder: []string{c.decoder, "IN", "OUT"},
			file: "coded.png", decoded: "decoded.png", png: true, unit: "q", version: "1",
		}
		k, err := p.codec("copy")
		if err != nil {
			t.Fatal(err)
		}
		in := input(t, other)
		for range 2 { // a program may run on the same picture twice
			out, err := k.Code(t.Context(), in, "q5")
			if c.message != "" {
				if err == nil || !strings.Contains(err.Error(), c.message) {
					t.Errorf("%+v: %v", c, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := same(other, out.Decoded); err != nil || out.Bytes == 0 {
				t.Errorf("%d bytes, %v", out.Bytes, err)
			}
		}
		if _, err := k.Code(t.Context(), in, "d5"); err == nil {
			t.Error("no error for a rate in another unit")
		}
	}
}

// TestInstalledPeers codes a picture with every program there is. Wrong colours,
// such as those of the other range, cost more than what is allowed.
func TestInstalledPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: programs are not run with -short")
	}
	m := dataset.DeadLeaves(191, 129, 3)
	for _, c := range []struct {
		spec, rate string
		psnr       float64 // at least; 0: exact
	}{
		{"lossless:e1", "", 0},
		{"png", "", 0},
		{"jpeg", "q95", 27},
		{"jpegturbo:444", "q95", 36},
		{"jpegturbo:420", "q95", 27},
		{"webp", "q95", 27},
		{"webp:lossless", "", 0},
		{"avif", "cq12", 38},
		{"jxl", "d0.5", 36},
		{"jxl:lossless:e3", "", 0},
		{"x265", "qp19", 38},
		{"x265:420", "qp19", 27},
		{"heif", "q80", 34},
		{"optipng", "", 0},
	} {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			list, err := Parse([]string{c.spec}, nil)
			if errors.Is(err, ErrNotFound) {
				t.Skipf("SKIPPED: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			k := list[0]
			if !strings.ContainsAny(k.Version, "0123456789") {
				t.Errorf("version %q", k.Version)
			}
			out, err := k.Code(t.Context(), input(t, m), c.rate)
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("%v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			v, err := metric.Compare(m, out.Decoded, 0)
			if err != nil {
				t.Fatal(err)
			}
			psnr, lossy := v["psnr"]
			if c.psnr == 0 && lossy || c.psnr > 0 && psnr < c.psnr {
				t.Errorf("%.2f dB", psnr)
			}
			t.Logf("%s: %d bytes, %.2f dB, %+v %+v", k.Version, out.Bytes, psnr, out.Encode, out.Decode)
		})
	}
}
