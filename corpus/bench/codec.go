package bench

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
)

// A Codec codes pictures along one curve: one program with fixed options, at
// some rates.
type Codec struct {
	// Curve names the curve in journals and reports: the name of the codec and
	// its options, such as "avif:s6:444".
	Curve string

	// Rates are what varies along the curve, from small files to large ones, each
	// a unit and a number, such as "q30". A lossless codec has the single rate "".
	Rates []string

	// Version names the program, its version and that of what it links. A row is
	// measured again when it changes.
	Version string

	// Command returns the exact flags at a rate, for the reader of a report.
	Command func(rate string) string

	// Code encodes a picture and decodes the file again. It returns the error of
	// ctx when ctx is done; all other errors become failed rows.
	Code func(ctx context.Context, in *Input, rate string) (*Output, error)
}

// An Output is what a codec made of a picture.
type Output struct {
	Bytes          int64 // of the whole file
	Decoded        image.Image
	Encode, Decode Usage
}

// ErrNotFound reports that a program is not on the PATH.
var ErrNotFound = errors.New("bench: not installed")

// A family is what the first word of a codec's specification names.
type family struct {
	name string
	make func(options []string) (*Codec, error)

	// unit and rates are of the lossy codecs: the unit of a bare number given as
	// a rate, and the default.
	unit  string
	rates []string

	help string // the options
}

// families returns all families: those of the registered codecs of burin first.
func families() []family {
	return slices.Concat(burinFamilies(), goFamilies(), peerFamilies())
}

// Families describes the codecs that Parse knows, one line each.
func Families() []string {
	var lines []string
	for _, f := range families() {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%-10s %s", f.name, f.help)))
	}
	return lines
}

// Parse makes the codecs of specifications such as "lossless:e5" or
// "avif:s6:444", see Families. rates overrides the default rates: each entry is a
// list of numbers such as "30/50/80", for all lossy codecs, or for those of one
// name or one curve, "webp=30/50/80". The error wraps ErrNotFound where a program
// is missing.
func Parse(specs, rates []string) ([]*Codec, error) {
	all := families()
	var list []*Codec
	used := make([]bool, len(rates))
	for _, spec := range specs {
		words := strings.Split(spec, ":")
		i := slices.IndexFunc(all, func(f family) bool { return f.name == words[0] })
		if i < 0 {
			var names []string
			for _, f := range all {
				names = append(names, f.name)
			}
			return nil, fmt.Errorf("bench: no codec %q, only %s", words[0], strings.Join(names, " "))
		}
		f := all[i]
		c, err := f.make(words[1:])
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", spec, err)
		}
		if slices.ContainsFunc(list, func(other *Codec) bool { return other.Curve == c.Curve }) {
			return nil, fmt.Errorf("bench: codec %q is there twice", c.Curve)
		}
		if c.Rates == nil {
			c.Rates = f.rates
			for i, r := range rates {
				name, values, ok := strings.Cut(r, "=")
				if !ok {
					name, values = "", r
				}
				if name != "" && name != f.name && name != c.Curve && name != spec {
					continue
				}
				used[i] = true
				if c.Rates, err = parseRates(values, f.unit); err != nil {
					return nil, err
				}
			}
		}
		list = append(list, c)
	}
	for i, u := range used {
		if !u {
			return nil, fmt.Errorf("bench: rates %q are of no lossy codec that was asked for", rates[i])
		}
	}
	return list, nil
}

// parseRates reads "30/50/80". A number without a unit gets the default one.
func parseRates(values, unit string) ([]string, error) {
	var rates []string
	for v := range strings.SplitSeq(values, "/") {
		number := strings.TrimLeft(v, "abcdefghijklmnopqrstuvwxyz")
		if _, err := strconv.ParseFloat(number, 64); err != nil {
			return nil, fmt.Errorf("bench: rate %q is no number", v)
		}
		if number == v {
			v = unit + v
		}
		if slices.Contains(rates, v) {
			return nil, fmt.Errorf("bench: rate %q is there twice", v)
		}
		rates = append(rates, v)
	}
	return rates, nil
}

// splitRate returns the unit and the number of a rate.
func splitRate(rate string) (unit, number string) {
	number = strings.TrimLeft(rate, "abcdefghijklmnopqrstuvwxyz")
	return rate[:len(rate)-len(number)], number
}

// numberOf returns the number of a rate that must have the unit.
func numberOf(rate, unit string) (string, error) {
	u, number := splitRate(rate)
	if u != unit {
		return "", fmt.Errorf("rate %q is not in the unit %q", rate, unit)
	}
	return number, nil
}

// An optionSet reads the words behind the name of a codec.
type optionSet struct {
	words []string
	names []string // as they are to stand in the name of the curve
}

// take returns the number behind a one-letter option such as "e5", within a range.
func (o *optionSet) take(letter string, normal, low, high int) (int, error) {
	for i, w := range o.words {
		digits, ok := strings.CutPrefix(w, letter)
		n, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		if n < low || n > high {
			return 0, fmt.Errorf("%q is not within %s%d and %s%d", w, letter, low, letter, high)
		}
		o.words = slices.Delete(o.words, i, i+1)
		normal = n
		break
	}
	o.names = append(o.names, letter+strconv.Itoa(normal))
	return normal, nil
}

// choose returns which of some words is there, or else the first of them, which
// may be empty.
func (o *optionSet) choose(words ...string) string {
	chosen := words[0]
	for i, w := range o.words {
		if slices.Contains(words, w) {
			chosen = w
			o.words = slices.Delete(o.words, i, i+1)
			break
		}
	}
	if chosen != "" {
		o.names = append(o.names, chosen)
	}
	return chosen
}

// curve ends the reading and returns the name of the curve.
func (o *optionSet) curve(name string) (string, error) {
	if len(o.words) > 0 {
		return "", fmt.Errorf("unknown option %q", o.words[0])
	}
	return strings.Join(append([]string{name}, o.names...), ":"), nil
}
