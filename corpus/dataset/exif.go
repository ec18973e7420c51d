package dataset

import "encoding/binary"

// EXIF is a TIFF file without a picture. Tags and types are those of TIFF.
const (
	tagBitsPerSample = 258
	tagPhotometric   = 262
	tagFillOrder     = 266
	tagOrientation   = 274
	tagPlanar        = 284
	tagXMP           = 700
	tagICC           = 34675
)

// tiffSizes holds the sizes in bytes of the TIFF types 1 to 12.
var tiffSizes = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8}

// A directory is the first image file directory of a TIFF file.
type directory struct {
	b     []byte
	order binary.ByteOrder
	ifd   []byte // its entries, 12 bytes each
	next  uint32 // offset of the next directory, 0 for none
}

// parseTIFF returns the first directory of b, or nil if there is none.
func parseTIFF(b []byte) *directory {
	if len(b) < 8 {
		return nil
	}
	d := &directory{b: b}
	switch string(b[:4]) {
	case "II*\x00":
		d.order = binary.LittleEndian
	case "MM\x00*":
		d.order = binary.BigEndian
	default:
		return nil
	}
	at := uint64(d.order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return nil
	}
	end := at + 2 + 12*uint64(d.order.Uint16(b[at:]))
	if end > uint64(len(b)) {
		return nil
	}
	d.ifd = b[at+2 : end]
	if end+4 <= uint64(len(b)) {
		d.next = d.order.Uint32(b[end:])
	}
	return d
}

// bytes returns the value of a tag and its type, or nil.
func (d *directory) bytes(tag uint16) (value []byte, kind uint16) {
	for e := d.ifd; len(e) > 0; e = e[12:] {
		if d.order.Uint16(e) != tag {
			continue
		}
		kind = d.order.Uint16(e[2:])
		if kind == 0 || int(kind) >= len(tiffSizes) {
			return nil, 0
		}
		size := tiffSizes[kind] * uint64(d.order.Uint32(e[4:]))
		if size <= 4 {
			return e[8 : 8+size], kind
		}
		at := uint64(d.order.Uint32(e[8:]))
		if at+size > uint64(len(d.b)) {
			return nil, 0
		}
		return d.b[at : at+size], kind
	}
	return nil, 0
}

// number returns the first number in a tag, or other.
func (d *directory) number(tag uint16, other int) int {
	value, kind := d.bytes(tag)
	switch {
	case kind == 1 && len(value) >= 1:
		return int(value[0])
	case kind == 3 && len(value) >= 2:
		return int(d.order.Uint16(value))
	case kind == 4 && len(value) >= 4:
		return int(d.order.Uint32(value))
	}
	return other
}

// orientation returns the orientation tag, 1 if it is missing or none.
func (d *directory) orientation() int {
	if o := d.number(tagOrientation, 1); o >= 1 && o <= 8 {
		return o
	}
	return 1
}

// exifOrientation returns the orientation that EXIF metadata note, 1 if none.
func exifOrientation(exif []byte) int {
	if d := parseTIFF(exif); d != nil {
		return d.orientation()
	}
	return 1
}

// orientationEXIF returns EXIF metadata that hold an orientation only.
func orientationEXIF(orientation int) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01")
	for _, v := range []uint16{tagOrientation, 3, 0, 1, uint16(orientation), 0, 0, 0} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}
