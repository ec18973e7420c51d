package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// JSON writes the table as an object that json.Unmarshal takes back, with a value
// on each line.
func (t *SizeTable) JSON(w io.Writer) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = w.Write(append(breakLines(b), '\n'))
	return err
}

// Text writes the table for a terminal. In place of a mean that cannot be, it has
// how many of the pictures have a value.
func (t *SizeTable) Text(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s at equal size: %s, %.2f Mpixel\n", printable(t.Title), count(t.Pictures, "picture"), float64(t.Pixels)/1e6)
	if len(t.Curves) == 0 {
		fmt.Fprintln(&b, "Nothing to compare.")
	} else {
		t.writeTable(&b)
		fmt.Fprintln(&b, "lowest: the smallest mean bpp of a rate that coded all pictures. range: the bpp that all pictures have files around.")
		fmt.Fprintln(&b, "Means of the pictures' values, each interpolated over log(bpp) between the picture's files, nothing extrapolated.")
		if t.lacking() {
			fmt.Fprintln(&b, "n/N: only n of the N pictures have a value at this size, so there is no mean.")
		}
		if t.Anchor != "" {
			fmt.Fprintf(&b, "\nless %s, over the pictures that both have at the size\n", printable(t.Anchor))
			t.writeDifferences(&b)
		}
	}
	for _, n := range t.Notes {
		fmt.Fprintln(&b, printable("Note: "+n))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// lacking reports whether a mean is missing.
func (t *SizeTable) lacking() bool {
	for i := range t.Curves {
		for _, v := range t.Curves[i].Values {
			if v.Mean == nil {
				return true
			}
		}
	}
	return false
}

func (t *SizeTable) writeTable(b *bytes.Buffer) {
	w := t.newTable("curve", "lowest", "range")
	for i := range t.Curves {
		c := &t.Curves[i]
		row := table.Row{short(printable(c.Name), 30), none, none}
		if c.Lowest != nil {
			row[1] = fmt.Sprintf("%.4f", *c.Lowest)
		}
		if c.Range != nil {
			row[2] = fmt.Sprintf("%.4f–%.4f", c.Range[0], c.Range[1])
		}
		for j := range c.Values {
			row = append(row, c.Values[j].cell(t.Pictures))
		}
		w.AppendRow(row)
	}
	render(b, w)
}

func (t *SizeTable) writeDifferences(b *bytes.Buffer) {
	w := t.newTable("curve")
	for i := range t.Curves {
		c := &t.Curves[i]
		if c.Name == t.Anchor {
			continue
		}
		row := table.Row{short(printable(c.Name), 30)}
		for j := range c.Values {
			v := &c.Values[j]
			cell := none
			if v.Difference != nil {
				cell = fmt.Sprintf("%+.*f (%d)", v.digits(), *v.Difference, v.Common)
			}
			row = append(row, cell)
		}
		w.AppendRow(row)
	}
	render(b, w)
}

// newTable returns a table of these columns and one for each size and metric.
func (t *SizeTable) newTable(columns ...string) table.Writer {
	w := newTextTable()
	var sizes, header table.Row
	for _, name := range columns {
		sizes, header = append(sizes, ""), append(header, name)
	}
	for _, v := range t.BPP {
		for i, m := range t.Metrics {
			size := ""
			if i == 0 {
				size = strconv.FormatFloat(v, 'f', -1, 64) + " bpp"
			}
			sizes, header = append(sizes, size), append(header, metricTitle(m))
		}
	}
	w.AppendHeader(sizes)
	w.AppendHeader(header)
	var config []table.ColumnConfig
	for n := 2; n <= len(header); n++ {
		config = append(config, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	w.SetColumnConfigs(config)
	return w
}

// render writes a table, indented.
func render(b *bytes.Buffer, w table.Writer) {
	for s := range strings.SplitSeq(w.Render(), "\n") {
		fmt.Fprintln(b, strings.TrimRight("  "+s, " "))
	}
}

// cell writes the mean, or how many of the pictures have a value.
func (v *SizeValue) cell(pictures int) string {
	if v.Mean == nil {
		return fmt.Sprintf("%d/%d", v.Pictures, pictures)
	}
	return strconv.FormatFloat(*v.Mean, 'f', v.digits(), 64)
}

// digits is how many decimals are shown.
func (v *SizeValue) digits() int {
	switch v.Metric {
	case SSIM, MSSSIM:
		return 4
	case SSIMULACRA2:
		return 1
	}
	return 2
}
