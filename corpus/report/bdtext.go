package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// BDJSON writes the comparisons with the anchor as a JSON array.
func (r *Report) BDJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(append([]BD{}, r.BD...))
}

// BDText writes the comparisons with the anchor as a table for a terminal.
func (r *Report) BDText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "BD-rate to %s: %s\n", printable(r.Anchor), printable(r.headline()))
	if len(r.BD) == 0 {
		fmt.Fprintln(&b, "Nothing to compare.")
	} else {
		r.writeBD(&b)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, printable("Note: "+n))
	}
	for _, d := range r.BD {
		if d.Note != "" {
			fmt.Fprintln(&b, printable(d.noteLine()))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// noteLine writes the note of a comparison for below a table.
func (d *BD) noteLine() string {
	return fmt.Sprintf("Note: BD-rate of %s, %s: %s.", d.Curve, metricTitle(d.Metric), d.Note)
}

// writeBD writes the table of the comparisons.
func (r *Report) writeBD(b *bytes.Buffer) {
	t := newTextTable()
	t.AppendHeader(table.Row{"curve", "metric", "n", "PCHIP", "95 %", "cubic", "overlap"})
	var config []table.ColumnConfig
	for _, n := range []int{3, 4, 5, 6} {
		config = append(config, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(config)
	for _, d := range r.BD {
		t.AppendRow(table.Row{short(printable(d.Curve), 30), metricTitle(d.Metric), d.Pictures, percent(d.PCHIP), interval(d.Interval), percent(d.Cubic), d.overlap()})
	}
	for s := range strings.SplitSeq(t.Render(), "\n") {
		fmt.Fprintln(b, strings.TrimRight("  "+s, " "))
	}
}
