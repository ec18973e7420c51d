package lattice

import (
	"image/color"
	"testing"
)

// TestColours compares the tables with the formulas they stand for.
func TestColours(t *testing.T) {
	clamp := func(v int) uint8 { return uint8(max(0, min(255, v))) }
	floor := func(a, b int) int { return int(floorDiv(int64(a), int64(b))) }
	for y := 0; y < 256; y += 3 {
		for c1 := range 256 {
			for c2 := y % 2; c2 < 256; c2 += 2 {
				check := func(k Kind, r, g, b uint8) {
					r1, g1, b1 := colours[k].rgb(uint8(y), uint8(c1), uint8(c2))
					if r1 != r || g1 != g || b1 != b {
						t.Fatalf("%v (%d,%d,%d): %d,%d,%d, want %d,%d,%d", k, y, c1, c2, r1, g1, b1, r, g, b)
					}
				}
				r, g, b := color.YCbCrToRGB(uint8(y), uint8(c1), uint8(c2))
				check(JFIFGo, r, g, b)

				// jdcolor.c, build_ycc_rgb_table and ycc_rgb_convert.
				cb, cr := c1-128, c2-128
				check(JFIF, clamp(y+(91881*cr+32768)>>16),
					clamp(y+(-22554*cb-46802*cr+32768)>>16),
					clamp(y+(116130*cb+32768)>>16))

				l, a1, a2 := 13584*y, 22179*(c1-156), 18215*(c2-137)
				check(PhotoCD, clamp(floor(l+a2, 10000)),
					clamp(floor(l-1940*floor(a1, 10000)-5090*floor(a2, 10000), 10000)),
					clamp(floor(l+a1, 10000)))
			}
		}
	}
}

// TestPreimage checks that every colour away from the limits leads back to the
// one (Y, C1, C2) it came from, and that lumas agrees.
func TestPreimage(t *testing.T) {
	step := 3
	if testing.Short() {
		step = 7
	}
	for k, c := range colours {
		for c1 := 0; c1 < 256; c1 += step {
			for c2 := c1 % step; c2 < 256; c2 += step {
				for y := range 256 {
					r, g, b := c.rgb(uint8(y), uint8(c1), uint8(c2))
					lo, hi := c.lumas(r, g, b, uint8(c1), uint8(c2))
					if int32(y) < lo || int32(y) > hi {
						t.Fatalf("%v (%d,%d,%d): lumas %d..%d", Kind(k), y, c1, c2, lo, hi)
					}
					v := c.preimage(r, g, b)
					if v == limited {
						// Beyond lo..hi no Y may lead to the pixel.
						for _, e := range []int32{lo - 1, hi + 1} {
							if e < 0 || e > 255 {
								continue
							}
							if r2, g2, b2 := c.rgb(uint8(e), uint8(c1), uint8(c2)); r2 == r && g2 == g && b2 == b {
								t.Fatalf("%v (%d,%d,%d): %d leads there too", Kind(k), y, c1, c2, e)
							}
						}
					} else if v != uint32(y)<<16|uint32(c1)<<8|uint32(c2) {
						t.Fatalf("%v (%d,%d,%d): preimage %#x", Kind(k), y, c1, c2, v)
					} else if y2 := c.nearestLuma(r, g, b, uint8(c1), uint8(c2)); int(y2) != y {
						t.Fatalf("%v (%d,%d,%d): nearestLuma %d", Kind(k), y, c1, c2, y2)
					}
				}
			}
		}
	}
}
