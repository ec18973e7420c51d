package circuit

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/burin-codec/burin/codec"
)

// A section of names holds
//
//	method  0: stored, 1: deflate (RFC 1951)
//	size    uvarint, with method 1 only: bytes of data once inflated
//	data
//
// and the data are steps until all pictures have names:
//
//	run     uvarint: so many names follow each from the one before by counting up
//	shared  uvarint: then a name begins with so many bytes of the one before;
//	rest    uvarint, bytes: this many others follow
//
// where the last step ends after its run if that was the last name. Counting up adds
// one to the last run of decimal digits in a name, which keeps its number of digits.

const (
	namesStored  = 0
	namesDeflate = 1

	// maxName is the most bytes a name may have.
	maxName = 1 << 12
)

// checkName returns an error unless a name is that of a file in or below a folder,
// with slashes and without
// anything that leads out of it.
func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) || r == '\\' }
	if len(name) > maxName || !fs.ValidPath(name) || name == "." || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return codec.FormatError(fmt.Sprintf("circuit: %.100q cannot be the name of a picture", name))
	}
	return nil
}

// following returns the name that follows by counting up, or "".
func following(name string) string {
	end := strings.LastIndexAny(name, "0123456789") + 1
	if end == 0 {
		return ""
	}
	b := []byte(name)
	for i := end - 1; i >= 0 && b[i] >= '0' && b[i] <= '9'; i-- {
		if b[i] < '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return ""
}

func packNames(names []string) []byte {
	var data []byte
	last := ""
	for i := 0; i < len(names); i++ {
		run := 0
		for i < len(names) && names[i] == following(last) {
			last = names[i]
			run++
			i++
		}
		data = binary.AppendUvarint(data, uint64(run))
		if i == len(names) {
			break
		}
		shared := 0
		for shared < min(len(last), len(names[i])) && last[shared] == names[i][shared] {
			shared++
		}
		last = names[i]
		data = binary.AppendUvarint(data, uint64(shared))
		data = binary.AppendUvarint(data, uint64(len(last)-shared))
		data = append(data, last[shared:]...)
	}
	var b bytes.Buffer
	b.WriteByte(namesDeflate)
	b.Write(binary.AppendUvarint(nil, uint64(len(data))))
	// Neither a valid level nor a bytes.Buffer can fail.
	fw, _ := flate.NewWriter(&b, flate.BestCompression)
	fw.Write(data)
	fw.Close()
	if b.Len() <= len(data) {
		return b.Bytes()
	}
	return append([]byte{namesStored}, data...)
}

// unpackNames returns count names, all valid and different, which together take no
// more than limit bytes.
func unpackNames(payload []byte, count int, limit int64) ([]string, error) {
	invalid := codec.FormatError("circuit: invalid names")
	if len(payload) == 0 {
		return nil, invalid
	}
	data := payload[1:]
	switch payload[0] {
	case namesStored:
	case namesDeflate:
		size, n := binary.Uvarint(data)
		if n <= 0 {
			return nil, invalid
		}
		if size > uint64(limit) {
			return nil, fmt.Errorf("%w: names of %d bytes", codec.ErrTooLarge, size)
		}
		var out bytes.Buffer
		fr := flate.NewReader(bytes.NewReader(data[n:]))
		if _, err := io.Copy(&out, io.LimitReader(fr, int64(size)+1)); err != nil || uint64(out.Len()) != size {
			return nil, invalid
		}
		data = out.Bytes()
	default:
		return nil, codec.UnsupportedError(fmt.Sprintf("circuit: names of method %d", payload[0]))
	}

	var names []string
	var failed error
	seen := make(map[string]bool)
	last := ""
	add := func(name string) bool {
		limit -= int64(len(name)) + 64 // about what it takes in memory
		if failed = checkName(name); failed == nil && seen[name] {
			failed = codec.FormatError(fmt.Sprintf("circuit: two pictures of name %.100q", name))
		}
		if failed == nil && limit < 0 {
			failed = fmt.Errorf("%w: names", codec.ErrTooLarge)
		}
		seen[name] = true
		names, last = append(names, name), name
		return failed == nil
	}
	number := func(most int) int {
		v, n := binary.Uvarint(data)
		if n <= 0 || v > uint64(most) {
			failed = invalid
			return 0
		}
		data = data[n:]
		return int(v)
	}
	for len(names) < count {
		for range number(count - len(names)) {
			if !add(following(last)) {
				break
			}
		}
		if failed == nil && len(names) < count {
			shared := number(len(last))
			if rest := number(len(data)); failed == nil && rest <= len(data) {
				name := last[:shared] + string(data[:rest])
				data = data[rest:]
				add(name)
			} else if failed == nil {
				failed = invalid
			}
		}
		if failed != nil {
			return nil, failed
		}
	}
	if len(data) != 0 {
		return nil, invalid
	}
	return names, nil
}
