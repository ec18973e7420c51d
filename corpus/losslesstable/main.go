// Losslesstable measures lossless codecs on folders of pictures and prints a
// Markdown table for each folder.
//
//	go run ./corpus/losslesstable -peers -journal kodak.jsonl DIR...
//
// It codes with burin at some efforts and with PNG in this process, and with -peers with
// those of cjxl, cwebp and optipng that are on the PATH. What burin decodes is
// compared with the picture. All run on one thread. Times are CPU times; those of
// other programs are of the whole process, reading and writing PNG included.
//
// With -journal each result is appended to a file as soon as it is there, and is
// not measured again: a run that was killed goes on where it was.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/burin-codec/burin/codec"
	_ "github.com/burin-codec/burin/codec/lossless"
	"github.com/burin-codec/burin/corpus/dataset"
)

func main() {
	efforts := flag.String("efforts", "1,2,3,4,5,6,7,8,9", "efforts of burin")
	peers := flag.Bool("peers", false, "run other programs, too")
	workers := flag.Int("workers", 1, "goroutines of burin")
	journalName := flag.String("journal", "", "file of results, to read and to append to")
	flag.Parse()
	if err := run(*efforts, *peers, *workers, *journalName, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "losslesstable:", err)
		os.Exit(1)
	}
}

func run(efforts string, peers bool, workers int, journalName string, dirs []string) error {
	if len(dirs) == 0 {
		return errors.New("which folders?")
	}
	coders, err := burinCoders(efforts, workers)
	if err != nil {
		return err
	}
	coders = append(coders, pngCoder())
	if peers {
		coders = append(coders, peerCoders()...)
	}
	j, err := openJournal(journalName)
	if err != nil {
		return err
	}
	defer j.close()
	for _, dir := range dirs {
		t := table{title: filepath.Base(dir), coders: coders}
		if err := measure(&t, j, dir); err != nil {
			return err
		}
		t.write(os.Stdout)
	}
	return nil
}

// measure takes all pictures of a folder through all coders.
func measure(t *table, j *journal, dir string) error {
	t.sums = make([]result, len(t.coders))
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		p, err := dataset.Read(bytes.NewReader(b), codec.DefaultLimits())
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s left out: %v\n", name, err)
			return nil
		}
		pic := &picture{name: name, image: p.Image}
		if p.Format != "png" {
			// Peers read PNG.
			f, err := os.CreateTemp("", "losslesstable*.png")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			if err := errors.Join(png.Encode(f, p.Image), f.Close()); err != nil {
				return err
			}
			pic.name = f.Name()
		}
		size := p.Image.Bounds().Size()
		sum := sha256.Sum256(b)
		t.pictures++
		t.pixels += int64(size.X) * int64(size.Y)
		for i, c := range t.coders {
			k := key{File: hex.EncodeToString(sum[:]), Codec: c.name, Flags: c.flags, Version: c.version}
			r, ok := j.results[k]
			if !ok {
				if r, err = c.measure(pic); err != nil {
					return fmt.Errorf("%s: %s %s: %w", name, c.name, c.flags, err)
				}
				if err := j.add(k, name, r); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "%s: %s %s: %d bytes\n", filepath.Base(name), c.name, c.flags, r.Bytes)
			}
			t.sums[i].Bytes += r.Bytes
			t.sums[i].Encode += r.Encode
			t.sums[i].Decode += r.Decode
		}
		return nil
	})
}

// A picture is one to code, and a PNG file of it.
type picture struct {
	name  string
	image image.Image
}

// A coder codes and decodes pictures.
type coder struct {
	name, flags string
	version     string // with the flags, names what it does
	measure     func(*picture) (result, error)
}

// timed returns the CPU seconds that f takes in this process. The time of a
// thread would not do: codecs work on goroutines of their own.
func timed(f func() error) (float64, error) {
	before := cpuTime()
	err := f()
	return (cpuTime() - before).Seconds(), err
}

func burinCoders(efforts string, workers int) (list []coder, err error) {
	// The program itself is the version: any change of the codec changes it.
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	for s := range strings.SplitSeq(efforts, ",") {
		effort, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || effort < codec.MinEffort || effort > codec.MaxEffort {
			return nil, fmt.Errorf("effort %q", s)
		}
		c := coder{name: "burin", flags: fmt.Sprintf("--effort %d", effort), version: hex.EncodeToString(sum[:6])}
		if workers != 1 {
			c.flags += fmt.Sprintf(" --workers %d", workers)
		}
		c.measure = func(p *picture) (r result, err error) {
			o := codec.DefaultOptions()
			o.Codec, o.Effort, o.Workers = "lossless", effort, workers
			var file bytes.Buffer
			if r.Encode, err = timed(func() error { return codec.Encode(&file, p.image, o) }); err != nil {
				return r, err
			}
			r.Bytes = int64(file.Len())
			var got image.Image
			r.Decode, err = timed(func() error {
				o := codec.DefaultDecodeOptions()
				o.Workers = workers
				d, err := codec.NewDecoder(&file, o)
				if err == nil {
					got, err = d.Decode(context.Background())
				}
				return err
			})
			if err == nil {
				err = same(p.image, got)
			}
			return r, err
		}
		list = append(list, c)
	}
	return list, nil
}

// same compares all samples.
func same(a, b image.Image) error {
	s, err := codec.NewSource(a)
	if err != nil {
		return err
	}
	t, err := codec.NewSource(b)
	if err != nil {
		return err
	}
	ps, qs := s.Header().Planes(), t.Header().Planes()
	if len(ps) != len(qs) {
		return errors.New("another number of planes came back")
	}
	for i, p := range ps {
		if p != qs[i] {
			return errors.New("another size came back")
		}
		x, y := make([]uint16, p.Width), make([]uint16, p.Width)
		for row := range p.Height {
			r := image.Rect(0, row, p.Width, row+1)
			s.ReadPlane(i, r, x, p.Width)
			t.ReadPlane(i, r, y, p.Width)
			for k := range x {
				if x[k] != y[k] {
					return fmt.Errorf("plane %d, row %d: other samples came back", i, row)
				}
			}
		}
	}
	return nil
}

func pngCoder() coder {
	return coder{name: "Go image/png", flags: "BestCompression", version: goVersion(), measure: func(p *picture) (r result, err error) {
		e := png.Encoder{CompressionLevel: png.BestCompression}
		var b bytes.Buffer
		if r.Encode, err = timed(func() error { return e.Encode(&b, p.image) }); err != nil {
			return r, err
		}
		r.Bytes = int64(b.Len())
		r.Decode, err = timed(func() error {
			_, err := png.Decode(&b)
			return err
		})
		return r, err
	}}
}

// peerCoders returns the programs on the PATH, one line a setting.
func peerCoders() (list []coder) {
	for _, c := range []struct {
		name, flags, version string
		encode               string // IN and OUT stand for the files
		decoder              string
	}{
		{"cjxl", "-e 3 -d 0 --num_threads=0", "--version", "IN OUT", "djxl --num_threads=0 IN OUT"},
		{"cjxl", "-e 7 -d 0 --num_threads=0", "--version", "IN OUT", "djxl --num_threads=0 IN OUT"},
		{"cjxl", "-e 9 -d 0 --num_threads=0", "--version", "IN OUT", "djxl --num_threads=0 IN OUT"},
		{"cwebp", "-lossless -exact -z 9", "-version", "IN -o OUT", "dwebp IN -o OUT"},
		{"optipng", "-o2", "--version", "-clobber -out OUT IN", ""},
	} {
		path, err := exec.LookPath(c.name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is not on the PATH and left out\n", c.name)
			continue
		}
		v, _ := exec.Command(path, c.version).CombinedOutput()
		version, _, _ := strings.Cut(string(v), "\n")
		list = append(list, coder{c.name, c.flags, strings.TrimSpace(version), func(p *picture) (r result, err error) {
			dir, err := os.MkdirTemp("", "losslesstable")
			if err != nil {
				return r, err
			}
			defer os.RemoveAll(dir)
			file := filepath.Join(dir, "file."+map[string]string{"cjxl": "jxl", "cwebp": "webp", "optipng": "png"}[c.name])
			if r.Encode, err = process(c.name+" "+c.flags+" "+c.encode, p.name, file); err != nil {
				return r, err
			}
			info, err := os.Stat(file)
			if err != nil {
				return r, err
			}
			r.Bytes = info.Size()
			if c.decoder != "" {
				r.Decode, err = process(c.decoder, file, filepath.Join(dir, "out.png"))
			}
			return r, err
		}})
	}
	return list
}

// process runs a command to its end and returns the CPU seconds it took.
func process(line, in, out string) (float64, error) {
	args := strings.Fields(line)
	for i, a := range args {
		switch a {
		case "IN":
			args[i] = in
		case "OUT":
			args[i] = out
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(b))
	}
	return time.Duration(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}
