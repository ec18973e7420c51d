package convnet

// PixelUnit is the pixel values, of 0..255, in one unit of a network's, whose zero is
// PixelZero.
const (
	PixelUnit = 64
	PixelZero = 128
)

// A Picture is [H][W][3] in the units of PixelUnit.
type Picture struct {
	H, W int
	Data []float32
}

// Shape returns that of a batch of the picture alone.
func (p Picture) Shape() Shape { return Shape{N: 1, H: p.H, W: p.W} }

// Squares calls f for the corners of all squares of the given side.
func (p Picture) Squares(side int, f func(y, x int)) {
	for y := 0; y+side <= p.H; y += side {
		for x := 0; x+side <= p.W; x += side {
			f(y, x)
		}
	}
}

// Square sets v, of 192 elements, to the values of the 8 x 8 pixels whose corner is at y
// and x, as OpDown has them.
func (p Picture) Square(v []float32, y, x int) {
	for i := range 8 {
		copy(v[i*24:(i+1)*24], p.Data[((y+i)*p.W+x)*3:])
	}
}
