package prepare

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"testing"
)

var filterNames = map[string]filter{"bilinear": bilinear, "bicubic": bicubic, "lanczos": lanczos}

// bytes returns the pixels without the stride.
func (p *raster) bytes() []byte {
	var b []byte
	for y := range p.h {
		b = append(b, p.row(y)...)
	}
	return b
}

// TestResizeGolden compares with Pillow's and PyTorch's own results.
func TestResizeGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/resample.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][]any
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, c := range cases {
		b := map[any]Backend{"pil": PIL, "pil12": PIL12, "torchvision": Torchvision}[c[0]]
		number := func(i int) int { return int(c[i].(float64)) }
		f := filterNames[c[1].(string)]
		p := picture(number(2), number(3), 0)
		got := p.resize(number(4), number(5), f, b, 1)
		if sum := crc32.ChecksumIEEE(got.bytes()); sum != uint32(number(6)) {
			t.Errorf("%v: checksum %d", c, sum)
		}
		n[c[0].(string)]++
	}
	if n["pil"] < 150 || n["pil12"] < 50 || n["torchvision"] < 100 {
		t.Errorf("only %v cases", n)
	}
}

// resizeReference is resize as its definition says it.
func resizeReference(p *raster, w, h int, f filter, b Backend) *raster {
	pass := func(n, m int, at func(i int) uint8, set func(x int, v uint8)) {
		if n == m {
			for i := range n {
				set(i, at(i))
			}
			return
		}
		ws := newWeights(f, b, n, m)
		for x := range m {
			sum := int32(1) << (ws.precision - 1)
			for i := range ws.count[x] {
				sum += ws.w[x*ws.taps+i] * int32(at(ws.first[x]+i))
			}
			set(x, uint8(min(max(sum>>ws.precision, 0), 255)))
		}
	}
	if b == PIL && p.h > h && p.h-h > 2*(p.w-w) && w != p.w {
		return resizeReference(resizeReference(p, p.w, h, f, b), w, h, f, b)
	}
	rows := newRaster(w, p.h)
	for y := range p.h {
		for c := range 3 {
			pass(p.w, w, func(i int) uint8 { return p.row(y)[3*i+c] }, func(x int, v uint8) { rows.row(y)[3*x+c] = v })
		}
	}
	out := newRaster(w, h)
	for x := range w {
		for c := range 3 {
			pass(p.h, h, func(i int) uint8 { return rows.row(i)[3*x+c] }, func(y int, v uint8) { out.row(y)[3*x+c] = v })
		}
	}
	return out
}

func TestResizeIsItsReference(t *testing.T) {
	for seed, s := range [][4]int{{1, 1, 3, 2}, {2, 5, 1, 9}, {31, 7, 64, 3}, {50, 41, 13, 80}, {17, 17, 17, 5}, {8, 9, 80, 9}, {700, 500, 300, 200}} {
		for _, f := range filterNames {
			for _, b := range []Backend{PIL, PIL12, Torchvision} {
				p := picture(s[0], s[1], uint32(seed)*77)
				want := resizeReference(p, s[2], s[3], f, b)
				for _, workers := range []int{1, 3} {
					if got := p.resize(s[2], s[3], f, b, workers); !slices.Equal(got.bytes(), want.bytes()) {
						t.Errorf("%v by filter %d, backend %d, %d workers: not the reference", s, f, b, workers)
					}
				}
			}
		}
	}
}

// TestWeightsFitTheirSums shows that no sum of the widest filters leaves int32.
func TestWeightsFitTheirSums(t *testing.T) {
	for _, f := range filterNames {
		for _, b := range []Backend{PIL, PIL12, Torchvision} {
			for _, s := range [][2]int{{1, 1000}, {2, 3}, {3, 2}, {1000, 1}, {1000, 7}, {997, 1000}, {1000, 997}, {7, 1000}} {
				ws := newWeights(f, b, s[0], s[1])
				for x := range s[1] {
					lo, hi := int64(0), int64(1)<<(ws.precision-1)
					for _, w := range ws.w[x*ws.taps:][:ws.count[x]] {
						if w < 0 {
							lo += 255 * int64(w)
						} else {
							hi += 255 * int64(w)
						}
					}
					if lo < -1<<31 || hi >= 1<<31 {
						t.Fatalf("filter %d, backend %d, %v: sums from %d to %d", f, b, s, lo, hi)
					}
				}
			}
		}
	}
}

// BenchmarkResize reports megapixels of input a second on one goroutine.
func BenchmarkResize(b *testing.B) {
	for _, s := range [][4]int{{1920, 1080, 1932, 1092}, {4032, 3024, 1008, 756}, {640, 480, 1344, 896}} {
		p := picture(s[0], s[1], 0)
		for _, name := range []string{"bilinear", "bicubic", "lanczos"} {
			b.Run(fmt.Sprintf("%dx%d-%dx%d/%s", s[0], s[1], s[2], s[3], name), func(b *testing.B) {
				for b.Loop() {
					p.resize(s[2], s[3], filterNames[name], PIL, 1)
				}
				b.ReportMetric(float64(s[0]*s[1]*b.N)/b.Elapsed().Seconds()/1e6, "MP/s")
				b.ReportMetric(float64(s[2]*s[3]*b.N)/b.Elapsed().Seconds()/1e6, "MPout/s")
			})
		}
	}
}
