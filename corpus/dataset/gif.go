package dataset

import (
	"bytes"
	"image"
	"image/draw"
	"image/gif"
)

// decodeGIF decodes the first frame of a GIF file.
func decodeGIF(b []byte) (*Picture, error) {
	m, err := gif.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	cfg, err := gif.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	// A frame may leave part of the screen as it is, which is transparent.
	if screen := image.Rect(0, 0, cfg.Width, cfg.Height); m.Bounds() != screen {
		whole := image.NewNRGBA(screen)
		draw.Draw(whole, m.Bounds(), m, m.Bounds().Min, draw.Src)
		m = whole
	}
	return &Picture{Image: m, More: gifFrames(b, 2) > 1}, nil
}

// gifFrames counts the frames of a GIF file, up to most.
func gifFrames(b []byte, most int) (n int) {
	table := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	skip := func(k int) { b = b[min(k, len(b)):] }
	subBlocks := func() {
		for len(b) > 0 && b[0] != 0 {
			skip(1 + int(b[0]))
		}
		skip(1)
	}
	if len(b) < 13 {
		return 0
	}
	skip(13 + table(b[10]))
	for len(b) > 0 && n < most {
		switch b[0] {
		case ',':
			if len(b) < 11 {
				return n
			}
			n++
			skip(11 + table(b[9]))
			subBlocks()
		case '!':
			skip(2)
			subBlocks()
		default:
			return n
		}
	}
	return n
}
