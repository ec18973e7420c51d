// Package bench measures codecs on corpora of pictures: size, quality, time and
// memory, of the codecs of this module and of the programs on the PATH, on the
// same pictures in the same run.
//
// Measurements are rows of an append-only journal, one JSON object a line. A run
// that was killed goes on where it was, and the journals of shards that ran on
// several machines are read as one. Package corpus/report makes tables, plots and
// a page of them.
package bench

import "math"

// A Row is a line of a journal: what a codec at one rate made of one picture.
type Row struct {
	Corpus  string `json:"corpus"`  // base name of the folder or file
	Name    string `json:"name"`    // of the picture in the corpus
	Picture string `json:"picture"` // dataset.Hash of its samples
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Planes  int    `json:"planes"` // 1 for gray, 3 for colour, one more with alpha
	Depth   int    `json:"depth"`  // bits per sample, 8 or 16

	Curve   string `json:"curve"`   // codec and fixed options, such as "avif:s6,444"
	Rate    string `json:"rate"`    // what varies along the curve, such as "q30"; empty if nothing does
	Version string `json:"version"` // of the codec
	Command string `json:"command"` // the exact flags

	Bytes   int64              `json:"bytes"`   // of the whole file; 0 in a failed row
	Metrics map[string]float64 `json:"metrics"` // see package metric; those that are not finite are absent
	Error   string             `json:"error,omitempty"`

	// Cost is what differs from run to run; all else is reproducible.
	Cost Cost `json:"cost"`
}

// A Cost holds medians over Runs runs. What was not measured is 0.
type Cost struct {
	Machine      string  `json:"machine"`
	Runs         int     `json:"runs"`
	EncodeWall   float64 `json:"encode_wall"` // seconds
	EncodeCPU    float64 `json:"encode_cpu"`
	DecodeWall   float64 `json:"decode_wall"`
	DecodeCPU    float64 `json:"decode_cpu"`
	EncodeMemory int64   `json:"encode_memory"` // peak bytes: resident, or in this process by how far the heap grew
	DecodeMemory int64   `json:"decode_memory"`
}

// A Key names what a row measured. Of rows with the same key the last one counts.
type Key struct{ Picture, Curve, Rate string }

// Key returns the key of a row.
func (r *Row) Key() Key { return Key{r.Picture, r.Curve, r.Rate} }

// Pixels returns the number of pixels.
func (r *Row) Pixels() int64 { return int64(r.Width) * int64(r.Height) }

// BPP returns the bits per pixel of the whole file.
func (r *Row) BPP() float64 { return 8 * float64(r.Bytes) / float64(r.Pixels()) }

// PSNR returns the PSNR of R, G and B in dB, +Inf for an exact picture and NaN if
// the row failed.
func (r *Row) PSNR() float64 {
	mse, ok := r.Metrics["mse"]
	if !ok {
		return math.NaN()
	}
	return 10 * math.Log10(255*255/mse)
}
