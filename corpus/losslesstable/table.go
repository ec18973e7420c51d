package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// A result is what a coder made of a picture, or the sum over many.
type result struct {
	Bytes          int64
	Encode, Decode float64 // CPU seconds; a Decode of 0 was not measured
}

// A table is the results of the coders on a folder.
type table struct {
	title    string
	coders   []coder
	sums     []result
	pictures int
	pixels   int64
}

// reference is the row that sizes are compared with.
const reference = "cjxl -e 9"

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "## %s: %d pictures, %.2f Mpixel\n\n", t.title, t.pictures, float64(t.pixels)/1e6)
	fmt.Fprintf(w, "| codec | bytes | bits per sub-pixel | to %s | encode MB/s | decode MB/s |\n|---|--:|--:|--:|--:|--:|\n", reference)
	raw := 3 * float64(t.pixels)
	var base int64
	for i, c := range t.coders {
		if strings.HasPrefix(c.name+" "+c.flags, reference) {
			base = t.sums[i].Bytes
		}
	}
	for i, c := range t.coders {
		s := t.sums[i]
		relative := "–"
		if base > 0 {
			relative = fmt.Sprintf("%+.2f %%", 100*(float64(s.Bytes)/float64(base)-1))
		}
		fmt.Fprintf(w, "| %s `%s` | %d | %.4f | %s | %s | %s |\n", c.name, c.flags, s.Bytes,
			float64(8*s.Bytes)/max(raw, 1), relative, speed(raw, s.Encode), speed(raw, s.Decode))
	}
	fmt.Fprintf(w, "\nBits per sub-pixel: 8 · bytes / (3 · width · height). MB/s: 10^6 bytes of raw 8-bit RGB a CPU second, one thread. "+
		"Times of other programs are of whole processes, with the reading and writing of PNG. What burin decoded was the picture, sample by sample.\n\n")
	seen := make(map[string]bool)
	for _, c := range t.coders {
		if line := fmt.Sprintf("- %s: %s\n", c.name, c.version); !seen[line] {
			seen[line] = true
			fmt.Fprint(w, line)
		}
	}
	fmt.Fprintf(w, "- machine: %s, %s\n\n", processor(), goVersion())
}

// speed is how many 10^6 bytes go by in a second, to three digits.
func speed(raw, seconds float64) string {
	if seconds <= 0 {
		return "–"
	}
	v := raw / 1e6 / seconds
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func goVersion() string {
	return fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// processor names the CPU where the system tells.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "unknown CPU"
}

// A key names a measurement.
type key struct{ File, Codec, Flags, Version string }

// A record is a line of the journal.
type record struct {
	key
	result
	Name string // of the file, for readers
}

// A journal keeps results over runs.
type journal struct {
	f       *os.File // nil: kept in memory only
	results map[key]result
}

// openJournal reads the journal, or makes it. With an empty name there is none.
func openJournal(name string) (*journal, error) {
	j := &journal{results: make(map[key]result)}
	if name == "" {
		return j, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	j.f = f
	ended := true
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		// A run that was killed may have left half a line.
		var rec record
		if json.Unmarshal(line, &rec) == nil {
			j.results[rec.key] = rec.result
		}
		if err == io.EOF {
			ended = ended && len(line) == 0
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if !ended {
		if _, err := f.WriteString("\n"); err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *journal) add(k key, name string, r result) error {
	j.results[k] = r
	if j.f == nil {
		return nil
	}
	b, err := json.Marshal(record{k, r, name})
	if err != nil {
		return err
	}
	_, err = j.f.Write(append(b, '\n'))
	return err
}

func (j *journal) close() {
	if j.f != nil {
		j.f.Close()
	}
}
