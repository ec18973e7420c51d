package blocks

import "fmt"

// A Format says how weights are stored.
type Format uint8

// The formats; see the package comment.
const (
	Q8_0 Format = iota
	Q4_0
	IQ4_NL
	MXFP4
	NVFP4
	TQ2_0
	TQ1_0
	NF4
	Int4G32
	Int4G64
	Int4G128
	formats
)

// A layout is what there is to know of a format.
type layout struct {
	name  string
	len   int // weights of a block
	bytes int // bytes of a block
	group int // weights of a scale
	width int // bits of a code in a Matrix: 8, 4 or 2
}

var layouts = [formats]layout{
	Q8_0:     {"Q8_0", 32, 34, 32, 8},
	Q4_0:     {"Q4_0", 32, 18, 32, 4},
	IQ4_NL:   {"IQ4_NL", 32, 18, 32, 4},
	MXFP4:    {"MXFP4", 32, 17, 32, 4},
	NVFP4:    {"NVFP4", 64, 36, 16, 4},
	TQ2_0:    {"TQ2_0", 256, 66, 256, 2},
	TQ1_0:    {"TQ1_0", 256, 54, 256, 2},
	NF4:      {"NF4", 64, 34, 64, 4},
	Int4G32:  {"Int4G32", 32, 19, 32, 4},
	Int4G64:  {"Int4G64", 64, 35, 64, 4},
	Int4G128: {"Int4G128", 128, 67, 128, 4},
}

// maxBlock is the most weights of a block, and minGroup the fewest of a scale.
const (
	maxBlock = 256
	minGroup = 16
)

// Formats returns all formats.
func Formats() []Format {
	all := make([]Format, formats)
	for f := range all {
		all[f] = Format(f)
	}
	return all
}

// String returns the name of f.
func (f Format) String() string {
	if f < formats {
		return layouts[f].name
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// Parse returns the format of a name.
func Parse(name string) (Format, error) {
	for f, l := range layouts {
		if l.name == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("blocks: no format is called %q", name)
}

// BlockLen returns the weights of a block.
func (f Format) BlockLen() int { return layouts[f].len }

// BlockBytes returns the bytes of a block.
func (f Format) BlockBytes() int { return layouts[f].bytes }

// Group returns the weights that share a scale, at most BlockLen.
func (f Format) Group() int { return layouts[f].group }

// Bits returns the bits that a weight takes.
func (f Format) Bits() float64 { return 8 * float64(layouts[f].bytes) / float64(layouts[f].len) }

// Bytes returns the bytes of n weights, or an error where n is negative or no whole number
// of blocks.
func (f Format) Bytes(n int) (int, error) {
	if f >= formats {
		return 0, fmt.Errorf("blocks: unknown format %d", uint8(f))
	}
	l := &layouts[f]
	if n < 0 || n%l.len != 0 {
		return 0, fmt.Errorf("blocks: %d weights are no whole number of blocks of %d", n, l.len)
	}
	if n/l.len > maxInt/l.bytes {
		return 0, fmt.Errorf("blocks: %d weights are too many", n)
	}
	return n / l.len * l.bytes, nil
}

const maxInt = int(^uint(0) >> 1)

// levels4 are the levels of the formats of four bits, as integers; NF4's are rounded, of
// 127 at most.
var (
	levelsQ4_0   = [16]int8{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}
	levelsInt4   = [16]int8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	levelsIQ4_NL = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	levelsFP4    = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12} // twice E2M1
	levelsNF4    = [16]int8{-127, -88, -67, -50, -36, -23, -12, 0, 10, 20, 31, 43, 56, 71, 92, 127}
)

// normalFloats are the levels of NF4: means of quantiles of the normal distribution, of
// which eight are negative, zero is exact, and the largest are ±1.
var normalFloats = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// table returns the integer levels of a format of four bits, as a Matrix has them.
func (f Format) table() *[16]int8 {
	switch f {
	case Q4_0:
		return &levelsQ4_0
	case IQ4_NL:
		return &levelsIQ4_NL
	case MXFP4, NVFP4:
		return &levelsFP4
	case NF4:
		return &levelsNF4
	}
	return &levelsInt4
}

// zeros reports whether the format has zero points.
func (f Format) zeros() bool { return f == Int4G32 || f == Int4G64 || f == Int4G128 }
