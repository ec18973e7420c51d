package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A column is one of a table of points.
type column struct {
	title string
	left  bool // else aligned to the right
	value func(p *Point) string
}

// metricColumn makes a column of a metric.
func metricColumn(title, name string, decimals int) column {
	return column{title, false, func(p *Point) string { return p.quality(name, decimals) }}
}

// textColumns are the columns of lossy and lossless tables of a terminal. All but
// the first three are left out if they are empty.
func textColumns(lossless bool) []column {
	columns := []column{
		{"rate", true, func(p *Point) string { return printable(p.rate()) }},
		{"bytes", false, func(p *Point) string { return grouped(p.Bytes) }},
		{"bpp", false, func(p *Point) string { return fmt.Sprintf("%.4f", p.BPP) }},
	}
	if lossless {
		columns = append(columns,
			column{"bits/sample", false, func(p *Point) string { return fmt.Sprintf("%.4f", p.BPSP) }},
			column{"size", false, func(p *Point) string { return percent(p.Relative) }})
	} else {
		columns = append(columns,
			metricColumn("PSNR", PSNR, 2), metricColumn("YUV", PSNRYUV, 2), metricColumn("SSIM", SSIM, 4),
			metricColumn("MS dB", MSSSIMdB, 2), metricColumn("SSIMU2", SSIMULACRA2, 1), metricColumn("Butter", Butteraugli, 2))
	}
	return append(columns,
		column{"enc", false, func(p *Point) string { return speed(p.EncodeCPU) }},
		column{"dec", false, func(p *Point) string { return speed(p.DecodeCPU) }},
		column{"MB", false, func(p *Point) string { return memory(max(p.EncodeMemory, p.DecodeMemory)) }},
		column{"fail", false, func(p *Point) string {
			if p.Failed == 0 {
				return none
			}
			return strconv.Itoa(p.Failed)
		}})
}

// filled leaves out the columns from the first-th on that say nothing.
func filled(columns []column, curves []*Curve, first int) []column {
	out := columns[:first:first]
	for _, col := range columns[first:] {
		empty := true
		for _, c := range curves {
			for i := range c.Points {
				empty = empty && col.value(&c.Points[i]) == none
			}
		}
		if !empty {
			out = append(out, col)
		}
	}
	return out
}

// maxListed is how many failures Text and Markdown list. JSON and the page have
// all.
const maxListed = 20

// Text writes the report as tables for a terminal, of at most 100 columns unless
// names are long.
func (r *Report) Text(w io.Writer) error {
	var b bytes.Buffer
	bold, red := text.Colors{text.Bold}, text.Colors{text.FgRed}
	paint := func(c text.Colors, s string) string {
		if r.o == nil || !r.o.Color {
			return s
		}
		return c.EscapeSeq() + s + text.EscapeReset
	}
	fmt.Fprintf(&b, "%s: %s\n", paint(bold, printable(r.Title)), printable(r.headline()))
	for _, lossless := range []bool{false, true} {
		curves := r.kind(lossless)
		if len(curves) == 0 {
			continue
		}
		columns := filled(textColumns(lossless), curves, 3)
		t := newTextTable()
		header, config := table.Row{}, []table.ColumnConfig{}
		for i, col := range columns {
			header = append(header, col.title)
			align := text.AlignRight
			if col.left {
				align = text.AlignLeft
			}
			config = append(config, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align})
		}
		t.AppendHeader(header)
		t.SetColumnConfigs(config)
		headings := make(map[int]string) // by line: the table has one of its header and one for each row
		line := 1
		for _, c := range curves {
			headings[line] = paint(bold, printable(c.Name)) + "  (" + r.covers(c) + ")"
			for i := range c.Points {
				row := table.Row{}
				for _, col := range columns {
					row = append(row, col.value(&c.Points[i]))
				}
				t.AppendRow(row)
				line++
			}
		}
		b.WriteByte('\n')
		for i, s := range strings.Split(t.Render(), "\n") {
			if h, ok := headings[i]; ok {
				fmt.Fprintln(&b, h)
			}
			fmt.Fprintln(&b, strings.TrimRight("  "+s, " "))
		}
	}
	if len(r.BD) > 0 {
		fmt.Fprintf(&b, "\n%s\n", paint(bold, "BD-rate to "+printable(r.Anchor)))
		r.writeBD(&b)
	}
	b.WriteByte('\n')
	if len(r.kind(false))+len(r.kind(true)) > 0 {
		fmt.Fprintln(&b, "enc, dec: 10^6 pixels per CPU second. MB: 10^6 bytes of memory at the peak.")
	}
	for _, s := range r.footnotes(printable, printable) {
		fmt.Fprintln(&b, s)
	}
	if len(r.Failures) > 0 {
		fmt.Fprintln(&b, paint(red, count(len(r.Failures), "failed row")+":"))
		for i, f := range r.Failures {
			if i == maxListed {
				fmt.Fprintf(&b, "  and %d more\n", len(r.Failures)-i)
				break
			}
			fmt.Fprintf(&b, "  %s %s, %s: %s\n", printable(f.Curve), printable(f.Rate), printable(f.Name), printable(f.Error))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// newTextTable returns a table of columns with two blanks between them and nothing
// else, whose rows are a line each.
func newTextTable() table.Writer {
	t := table.NewWriter()
	s := table.StyleDefault
	s.Options = table.OptionsNoBordersAndSeparators
	s.Format.Header = text.FormatDefault
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	t.SetStyle(s)
	return t
}

// short cuts a string to a number of characters.
func short(s string, most int) string {
	c := []rune(s)
	if len(c) <= most {
		return s
	}
	return string(c[:most-1]) + "…"
}

// footnotes are the lines below the tables: what to mind, what was run, and how.
// plain and code write text and commands for the format.
func (r *Report) footnotes(plain, code func(string) string) []string {
	var lines []string
	for _, n := range r.Notes {
		lines = append(lines, plain("Note: "+n))
	}
	for _, d := range r.BD {
		if d.Note != "" {
			lines = append(lines, plain(d.noteLine()))
		}
	}
	for _, s := range r.conventions() {
		lines = append(lines, plain(s))
	}
	for i := range r.Curves {
		c := &r.Curves[i]
		var commands []string
		for _, g := range c.commandGroups() {
			if g.Command != "" {
				commands = append(commands, code(g.String()))
			}
		}
		lines = append(lines, plain(c.Name+": "+strings.Join(append(slices.Clone(c.Versions), c.Machines...), ", ")+"; ")+strings.Join(commands, "; "))
	}
	for _, p := range r.Published {
		lines = append(lines, plain(strings.Join(slices.DeleteFunc([]string{p.Name + ": published", p.Source, p.Reference, p.Note}, func(s string) bool { return s == "" }), "; ")))
	}
	lines = append(lines, plain("Pictures: SHA-256 "+r.Checksum))
	if r.Machine != "" {
		lines = append(lines, plain("Machine: "+r.Machine))
	}
	return lines
}

// A commandGroup is a command and what it was run for.
type commandGroup struct {
	Command string // with RATE for the number of the rate, if there are several
	More    int    // pictures' commands that differ from this one
}

func (g commandGroup) String() string {
	s := g.Command
	if g.More > 0 {
		s += fmt.Sprintf(" (and %d more)", g.More)
	}
	return s
}

// commandGroups joins the commands of a curve's points that differ in the number
// of the rate alone.
func (c *Curve) commandGroups() []commandGroup {
	var out []commandGroup
	for i := range c.Points {
		p := &c.Points[i]
		g := commandGroup{p.Command, max(p.Commands-1, 0)}
		if len(c.Points) > 1 {
			g.Command = p.template()
		}
		n := slices.IndexFunc(out, func(o commandGroup) bool { return o.Command == g.Command })
		if n < 0 {
			out = append(out, g)
		} else {
			out[n].More = max(out[n].More, g.More)
		}
	}
	return out
}

// template is the command of a point with RATE for the number of its rate, where
// that is a word of the command.
func (p *Point) template() string {
	number := strings.TrimLeftFunc(p.Rate, func(c rune) bool { return (c < '0' || c > '9') && c != '.' && c != '-' })
	if number == "" {
		return p.Command
	}
	words := strings.Split(p.Command, " ")
	for i, s := range words {
		if s == number || s == p.Rate {
			words[i] = "RATE"
		} else if name, v, ok := strings.Cut(s, "="); ok && (v == number || v == p.Rate) {
			words[i] = name + "=RATE"
		}
	}
	return strings.Join(words, " ")
}
