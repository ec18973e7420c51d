package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

// coarse is a codec that keeps the highest bits of all samples, as many as the
// rate says, and fails on what the tests ask it to fail on.
func coarse(fail func(ctx context.Context, in *Input, rate string) error) *Codec {
	return &Codec{
		Curve: "coarse", Version: "1", Rates: []string{"b1", "b4", "b8"},
		Command: func(rate string) string { return "coarse " + rate },
		Code: func(ctx context.Context, in *Input, rate string) (*Output, error) {
			if fail != nil {
				if err := fail(ctx, in, rate); err != nil {
					return nil, err
				}
			}
			mask := uint8(0xff) << (8 - (rate[1] - '0'))
			b := in.Image.Bounds()
			out := image.NewNRGBA(image.Rectangle{Max: b.Size()})
			for y := range b.Dy() {
				for x := range b.Dx() {
					c := color.NRGBAModel.Convert(in.Image.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
					out.SetNRGBA(x, y, color.NRGBA{c.R & mask, c.G & mask, c.B & mask, c.A})
				}
			}
			return &Output{Bytes: int64(rate[1]-'0') * 10, Decoded: out, Encode: Usage{1, 2, 3}, Decode: Usage{4, 5, 6}}, nil
		},
	}
}

// options returns options for a run in a new folder.
func options(t *testing.T, codecs ...*Codec) *Options {
	t.Helper()
	dir := t.TempDir()
	return &Options{
		Corpus: dataset.Samples(5, 20, 16), Codecs: codecs, Metrics: metric.PSNR,
		Journal: filepath.Join(dir, "journal.jsonl"), Temp: filepath.Join(dir, "tmp"),
		Jobs: 1, Workers: 1, Repeat: 1, Timeout: time.Minute,
	}
}

func mustRun(t *testing.T, o *Options) Progress {
	t.Helper()
	p, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(o.Temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("files for programs are left: %v", err)
	}
	return p
}

// rows returns the rows of journals without what differs from run to run.
func rows(t *testing.T, names ...string) []Row {
	t.Helper()
	var list []Row
	if err := ReadJournals(names, func(r *Row) error {
		r.Cost = Cost{}
		list = append(list, *r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRun(t *testing.T) {
	o := options(t, coarse(nil))
	var seen []Progress
	o.Progress = func(p Progress) { seen = append(seen, p) }
	p := mustRun(t, o)
	if p.Pictures != 5 || p.Total != 5 || p.Measured != 15 || p.Reused+p.Failed+p.Same+len(p.Unreadable) != 0 {
		t.Errorf("%+v", p)
	}
	if len(seen) != 20 || seen[0].Measured != 1 || seen[0].Row == nil || seen[3].Row != nil {
		t.Errorf("%d reports of progress", len(seen))
	}
	list := rows(t, o.Journal)
	if len(list) != 15 {
		t.Fatalf("%d rows", len(list))
	}
	hash, err := dataset.Hash(dataset.DeadLeaves(20, 16, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := list[1]
	if r.Picture != hash || r.Width != 20 || r.Height != 16 || r.Planes != 3 || r.Depth != 8 || r.Curve != "coarse" || r.Rate != "b4" ||
		r.Command != "coarse b4" || r.Bytes != 40 || r.Corpus != o.Corpus.Name() || r.Error != "" {
		t.Errorf("%+v", r)
	}
	v, err := metric.Compare(dataset.DeadLeaves(20, 16, 1), decodedOf(t, "b4"), metric.PSNR)
	if err != nil || !reflect.DeepEqual(map[string]float64(v), r.Metrics) {
		t.Errorf("%v, want %v, %v", r.Metrics, v, err)
	}
	if exact := list[2]; exact.Metrics["mse"] != 0 {
		t.Errorf("%+v", exact)
	}

	// Again: all is there. With another codec: only its rows are measured.
	if p := mustRun(t, o); p.Measured != 0 || p.Reused != 15 {
		t.Errorf("%+v", p)
	}
	second := coarse(nil)
	second.Curve = "second"
	o.Codecs = append(o.Codecs, second)
	if p := mustRun(t, o); p.Measured != 15 || p.Reused != 15 {
		t.Errorf("%+v", p)
	}
	// Another version of a codec is measured anew.
	o.Codecs[0].Version = "2"
	if p := mustRun(t, o); p.Measured != 15 || p.Reused != 15 {
		t.Errorf("%+v", p)
	}
}

func decodedOf(t *testing.T, rate string) image.Image {
	t.Helper()
	out, err := coarse(nil).Code(t.Context(), input(t, dataset.DeadLeaves(20, 16, 1)), rate)
	if err != nil {
		t.Fatal(err)
	}
	return out.Decoded
}

// TestCost checks the medians.
func TestCost(t *testing.T) {
	k := coarse(nil)
	code, n := k.Code, 0.0
	k.Code = func(ctx context.Context, in *Input, rate string) (*Output, error) {
		out, err := code(ctx, in, rate)
		n++
		out.Encode.Wall = []float64{5, 1, 3, 7}[int(n)%4]
		return out, err
	}
	k.Rates = k.Rates[:1]
	o := options(t, k)
	o.Repeat = 4
	mustRun(t, o)
	want := Cost{Machine: machine(), Runs: 4, EncodeWall: 4, EncodeCPU: 2, EncodeMemory: 3, DecodeWall: 4, DecodeCPU: 5, DecodeMemory: 6}
	if err := ReadJournals([]string{o.Journal}, func(r *Row) error {
		if r.Cost != want {
			t.Errorf("%+v", r.Cost)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestInProcess checks that burin's cost is measured while nothing else runs, and
// only then.
func TestInProcess(t *testing.T) {
	list, err := Parse([]string{"lossless:e5"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, dataset.DeadLeaves(300, 200, 1))
	for _, exclusive := range []bool{true, false} {
		in.exclusive = exclusive
		out, err := list[0].Code(t.Context(), in, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []Usage{out.Encode, out.Decode} {
			if u.Wall <= 0 || exclusive != (u.Memory > 0) || exclusive != (u.CPU > 0) && cpuTime() > 0 {
				t.Errorf("exclusive %v: %+v", exclusive, u)
			}
		}
	}
}

// TestJobs checks that the number of jobs does not show in the journal.
func TestJobs(t *testing.T) {
	slow := coarse(func(context.Context, *Input, string) error {
		time.Sleep(rand.N(3 * time.Millisecond))
		return nil
	})
	o := options(t, slow)
	mustRun(t, o)
	many := options(t, slow)
	many.Jobs = 7
	mustRun(t, many)
	if a, b := rows(t, o.Journal), rows(t, many.Journal); !reflect.DeepEqual(a, b) {
		t.Errorf("%v\n%v", a, b)
	}
}

// TestFailures checks that what a codec does wrong is a row.
func TestFailures(t *testing.T) {
	bad := coarse(func(ctx context.Context, in *Input, rate string) error {
		switch rate {
		case "b1":
			return errors.New("no such rate")
		case "b4":
			panic("a bug")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	o := options(t, bad)
	o.Corpus = dataset.Samples(1, 20, 16)
	o.Timeout = 20 * time.Millisecond
	p := mustRun(t, o)
	if p.Measured != 3 || p.Failed != 3 {
		t.Errorf("%+v", p)
	}
	for i, message := range []string{"no such rate", "panic: a bug", "took longer than it may: 20ms"} {
		if r := rows(t, o.Journal)[i]; r.Error != message || r.Bytes != 0 || r.Metrics != nil {
			t.Errorf("%+v, want %q", r, message)
		}
	}
	// A failed row is kept unless it is to be tried again.
	o.Codecs = []*Codec{coarse(nil)}
	if p := mustRun(t, o); p.Measured != 0 || p.Reused != 3 {
		t.Errorf("%+v", p)
	}
	o.RetryFailed = true
	if p := mustRun(t, o); p.Measured != 3 || p.Failed != 0 {
		t.Errorf("%+v", p)
	}
	// What is lost in a wrong size is no quality.
	cut := coarse(nil)
	cut.Curve = "cut"
	code := cut.Code
	cut.Code = func(ctx context.Context, in *Input, rate string) (*Output, error) {
		out, err := code(ctx, in, rate)
		out.Decoded = out.Decoded.(*image.NRGBA).SubImage(image.Rect(0, 0, 19, 16))
		return out, err
	}
	o.Codecs = []*Codec{cut}
	if p := mustRun(t, o); p.Failed != 3 {
		t.Errorf("%+v", p)
	}
}

// TestInterrupted checks that the picture under way leaves no row.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	o := options(t, coarse(func(context.Context, *Input, string) error {
		if n++; n == 5 {
			cancel()
			return errors.New("killed")
		}
		return nil
	}))
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if list := rows(t, o.Journal); len(list) != 4 {
		t.Errorf("%d rows", len(list))
	}
	o.Codecs = []*Codec{coarse(nil)}
	if p := mustRun(t, o); p.Reused != 4 || p.Measured != 11 {
		t.Errorf("%+v", p)
	}
	if _, err := Run(t.Context(), &Options{}); err == nil {
		t.Error("no error for options without a worker")
	}
}

// TestFolder measures a folder with a damaged picture and two equal ones.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := png.Encode(&b, dataset.DeadLeaves(20, 16, 1)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.png": b.Bytes(), "b.png": b.Bytes(), "c.png": b.Bytes()[:100]} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	o := options(t, coarse(nil))
	var err error
	if o.Corpus, err = dataset.Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	p := mustRun(t, o)
	if p.Measured != 3 || p.Same != 3 || len(p.Unreadable) != 1 || !strings.Contains(p.Unreadable[0].Error(), "c.png") {
		t.Errorf("%+v", p)
	}
	if p := mustRun(t, o); p.Measured != 0 || p.Reused != 6 {
		t.Errorf("%+v", p)
	}
}

// TestKeep checks the pictures for the page, also those of rows that are there.
func TestKeep(t *testing.T) {
	o := options(t, coarse(nil))
	mustRun(t, o)
	o.Pictures, o.Keep = filepath.Join(t.TempDir(), "pictures"), 2
	if p := mustRun(t, o); p.Measured != 0 {
		t.Errorf("%+v", p)
	}
	if list := rows(t, o.Journal); len(list) != 15 {
		t.Errorf("%d rows", len(list))
	}
	dirs, err := os.ReadDir(o.Pictures)
	if err != nil || len(dirs) != 2 {
		t.Fatal(dirs, err)
	}
	dir := filepath.Join(o.Pictures, PictureDir(rows(t, o.Journal)[0].Picture))
	for name, want := range map[string]image.Image{
		OriginalFile:                dataset.DeadLeaves(20, 16, 1),
		PictureFile("coarse", "b4"): decodedOf(t, "b4"),
	} {
		got, err := readImage(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if v, err := metric.Compare(got, want, 0); err != nil || v["mse"] != 0 {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 4 {
		t.Errorf("%v", files)
	}
	if a, b := PictureFile("x", "y/../z"), PictureFile("x-y", "_.._z"); a == b || strings.Contains(a, "/") {
		t.Errorf("%q %q", a, b)
	}
}

// TestShards checks that the journals of shards together are the one of the whole.
func TestShards(t *testing.T) {
	whole := options(t, coarse(nil))
	mustRun(t, whole)
	var names []string
	for _, i := range []int{2, 3, 1} {
		o := options(t, coarse(nil))
		var err error
		if o.Corpus, err = o.Corpus.Shard(i, 3); err != nil {
			t.Fatal(err)
		}
		mustRun(t, o)
		names = append(names, o.Journal)
	}
	order := func(a, b Row) int { return strings.Compare(a.Name+a.Rate, b.Name+b.Rate) }
	a, b := rows(t, whole.Journal), rows(t, names...)
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%v\n%v", a, b)
	}
}

// killedRun, in the environment, makes the test binary a run for TestKilled.
const killedRun = "BURIN_BENCH_KILLED_RUN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedRun); dir != "" {
		if err := runToBeKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runToBeKilled(dir string) error {
	list, err := Parse([]string{"lossless:e1", "jpeg", "png"}, nil)
	if err != nil {
		return err
	}
	_, err = Run(context.Background(), &Options{
		Corpus: dataset.Samples(12, 96, 64), Codecs: list, Metrics: metric.PSNR,
		Journal: filepath.Join(dir, "journal.jsonl"), Temp: filepath.Join(dir, "tmp"),
		Pictures: filepath.Join(dir, "pictures"), Keep: 2,
		Jobs: 2, Workers: 1, Repeat: 1, Timeout: time.Minute,
	})
	return err
}

// TestKilled kills a run ten times at random and lets it end at last: its journal
// must be the one of a run that nobody disturbed.
func TestKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	start := func(dir string) *exec.Cmd {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), killedRun+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	quiet, disturbed := t.TempDir(), t.TempDir()
	began := time.Now()
	if err := start(quiet).Wait(); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(began)
	want := rows(t, filepath.Join(quiet, "journal.jsonl"))
	if len(want) != 12*10 {
		t.Fatalf("%d rows", len(want))
	}
	journal := filepath.Join(disturbed, "journal.jsonl")
	var sizes []int64
	for range 10 {
		cmd := start(disturbed)
		time.Sleep(rand.N(whole / 3))
		cmd.Process.Kill()
		cmd.Wait()
		if info, err := os.Stat(journal); err == nil {
			sizes = append(sizes, info.Size())
		}
	}
	t.Logf("a run of %v was killed with the journal at these sizes: %v", whole, sizes)
	if err := start(disturbed).Wait(); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, journal); !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows, not the %d of a run that was not killed", len(got), len(want))
	}
	a, b := tree(t, filepath.Join(quiet, "pictures")), tree(t, filepath.Join(disturbed, "pictures"))
	if !slices.Equal(a, b) {
		t.Errorf("pictures %q, not %q", b, a)
	}
}

// tree lists the files below a folder that are no remains of a killed run.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !strings.HasPrefix(d.Name(), ".tmp") {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}
