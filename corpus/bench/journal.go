package bench

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// A journal is an append-only file of rows, one JSON object a line. A row is
// written at once and whole; what a killed run left of a line is cut off when the
// journal is opened again, so that its rows are always the first of those that the
// whole run would have written.
type journal struct {
	f *os.File

	mu   sync.Mutex
	done map[[16]byte]bool // rows there are, by key and version; true if they failed
}

// ErrBusy reports that another run is writing the journal.
var ErrBusy = errors.New("bench: another run is writing this journal")

// openJournal opens a journal, or makes it.
func openJournal(name string) (*journal, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	j := &journal{f: f, done: make(map[[16]byte]bool)}
	size, err := readRows(f, func(r *Row) error {
		j.note(r)
		return nil
	})
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

// digest keeps memory small: 10,000 pictures at 20 points are 200,000 rows.
func digest(k Key, version string) [16]byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", k.Picture, k.Curve, k.Rate, version))
	return [16]byte(sum[:16])
}

func (j *journal) note(r *Row) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[digest(r.Key(), r.Version)] = r.Error != ""
}

// claim reports whether there is a row and, if there is one, whether it failed. If
// not, or if it failed and is to be tried again, the caller is to add it: to
// later claims it is there.
func (j *journal) claim(k Key, version string, retry bool) (found, failed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := digest(k, version)
	failed, found = j.done[d]
	if found && failed && retry {
		found = false
	}
	if !found {
		j.done[d] = false
	}
	return found, failed
}

func (j *journal) add(r *Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(b, '\n')); err != nil {
		return err
	}
	j.note(r)
	return nil
}

func (j *journal) close() error { return j.f.Close() }

// maxLine bounds a line of a journal.
const maxLine = 1 << 20

// readRows calls f for all rows and returns the size of the whole lines. What
// follows the last line end is left out: a run may be about to write it.
func readRows(r io.Reader, f func(*Row) error) (size int64, err error) {
	lines := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return size, nil
		}
		if err == bufio.ErrBufferFull {
			return size, fmt.Errorf("line %d is longer than %d bytes: not a journal", n, maxLine)
		}
		if err != nil {
			return size, err
		}
		row, err := parseRow(line)
		if err != nil {
			return size, fmt.Errorf("line %d: %w", n, err)
		}
		size += int64(len(line))
		if err := f(row); err != nil {
			return size, err
		}
	}
}

func parseRow(line []byte) (*Row, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	row := new(Row)
	if err := d.Decode(row); err != nil {
		return nil, fmt.Errorf("not a row of a journal: %w", err)
	}
	if row.Width < 1 || row.Height < 1 || row.Planes < 1 || row.Bytes < 0 || row.Picture == "" || row.Curve == "" ||
		(row.Error == "" && row.Bytes == 0) {
		return nil, errors.New("not a row of a journal: it has no picture, size or codec")
	}
	return row, nil
}

// ReadJournal calls f for all rows of a journal, in order. The last line is left
// out while it is not whole.
func ReadJournal(r io.Reader, f func(*Row) error) error {
	_, err := readRows(r, f)
	return err
}

// ReadJournals reads journals, such as those of shards, one after the other.
func ReadJournals(names []string, f func(*Row) error) error {
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = ReadJournal(file, f)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
