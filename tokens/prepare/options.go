package prepare

// A Backend is a kind of image processor. Its arithmetic is followed to the bit.
type Backend int

const (
	PIL Backend = iota
	PIL12
	Torchvision
)

type Alpha int

const (
	AlphaDefault Alpha = iota
	AlphaWhite
	AlphaDrop
)
