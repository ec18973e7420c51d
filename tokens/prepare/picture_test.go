package prepare

// picture returns the raster that testdata/generate.py makes by the same formula.
func picture(w, h int, seed uint32) *raster {
	p := newRaster(w, h)
	for y := range h {
		row := p.row(y)
		for x := range w {
			for c := range 3 {
				row[3*x+c] = sample(x, y, c, seed)
			}
		}
	}
	return p
}

// sample is a chequerboard of noise and of ramps.
func sample(x, y, c int, seed uint32) uint8 {
	if (x>>4+y>>4)&1 == 0 {
		return uint8(x*3 + y*5 + c*85 + int(seed))
	}
	n := uint32(x)*73856093 ^ uint32(y)*19349663 ^ uint32(c+1)*83492791 ^ seed
	n *= 2654435761
	n ^= n >> 15
	n *= 2246822519
	return uint8(n >> 24)
}
