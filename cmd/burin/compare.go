package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

func (s *streams) compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "measure how far one picture or clip is from another",
		ArgsUsage: "ORIGINAL OTHER",
		Description: "Both are pictures, burin files among them, or both are clips: y4m, or what ffmpeg reads.\n" +
			"Pictures are compared as stored, unturned. Of clips the planes are compared as they are coded\n" +
			"and, but for PSNR, the frames in RGB; the figures are means over the frames.",
		Flags:  []cli.Flag{jsonFlag()},
		Action: s.compare,
	}
}

// A compareReport is what compare prints.
type compareReport struct {
	Original string        `json:"original"`
	Other    string        `json:"other"`
	Width    int           `json:"width"`
	Height   int           `json:"height"`
	Frames   int           `json:"frames,omitempty"` // of clips
	Equal    bool          `json:"equal"`            // all samples are the same
	Bytes    int64         `json:"bytes"`            // of the other file
	BPP      float64       `json:"bpp"`              // of the other file, a pixel of a frame
	Metrics  metric.Values `json:"metrics"`
}

func (s *streams) compare(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() != 2 {
		return usagef("compare: two files are needed, not %d", c.Args().Len())
	}
	a, b := c.Args().Get(0), c.Args().Get(1)
	if a == stdio && b == stdio {
		return usagef("compare: only one of the files can be standard input")
	}
	r, err := await(ctx, func() (*compareReport, error) { return s.compareFiles(a, b) })
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(r)
	}
	return r.print(s.stdout)
}

// compareFiles compares two pictures, or two clips if one of the files is no
// picture.
func (s *streams) compareFiles(a, b string) (*compareReport, error) {
	inA, err := s.openMedium(a)
	if err != nil {
		return nil, err
	}
	defer inA.close()
	inB, err := s.openMedium(b)
	if err != nil {
		return nil, err
	}
	defer inB.close()
	r := &compareReport{Original: a, Other: b}
	switch {
	case inA.picture != nil && inB.picture != nil:
		err = r.pictures(inA.picture, inB.picture)
	case inA.clip != nil && inB.clip != nil:
		err = r.clips(inA.clip, inB.clip)
	default:
		return nil, fmt.Errorf("%s and %s are not two pictures or two clips", a, b)
	}
	if err != nil {
		return nil, err
	}
	if r.Bytes = inB.size; b != stdio {
		r.BPP = 8 * float64(r.Bytes) / (float64(r.Width) * float64(r.Height) * float64(max(r.Frames, 1)))
	}
	return r, nil
}

// A medium is a picture or a clip.
type medium struct {
	picture image.Image
	clip    *dataset.Clip
	size    int64 // of the file
}

func (m *medium) close() {
	if m.clip != nil {
		m.clip.Close()
	}
}

// openMedium reads a picture or opens a clip.
func (s *streams) openMedium(name string) (*medium, error) {
	o := dataset.Options{Limits: codec.DefaultLimits()}
	if name == stdio {
		in := bufio.NewReader(s.stdin)
		if b, _ := in.Peek(len("YUV4MPEG2")); string(b) == "YUV4MPEG2" {
			o.Stdin = in
			clip, err := dataset.OpenClip(name, &o)
			return &medium{clip: clip}, err
		}
		m, err := readAny(in)
		return &medium{picture: m}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := readAny(f)
	if errors.Is(err, dataset.ErrFormat) {
		clip, err := dataset.OpenClip(name, &o)
		return &medium{clip: clip, size: info.Size()}, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &medium{picture: m, size: info.Size()}, nil
}

// readAny reads a picture file or a burin file.
func readAny(r io.Reader) (image.Image, error) {
	in := bufio.NewReader(r)
	if b, _ := in.Peek(len(codec.Magic)); string(b) == codec.Magic {
		return codec.Decode(in)
	}
	p, err := dataset.Read(in, codec.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return p.Image, nil
}

func (r *compareReport) pictures(a, b image.Image) error {
	v, err := metric.Compare(a, b, metric.All)
	if err != nil {
		return err
	}
	r.Metrics, r.Width, r.Height = v, a.Bounds().Dx(), a.Bounds().Dy()
	x, errX := dataset.Hash(a)
	y, errY := dataset.Hash(b)
	r.Equal = x == y
	return errors.Join(errX, errY)
}

// clips compares frame by frame. Of the metrics of pictures it takes the means over
// the frames, of the planes it also takes the PSNR of each frame.
func (r *compareReport) clips(a, b *dataset.Clip) error {
	h, g := a.Header(), b.Header()
	if h.Width != g.Width || h.Height != g.Height || h.Chroma.Ratio() != g.Chroma.Ratio() {
		return fmt.Errorf("clips of %d x %d, %v and %d x %d, %v cannot be compared", h.Width, h.Height, h.Chroma, g.Width, g.Height, g.Chroma)
	}
	r.Width, r.Height, r.Equal = h.Width, h.Height, true
	sums, counts := make(metric.Values), make(map[string]int)
	for {
		x, errX := a.Next()
		y, errY := b.Next()
		if errX == io.EOF && errY == io.EOF {
			break
		}
		if errX == io.EOF || errY == io.EOF {
			return fmt.Errorf("one clip ends after %d frames and the other does not", r.Frames)
		}
		if err := errors.Join(errX, errY); err != nil {
			return err
		}
		r.Frames++
		values, err := metric.Compare(x.RGB(), y.RGB(), metric.All)
		if err != nil {
			return err
		}
		if err := planes(values, x, y); err != nil {
			return err
		}
		r.Equal = r.Equal && values["mse_y"] == 0 && values["mse_u"] == 0 && values["mse_v"] == 0
		for k, v := range values {
			sums[k] += v
			counts[k]++
		}
	}
	if r.Frames == 0 {
		return errors.New("the clips have no frames")
	}
	r.Metrics = make(metric.Values)
	for k, v := range sums {
		if counts[k] == r.Frames { // a mean over frames of which some are exact is infinite
			r.Metrics[k] = v / float64(r.Frames)
		}
	}
	return nil
}

// planes replaces what was measured of Y'CbCr made from RGB by what the planes of
// the frames themselves give.
func planes(values metric.Values, x, y *dataset.Frame) error {
	for _, k := range []string{"mse_y", "mse_u", "mse_v", "psnr_yuv"} {
		delete(values, k)
	}
	var psnr [3]float64
	for i, p := range [][2][]uint8{{x.YCbCr.Y, y.YCbCr.Y}, {x.YCbCr.Cb, y.YCbCr.Cb}, {x.YCbCr.Cr, y.YCbCr.Cr}} {
		name := "yuv"[i : i+1]
		mse, err := metric.MSE8(p[0], p[1])
		if err != nil {
			return err
		}
		values["mse_"+name] = mse
		psnr[i] = metric.PeakSNR(mse, 255)
		if mse > 0 {
			values["psnr_"+name] = psnr[i]
		}
	}
	if values["mse_y"] > 0 && values["mse_u"] > 0 && values["mse_v"] > 0 {
		values["psnr_yuv"] = metric.YUVPSNR(psnr[0], psnr[1], psnr[2])
	}
	return nil
}

// compareOrder is the order of the metrics in print; others follow by name.
var compareOrder = []string{"psnr", "psnr_yuv", "psnr_y", "psnr_u", "psnr_v", "ssim", "ms_ssim", "ms_ssim_db", "ssimulacra2", "butteraugli"}

func (r *compareReport) print(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	size := fmt.Sprintf("%d x %d", r.Width, r.Height)
	if r.Frames > 0 {
		size += fmt.Sprintf(", %d frames", r.Frames)
	}
	fmt.Fprintf(t, "size\t%s\n", size)
	if r.BPP > 0 {
		fmt.Fprintf(t, "other file\t%d bytes, %.4f bpp\n", r.Bytes, r.BPP)
	}
	same := "no"
	if r.Equal {
		same = "yes"
	}
	fmt.Fprintf(t, "equal\t%s\n", same)
	names := slices.Sorted(maps.Keys(r.Metrics))
	for _, name := range compareOrder {
		if i := slices.Index(names, name); i >= 0 {
			names = slices.Delete(names, i, i+1)
			r.printMetric(t, name)
		}
	}
	for _, name := range names {
		r.printMetric(t, name)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (r *compareReport) printMetric(t io.Writer, name string) {
	unit := ""
	if strings.HasPrefix(name, "psnr") || strings.HasSuffix(name, "_db") {
		unit = " dB"
	}
	fmt.Fprintf(t, "%s\t%s%s\n", name, strconv.FormatFloat(r.Metrics[name], 'f', 4, 64), unit)
}
