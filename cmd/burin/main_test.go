package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

// A result is what a run of the command left.
type result struct {
	code           int
	stdout, stderr string
}

func burin(stdin []byte, args ...string) result {
	return burinContext(context.Background(), bytes.NewReader(stdin), args...)
}

func burinContext(ctx context.Context, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func mustRun(t *testing.T, stdin []byte, args ...string) result {
	t.Helper()
	r := burin(stdin, args...)
	if r.code != exitOK {
		t.Fatalf("burin %q: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r
}

// looksSame reports whether two pictures have the same colours.
func looksSame(t *testing.T, a, b image.Image) bool {
	t.Helper()
	v, err := metric.Compare(a, b, metric.PSNR)
	if err != nil {
		t.Fatal(err)
	}
	return v["mse"] == 0 && v["alpha_mse"] == 0
}

// inFolder runs the test in an empty folder with a picture in.png.
func inFolder(t *testing.T) image.Image {
	t.Helper()
	t.Chdir(t.TempDir())
	m := dataset.DeadLeaves(20, 30, 3)
	var b bytes.Buffer
	p := &dataset.Picture{Image: m, Orientation: 6, Metadata: codec.Metadata{ICC: []byte("profile")}}
	if _, err := dataset.Write(&b, p, ".png"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "in.png", b.Bytes())
	return m
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// folder lists the files, hidden ones too.
func folder(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestUsageErrors(t *testing.T) {
	inFolder(t)
	for _, args := range [][]string{
		{},
		{"nonsense"},
		{"--nonsense"},
		{"help", "nonsense"},
		{"encode"},
		{"encode", ""},
		{"encode", "in.png", "other.png"},
		{"encode", "in.png", "--nonsense"},
		{"encode", "in.png", "--effort", "0"},
		{"encode", "in.png", "--effort", "10"},
		{"encode", "in.png", "--effort", "high"},
		{"encode", "in.png", "--effort"},
		{"encode", "in.png", "--codec", "nonsense"},
		{"encode", "in.png", "--quality", "101"},
		{"encode", "in.png", "--quality", "-1"},
		{"encode", "in.png", "--bpp", "0"},
		{"encode", "in.png", "--psnr", "nan"},
		{"encode", "in.png", "--size", "0"},
		{"encode", "in.png", "--bpp", "1", "--quality", "50"},
		{"encode", "in.png", "--workers", "-1"},
		{"encode", "in.png", "-o", ""},
		{"decode"},
		{"decode", "in.burin", "-o", "out.jpg"},
		{"decode", "in.burin", "--quality", "5"},
		{"decode", "in.burin", "-j", "-1"},
		{"info"},
		{"info", "a", "b"},
		{"version", "x"},
		{"sample", "x"},
		{"sample", "--size", "100"},
		{"sample", "--size", "0x100"},
		{"sample", "--size", "-1x100"},
		{"sample", "--size", "1000000x1000000"},
		{"sample", "--seed", "-1"},
		{"sample", "-o", "out.jpg"},
	} {
		r := burin(nil, args...)
		if r.code != exitUsage || r.stdout != "" || !strings.HasPrefix(r.stderr, "burin: ") {
			t.Errorf("burin %q: exit %d, want %d\nstdout: %s\nstderr: %s", args, r.code, exitUsage, r.stdout, r.stderr)
		}
	}
	if got := folder(t); got != "in.png" {
		t.Errorf("files left: %s", got)
	}
}

func TestFailures(t *testing.T) {
	inFolder(t)
	writeFile(t, "text.burin", []byte("no picture"))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"encode", "absent.png"}, "absent.png"},
		{[]string{"encode", "text.burin", "-o", "x.burin"}, "unknown picture format"},
		{[]string{"encode", "in.png", "-o", "absent/x.burin"}, "absent"},
		{[]string{"encode", "in.png", "--codec", "raw", "--bpp", "1"}, "cannot aim at"},
		{[]string{"decode", "text.burin"}, "not a burin file"},
		{[]string{"decode", "absent.burin"}, "absent.burin"},
		{[]string{"info", "text.burin"}, "not a burin file"},
		{[]string{"info", "in.png"}, "not a burin file"},
	} {
		r := burin(nil, c.args...)
		if r.code != exitFailure || !strings.Contains(r.stderr, c.want) {
			t.Errorf("burin %q: exit %d\nstderr: %s", c.args, r.code, r.stderr)
		}
	}
	if got := folder(t); got != "in.png text.burin" {
		t.Errorf("files left: %s", got)
	}
}

func TestEncodeAndDecode(t *testing.T) {
	m := inFolder(t)
	r := mustRun(t, nil, "encode", "--codec", "raw", "in.png", "--effort", "3")
	for _, want := range []string{"in.burin", "raw", "effort 3", "bpp", ":1", "lossless"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in %q", want, r.stdout)
		}
	}
	if r.stderr != "" {
		t.Errorf("stderr: %s", r.stderr)
	}
	mustRun(t, nil, "decode", "in.burin", "-o", "out.png")
	p, err := dataset.ReadFile("out.png", codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !looksSame(t, p.Image, m) {
		t.Error("another picture came back")
	}
	if string(p.Metadata.ICC) != "profile" || p.Orientation != 6 {
		t.Errorf("metadata %+v, orientation %d", p.Metadata, p.Orientation)
	}
	mustRun(t, nil, "decode", "in.burin", "-o", "out.ppm")
	if got := folder(t); got != "in.burin in.png out.png out.ppm" {
		t.Errorf("files: %s", got)
	}
}

func TestStdinAndStdout(t *testing.T) {
	inFolder(t)
	mustRun(t, nil, "encode", "--codec=raw", "in.png")
	want := readFile(t, "in.burin")
	for _, args := range [][]string{{"encode", "-", "--codec=raw"}, {"encode", "--codec=raw", "-o", "-", "-"}} {
		r := mustRun(t, readFile(t, "in.png"), args...)
		if r.stdout != string(want) {
			t.Errorf("burin %q writes another file of %d bytes", args, len(r.stdout))
		}
		if !strings.Contains(r.stderr, "bpp") {
			t.Errorf("burin %q: stderr %q", args, r.stderr)
		}
	}
	r := mustRun(t, want, "decode", "-")
	if _, err := png.Decode(strings.NewReader(r.stdout)); err != nil {
		t.Error(err)
	}
	if r := mustRun(t, want, "info", "-"); !strings.Contains(r.stdout, "20 x 30") {
		t.Error(r.stdout)
	}
	r = mustRun(t, nil, "sample", "-o", "-", "--size", "8x4")
	if cfg, err := png.DecodeConfig(strings.NewReader(r.stdout)); err != nil || cfg.Width != 8 || cfg.Height != 4 {
		t.Errorf("sample: %+v %v", cfg, err)
	}
}

func TestJSON(t *testing.T) {
	inFolder(t)
	encode := func(args ...string) map[string]any {
		t.Helper()
		r := mustRun(t, nil, append([]string{"encode", "--json", "in.png", "-f"}, args...)...)
		var got map[string]any
		d := json.NewDecoder(strings.NewReader(r.stdout))
		if err := d.Decode(&got); err != nil || d.More() {
			t.Fatalf("%v in %q", err, r.stdout)
		}
		return got
	}
	got := encode("--codec", "raw", "--effort", "2")
	size := float64(len(readFile(t, "in.burin")))
	for key, want := range map[string]any{
		"codec": "raw", "effort": 2.0, "width": 20.0, "height": 30.0, "bytes": size, "bpp": 8 * size / 600, "psnr": nil,
		"input": "in.png", "output": "in.burin",
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	if v, ok := got["seconds"].(float64); !ok || v < 0 {
		t.Errorf("seconds is %v", got["seconds"])
	}
	// The lossy mode of the raw codec drops four bits of eight.
	if v, ok := encode("--codec", "raw", "--quality", "50")["psnr"].(float64); !ok || v < 20 || v > 40 {
		t.Errorf("psnr %v", v)
	}

	var info infoReport
	if err := json.Unmarshal([]byte(mustRun(t, nil, "info", "in.burin", "--json").stdout), &info); err != nil {
		t.Fatal(err)
	}
	if info.Codec != "raw" || info.ICC != 7 || info.Orientation != 6 || !info.Opaque || len(info.Sections) != 4 {
		t.Errorf("%+v", info)
	}
	total := info.Header
	for _, s := range info.Sections {
		total += s.Bytes
	}
	if size := int64(len(readFile(t, "in.burin"))); info.Bytes != size || total != size {
		t.Errorf("%d and %d of %d bytes", info.Bytes, total, size)
	}
}

func TestNothingIsOverwrittenUnasked(t *testing.T) {
	inFolder(t)
	mustRun(t, nil, "encode", "--codec=raw", "in.png")
	photo, file := readFile(t, "in.png"), readFile(t, "in.burin")
	if r := burin(nil, "decode", "in.burin"); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("decode over the original: exit %d, %s", r.code, r.stderr)
	}
	if r := burin(nil, "encode", "--codec=raw", "--quality=5", "in.png"); r.code != exitFailure {
		t.Errorf("encode over a file: exit %d", r.code)
	}
	if !bytes.Equal(readFile(t, "in.png"), photo) || !bytes.Equal(readFile(t, "in.burin"), file) {
		t.Error("a file has changed")
	}
	mustRun(t, nil, "encode", "--codec=raw", "--quality=5", "in.png", "--force")
	if bytes.Equal(readFile(t, "in.burin"), file) {
		t.Error("-f does not overwrite")
	}
	mustRun(t, nil, "encode", "--codec=raw", "in.png", "-o", "in.burin")
	if !bytes.Equal(readFile(t, "in.burin"), file) {
		t.Error("-o does not overwrite")
	}
}

func TestLinksAndDevices(t *testing.T) {
	inFolder(t)
	if err := os.Symlink("target.burin", "link.burin"); err != nil {
		t.Skip(err)
	}
	writeFile(t, "target.burin", nil)
	mustRun(t, nil, "encode", "--codec=raw", "in.png", "-o", "link.burin")
	if info, err := os.Lstat("link.burin"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link has been replaced")
	}
	if len(readFile(t, "target.burin")) == 0 {
		t.Error("the target has not been written")
	}
	if _, err := os.Stat(os.DevNull); err == nil {
		mustRun(t, nil, "encode", "--codec=raw", "in.png", "-o", os.DevNull)
		if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
			t.Fatalf("%s has been replaced", os.DevNull)
		}
	}
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	if r := burin(nil, "encode", "--codec=raw", "in.png", "-o", "folder"); r.code != exitFailure {
		t.Errorf("a folder as the output: exit %d", r.code)
	}
}

func TestInterruptLeavesNoFile(t *testing.T) {
	inFolder(t)
	ctx, cancel := context.WithCancel(context.Background())
	beforeRow = func(y int) {
		if y == 10 {
			cancel()
		}
	}
	defer func() { beforeRow = nil }()
	r := burinContext(ctx, nil, "encode", "--codec=raw", "in.png")
	if r.code != exitFailure || !strings.Contains(r.stderr, "interrupted") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
	if got := folder(t); got != "in.png" {
		t.Errorf("files left: %s", got)
	}

	// While the input is waited for.
	for _, command := range []string{"encode", "decode", "info"} {
		ctx, cancel := context.WithCancel(context.Background())
		pr, pw := io.Pipe()
		go func() {
			pw.Write([]byte("\x89"))
			cancel()
		}()
		done := make(chan result)
		go func() { done <- burinContext(ctx, pr, command, "-") }()
		select {
		case r := <-done:
			if r.code != exitFailure {
				t.Errorf("%s: exit %d", command, r.code)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not end", command)
		}
		pw.Close()
	}
}

// TestInterruptKeepsTheBest: the first interrupt of an encoder that gets better with time
// gives a file, the second none, and a time limit ends it too.
func TestInterruptKeepsTheBest(t *testing.T) {
	inFolder(t)
	args := []string{"encode", "--codec=overfit", "--effort=9", "--quality=50", "in.png", "-o", "x.burin"}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	r := burinContext(ctx, nil, args...)
	if r.code != exitOK || !strings.Contains(r.stderr, "best so far") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
	mustRun(t, nil, "decode", "x.burin", "-o", "x.png")
	os.Remove("x.burin")
	os.Remove("x.png")

	start := time.Now()
	mustRun(t, nil, append(args, "--time-limit=200ms")...)
	if time.Since(start) > 20*time.Second { // without a limit it takes a minute
		t.Error("the time limit is not heeded")
	}
	os.Remove("x.burin")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"encode", "--codec=raw", "in.png", "--time-limit=1s"}, exitFailure, "time limit"},
		{append(args, "--time-limit=0s"), exitUsage, "no time"},
		{append(args, "--time-limit=5"), exitUsage, "time-limit"},
	} {
		if r := burin(nil, c.args...); r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("burin %q: exit %d, %s", c.args, r.code, r.stderr)
		}
	}

	if got := folder(t); got != "in.png" {
		t.Errorf("files left: %s", got)
	}
}

// TestUntilSecond: of two interrupts the second one ends the work.
func TestUntilSecond(t *testing.T) {
	first, cancel := context.WithCancel(context.Background())
	var notes bytes.Buffer
	second, release := untilSecond(first, newProgress(&notes, "test"))
	defer release()
	cancel()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// So that an interrupt does no harm before untilSecond listens.
	harmless := make(chan os.Signal, 1)
	signal.Notify(harmless, os.Interrupt)
	defer signal.Stop(harmless)
	time.Sleep(20 * time.Millisecond)
	if second.Err() != nil {
		t.Fatal("ended by the first")
	}
	for range 500 {
		if err := self.Signal(os.Interrupt); err != nil {
			t.Skip(err)
		}
		select {
		case <-second.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("not ended by the second")
}

func TestStatusLine(t *testing.T) {
	nan := math.NaN()
	for want, s := range map[string]codec.Status{
		" fit 7/400, loss 0.00123, 0.512 bpp, 31.25 dB, 14s left": {Stage: "fit", Iteration: 7, Iterations: 400, Loss: 0.001234, BPP: 0.5123, PSNR: 31.25, Left: 14200 * time.Millisecond},
		" fit": {Stage: "fit", Loss: nan, BPP: nan, PSNR: nan, Left: -1},
	} {
		if got := statusLine(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFailureKeepsTheOldFile(t *testing.T) {
	inFolder(t)
	mustRun(t, nil, "encode", "--codec=raw", "in.png")
	file := readFile(t, "in.burin")
	file[len(file)-1] ^= 1
	writeFile(t, "bad.burin", file)
	photo := readFile(t, "in.png")
	if r := burin(nil, "decode", "bad.burin", "-o", "in.png"); r.code != exitFailure || !strings.Contains(r.stderr, "checksum") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
	if r := burin(nil, "info", "bad.burin"); r.code != exitFailure {
		t.Errorf("info: exit %d", r.code)
	}
	if !bytes.Equal(readFile(t, "in.png"), photo) {
		t.Error("the file has changed")
	}
}

func TestYCbCrIsNoted(t *testing.T) {
	m := inFolder(t)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "photo.jpg", b.Bytes())
	mustRun(t, nil, "encode", "--codec=raw", "photo.jpg")
	if r := mustRun(t, nil, "info", "photo.burin"); !strings.Contains(r.stdout, "4:2:0") {
		t.Error(r.stdout)
	}
	if r := mustRun(t, nil, "decode", "photo.burin"); !strings.Contains(r.stderr, "converted") {
		t.Errorf("stderr: %q", r.stderr)
	}
	want, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	d, err := codec.Decode(bytes.NewReader(readFile(t, "photo.burin")))
	if err != nil {
		t.Fatal(err)
	}
	// jpeg pads its planes to whole blocks.
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			if !reflect.DeepEqual(d.At(x, y), want.At(x, y)) {
				t.Fatalf("(%d, %d): %v, want %v", x, y, d.At(x, y), want.At(x, y))
			}
		}
	}
}

func TestSampleAndVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	mustRun(t, nil, "sample", "--size", "40x30", "--seed", "5")
	if r := burin(nil, "sample"); r.code != exitFailure {
		t.Errorf("sample over a file: exit %d", r.code)
	}
	p, err := dataset.ReadFile("sample.png", codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !looksSame(t, p.Image, dataset.DeadLeaves(40, 30, 5)) {
		t.Error("another picture")
	}
	r := mustRun(t, nil, "version")
	if !strings.HasPrefix(r.stdout, "burin ") || !strings.Contains(r.stdout, "codec raw, version 1") {
		t.Error(r.stdout)
	}
	if r := mustRun(t, nil, "encode", "--help"); !strings.Contains(r.stdout, "--effort") {
		t.Error(r.stdout)
	}
}

func TestTheDefaultIsLossless(t *testing.T) {
	m := inFolder(t)
	if !slices.Contains(codecNames(), "lossless") {
		t.Skip("SKIPPED: the lossless codec is not registered")
	}
	if r := mustRun(t, nil, "encode", "in.png", "-e", "1"); !strings.Contains(r.stdout, "lossless effort 1") {
		t.Error(r.stdout)
	}
	mustRun(t, nil, "decode", "in.burin", "-o", "out.png")
	p, err := dataset.ReadFile("out.png", codec.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if !looksSame(t, p.Image, m) {
		t.Error("another picture came back")
	}
	// A rate is for the first codec that can aim at it.
	if r := mustRun(t, nil, "encode", "in.png", "-e", "1", "--size", "600", "-f"); !strings.Contains(r.stdout, "overfit effort 1") || len(readFile(t, "in.burin")) > 600 {
		t.Errorf("a size: %s", r.stdout)
	}
	if r := burin(nil, "encode", "in.png", "--bpp", "1", "--codec", "lossless", "-f"); r.code != exitFailure || !strings.Contains(r.stderr, "cannot aim at") {
		t.Errorf("a rate for the lossless codec: exit %d, %s", r.code, r.stderr)
	}
}
