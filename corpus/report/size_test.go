package report

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/bench"
)

// measures makes the metrics of a PSNR and an MS-SSIM in dB.
func measures(psnr, msssimdB float64) map[string]float64 {
	return map[string]float64{"mse": 255 * 255 / math.Pow(10, psnr/10), "psnr": psnr, "ms_ssim": 1 - math.Pow(10, -msssimdB/10), "ms_ssim_db": msssimdB}
}

func atSize(t testing.TB, r *Report, bpp []float64, metrics ...string) *SizeTable {
	t.Helper()
	table, err := r.AtSize(bpp, metrics, "")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// wantValue compares a value of the first curve.
func wantValue(t *testing.T, table *SizeTable, k int, want SizeValue) {
	t.Helper()
	if got := table.Curves[0].Values[k]; !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("value %d: got %s, want %s", k, g, w)
	}
}

// TestAtSize has two pictures of 8,000 pixels, so that 1,000 bytes are 1 bpp, whose
// curves are straight over log(bpp): PCHIP keeps straight lines.
func TestAtSize(t *testing.T) {
	var rows []*bench.Row
	for i, bytes := range []int64{100, 200, 800} {
		octaves := math.Log2(float64(bytes) / 100)
		rows = append(rows, row("a", "c", fmt.Sprintf("q%d", i), bytes, measures(30+2*octaves, 10+octaves)))
	}
	for i, bytes := range []int64{50, 400, 1600} {
		octaves := math.Log2(float64(bytes) / 100)
		rows = append(rows, row("b", "c", fmt.Sprintf("q%d", i), bytes, measures(40+3*octaves, 12+2*octaves)))
	}
	r := build(t, nil, rows...)
	table := atSize(t, r, []float64{0.4, 0.3, 0.1, 0.8, 0.05, 0.81}, PSNR, MSSSIM, MSSSIMdB)
	if c := table.Curves[0]; c.Name != "c" || *c.Lowest != 0.075 || *c.Range != [2]float64{0.1, 0.8} || len(c.Values) != 18 || len(table.Notes) != 0 {
		t.Errorf("%+v", table)
	}
	for k, bpp := range []float64{0.4, 0.3, 0.1, 0.8} {
		octaves := math.Log2(bpp / 0.1)
		dBA, dBB := 10+octaves, 12+2*octaves
		ms := 1 - (math.Pow(10, -dBA/10)+math.Pow(10, -dBB/10))/2
		wantValue(t, table, 3*k, SizeValue{BPP: bpp, Metric: PSNR, Pictures: 2, Mean: pointer(round(35+2.5*octaves, 4))})
		wantValue(t, table, 3*k+1, SizeValue{BPP: bpp, Metric: MSSSIM, Pictures: 2, Mean: pointer(round(ms, 6))})
		wantValue(t, table, 3*k+2, SizeValue{BPP: bpp, Metric: MSSSIMdB, Pictures: 2, Mean: pointer(round(11+1.5*octaves, 4))})
	}
	for i, m := range []string{PSNR, MSSSIM, MSSSIMdB} {
		wantValue(t, table, 12+i, SizeValue{BPP: 0.05, Metric: m, Pictures: 1, Larger: 1})
		wantValue(t, table, 15+i, SizeValue{BPP: 0.81, Metric: m, Pictures: 1, Smaller: 1})
	}

	back := new(SizeTable)
	if err := json.Unmarshal([]byte(output(t, table.JSON)), back); err != nil || !reflect.DeepEqual(back, table) {
		t.Errorf("%+v, %v", back, err)
	}
	want := `test at equal size: 2 pictures, 0.02 Mpixel
                                0.4 bpp           0.05 bpp
  curve  lowest          range     PSNR  MS-SSIM      PSNR  MS-SSIM
  c      0.0750  0.1000–0.8000    40.00   0.9559       1/2      1/2
lowest: the smallest mean bpp of a rate that coded all pictures. range: the bpp that all pictures have files around.
Means of the pictures' values, each interpolated over log(bpp) between the picture's files, nothing extrapolated.
n/N: only n of the N pictures have a value at this size, so there is no mean.
`
	if got := output(t, atSize(t, r, []float64{0.4, 0.05}, PSNR, MSSSIM).Text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := output(t, atSize(t, r, []float64{0.4}, PSNR).Text); strings.Contains(got, "n/N") {
		t.Errorf("nothing lacks in\n%s", got)
	}
}

// TestAtSizePCHIP has slopes of 1 and 2 a step. The derivatives at the points are
// then 1/2, 4/3 (the harmonic mean) and 5/2, and a cubic of the derivatives d and e
// is in its middle (d-e)/8 above the straight line.
func TestAtSizePCHIP(t *testing.T) {
	r := build(t, nil, row("a", "c", "q1", 100, quality(30)), row("a", "c", "q2", 200, quality(31)), row("a", "c", "q3", 400, quality(33)))
	table := atSize(t, r, []float64{0.1 * math.Sqrt2, 0.2 * math.Sqrt2}, PSNR)
	for k, want := range []float64{30.5 + (1./2-4./3)/8, 32 + (4./3-5./2)/8} {
		if got := table.Curves[0].Values[k].Mean; got == nil || math.Abs(*got-want) > 0.00006 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestAtSizePoints has curves that are no curves.
func TestAtSizePoints(t *testing.T) {
	// A single file has a value at exactly its size.
	r := build(t, nil, row("a", "c", "", 100, quality(30)))
	table := atSize(t, r, []float64{0.1, 0.0999, 0.1001}, PSNR)
	wantValue(t, table, 0, SizeValue{BPP: 0.1, Metric: PSNR, Pictures: 1, Mean: pointer(30)})
	wantValue(t, table, 1, SizeValue{BPP: 0.0999, Metric: PSNR, Larger: 1})
	wantValue(t, table, 2, SizeValue{BPP: 0.1001, Metric: PSNR, Smaller: 1})

	// Files of equal size count as their mean, and a worse one of more bytes stays.
	r = build(t, nil, row("a", "c", "q1", 100, quality(30)), row("a", "c", "q2", 100, quality(32)), row("a", "c", "q3", 200, quality(29)))
	table = atSize(t, r, []float64{0.1, 0.2, 0.1 * math.Sqrt2}, PSNR)
	for k, want := range []float64{31, 29, 30} {
		wantValue(t, table, k, SizeValue{BPP: table.BPP[k], Metric: PSNR, Pictures: 1, Mean: pointer(want)})
	}

	// What is infinite or was not measured is passed over, and said: a PSNR that is
	// absent is infinite where the error is 0.
	unmeasured := quality(99)
	delete(unmeasured, PSNR)
	r = build(t, nil, row("a", "c", "q1", 50, unmeasured), row("a", "c", "q2", 100, quality(30)), row("a", "c", "q3", 400, quality(34)), row("a", "c", "q4", 800, exact))
	table = atSize(t, r, []float64{0.05, 0.2, 0.8}, PSNR)
	wantValue(t, table, 0, SizeValue{BPP: 0.05, Metric: PSNR, Larger: 1})
	wantValue(t, table, 1, SizeValue{BPP: 0.2, Metric: PSNR, Pictures: 1, Mean: pointer(32)})
	wantValue(t, table, 2, SizeValue{BPP: 0.8, Metric: PSNR, Smaller: 1})
	if want := []string{"c has no PSNR of 1 of its 4 files.", "c has an infinite PSNR in 1 of its 4 files, which are left out."}; !slices.Equal(table.Notes, want) {
		t.Errorf("%q", table.Notes)
	}
	if c := table.Curves[0]; *c.Lowest != 0.05 || *c.Range != [2]float64{0.05, 0.8} {
		t.Errorf("%+v", c)
	}

	// Absurd rows give no mean rather than a number that JSON cannot hold.
	huge := quality(30)
	huge[PSNR] = math.MaxFloat64
	table = atSize(t, build(t, nil, row("a", "c", "", 100, huge), row("b", "c", "", 100, huge)), []float64{0.1}, PSNR)
	wantValue(t, table, 0, SizeValue{BPP: 0.1, Metric: PSNR, Pictures: 2})
	output(t, table.JSON)
}

// TestAtSizeFailures checks that a picture that failed counts as one that cannot
// have the size, and that no mean is of other pictures than the rest.
func TestAtSizeFailures(t *testing.T) {
	rows := slices.Concat(sweep("whole", 1, "a", "b", "c"), sweep("failing", 1, "a", "b", "c"), sweep("part", 1, "a", "b"))
	rows = append(rows, large(row("a", "exact", "", 300000, exact)), large(row("b", "exact", "", 300000, exact)), large(row("c", "exact", "", 300000, exact)),
		fail(large(row("a", "broken", "", 0, nil)), "does not run"))
	// The files of a are of 1, 1.5, 2.25 ... bpp, of b and c of 1.3 and 1.6 times as much.
	fail(rows[15+5], "b fails at the lowest rate")
	rows[15+1].Version = "failing 2.0"
	table := atSize(t, build(t, nil, rows...), []float64{1.7, 2}, PSNR)
	want := map[string]SizeCurve{
		"whole":   {Lowest: pointer(1.3), Range: &[2]float64{1.6, 5.0625}},
		"failing": {Lowest: pointer(1.95), Range: &[2]float64{1.95, 5.0625}},
		"part":    {},
		"broken":  {},
	}
	wantCounts := map[string][2][2]int{"whole": {{3, 0}, {3, 0}}, "failing": {{2, 1}, {3, 0}}, "part": {{2, 0}, {2, 0}}, "broken": {}}
	var names []string
	for _, c := range table.Curves {
		names = append(names, c.Name)
		w := want[c.Name]
		if !reflect.DeepEqual(c.Lowest, w.Lowest) || !reflect.DeepEqual(c.Range, w.Range) {
			t.Errorf("%s: lowest %v, range %v", c.Name, c.Lowest, c.Range)
		}
		for k, v := range c.Values {
			if got := [2]int{v.Pictures, v.Larger}; got != wantCounts[c.Name][k] || (v.Mean != nil) != (v.Pictures == 3) {
				t.Errorf("%s: %+v", c.Name, v)
			}
		}
	}
	if !slices.Equal(names, []string{"broken", "failing", "part", "whole"}) {
		t.Errorf("%q", names)
	}
	// The failure lies below 2 bpp, where b has a file of 1.95 bpp: it hardly matters.
	if a, b := *table.Curves[3].Values[1].Mean, *table.Curves[1].Values[1].Mean; math.Abs(a-b) > 0.02 || a < 29 || a > 33 {
		t.Errorf("%v and %v", a, b)
	}
	if want := []string{
		"broken has files of 0 of 3 pictures: it has no means.",
		"broken failed 1 time.",
		"failing failed 1 time.",
		"failing was run in several versions: failing 1.0; failing 2.0.",
		"part has files of 2 of 3 pictures: it has no means.",
		"Lossless curves are left out: exact.",
	}; !slices.Equal(table.Notes, want) {
		t.Errorf("%q", table.Notes)
	}
	text := output(t, table.Text)
	for _, want := range []string{"2/3", "Note: broken failed 1 time.\n", "1.9500–5.0625"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	all := output(t, table.JSON)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := output(t, atSize(t, build(t, nil, rows...), []float64{1.7, 2}, PSNR).JSON); got != all {
			t.Fatalf("differs with the order of the rows:\n%s\n%s", got, all)
		}
	}

	if got := output(t, atSize(t, build(t, nil), []float64{1}, PSNR).Text); !strings.Contains(got, "Nothing to compare.") {
		t.Error(got)
	}
}

func TestAtSizeErrors(t *testing.T) {
	r := build(t, nil, row("a", "c", "", 100, quality(30)))
	for _, c := range []struct {
		bpp     []float64
		metrics []string
		want    string
	}{
		{nil, []string{PSNR}, "0 sizes and 1 metric"},
		{[]float64{1}, nil, "1 size and 0 metrics"},
		{[]float64{0}, []string{PSNR}, "a size of 0"},
		{[]float64{-1}, []string{PSNR}, "a size of -1"},
		{[]float64{math.NaN()}, []string{PSNR}, "a size of NaN"},
		{[]float64{math.Inf(1)}, []string{PSNR}, "a size of +Inf"},
		{[]float64{1, 2, 1}, []string{PSNR}, "the size 1 is given twice"},
		{[]float64{1}, []string{"mse"}, `no metric "mse"`},
		{[]float64{1}, []string{PSNRMeanMSE}, "only psnr, psnr_yuv, ssim, ms_ssim, ms_ssim_db, ssimulacra2, butteraugli"},
		{[]float64{1}, []string{PSNR, PSNR}, "the metric psnr is given twice"},
	} {
		if table, err := r.AtSize(c.bpp, c.metrics, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v: %+v, %v", c.bpp, c.metrics, table, err)
		}
	}
	read := new(Report)
	if err := json.Unmarshal([]byte(output(t, r.JSON)), read); err != nil {
		t.Fatal(err)
	}
	if _, err := read.AtSize([]float64{1}, []string{PSNR}, ""); err == nil || !strings.Contains(err.Error(), "no rows") {
		t.Error(err)
	}
}

// TestAtSizeAnchor has an anchor that only one of two pictures has at a size.
func TestAtSizeAnchor(t *testing.T) {
	var rows []*bench.Row
	add := func(picture, curve string, shift float64, sizes ...int64) {
		for i, bytes := range sizes {
			octaves := math.Log2(float64(bytes) / 100)
			rows = append(rows, row(picture, curve, fmt.Sprintf("q%d", i), bytes, measures(30+shift+2*octaves, 10)))
		}
	}
	add("a", "base", 0, 100, 800)
	add("b", "base", 0, 300, 800)
	add("a", "other", 1, 100, 800)
	add("b", "other", 3, 100, 800)
	add("a", "late", 0, 400, 800)
	add("b", "late", 0, 400, 800)
	r := build(t, nil, rows...)
	table, err := r.AtSize([]float64{0.2, 0.4}, []string{PSNR}, "bas")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		curve      string
		k, common  int
		difference float64
	}{{"other", 0, 1, 1}, {"other", 1, 2, 2}, {"late", 0, 0, math.NaN()}, {"late", 1, 2, 0}, {"base", 1, 0, math.NaN()}} {
		i := slices.IndexFunc(table.Curves, func(c SizeCurve) bool { return c.Name == want.curve })
		v := table.Curves[i].Values[want.k]
		if v.Common != want.common || (v.Difference == nil) != math.IsNaN(want.difference) || v.Difference != nil && math.Abs(*v.Difference-want.difference) > 1e-3 {
			t.Errorf("%s at %v: %d in common, %v", want.curve, v.BPP, v.Common, v.Difference)
		}
	}
	var b strings.Builder
	if err := table.Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"less base, over", "+1.00 (1)", "+2.00 (2)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, &b)
		}
	}
	for _, anchor := range []string{"x", "bases"} {
		if _, err := r.AtSize([]float64{0.2}, []string{PSNR}, anchor); err == nil {
			t.Errorf("%q was taken for an anchor", anchor)
		}
	}
}
