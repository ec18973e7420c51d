package dataset

import (
	"bytes"
	"image/jpeg"
)

// decodeJPEG decodes a JPEG file. Its samples stay YCbCr planes where they are.
func decodeJPEG(b []byte) (*Picture, error) {
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	p := &Picture{Image: m}
	readSegments(b, p)
	return p, nil
}

// Prefixes of the JPEG segments that hold metadata.
const (
	prefixEXIF = "Exif\x00\x00"
	prefixXMP  = "http://ns.adobe.com/xap/1.0/\x00"
	prefixICC  = "ICC_PROFILE\x00"
	prefixMPF  = "MPF\x00"
)

// readSegments collects the metadata before the scan of a JPEG file that has
// been decoded, so that malformed segments are passed over.
func readSegments(b []byte, p *Picture) {
	var icc [256][]byte // by number, from 1 on
	parts := 0
	for b = b[2:]; len(b) >= 4; {
		marker := b[1]
		switch {
		case b[0] != 0xff || marker == 0xff: // fill bytes
			b = b[1:]
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7:
			b = b[2:]
			continue
		case marker == 0xd9 || marker == 0xda:
			b = nil
			continue
		}
		size := int(b[2])<<8 | int(b[3])
		if size < 2 || len(b) < 2+size {
			break
		}
		data := b[4 : 2+size]
		b = b[2+size:]
		switch marker {
		case 0xe1:
			// Of two EXIF segments, the first counts.
			if rest, ok := bytes.CutPrefix(data, []byte(prefixEXIF)); ok && p.Metadata.EXIF == nil {
				p.Metadata.EXIF = bytes.Clone(rest)
			} else if rest, ok := bytes.CutPrefix(data, []byte(prefixXMP)); ok && p.Metadata.XMP == nil {
				p.Metadata.XMP = bytes.Clone(rest)
			}
		case 0xe2:
			if rest, ok := bytes.CutPrefix(data, []byte(prefixICC)); ok && len(rest) >= 2 {
				icc[rest[0]], parts = rest[2:], int(rest[1])
			}
			p.More = p.More || bytes.HasPrefix(data, []byte(prefixMPF))
		}
	}
	var profile []byte
	for i := 1; i <= parts; i++ {
		if icc[i] == nil {
			return // a part is missing
		}
		profile = append(profile, icc[i]...)
	}
	p.Metadata.ICC = profile
}
