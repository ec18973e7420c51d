package report_test

import (
	"fmt"
	"os"

	"github.com/burin-codec/burin/corpus/bench"
	"github.com/burin-codec/burin/corpus/report"
)

func ExampleBuilder() {
	b := report.New(nil)
	for _, picture := range []string{"boat", "tree"} {
		for i, rate := range []string{"q30", "q60"} {
			psnr := 32 + 4*float64(i)
			b.Add(&bench.Row{
				Corpus: "photos", Name: picture + ".png", Picture: "hash of " + picture, Width: 1000, Height: 500, Planes: 3, Depth: 8,
				Curve: "jpeg", Rate: rate, Version: "libjpeg-turbo 3.1", Command: "cjpeg -quality " + rate[1:],
				Bytes: 20000 * int64(i+1), Metrics: map[string]float64{"mse": 20, "psnr": psnr},
				Cost: bench.Cost{Runs: 1, EncodeCPU: 0.01, DecodeCPU: 0.005},
			})
		}
	}
	r, err := b.Report()
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Text(os.Stdout)
	// Output:
	// photos: 2 pictures, 1.00 Mpixel
	//
	//   rate   bytes     bpp   PSNR   enc  dec
	// jpeg  (2 pictures)
	//   q30   40,000  0.3200  32.00  50.0  100
	//   q60   80,000  0.6400  36.00  50.0  100
	//
	// enc, dec: 10^6 pixels per CPU second. MB: 10^6 bytes of memory at the peak.
	// bpp (of whole files), PSNR, SSIM and MS-SSIM are means of the pictures' values; speeds are all pixels to all time.
	// jpeg: libjpeg-turbo 3.1; cjpeg -quality RATE
	// Pictures: SHA-256 763945bd7c010b66a92dddbcd457a60be269b7154060ee8a0e39cf1832a92499
}
