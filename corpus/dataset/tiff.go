package dataset

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// decodeTIFF decodes the first page of a TIFF file.
func decodeTIFF(b []byte) (*Picture, error) {
	d := parseTIFF(b)
	if d == nil {
		return nil, errors.New("dataset: TIFF without a directory")
	}
	// The decoder does not look at these tags, and cuts palette indices to 8
	// bits.
	if d.number(tagPlanar, 1) != 1 {
		return nil, errors.New("dataset: TIFF with separate planes is not supported")
	}
	depth := d.number(tagBitsPerSample, 1)
	if depth == 1 && d.number(tagFillOrder, 1) != 1 {
		return nil, errors.New("dataset: TIFF with reversed bits is not supported")
	}
	const paletted = 3
	if d.number(tagPhotometric, 0) == paletted && depth > 8 {
		return nil, fmt.Errorf("dataset: TIFF with a palette and %d bits a sample is not supported", depth)
	}
	m, err := tiff.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	p := &Picture{Image: m, Orientation: d.orientation(), More: d.next != 0}
	if icc, _ := d.bytes(tagICC); icc != nil {
		p.Metadata.ICC = bytes.Clone(icc)
	}
	if xmp, _ := d.bytes(tagXMP); xmp != nil {
		p.Metadata.XMP = bytes.Clone(xmp)
	}
	return p, nil
}

func decodeBMP(b []byte) (*Picture, error) {
	m, err := bmp.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return &Picture{Image: m}, nil
}
