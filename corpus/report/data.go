package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
)

// csvMetrics are the metrics in the order of their columns.
var csvMetrics = []string{PSNR, PSNRMeanMSE, PSNRYUV, SSIM, MSSSIM, MSSSIMdB, SSIMULACRA2, Butteraugli}

// CSV writes a line for each curve and rate, below one of titles. What was not
// measured is empty.
func (r *Report) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	header := []string{"curve", "rate", "version", "command", "pictures", "coded", "failed", "exact", "lossless", "bytes", "bpp", "total_bpp", "bpsp", "relative"}
	header = append(header, csvMetrics...)
	header = append(header, "encode_cpu", "decode_cpu", "encode_wall", "decode_wall", "encode_memory", "decode_memory")
	c.Write(header) // errors stay until Error
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	positive := func(v float64) string {
		if v == 0 {
			return ""
		}
		return number(v)
	}
	for _, curve := range r.Curves {
		version := ""
		if len(curve.Versions) > 0 {
			version = curve.Versions[len(curve.Versions)-1]
		}
		for _, p := range curve.Points {
			line := []string{curve.Name, p.Rate, version, p.Command, strconv.Itoa(curve.Pictures), strconv.Itoa(p.Coded), strconv.Itoa(p.Failed),
				strconv.Itoa(p.Exact), strconv.FormatBool(curve.Lossless), strconv.FormatInt(p.Bytes, 10), number(p.BPP), number(p.TotalBPP), number(p.BPSP)}
			if p.Relative != nil {
				line = append(line, number(*p.Relative))
			} else {
				line = append(line, "")
			}
			for _, m := range csvMetrics {
				if v, ok := p.Quality[m]; ok {
					line = append(line, number(v))
				} else {
					line = append(line, "")
				}
			}
			for _, v := range []float64{p.EncodeCPU, p.DecodeCPU, p.EncodeWall, p.DecodeWall, float64(p.EncodeMemory), float64(p.DecodeMemory)} {
				line = append(line, positive(v))
			}
			c.Write(line)
		}
	}
	c.Flush()
	return c.Error()
}

// JSON writes the report as an object that json.Unmarshal takes back. A point, or
// a comparison, is a line, so that what changed can be seen under version control.
func (r *Report) JSON(w io.Writer) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(append(breakLines(b), '\n'))
	return err
}

// breakLines breaks JSON without blanks into lines: the entries of all that holds
// an array of objects are on lines of their own.
func breakLines(b []byte) []byte {
	broken := make(map[int]bool) // by the place of the bracket
	var open []int
	walk(b, func(i int) {
		switch b[i] {
		case '{', '[':
			open = append(open, i)
			if b[i] == '[' && b[i+1] == '{' {
				for _, j := range open {
					broken[j] = true
				}
			}
		case '}', ']':
			open = open[:len(open)-1]
		}
	})
	var out []byte
	done := 0
	line := func(upTo int) {
		out = append(append(out, b[done:upTo]...), '\n')
		out = append(out, strings.Repeat(" ", len(open))...)
		done = upTo
	}
	walk(b, func(i int) {
		switch b[i] {
		case '{', '[':
			open = append(open, i)
			if broken[i] {
				line(i + 1)
			}
		case '}', ']':
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if broken[last] {
				line(i)
			}
		case ',':
			if broken[open[len(open)-1]] {
				line(i + 1)
			}
		}
	})
	return append(out, b[done:]...)
}

// walk calls f for the bytes of JSON that are in no string.
func walk(b []byte, f func(i int)) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case !quoted:
			f(i)
		}
	}
}
