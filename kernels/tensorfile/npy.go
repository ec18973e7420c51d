package tensorfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A file is the magic, two bytes of version, the header's length in two bytes
// (version 1) or four, the header, and the elements. The header is a Python
// dictionary with exactly the keys descr, fortran_order and shape.

const npyMagic = "\x93NUMPY"

// maxNPYHeader is far above what an array of maxDims dimensions takes.
const maxNPYHeader = 1 << 16

// npyTypes are the descriptions of elements without their byte order.
var npyTypes = map[string]DType{
	"b1": Bool, "u1": U8, "i1": I8, "u2": U16, "i2": I16, "u4": U32, "i4": I32,
	"u8": U64, "i8": I64, "f2": F16, "f4": F32, "f8": F64, "c8": C64,
}

// ReadNPY reads an .npy file of at most maxBytes bytes to its end. The tensor
// has no name; big-endian elements are turned round and arrays in Fortran's
// order brought into rows. Objects, records, strings and dates are an
// [UnsupportedError].
func ReadNPY(r io.Reader, maxBytes int64) (Tensor, error) {
	head, err := readN(r, 10)
	if err != nil {
		return Tensor{}, err
	}
	if string(head[:6]) != npyMagic {
		return Tensor{}, FormatError("no .npy file")
	}
	n := uint32(binary.LittleEndian.Uint16(head[8:]))
	used := int64(10)
	switch head[6] {
	case 1:
	case 2, 3:
		more, err := readN(r, 2)
		if err != nil {
			return Tensor{}, err
		}
		n |= uint32(binary.LittleEndian.Uint16(more)) << 16
		used += 2
	default:
		return Tensor{}, UnsupportedError(fmt.Sprintf(".npy version %d.%d", head[6], head[7]))
	}
	if n > maxNPYHeader {
		return Tensor{}, FormatError(fmt.Sprintf("a header of %d bytes", n))
	}
	header, err := readN(r, int(n))
	if err != nil {
		return Tensor{}, err
	}
	used += int64(n)
	descr, fortran, shape, err := parseDict(string(header))
	if err != nil {
		return Tensor{}, err
	}
	if len(descr) < 2 || !strings.ContainsRune("<>|=", rune(descr[0])) {
		return Tensor{}, UnsupportedError(fmt.Sprintf("elements of type %q", descr))
	}
	t := Tensor{DType: npyTypes[descr[1:]], Shape: shape}
	size := t.DType.Size()
	if size == 0 {
		return Tensor{}, UnsupportedError(fmt.Sprintf("elements of type %q", descr))
	}
	if descr[0] == '|' && size > 1 {
		return Tensor{}, FormatError(fmt.Sprintf("elements of type %q without a byte order", descr))
	}
	_, bytes, ok := sizeOf(shape, size)
	if !ok || used > maxBytes || int64(bytes) > maxBytes-used {
		return Tensor{}, fmt.Errorf("%w of %d bytes: an array of %v", ErrTooLarge, maxBytes, shape)
	}
	if t.Data, err = readN(r, bytes); err != nil {
		return Tensor{}, err
	}
	switch _, err := io.ReadFull(r, head[:1]); err {
	case io.EOF:
	case nil:
		return Tensor{}, FormatError("bytes after the array")
	default:
		return Tensor{}, err
	}
	if descr[0] == '>' && size > 1 {
		unit := size
		if t.DType == C64 {
			unit = 4
		}
		for i := 0; i < len(t.Data); i += unit {
			slices.Reverse(t.Data[i : i+unit])
		}
	}
	if fortran && len(shape) > 1 {
		t.Data = toRows(t.Data, shape, size)
	}
	return t, nil
}

// toRows brings elements whose first dimension varies fastest into row-major
// order.
func toRows(data []byte, shape []int, size int) []byte {
	out := make([]byte, len(data))
	stride := make([]int, len(shape))
	step := size
	for i, n := range shape {
		stride[i] = step
		step *= max(n, 1)
	}
	index := make([]int, len(shape))
	from := 0
	for to := 0; to < len(out); to += size {
		copy(out[to:to+size], data[from:])
		for i := len(shape) - 1; i >= 0; i-- {
			index[i]++
			from += stride[i]
			if index[i] < shape[i] {
				break
			}
			from -= index[i] * stride[i]
			index[i] = 0
		}
	}
	return out
}

// A dictParser reads the few Python literals that a header can have.
type dictParser struct{ s string }

// parseDict parses the header's dictionary.
func parseDict(header string) (descr string, fortran bool, shape []int, err error) {
	p := &dictParser{header}
	bad := func(what string) (string, bool, []int, error) {
		return "", false, nil, FormatError("header: " + what)
	}
	if !p.take('{') {
		return bad("no dictionary")
	}
	seen := map[string]bool{}
	for !p.take('}') {
		key, ok := p.str()
		if !ok || seen[key] || !p.take(':') {
			return bad("a key, a colon")
		}
		seen[key] = true
		switch key {
		case "descr":
			if descr, ok = p.str(); !ok {
				return "", false, nil, UnsupportedError("an array of records")
			}
		case "fortran_order":
			switch {
			case p.word("False"):
			case p.word("True"):
				fortran = true
			default:
				return bad("fortran_order is True or False")
			}
		case "shape":
			if shape, ok = p.tuple(); !ok {
				return bad("the shape is no tuple of sizes")
			}
		default:
			return bad(fmt.Sprintf("unknown key %q", key))
		}
		if !p.take(',') {
			if !p.take('}') {
				return bad("no end")
			}
			break
		}
	}
	if strings.TrimSpace(p.s) != "" {
		return bad("more after the dictionary")
	}
	if len(seen) != 3 {
		return bad("descr, fortran_order or shape is missing")
	}
	return descr, fortran, shape, nil
}

func (p *dictParser) space() { p.s = strings.TrimLeft(p.s, " \t\n\r") }

func (p *dictParser) take(c byte) bool {
	p.space()
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *dictParser) word(w string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s, w)
	if ok {
		p.s = rest
	}
	return ok
}

// str reads a quoted string without escapes.
func (p *dictParser) str() (string, bool) {
	p.space()
	if p.s == "" || p.s[0] != '\'' && p.s[0] != '"' {
		return "", false
	}
	s, rest, ok := strings.Cut(p.s[1:], p.s[:1])
	if !ok || strings.ContainsRune(s, '\\') {
		return "", false
	}
	p.s = rest
	return s, true
}

// tuple reads a tuple of sizes.
func (p *dictParser) tuple() ([]int, bool) {
	shape := []int{}
	if !p.take('(') {
		return nil, false
	}
	for !p.take(')') {
		p.space()
		digits := 0
		for digits < len(p.s) && '0' <= p.s[digits] && p.s[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(p.s[:digits])
		if err != nil || len(shape) == maxDims {
			return nil, false
		}
		shape = append(shape, n)
		p.s = strings.TrimPrefix(p.s[digits:], "L") // a long of Python 2
		if !p.take(',') {
			return shape, len(shape) > 1 && p.take(')')
		}
	}
	return shape, true
}

// WriteNPY writes a tensor as an .npy file of version 1.0; its name is not
// kept. Types that NumPy does not have are an [UnsupportedError].
func WriteNPY(w io.Writer, t Tensor) error {
	if err := t.Check(); err != nil {
		return err
	}
	descr := ""
	for d, have := range npyTypes {
		if have == t.DType {
			descr = d
		}
	}
	if descr == "" {
		return UnsupportedError(fmt.Sprintf("elements of type %s in an .npy file", t.DType))
	}
	order := "<"
	if t.DType.Size() == 1 {
		order = "|"
	}
	var shape strings.Builder
	for i, n := range t.Shape {
		if i > 0 {
			shape.WriteString(", ")
		}
		shape.WriteString(strconv.Itoa(n))
	}
	if len(t.Shape) == 1 {
		shape.WriteByte(',')
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, descr, shape.String())
	// The elements begin at a multiple of 64 bytes.
	const before = 10
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	b = append(b, header...)
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}
