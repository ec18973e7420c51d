package lossless

// Reversible colour transforms of three equal planes. Those that subtract code
// one colour as it is and the other two less it, what the fitted prediction
// does to the residuals of channels then completes.
const (
	colourNone = iota
	colourLessG
	colourLessR
	colourLessB
	colourYCoCg // the lifting form of Malvar and Sullivan
	colourTransforms
)

// colourOrder gives for the transforms up to colourLessB the plane that comes
// first, and the others.
var colourOrder = [...][3]int{{1, 0, 2}, {1, 0, 2}, {0, 1, 2}, {2, 1, 0}}

// forwardColour fills dst with the channels of a row of three colours.
func forwardColour(t int, dst [3][]int32, src [3][]uint16) {
	n := len(src[0])
	if t == colourYCoCg {
		r, g, b := src[0][:n], src[1][:n], src[2][:n]
		y, co, cg := dst[0][:n], dst[1][:n], dst[2][:n]
		for i := range n {
			o := int32(r[i]) - int32(b[i])
			m := int32(b[i]) + o>>1
			c := int32(g[i]) - m
			y[i], co[i], cg[i] = m+c>>1, o, c
		}
		return
	}
	a, b, c := src[colourOrder[t][0]][:n], src[colourOrder[t][1]][:n], src[colourOrder[t][2]][:n]
	x, y, z := dst[0][:n], dst[1][:n], dst[2][:n]
	mask := int32(-1)
	if t == colourNone {
		mask = 0
	}
	for i := range n {
		p := int32(a[i])
		x[i] = p
		y[i] = int32(b[i]) - p&mask
		z[i] = int32(c[i]) - p&mask
	}
}

// inverseColour undoes forwardColour and reports whether every sample came out
// in 0..limit.
func inverseColour(t int, dst [3][]uint16, src [3][]int32, limit int32) bool {
	n := len(dst[0])
	bad := int32(0)
	if t == colourYCoCg {
		r, g, b := dst[0][:n], dst[1][:n], dst[2][:n]
		y, co, cg := src[0][:n], src[1][:n], src[2][:n]
		for i := range n {
			m := y[i] - cg[i]>>1
			vg := cg[i] + m
			vb := m - co[i]>>1
			vr := vb + co[i]
			bad |= vr | vg | vb | (limit - vr) | (limit - vg) | (limit - vb)
			r[i], g[i], b[i] = uint16(vr), uint16(vg), uint16(vb)
		}
		return bad >= 0
	}
	a, b, c := dst[colourOrder[t][0]][:n], dst[colourOrder[t][1]][:n], dst[colourOrder[t][2]][:n]
	x, y, z := src[0][:n], src[1][:n], src[2][:n]
	mask := int32(-1)
	if t == colourNone {
		mask = 0
	}
	for i := range n {
		va := x[i]
		vb := y[i] + va&mask
		vc := z[i] + va&mask
		bad |= va | vb | vc | (limit - va) | (limit - vb) | (limit - vc)
		a[i], b[i], c[i] = uint16(va), uint16(vb), uint16(vc)
	}
	return bad >= 0
}

// forwardPlane and inverseRow serve a plane that takes part in no transform.
func forwardPlane(dst []int32, src []uint16) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = int32(v)
	}
}

func inversePlane(dst []uint16, src []int32, limit int32) bool {
	src = src[:len(dst)]
	bad := int32(0)
	for i, v := range src {
		bad |= v | (limit - v)
		dst[i] = uint16(v)
	}
	return bad >= 0
}
