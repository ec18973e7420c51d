package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/learned"
	"github.com/burin-codec/burin/codec/overfit"
	"github.com/burin-codec/burin/codec/vector"
)

func (s *streams) infoCommand() *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "describe a burin file and check its checksums",
		ArgsUsage:   "IN",
		Description: "IN is a burin file, or - for standard input. It is not decoded.",
		Flags:       []cli.Flag{jsonFlag()},
		Action:      s.info,
	}
}

// An infoReport is what info prints.
type infoReport struct {
	File         string        `json:"file"`
	Codec        string        `json:"codec"` // empty if this build does not know it
	CodecID      int           `json:"codec_id"`
	CodecVersion int           `json:"codec_version"`
	Width        int           `json:"width"`
	Height       int           `json:"height"`
	Model        string        `json:"model"`
	Depth        int           `json:"depth"`
	Opaque       bool          `json:"opaque"` // the alpha of the model is not coded
	Subsampling  string        `json:"subsampling,omitempty"`
	Colours      int           `json:"palette_colours,omitempty"`
	Orientation  int           `json:"orientation"`
	ICC          int           `json:"icc_bytes"`
	EXIF         int           `json:"exif_bytes"`
	XMP          int           `json:"xmp_bytes"`
	Bytes        int64         `json:"bytes"`
	BPP          float64       `json:"bpp"`
	Header       int64         `json:"header_bytes"`
	Sections     []sectionInfo `json:"sections"` // by kind, in order of appearance
	Circuit      *archiveInfo  `json:"circuit,omitempty"`
	Learned      *learnedInfo  `json:"learned,omitempty"`
	Overfit      *overfitInfo  `json:"overfit,omitempty"`
	Vector       *vectorInfo   `json:"vector,omitempty"`
}

// A learnedInfo is what info prints of a file of the learned codec.
type learnedInfo struct {
	Model     string  `json:"model_id"`
	Quality   float64 `json:"quality"`
	Precision int     `json:"precision"` // bits of a sample
}

func (l *learnedInfo) String() string {
	return fmt.Sprintf("by model %s at quality %.1f, with %d bits of precision", l.Model, l.Quality, l.Precision)
}

// A vectorInfo is what info prints of a file of the vector codec.
type vectorInfo struct {
	learnedInfo
	Packets int `json:"packets"` // 0 for none
	Found   int `json:"packets_found"`
}

// An overfitInfo is what info prints of a file of the overfit codec.
type overfitInfo struct {
	Preset string   `json:"preset"` // empty if it is none
	Priors []string `json:"priors"` // that fits started from
	Fresh  int      `json:"fresh_tiles"`
}

func (o *overfitInfo) String() string {
	from := "nothing"
	if len(o.Priors) > 0 {
		from = "prior " + strings.Join(o.Priors, " and ")
		if o.Fresh > 0 {
			from += fmt.Sprintf(", %d from nothing", o.Fresh)
		}
	}
	if o.Preset == "" {
		return "by networks from " + from
	}
	return "by networks of preset " + o.Preset + " from " + from
}

type sectionInfo struct {
	Kind      string `json:"kind"`
	Mandatory bool   `json:"mandatory"`
	Count     int    `json:"count"`
	Payload   int64  `json:"payload_bytes"`
	Bytes     int64  `json:"bytes"`
}

func (s *streams) info(ctx context.Context, c *cli.Command) error {
	in, err := oneArg(c)
	if err != nil {
		return err
	}
	report, err := await(ctx, func() (*infoReport, error) { return s.inspect(ctx, in) })
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(report)
	}
	return report.print(s.stdout)
}

func (s *streams) inspect(ctx context.Context, name string) (*infoReport, error) {
	archive, err := s.archiveInfo(name)
	if err != nil {
		return nil, err
	}
	r, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d, err := codec.NewDecoder(r, nil)
	if err != nil {
		return nil, err
	}
	if err := d.Scan(ctx); err != nil {
		return nil, err
	}
	h, meta := d.Header(), d.Metadata()
	report := &infoReport{
		File: name, Codec: h.Codec, CodecID: int(h.CodecID), CodecVersion: h.CodecVersion,
		Width: h.Width, Height: h.Height, Model: h.Model.String(), Depth: h.Depth, Opaque: h.Opaque,
		Colours: len(h.Palette), Orientation: h.Orientation,
		ICC: len(meta.ICC), EXIF: len(meta.EXIF), XMP: len(meta.XMP),
		Bytes: d.Size(), BPP: 8 * float64(d.Size()) / (float64(h.Width) * float64(h.Height)),
		Header: d.Size(), Circuit: archive,
	}
	if archive != nil {
		report.BPP /= float64(max(archive.Pictures, 1))
	}
	if h.Model == codec.ModelYCbCr || h.Model == codec.ModelNYCbCrA {
		report.Subsampling = subsampling(h.Subsample)
	}
	if l, ok := learned.Describe(&h, d.Sections()); ok && h.Codec == learned.Name {
		report.Learned = &learnedInfo{fmt.Sprintf("%x", l.Model), l.Quality, l.Precision}
	}
	if f, ok := overfit.Describe(&h, d.Sections()); ok && h.Codec == overfit.Name {
		report.Overfit = &overfitInfo{Preset: f.Preset, Priors: []string{}, Fresh: f.Fresh}
		for _, id := range f.Priors {
			report.Overfit.Priors = append(report.Overfit.Priors, id.String())
		}
	}
	if v, ok := vector.Describe(&h, d.Sections()); ok && h.Codec == vector.Name {
		report.Vector = &vectorInfo{learnedInfo{fmt.Sprintf("%x", v.Model), v.Quality, v.Precision}, v.Packets, v.Found}
	}
	at := make(map[sectionInfo]int) // index by kind and flag
	for _, section := range d.Sections() {
		key := sectionInfo{Kind: section.Kind, Mandatory: section.Mandatory}
		i, ok := at[key]
		if !ok {
			i = len(report.Sections)
			at[key] = i
			report.Sections = append(report.Sections, key)
		}
		report.Sections[i].Count++
		report.Sections[i].Payload += section.Payload
		report.Sections[i].Bytes += section.Size
		report.Header -= section.Size
	}
	return report, nil
}

// subsampling returns the usual name, such as 4:2:0.
func subsampling(r image.YCbCrSubsampleRatio) string {
	digits := strings.TrimPrefix(r.String(), "YCbCrSubsampleRatio")
	return strings.Join(strings.Split(digits, ""), ":")
}

func (r *infoReport) print(w io.Writer) error {
	name := r.Codec
	if name == "" {
		name = "unknown codec"
	}
	model := fmt.Sprintf("%d-bit %s", r.Depth, r.Model)
	if r.Subsampling != "" {
		model += " " + r.Subsampling
	}
	if r.Colours > 0 {
		model += fmt.Sprintf(" of %d colours", r.Colours)
	}
	if r.Opaque {
		model += ", opaque"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "file\t%s\n", r.File)
	fmt.Fprintf(t, "codec\t%s (ID %d), version %d\n", name, r.CodecID, r.CodecVersion)
	fmt.Fprintf(t, "picture\t%d x %d, %s\n", r.Width, r.Height, model)
	if r.Circuit != nil {
		r.Circuit.print(t)
	}
	if r.Learned != nil {
		fmt.Fprintf(t, "coded\t%v\n", r.Learned)
	}
	if v := r.Vector; v != nil {
		fmt.Fprintf(t, "coded\t%v\n", &v.learnedInfo)
		if v.Packets > 0 {
			fmt.Fprintf(t, "packets\t%d of %d\n", v.Found, v.Packets)
		}
	}
	if r.Overfit != nil {
		fmt.Fprintf(t, "coded\t%v\n", r.Overfit)
	}
	fmt.Fprintf(t, "orientation\t%d\n", r.Orientation)
	fmt.Fprintf(t, "metadata\tICC %d, EXIF %d, XMP %d bytes\n", r.ICC, r.EXIF, r.XMP)
	fmt.Fprintf(t, "size\t%d bytes, %.3f bpp\n", r.Bytes, r.BPP)
	fmt.Fprintf(t, "header\t%d bytes\n", r.Header)
	for _, s := range r.Sections {
		need := "optional"
		if s.Mandatory {
			need = "mandatory"
		}
		fmt.Fprintf(t, "section %s\t%d x, %d bytes, %s\n", s.Kind, s.Count, s.Bytes, need)
	}
	fmt.Fprintf(t, "checksums\tgood\n")
	return t.Flush()
}
