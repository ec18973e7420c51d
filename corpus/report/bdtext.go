package report

import (
	"encoding/json"
	"io"
)

// BDJSON writes the comparisons with the anchor as a JSON array.
func (r *Report) BDJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r.BD)
}

// BDText writes the comparisons with the anchor as a table for a terminal.
func (r *Report) BDText(w io.Writer) error { return r.Text(w) }
