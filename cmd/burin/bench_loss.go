package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/vector"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/metric"
)

func (s *streams) benchLossCommand() *cli.Command {
	return &cli.Command{
		Name:      "loss",
		Usage:     "what lost packets cost pictures whose decoder conceals them",
		ArgsUsage: "IN",
		Description: "Codes each picture at each size in one piece and in packets, decodes the packets whole, and again\n" +
			"for every draw without a share of them chosen at random, which the decoder conceals. IN is what\n" +
			"bench --corpus takes.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "codec", Value: vector.Name, Usage: "one that can write packets"},
			&cli.IntFlag{Name: "effort", Aliases: []string{"e"}, Value: codec.DefaultEffort, Usage: fmt.Sprintf("how hard to try, %d to %d", codec.MinEffort, codec.MaxEffort)},
			modelFlag("trained model to code with: a file (default: the one that is built in)"),
			&cli.FloatSliceFlag{Name: "bpp", Value: []float64{0.03, 0.06, 0.1, 0.15}, DefaultText: "0.03,0.06,0.1,0.15", Usage: "`SIZES` in bits per pixel"},
			&cli.IntFlag{Name: "packets", Value: 10, Usage: "of each picture", Validator: atLeast(2)},
			&cli.Float64Flag{Name: "lose", Value: 0.2, Usage: "share of the packets"},
			&cli.IntFlag{Name: "draws", Value: 5, Usage: "sets of packets that are lost of each picture", Validator: atLeast(1)},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the draws"},
			workersFlag(), jsonFlag(),
		},
		Action: s.benchLoss,
	}
}

// A lossRow is what packets come to at one size: means over pictures, and over the draws
// where packets are lost.
type lossRow struct {
	Target  float64 `json:"target_bpp"`
	BPP     float64 `json:"bpp"`        // in packets
	PSNR    float64 `json:"psnr"`       // in one piece
	Whole   float64 `json:"psnr_whole"` // in packets, all of them there
	Lost    float64 `json:"psnr_lost"`  // without some
	Fall    float64 `json:"fall"`       // from Whole to Lost
	Worst   float64 `json:"worst_fall"` // of any picture and draw
	Picture string  `json:"worst_fall_of"`
}

type lossReport struct {
	Input    string    `json:"input"`
	Codec    string    `json:"codec"`
	Effort   int       `json:"effort"`
	Pictures int       `json:"pictures"`
	Packets  int       `json:"packets"`
	Lost     int       `json:"lost"`
	Draws    int       `json:"draws"`
	Seed     uint64    `json:"seed"`
	Rows     []lossRow `json:"rows"`
}

func (s *streams) benchLoss(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	r := &lossReport{Input: in, Codec: c.String("codec"), Effort: c.Int("effort"), Packets: c.Int("packets"), Draws: c.Int("draws"), Seed: c.Uint64("seed")}
	share := c.Float64("lose")
	r.Lost = int(math.Round(share * float64(r.Packets)))
	if !(share >= 0 && share < 1) || r.Lost == r.Packets {
		return usagef("bench loss: --lose %v of %d packets", share, r.Packets)
	}
	w, err := s.weights(c)
	if err != nil {
		return err
	}
	o := codec.DefaultOptions()
	o.Codec, o.Effort, o.Weights, o.Workers = r.Codec, r.Effort, listed(w), c.Int("workers")
	corpus, err := dataset.Open(in, nil)
	if err != nil {
		return err
	}
	sizes := c.FloatSlice("bpp")
	for _, v := range sizes {
		r.Rows = append(r.Rows, lossRow{Target: v, Worst: math.Inf(-1)})
	}
	bar := newProgress(s.stderr, "measuring")
	defer bar.finish()
	total := corpus.Len()
	for e, err := range corpus.All(ctx) {
		if err != nil {
			return err
		}
		for i := range r.Rows {
			if err := r.measure(ctx, &r.Rows[i], e.Name, e.Picture.Image, o); err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		r.Pictures++
		bar.report(float64(r.Pictures) / float64(total))
	}
	bar.finish()
	for i := range r.Rows {
		row, n := &r.Rows[i], float64(r.Pictures)
		for _, v := range []*float64{&row.BPP, &row.PSNR, &row.Whole, &row.Lost, &row.Fall} {
			*v /= n
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(r)
	}
	return r.print(s.stdout)
}

// measure adds what one picture comes to at one size.
func (r *lossReport) measure(ctx context.Context, row *lossRow, name string, m image.Image, o *codec.Options) error {
	at := *o
	at.Target = codec.Target{Kind: codec.TargetBPP, Value: row.Target}
	one, err := encodeBytes(ctx, m, &at)
	if err != nil {
		return err
	}
	at.Packets = r.Packets
	file, err := encodeBytes(ctx, m, &at)
	if err != nil {
		return err
	}
	psnr, err := concealedPSNR(ctx, m, one, o.Weights)
	if err != nil {
		return err
	}
	whole, err := concealedPSNR(ctx, m, file, o.Weights)
	if err != nil {
		return err
	}
	b := m.Bounds()
	row.BPP += 8 * float64(len(file)) / float64(b.Dx()*b.Dy())
	row.PSNR += psnr
	row.Whole += whole
	for draw := range r.Draws {
		order := rand.New(rand.NewPCG(r.Seed, uint64(draw))).Perm(r.Packets)
		lost := map[int]bool{}
		for _, k := range order[:r.Lost] {
			lost[k] = true
		}
		cut, err := withoutPackets(ctx, file, o.Weights, lost)
		if err != nil {
			return err
		}
		v, err := concealedPSNR(ctx, m, cut, o.Weights)
		if err != nil {
			return err
		}
		row.Lost += v / float64(r.Draws)
		row.Fall += (whole - v) / float64(r.Draws)
		if whole-v > row.Worst {
			row.Worst, row.Picture = whole-v, name
		}
	}
	return nil
}

func encodeBytes(ctx context.Context, m image.Image, o *codec.Options) ([]byte, error) {
	var b bytes.Buffer
	e, err := codec.NewEncoder(&b, o)
	if err != nil {
		return nil, err
	}
	err = e.Encode(ctx, m)
	return b.Bytes(), err
}

func lossDecoder(file []byte, w []codec.Weights) (*codec.Decoder, error) {
	o := codec.DefaultDecodeOptions()
	o.Weights, o.Conceal = w, true
	return codec.NewDecoder(bytes.NewReader(file), o)
}

// concealedPSNR decodes a file, some of whose packets may be missing.
func concealedPSNR(ctx context.Context, m image.Image, file []byte, w []codec.Weights) (float64, error) {
	d, err := lossDecoder(file, w)
	if err != nil {
		return 0, err
	}
	got, err := d.Decode(ctx)
	if err != nil {
		return 0, err
	}
	v, err := metric.Compare(m, got, metric.PSNR)
	return v["psnr"], err
}

// withoutPackets returns a file without some of its packets, which are its optional
// sections, counted from 0.
func withoutPackets(ctx context.Context, file []byte, w []codec.Weights, lost map[int]bool) ([]byte, error) {
	d, err := lossDecoder(file, w)
	if err != nil {
		return nil, err
	}
	if err := d.Scan(ctx); err != nil {
		return nil, err
	}
	at := int64(len(file))
	for _, s := range d.Sections() {
		at -= s.Size
	}
	out, packet := bytes.Clone(file[:at]), 0
	for _, s := range d.Sections() {
		keep := true
		if !s.Mandatory {
			keep = !lost[packet]
			packet++
		}
		if keep {
			out = append(out, file[at:at+s.Size]...)
		}
		at += s.Size
	}
	if packet < len(lost) {
		return nil, fmt.Errorf("%d packets in the file, of which %d are to be lost", packet, len(lost))
	}
	return out, nil
}

func (r *lossReport) print(w io.Writer) error {
	t := vqTable(0, "asked", "bpp", "in one piece", "in packets", fmt.Sprintf("%d of %d lost", r.Lost, r.Packets), "fall", "worst fall", "of")
	for _, row := range r.Rows {
		t.AppendRow(table.Row{fmt.Sprintf("%.3g", row.Target), fmt.Sprintf("%.4f", row.BPP), fmt.Sprintf("%.2f", row.PSNR), fmt.Sprintf("%.2f", row.Whole),
			fmt.Sprintf("%.2f", row.Lost), fmt.Sprintf("%.2f", row.Fall), fmt.Sprintf("%.2f", row.Worst), row.Picture})
	}
	_, err := fmt.Fprintf(w, "%s, effort %d: %d pictures, mean PSNR in dB, %d draws\n\n%s\n", r.Codec, r.Effort, r.Pictures, r.Draws, t.Render())
	return err
}
