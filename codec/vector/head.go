package vector

import (
	"encoding/binary"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
)

// head is the section "VECD".
type head struct {
	id      ID
	rate    int
	packets int                 // 1 for none
	shared  int                 // levels that packets share
	sizes   [network.Levels]int // logarithm of the largest codebook of each level, 0 for all
}

func (h *head) marshal() []byte {
	b := binary.AppendUvarint(append([]byte(nil), h.id[:]...), uint64(h.rate))
	b = binary.AppendUvarint(b, uint64(h.packets))
	if h.packets > 1 {
		b = binary.AppendUvarint(b, uint64(h.shared))
	}
	sizes := 0
	for l, s := range h.sizes {
		sizes |= s << (4 * l)
	}
	return binary.AppendUvarint(b, uint64(sizes))
}

func readHead(b []byte) (*head, error) {
	h := &head{}
	if len(b) < len(h.id) {
		return nil, codec.FormatError("vector: the head is cut off")
	}
	b = b[copy(h.id[:], b):]
	ok := true
	number := func(lo, hi uint64) int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v < lo || v > hi {
			ok = false
			return 0
		}
		b = b[n:]
		return int(v)
	}
	h.rate = number(0, convnet.RateUnit)
	if h.packets = number(1, codec.MaxPackets); h.packets > 1 {
		h.shared = number(minShared, maxShared)
	}
	sizes := number(0, 1<<(4*network.Levels)-1)
	for l := range h.sizes {
		s := sizes >> (4 * l) & 15
		ok = ok && (s == 0 || s >= topBits && s%2 == 0)
		h.sizes[l] = s
	}
	if !ok || len(b) != 0 {
		return nil, codec.FormatError("vector: invalid head")
	}
	return h, nil
}

// Info is what a file says of how it was coded.
type Info struct {
	Model   ID
	Quality float64 // 0 to 100, as of codec.TargetQuality
	// Precision is the bits of precision of a sample: networks work with 14, whatever
	// the picture's.
	Precision int
	Packets   int // that the picture was cut into, 0 for none
	Found     int // of these, how many there are
}

// Describe returns what the sections of a file of this codec say, as Decoder.Scan found
// them, and false if there is no head among them.
func Describe(h *codec.Header, sections []codec.SectionInfo) (Info, bool) {
	info, ok := Info{Precision: min(h.Depth, 8+pixels.Bits)}, false
	for _, s := range sections {
		switch s.Kind {
		case kindHead:
			if head, err := readHead([]byte(s.Begin)); err == nil {
				info.Model, info.Quality, ok = head.id, 100*float64(head.rate)/convnet.RateUnit, true
				if head.packets > 1 {
					info.Packets = head.packets * len(pixels.Tiles(h.Width, h.Height))
				}
			}
		case kindPacket:
			info.Found++
		}
	}
	return info, ok
}

// depths returns the size of each book, as its logarithm.
func (m *Model) depths(sizes [network.Levels]int) []int {
	d := m.fullDepths()
	for l, level := range m.config.Levels {
		for s := range level.Stages {
			if i := stageNumber(m.config, l, s); sizes[l] != 0 {
				d[i] = min(d[i], sizes[l])
			}
		}
	}
	return d
}
