package codec

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOptionsAreChecked(t *testing.T) {
	set := func(f func(o *Options)) *Options {
		o := DefaultOptions()
		f(o)
		return o
	}
	var oe OptionError
	for name, o := range map[string]*Options{
		"zero":            {},
		"effort 0":        set(func(o *Options) { o.Effort = 0 }),
		"effort 10":       set(func(o *Options) { o.Effort = 10 }),
		"orientation 9":   set(func(o *Options) { o.Orientation = 9 }),
		"workers -1":      set(func(o *Options) { o.Workers = -1 }),
		"time limit -1":   set(func(o *Options) { o.TimeLimit = -1 }),
		"lossless 1":      set(func(o *Options) { o.Target = Target{TargetLossless, 1} }),
		"quality 101":     set(func(o *Options) { o.Target = Target{TargetQuality, 101} }),
		"quality NaN":     set(func(o *Options) { o.Target = Target{TargetQuality, math.NaN()} }),
		"bpp 0":           set(func(o *Options) { o.Target = Target{TargetBPP, 0} }),
		"PSNR infinite":   set(func(o *Options) { o.Target = Target{TargetPSNR, math.Inf(1)} }),
		"size 1.5":        set(func(o *Options) { o.Target = Target{TargetSize, 1.5} }),
		"unknown target":  set(func(o *Options) { o.Target.Kind = 99 }),
		"negative target": set(func(o *Options) { o.Target = Target{TargetSize, -1} }),
	} {
		if _, err := NewEncoder(nil, o); !errors.As(err, &oe) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]*DecodeOptions{
		"zero":       {},
		"workers -1": {Workers: -1, Limits: DefaultLimits()},
		"limit 0":    {Limits: Limits{MaxPixels: 1, MaxBytes: 1, MaxFrames: 1}},
	} {
		if _, err := NewDecoder(strings.NewReader(""), o); !errors.As(err, &oe) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodecsAreChosen(t *testing.T) {
	var ue UnsupportedError
	o := DefaultOptions()
	o.Codec = "absent"
	if _, err := NewEncoder(nil, o); !errors.As(err, &ue) {
		t.Errorf("absent codec: %v", err)
	}
	o = DefaultOptions()
	o.Target = Target{TargetBPP, 0.5}
	for _, name := range []string{"", "raw"} {
		o.Codec = name
		if _, err := NewEncoder(nil, o); !errors.As(err, &ue) {
			t.Errorf("codec %q and a lossy target: %v", name, err)
		}
	}
	o = DefaultOptions()
	o.TimeLimit = time.Second
	for _, name := range []string{"", "raw"} {
		o.Codec = name
		if _, err := NewEncoder(nil, o); !errors.As(err, &ue) || !strings.Contains(err.Error(), "time limit") {
			t.Errorf("codec %q and a time limit: %v", name, err)
		}
	}
	e, err := NewEncoder(nil, nil)
	if err != nil || e.Codec() != "raw" {
		t.Errorf("no options: %q, %v", e.Codec(), err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	good := codecByID(255)
	for name, change := range map[string]func(c *Codec){
		"taken ID":      func(c *Codec) { c.Name = "other" },
		"taken name":    func(c *Codec) { c.ID = 254 },
		"no ID":         func(c *Codec) { c.Name, c.ID = "other", 0 },
		"no targets":    func(c *Codec) { c.Name, c.ID, c.Targets = "other", 254, nil },
		"reserved kind": func(c *Codec) { c.Name, c.ID, c.Sections = "other", 254, []string{"END "} },
		"long kind":     func(c *Codec) { c.Name, c.ID, c.Sections = "other", 254, []string{"LONGER"} },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			c := *good
			change(&c)
			Register(c)
		}()
	}
	if n := len(Codecs()); n != 1 {
		t.Errorf("%d codecs", n)
	}
}

func TestProgressRises(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 30, 50))
	noise(1, m.Pix)
	var seen []float64
	note := func(done float64) { seen = append(seen, done) }
	check := func(what string) {
		t.Helper()
		if len(seen) < 2 || seen[0] != 0 || seen[len(seen)-1] != 1 {
			t.Errorf("%s: progress %v", what, seen)
		}
		for i := 1; i < len(seen); i++ {
			if seen[i] <= seen[i-1] {
				t.Errorf("%s: progress %v", what, seen)
			}
		}
		seen = nil
	}
	var b bytes.Buffer
	o := DefaultOptions()
	o.Progress = note
	if err := Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	check("encode")
	do := DefaultDecodeOptions()
	do.Progress = note
	d, err := NewDecoder(&b, do)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("decode")
}

func TestWorkersDoNotMatter(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 90))
	noise(1, m.Pix)
	var want []byte
	for workers := range 6 {
		var b bytes.Buffer
		o := DefaultOptions()
		o.Workers = workers
		if err := Encode(&b, m, o); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b.Bytes()
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%d workers write another file", workers)
		}
		do := DefaultDecodeOptions()
		do.Workers = workers
		d, err := NewDecoder(&b, do)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(context.Background())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%d workers decode another picture, %v", workers, err)
		}
	}
}

// TestStop: a codec that has no file before its end is ended, and says so.
func TestStop(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 40, 90))
	stop := make(chan struct{})
	o := DefaultOptions()
	o.Stop = stop
	if err := Encode(new(bytes.Buffer), m, o); err != nil {
		t.Errorf("not stopped: %v", err)
	}
	var once sync.Once
	o.Progress = func(done float64) {
		if done > 0.3 && done < 1 {
			once.Do(func() { close(stop) })
			time.Sleep(20 * time.Millisecond) // for the word to get round
		}
	}
	if err := Encode(new(bytes.Buffer), m, o); err != ErrStopped {
		t.Errorf("stopped: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e, err := NewEncoder(new(bytes.Buffer), o)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := e.Encode(ctx, m); err != context.Canceled {
		t.Errorf("stopped and cancelled: %v", err)
	}
}

// TestStatus: a status tells the progress, and how much time is left.
func TestStatus(t *testing.T) {
	var shares []float64
	var seen []Status
	o := &Options{Progress: func(done float64) { shares = append(shares, done) }, TimeLimit: time.Hour}
	tell := o.timed(func(s Status) { seen = append(seen, s) })
	for _, done := range []float64{0, 0.5, 0.4, 2} {
		tell(Status{Done: done, Stage: "fit"})
	}
	if !reflect.DeepEqual(shares, []float64{0, 0.5, 0.4, 2}) {
		t.Errorf("progress %v", shares)
	}
	for i, want := range []float64{0, 0.5, 0.5, 1} {
		if seen[i].Done != want || seen[i].Stage != "fit" {
			t.Errorf("%d: %+v", i, seen[i])
		}
	}
	for _, c := range []struct {
		done                 float64
		elapsed, limit, want time.Duration
	}{
		{0, 0, 0, -1}, {0, time.Second, time.Minute, 59 * time.Second}, {0.25, time.Second, 0, 3 * time.Second},
		{0.25, time.Second, 3 * time.Second, 2 * time.Second}, {0.5, time.Minute, time.Second, 0}, {1, time.Second, 0, 0},
	} {
		if got := timeLeft(c.done, c.elapsed, c.limit); got != c.want {
			t.Errorf("%v done in %v of %v: %v left, want %v", c.done, c.elapsed, c.limit, got, c.want)
		}
	}
}

func TestCancelledContext(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 40, 90))
	var b bytes.Buffer
	if err := Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := DefaultOptions()
	o.Progress = func(done float64) {
		if done > 0.3 {
			cancel()
		}
	}
	e, err := NewEncoder(new(bytes.Buffer), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Encode(ctx, m); err != context.Canceled {
		t.Errorf("Encode: %v", err)
	}
	d, err := NewDecoder(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(ctx); err != context.Canceled {
		t.Errorf("Decode: %v", err)
	}
}
