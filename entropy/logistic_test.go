package entropy

import (
	"math"
	"testing"
)

// TestSquash compares the table with the function it stands for. math.Exp may
// differ by machine in the last bit, the table may not: hence the golden sums in
// blend_test.go.
func TestSquash(t *testing.T) {
	last := uint32(0)
	for z := int32(-squashMax - 500); z <= squashMax+500; z++ {
		p := Squash(z)
		if p < last {
			t.Fatalf("Squash(%d) = %d, less than before", z, p)
		}
		last = p
		if p < 1 || p > 65535 {
			t.Fatalf("Squash(%d) = %d", z, p)
		}
		if q := Squash(-z); z > -squashMax && z < squashMax && p+q != 65536 {
			t.Errorf("Squash(%d) + Squash(%d) = %d", z, -z, p+q)
		}
		exact := 65536 / (1 + math.Exp(-float64(min(max(z, -squashMax), squashMax))/StretchOne))
		if math.Abs(float64(p)-exact) > 0.51 && p > 1 && p < 65535 {
			t.Errorf("Squash(%d) = %d, want %.2f", z, p, exact)
		}
	}
	for _, c := range []struct {
		z    int32
		want uint32
	}{{0, 32768}, {256, 47911}, {-256, 17625}, {512, 57724}, {2047, 65514}, {1 << 30, 65535}, {-1 << 30, 1}} {
		if got := Squash(c.z); got != c.want {
			t.Errorf("Squash(%d) = %d, want %d", c.z, got, c.want)
		}
	}
}

func TestStretch(t *testing.T) {
	last := int32(math.MinInt32)
	for p := range uint32(65536) {
		z := Stretch(p)
		if z < last || z < -StretchMax || z > StretchMax {
			t.Fatalf("Stretch(%d) = %d after %d", p, z, last)
		}
		last = z
		// Both sides alike, but that far out a step of 16 is a leap.
		slack := int32(1)
		if max(z, -z) > 1500 {
			slack = 10
		}
		if q := Stretch(65535 - p); z+q < -slack || z+q > slack {
			t.Fatalf("Stretch(%d) = %d, Stretch(%d) = %d", p, z, 65535-p, q)
		}
		// The inverse, as far as steps of 16 and of 1/256 allow.
		if back := int(Squash(z)); p > 32 && p < 65504 && (back < int(p)-80 || back > int(p)+80) {
			t.Fatalf("Squash(Stretch(%d)) = %d", p, back)
		}
	}
	for _, c := range []struct {
		p    uint32
		want int32
	}{{32768, 0}, {47911, 256}, {17625, -256}, {0, -StretchMax}, {65535, StretchMax}} {
		if got := Stretch(c.p); got < c.want-1 || got > c.want+1 {
			t.Errorf("Stretch(%d) = %d, want %d", c.p, got, c.want)
		}
	}
	for z := int32(-1200); z <= 1200; z++ {
		if got := Stretch(Squash(z)); got < z-8 || got > z+8 {
			t.Errorf("Stretch(Squash(%d)) = %d", z, got)
		}
	}
}
