package anchor

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/metric"
)

const (
	vtm = "VTM (H.266 intra, CompressAI cfg, 4:4:4 8-bit YCbCr)"
	bpg = "BPG 4:4:4 (x265)"
)

func find(t *testing.T, name, dataset string) Curve {
	t.Helper()
	c, ok := Find(name, dataset)
	if !ok {
		t.Fatalf("no curve %q of %q", name, dataset)
	}
	return c
}

func bdRate(t *testing.T, anchor, test []metric.Point, clip metric.Range) float64 {
	t.Helper()
	d, err := metric.BDRate(anchor, test, metric.PCHIP, clip)
	if err != nil {
		t.Fatal(err)
	}
	return d.Value
}

// The BD-rates of PSNR on Kodak from 26 to 41 dB, computed with SciPy from the
// figures of the sources before they were rounded. The authors of LALIC state
// -15.26 against VTM 9.1.
func TestKodakPSNR(t *testing.T) {
	for _, test := range []struct {
		name           string
		fromVTM, fromB float64 // percent
	}{
		{vtm, 0, -20.79},
		{bpg, 26.25, 0},
		{"HM (H.265 intra, CompressAI cfg)", 26.88, 0.46},
		{"AV1 (libaom, CompressAI bench)", 18.30, -6.35},
		{"LALIC", -15.26, -32.89},
		{"MLIC++", -15.02, -33.00},
		{"MLIC+", -13.11, -31.46},
		{"MLIC", -9.75, -28.78},
		{"LIC-TCM Large", -11.73, -29.65},
		{"LIC-TCM Middle", -9.11, -27.70},
		{"LIC-TCM Small", -6.69, -25.73},
		{"paper-elic2022_mse", -7.02, -26.58},
		{"Cool-Chic v5.0", -6.50, -25.38},
		{"Cool-Chic v4.2", 0.97, -19.65},
		{"Cool-Chic v3.4", 0.97, -19.65},
		{"Cool-Chic v2.0", 31.64, 4.37},
		{"Cool-Chic v1.0", 51.71, 19.89},
		{"STF (C3 baselines)", -4.13, -24.24},
		{"EVC-L (C3 baselines)", -0.86, -19.91},
		{"EVC-M (C3 baselines)", 0.26, -18.98},
		{"EVC-S (C3 baselines)", 4.32, -15.85},
		{"LotteryCodec 5100 MAC/px", -0.24, -19.85},
		{"LotteryCodec 2600 MAC/px", 1.37, -18.57},
		{"LotteryCodec 1600 MAC/px", 4.17, -16.34},
		{"LotteryCodec 1200 MAC/px", 8.33, -13.04},
		{"paper-minnen2020-cc10_mse", 1.11, -20.53},
		{"C3 (Adaptive)", 3.41, -17.74},
		{"C3", 5.21, -16.31},
		{"compressai-cheng2020-anchor_mse", 3.69, -18.88},
		{"compressai-cheng2020-attn_mse", 5.51, -17.59},
		{"compressai-mbt2018_mse", 11.02, -11.24},
		{"compressai-mbt2018-mean_mse", 21.28, -3.28},
		{"mbt2018-mean + SGA (Yang2020)", 6.14, -16.25},
		{"compressai-bmshj2018-hyperprior_mse", 30.49, 3.93},
		{"compressai-bmshj2018-factorized_mse", 68.10, 32.55},
		{"shallow-ntc 2-layer_syn+SGA", 20.14, -4.92},
		{"shallow-ntc 2-layer_syn", 34.74, 5.92},
		{"shallow-ntc JPEG-like_syn", 54.70, 21.55},
		{"WebP (Pillow)", 79.66, 44.19},
		{"JPEG2000 (ffmpeg)", 97.97, 55.83},
		{"JPEG (Pillow)", 208.49, 143.04},
		{"COIN (C3 baselines)", 463.28, 317.65},
		{"COIN++ (C3 baselines)", 483.13, 326.82},
		{"RECOMBINER (C3 baselines)", 61.38, 22.74},
		{"VC-INR (C3 baselines)", 71.07, 36.03},
		{"AVIF 4:4:4 (avifenc 0.11.1 aom 3.6.0 -s 4)", 26.53, 0.17},
		{"WebP (cwebp 1.2.4 -m 6)", 76.26, 41.26},
		{"JPEG XL (cjxl 0.7.0 -e 7)", 96.25, 56.54},
		{"JPEG (libjpeg-turbo 2.1.5 4:2:0 progressive -optimize)", 174.60, 117.49},
	} {
		clip := metric.Range{Low: 26, High: 41}
		curve := find(t, test.name, "kodak").PSNRCurve()
		v := bdRate(t, find(t, vtm, "kodak").PSNRCurve(), curve, clip)
		b := bdRate(t, find(t, bpg, "kodak").PSNRCurve(), curve, clip)
		t.Logf("%-56s %+8.2f %+8.2f", test.name, v, b)
		if math.Abs(v-test.fromVTM) > 0.02 || math.Abs(b-test.fromB) > 0.02 {
			t.Errorf("%s: %.2f %% from VTM, %.2f %% from BPG, want %.2f and %.2f", test.name, v, b, test.fromVTM, test.fromB)
		}
	}
}

// The same of MS-SSIM in dB of the mean, without clip.
func TestKodakMSSSIM(t *testing.T) {
	for name, want := range map[string]float64{
		"compressai-cheng2020-anchor_ms-ssim":                    -45.67,
		"compressai-mbt2018_ms-ssim":                             -41.44,
		"compressai-mbt2018-mean_ms-ssim":                        -38.49,
		"compressai-bmshj2018-hyperprior_ms-ssim":                -35.63,
		"compressai-bmshj2018-factorized_ms-ssim":                -24.33,
		"compressai-cheng2020-anchor_mse":                        -7.54,
		"compressai-mbt2018_mse":                                 -2.12,
		"compressai-mbt2018-mean_mse":                            3.14,
		"compressai-bmshj2018-hyperprior_mse":                    7.31,
		"AV1 (libaom, CompressAI bench)":                         14.58,
		"HM (H.265 intra, CompressAI cfg)":                       20.47,
		bpg:                                                      21.51,
		"shallow-ntc 2-layer_syn":                                28.07,
		"shallow-ntc 2-layer_syn+SGA":                            18.56,
		"WebP (Pillow)":                                          61.25,
		"JPEG (Pillow)":                                          139.84,
		"paper-cheng2020-checkerboard-6M_ms-ssim":                -41.82, // given in dB
		"AVIF 4:4:4 (avifenc 0.11.1 aom 3.6.0 -s 4)":             12.57,
		"WebP (cwebp 1.2.4 -m 6)":                                53.98,
		"JPEG XL (cjxl 0.7.0 -e 7)":                              53.64,
		"JPEG (libjpeg-turbo 2.1.5 4:2:0 progressive -optimize)": 100.22,
	} {
		got := bdRate(t, find(t, vtm, "kodak").MSSSIMCurve(), find(t, name, "kodak").MSSSIMCurve(), metric.Range{})
		t.Logf("%-56s %+8.2f", name, got)
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s: %.2f %% from VTM, want %.2f", name, got, want)
		}
	}
}

// PSNR on the 41 pictures of CLIC from 28 to 41 dB, against VTM 19.1.
func TestCLICPSNR(t *testing.T) {
	const dataset = "clic2020-pro-valid"
	for name, want := range map[string]float64{
		"LALIC": -17.38, "MLIC++": -16.31, "MLIC+": -15.84, "MLIC": -12.12, "Cool-Chic v5.0": -15.74, "Cool-Chic v4.2": -6.58,
		"LIC-TCM Large": -11.31, "LotteryCodec 5000 MAC/px": -9.69, "C3 (Adaptive)": -7.22, "C3": -4.90,
		"BPG (C3 baselines)": 39.28, "shallow-ntc 2-layer_syn": 47.03, "shallow-ntc JPEG-like_syn": 70.57,
	} {
		got := bdRate(t, find(t, "VTM-19.1 intra (LotteryCodec)", dataset).PSNRCurve(), find(t, name, dataset).PSNRCurve(), metric.Range{Low: 28, High: 41})
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s: %.2f %%, want %.2f", name, got, want)
		}
	}
}

// The two VTM of Kodak, of different people, agree.
func TestVTMsAgree(t *testing.T) {
	got := bdRate(t, find(t, vtm, "kodak").PSNRCurve(), find(t, "VTM-19.1 intra (LotteryCodec)", "kodak").PSNRCurve(), metric.Range{Low: 26, High: 41})
	if math.Abs(got) > 0.2 {
		t.Errorf("%.2f %% apart", got)
	}
}

func TestCurvesAreSound(t *testing.T) {
	if got, want := Datasets(), []string{"clic2020-pro-valid", "kodak", "kodak-8", "tecnick"}; !slices.Equal(got, want) {
		t.Fatalf("datasets %q, want %q", got, want)
	}
	total := 0
	for _, dataset := range Datasets() {
		list := Curves(dataset)
		total += len(list)
		if !slices.IsSortedFunc(list, func(a, b Curve) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s: not in order", dataset)
		}
		for i, c := range list {
			if i > 0 && c.Name == list[i-1].Name {
				t.Errorf("%s, %s: twice", dataset, c.Name)
			}
			if !strings.HasPrefix(c.Source, "github:") && !strings.HasPrefix(c.Source, "measured for burin, ") || c.DecoderMACs < 0 {
				t.Errorf("%s, %s: source %q, %g MACs", dataset, c.Name, c.Source, c.DecoderMACs)
			}
			psnr, msssim := c.PSNRCurve(), c.MSSSIMCurve()
			if psnr == nil && msssim == nil {
				t.Errorf("%s, %s: no quality", dataset, c.Name)
			}
			for _, points := range [][]metric.Point{psnr, msssim} {
				if points == nil {
					continue
				}
				if len(points) != len(c.Points) {
					t.Errorf("%s, %s: %d of %d points have a quality", dataset, c.Name, len(points), len(c.Points))
				}
				// Of one curve with itself this checks that it is finite and monotone.
				if d, err := metric.BDRate(points, points, metric.PCHIP, metric.Range{}); err != nil || d.Value != 0 {
					t.Errorf("%s, %s: %+v, %v", dataset, c.Name, d, err)
				}
			}
			for j, p := range c.Points {
				if j > 0 && p.BPP <= c.Points[j-1].BPP {
					t.Errorf("%s, %s: rates not in order", dataset, c.Name)
				}
				if p.BPP > 24 || p.PSNR != 0 && (p.PSNR < 15 || p.PSNR > 60) || p.MSSSIM < 0 || p.MSSSIM >= 1 {
					t.Errorf("%s, %s: %+v is out of range", dataset, c.Name, p)
				}
				// A convex function: its mean is not less than that of the mean.
				if p.MSSSIMdB != 0 && p.MSSSIMdB < -10*math.Log10(1-p.MSSSIM) || p.PSNROfMeanMSE > p.PSNR {
					t.Errorf("%s, %s: means in %+v break Jensen's inequality", dataset, c.Name, p)
				}
			}
		}
	}
	if total != len(curves()) {
		t.Errorf("%d curves in the datasets, %d in all", total, len(curves()))
	}
}

func TestFreshCopies(t *testing.T) {
	want := find(t, bpg, "kodak").Points[0]
	find(t, bpg, "kodak").Points[0].BPP = -1
	for _, c := range Curves("kodak") {
		c.Points[0] = Point{}
	}
	if got := find(t, bpg, "kodak").Points[0]; got != want {
		t.Errorf("%+v after the copies were changed, want %+v", got, want)
	}
	if _, ok := Find(bpg, "tecnick"); ok {
		t.Errorf("found %q in the wrong dataset", bpg)
	}
	if c := Curves("no such dataset"); c != nil {
		t.Errorf("%d curves of no dataset", len(c))
	}
}

func TestParseErrors(t *testing.T) {
	for _, data := range []string{
		``,
		`[{"nam": "x"}]`,
		`[{"columns": "bpp psnr", "points": [[1]]}]`,
		`[{"columns": "bpp pnsr", "points": [[1, 2]]}]`,
	} {
		if c, err := parse([]byte(data)); err == nil {
			t.Errorf("%s: %+v and no error", data, c)
		}
	}
}
