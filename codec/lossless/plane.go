package lossless

// plane is one channel of a tile.
type plane struct {
	w, h int
	max  uint16   // largest value a sample may take
	pix  []uint16 // w*h samples in row order, each in 0..max
}

// newPlane returns a plane of zeros.
func newPlane(w, h int, max uint16) plane {
	return plane{w: w, h: h, max: max, pix: make([]uint16, w*h)}
}

// row returns the samples of row y.
func (p *plane) row(y int) []uint16 { return p.pix[y*p.w : (y+1)*p.w : (y+1)*p.w] }
