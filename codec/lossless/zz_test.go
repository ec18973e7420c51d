package lossless

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

func cpuT() float64 {
	var r syscall.Rusage
	syscall.Getrusage(1, &r) // RUSAGE_THREAD
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func TestZZ(t *testing.T) {
	g := os.Getenv("ZZ")
	if g == "" {
		t.Skip()
	}
	cropn, _ := strconv.Atoi(os.Getenv("CROP"))
	e, _ := strconv.Atoi(os.Getenv("EFFORT"))
	fs, _ := filepath.Glob(g)
	out := make([]string, len(fs))
	tot := make([]int, len(fs))
	px := make([]int, len(fs))
	sem := make(chan bool, 2)
	done := make(chan bool)
	var et, dt float64
	for i, f := range fs {
		go func() {
			sem <- true
			r, _ := os.Open(f)
			m, err := png.Decode(r)
			if err != nil {
				panic(err)
			}
			im := m.(*image.RGBA)
			w, h := im.Rect.Dx(), im.Rect.Dy()
			x0, y0 := 0, 0
			if cropn > 0 {
				x0, y0 = (w-cropn)/2, (h-cropn)/2
				w, h = cropn, cropn
			}
			ps := []plane{newPlane(w, h, 255), newPlane(w, h, 255), newPlane(w, h, 255)}
			for y := range h {
				for x := range w {
					for c := range ps {
						ps[c].pix[y*w+x] = uint16(im.Pix[(y+y0)*im.Stride+(x+x0)*4+c])
					}
				}
			}
			t0 := cpuT()
			d, err := encodeMix(ps, []int{1, 0, 2}, e, func(int) error { return nil })
			if err != nil {
				panic(err)
			}
			t1 := cpuT()
			if os.Getenv("DEC") != "" {
				qs := []plane{newPlane(w, h, 255), newPlane(w, h, 255), newPlane(w, h, 255)}
				if err := decodeMix(d, qs, []int{1, 0, 2}, e, func(int) error { return nil }); err != nil {
					panic(err)
				}
				for c := range ps {
					for k := range ps[c].pix {
						if ps[c].pix[k] != qs[c].pix[k] {
							panic("mismatch")
						}
					}
				}
			}
			tot[i] = len(d)
			px[i] = w * h
			et += t1 - t0
			dt += cpuT() - t1
			out[i] = fmt.Sprintf("%s %d %.4f", filepath.Base(f), len(d), float64(len(d))*8/float64(3*w*h))
			<-sem
			done <- true
		}()
	}
	s, p := 0, 0
	for range fs {
		<-done
	}
	for i := range fs {
		if os.Getenv("V") != "" {
			fmt.Println(out[i])
		}
		s += tot[i]
		p += px[i]
	}
	fmt.Printf("e%d total %d bpsp %.4f enc %.3f MB/s dec %.3f MB/s (cpu)\n", e, s, float64(s)*8/float64(3*p), float64(p)*3/1e6/et, float64(p)*3/1e6/dt)
}
