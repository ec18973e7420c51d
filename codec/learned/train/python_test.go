package train

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// train.py and the Go are held to one another by a stored vector: weights of a tiny
// network, pictures, and what the Go makes of them. It is recorded anew by
//
//	go test ./codec/learned/train -run Vector -update
//
// and train.py --selftest compares itself with it.
var update = flag.Bool("update", false, "record the vector that train.py is compared with")

const (
	vectorWeights = "testdata/weights.safetensors"
	vectorFile    = "testdata/vector.safetensors"
	// vectorStride is which decoded samples are kept: every one of so many. It has no
	// factor in common with the sides or the channels.
	vectorStride = 7
)

// tiny is the smallest network with every part.
func tiny() network.Config {
	return network.Config{
		Fine: 8, Coarse: 16, Latents: 8, Hyper: 4, HyperWidth: 8, Context: 8,
		AnalysisFine: 1, AnalysisCoarse: 1, SynthesisCoarse: 1, SynthesisFine: 1, Anchors: 3,
	}
}

// tinyNetwork returns one whose parameters are all at work.
func tinyNetwork(t *testing.T) *network.Network {
	t.Helper()
	pool := nn.NewPool(1)
	t.Cleanup(pool.Close)
	n, err := network.New(tiny(), pool)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	for _, p := range n.Params() {
		for i := range p.Data {
			p.Data[i] += float32(r.NormFloat64() * 0.15)
		}
	}
	for i := range n.LogGains.Data {
		n.LogGains.Data[i] += 1
	}
	n.Refresh()
	return n
}

// A vector is what is stored, by name.
type vector map[string]tensorfile.Tensor

func (v vector) add(name string, data []float32, shape ...int) {
	v[name] = tensorfile.FromFloat32s(name, data, shape...)
}

// makeVector computes it with weights that are then changed.
func makeVector(n *network.Network) vector {
	v := vector{}
	s := convnet.Shape{N: 2, H: 64, W: 128}
	r := rand.New(rand.NewPCG(3, 4))
	pixels, x := make([]byte, s.Rows()*3), make([]float32, s.Rows()*3)
	for i := range pixels {
		pixels[i] = uint8(min(max(network.PixelZero+network.PixelUnit*r.NormFloat64(), 0), 255))
		x[i] = (float32(pixels[i]) - network.PixelZero) / network.PixelUnit
	}
	v["pixels"] = tensorfile.Tensor{Name: "pixels", DType: tensorfile.U8, Shape: []int{s.N, s.H, s.W, 3}, Data: pixels}
	// The last rate's anchors are the last two, the first one's the first two.
	rates := []float32{0.2, 0.9}
	bits, errs := []float32{0.01, 0.02}, []float32{1e-6, 3e-6}
	loss, decoded := n.Forward(x, s, rates, network.Round, nil)
	v.add("rates", rates, len(rates))
	v.add("factors", append(append([]float32(nil), bits...), errs...), 2, len(rates))
	for name, of := range map[string][]float64{"bits": loss.Bits, "hyper_bits": loss.HyperBits, "squared_error": loss.SquaredError} {
		f := make([]float32, len(of))
		for i, x := range of {
			f[i] = float32(x)
		}
		v.add(name, f, len(f))
	}
	var some []float32
	for i := 0; i < len(decoded); i += vectorStride {
		some = append(some, decoded[i])
	}
	v.add("decoded", some, len(some))
	v.add("stride", []float32{vectorStride}, 1)

	params := n.Params()
	nn.ZeroGrad(params)
	n.Backward(bits, errs)
	for _, p := range params {
		v.add("gradient."+p.Name, p.Grad, p.Rows, p.Cols)
	}
	// Twice the same gradient: that of changed weights would carry rounding errors on.
	pool := nn.NewPool(1)
	defer pool.Close()
	adam := nn.NewAdam(pool, nn.Group{Params: params, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: 1})
	average := nn.NewAverage(params, 0.999)
	learning := []float32{0.01, 0.02}
	v.add("learning_rates", learning, len(learning))
	for _, rate := range learning {
		adam.Groups[0].Rate = float64(rate)
		adam.Step()
		average.Update()
	}
	average.Swap()
	for _, p := range params {
		v.add("stepped."+p.Name, p.Data, p.Rows, p.Cols)
	}
	return v
}

// TestVector compares the stored vector with what it is today.
func TestVector(t *testing.T) {
	if *update {
		n := tinyNetwork(t)
		var weights, file bytes.Buffer
		if err := n.WriteSafetensors(&weights); err != nil {
			t.Fatal(err)
		}
		v := makeVector(n)
		var tensors []tensorfile.Tensor
		for _, name := range sortedNames(v) {
			tensors = append(tensors, v[name])
		}
		if err := tensorfile.WriteSafetensors(&file, tensors, nil); err != nil {
			t.Fatal(err)
		}
		for path, b := range map[string][]byte{vectorWeights: weights.Bytes(), vectorFile: file.Bytes()} {
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := readNetwork(t, vectorWeights)
	f, err := os.Open(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, _, err := tensorfile.ReadSafetensors(f, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string][]float32{}
	for _, p := range n.Params() {
		before["stepped."+p.Name] = append([]float32(nil), p.Data...)
	}
	got := makeVector(n)
	if len(got) != len(want) {
		t.Errorf("%d tensors, %d are stored", len(got), len(want))
	}
	for i := range want {
		w := &want[i]
		g, ok := got[w.Name]
		if !ok || g.DType != w.DType || fmt.Sprint(g.Shape) != fmt.Sprint(w.Shape) {
			t.Errorf("%s: %v %v, stored are %v %v", w.Name, g.DType, g.Shape, w.DType, w.Shape)
			continue
		}
		if w.DType == tensorfile.U8 {
			if !bytes.Equal(g.Data, w.Data) {
				t.Errorf("%s differs", w.Name)
			}
			continue
		}
		a, err := g.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		// As far as elements are from the stored ones, to the root mean square of
		// these; that of weights is taken of their change.
		var off, square float64
		for j := range b {
			off = max(off, math.Abs(float64(a[j])-float64(b[j])))
			e := float64(b[j])
			if old := before[w.Name]; old != nil {
				e -= float64(old[j])
			}
			square += e * e
		}
		if rms := math.Sqrt(square / float64(len(b))); !(off <= 1e-3*rms) {
			t.Errorf("%s is off by %g, its root mean square being %g", w.Name, off, rms)
		}
	}
}

func sortedNames(v vector) []string {
	var names []string
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readNetwork(t *testing.T, path string) *network.Network {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pool := nn.NewPool(1)
	t.Cleanup(pool.Close)
	n, err := network.ReadSafetensors(f, 1<<24, pool)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// interpreter returns the Python that can run train.py, or skips the test where there is
// none. The environment variable BURIN_PYTHON names one other than python3.
func interpreter(t *testing.T) string {
	t.Helper()
	name := os.Getenv("BURIN_PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT TESTED: train.py, for there is no %s: %v", name, err)
	}
	const find = `import importlib.util as u, sys; sys.exit(" ".join(m for m in ("torch", "numpy", "PIL") if not u.find_spec(m)) or 0)`
	if out, err := exec.CommandContext(t.Context(), path, "-c", find).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: train.py, for %s lacks %s: %v", path, bytes.TrimSpace(out), err)
	}
	return path
}

func python(t *testing.T, args ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), interpreter(t), append([]string{"-B"}, args...)...)
	c.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "CUDA_VISIBLE_DEVICES=")
	return c
}

// A call is one of train.py, its exit status and what it said.
type call struct {
	Status int
	Said   string
}

// calls runs train.py with each of the arguments, in one process: to import PyTorch
// takes longer than all else.
func calls(t *testing.T, arguments ...[]string) []call {
	t.Helper()
	const program = `
import contextlib, io, json, sys, train
calls = []
for arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            status = train.main(arguments)
        except SystemExit as e:
            status = e.code
    calls.append({"status": status or 0, "said": said.getvalue()})
print(json.dumps(calls))
`
	j, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	c := python(t, "-c", program, string(j))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var made []call
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	for i, c := range made {
		t.Logf("%s: status %d\n%s", strings.Join(arguments[i], " "), c.Status, c.Said)
	}
	return made
}

func TestPythonAgrees(t *testing.T) {
	out, err := python(t, "train.py", "--selftest", "testdata").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// reported returns the losses of a report, and its last held out points and their score.
func reported(t *testing.T, said string) (losses []float64, points []Point, score float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`loss ([0-9.]+), .*held out ([0-9.]+): (.*);`).FindAllStringSubmatch(said, -1) {
		loss, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
		if score, err = strconv.ParseFloat(m[2], 64); err != nil {
			t.Fatal(err)
		}
		points = nil
		for i, p := range strings.Split(m[3], ", ") {
			q := Point{Rate: float64(i) / 5}
			if _, err := fmt.Sscanf(p, "%f (%f) %f", &q.BPP, &q.HyperBPP, &q.PSNR); err != nil {
				t.Fatalf("%q: %v", m[3], err)
			}
			points = append(points, q)
		}
	}
	return losses, points, score
}

// TestPythonTrains has train.py train at once and in slices, which is to make the same
// weights. The Go reads them, and to it the held out pictures cost as much as train.py
// said; and it starts from about as good weights.
func TestPythonTrains(t *testing.T) {
	if testing.Short() {
		t.Skip("training in -short")
	}
	interpreter(t) // or there is no use in what follows
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, d := range []string{"data", "held"} {
		if err := os.Mkdir(at(d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	writePicture(t, at("data/a.jpg"), 320, 256)
	writePicture(t, at("data/b.jpeg"), 256, 384)
	// Without loss: decoders of JPEG differ.
	writePicture(t, at("held/c.png"), 150, 200)

	o := DefaultOptions()
	o.Config = tiny()
	o.Config.Fine, o.Config.Coarse, o.Config.Latents = 16, 32, 16
	o.Side, o.Workers = 64, 1
	config, err := json.Marshal(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	train := func(out string, more ...string) []string {
		return append([]string{"--data", at("data"), "--validation", at("held"), "--out", at(out),
			"--batch", "4", "--side", "64", "--every", "5", "--warm", "5", "--rate", "0.003", "--decay", "0"}, more...)
	}
	// From random weights: principal components are hard to better in a few steps.
	random := func(out string, more ...string) []string {
		return train(out, append([]string{"--start", vectorWeights}, more...)...)
	}
	made := calls(t,
		random("whole", "--steps", "20"),
		random("none", "--steps", "20", "--checkpoint", at("checkpoint"), "--minutes", "0.05"),
		random("half", "--steps", "10", "--checkpoint", at("checkpoint")),
		random("slices", "--steps", "20", "--checkpoint", at("checkpoint")),
		random("muon", "--steps", "10", "--muon"),
		train("start", "--config", string(config), "--steps", "1", "--every", "1", "--rate", "1e-9"),
	)
	for i, c := range made {
		if want := map[bool]int{true: 75}[i == 1]; c.Status != want {
			t.Errorf("call %d: status %d", i, c.Status)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	for i, want := range map[int]string{1: "stopped after step 0 of 20", 2: "going on after step 0 of 10", 3: "going on after step 10 of 20"} {
		if !strings.Contains(made[i].Said, want) {
			t.Errorf("call %d does not say %q", i, want)
		}
	}
	whole, err1 := os.ReadFile(at("whole"))
	sliced, err2 := os.ReadFile(at("slices"))
	if err1 != nil || err2 != nil || !bytes.Equal(whole, sliced) {
		t.Errorf("training that went on from checkpoints made other weights (%v, %v)", err1, err2)
	}

	data, err := training.Load(t.Context(), at("data"), o.Side, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, err := training.Load(t.Context(), at("held"), 64, nil)
	if err != nil {
		t.Fatal(err)
	}
	losses, said, saidScore := reported(t, made[0].Said)
	if len(losses) != 4 || !(losses[3] < losses[0]) {
		t.Errorf("losses %v", losses)
	}
	points, score := (&Trainer{net: readNetwork(t, at("whole")), held: held}).validate()
	if math.Abs(saidScore-score) > 2e-3*score || len(said) != len(points) {
		t.Errorf("%d points of %.4f, to the Go %d of %.4f", len(said), saidScore, len(points), score)
	}
	for i, p := range said {
		if g := points[i]; math.Abs(p.BPP-g.BPP) > 2e-3*g.BPP+1e-4 || math.Abs(p.HyperBPP-g.HyperBPP) > 2e-3*g.HyperBPP+1e-4 || math.Abs(p.PSNR-g.PSNR) > 0.02 {
			t.Errorf("%+v, to the Go %+v", p, g)
		}
	}
	if losses, _, _ := reported(t, made[4].Said); len(losses) != 2 || !(losses[1] < losses[0]) {
		t.Errorf("losses with Muon %v", losses)
	}

	trainer, err := New(data, held, o)
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	_, score = trainer.validate()
	// Of other crops.
	if _, _, said := reported(t, made[5].Said); math.Abs(said-score) > 0.03*score {
		t.Errorf("training starts at %.4f, that of the Go at %.4f", said, score)
	}
}

// TestPythonRefuses has train.py told what it cannot do.
func TestPythonRefuses(t *testing.T) {
	interpreter(t)
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	for _, d := range []string{small, large} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	writePicture(t, filepath.Join(small, "s.png"), 100, 50)
	writePicture(t, filepath.Join(large, "l.png"), 64, 64)
	broken, out := filepath.Join(dir, "broken"), filepath.Join(dir, "out")
	if err := os.WriteFile(broken, []byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		want string
		args []string
	}{
		{"no picture of 64 x 64", []string{"--data", small, "--side", "64"}},
		{"not a safetensors file", []string{"--data", large, "--side", "64", "--checkpoint", broken}},
		{"no checkpoint of this trainer", []string{"--data", large, "--side", "64", "--checkpoint", vectorWeights}},
		{"do not divide into 4 groups", []string{"--data", small, "--config", `{"latents":7}`}},
		{"unexpected keyword", []string{"--data", small, "--config", `{"width":7}`}},
		{"--side 100", []string{"--data", small, "--side", "100"}},
	}
	var arguments [][]string
	for _, c := range cases {
		arguments = append(arguments, append([]string{"--out", out}, c.args...))
	}
	for i, c := range calls(t, arguments...) {
		if c.Status == 0 || c.Status == 75 || !strings.Contains(c.Said, cases[i].want) {
			t.Errorf("%v: status %d, and not %q", cases[i].args, c.Status, cases[i].want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}

// writePicture writes a picture of waves and noise.
func writePicture(t *testing.T, path string, w, h int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 128 + 60*math.Sin(float64(x)/9) + 40*math.Cos(float64(y)/14) + 8*r.NormFloat64()
			u := uint8(min(max(v, 0), 255))
			m.SetRGBA(x, y, color.RGBA{u, uint8(x * 255 / w), u / 2, 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".png" {
		err = png.Encode(f, m)
	} else {
		err = jpeg.Encode(f, m, &jpeg.Options{Quality: 95})
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
