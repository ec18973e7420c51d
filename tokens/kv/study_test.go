package kv

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

var (
	study      = flag.Bool("study", false, "print the tables of doc/tokens-kv.md")
	studyCache = flag.String("cache", "", "safetensors file of keys, values and queries to study instead of the stand-in")
	studyRow   = flag.Int("row", 32, "tokens in a row of the picture")
)

// minMaxTensor quantises all of x between its extremes, the plainest thing to do.
func minMaxTensor(x *Tensor, levels int) *Tensor {
	lo, hi := x.Data[0], x.Data[0]
	for _, v := range x.Data {
		lo, hi = min(lo, v), max(hi, v)
	}
	step := (hi - lo) / float32(levels-1)
	y := NewTensor(x.Layers, x.Heads, x.Tokens, x.Dim)
	for i, v := range x.Data {
		y.Data[i] = lo + step*float32(math.RoundToEven(float64((v-lo)/step)))
	}
	return &y
}

// TestStudy prints what every method costs and errs at every width, as Markdown.
func TestStudy(t *testing.T) {
	if !*study {
		t.Skip("prints tables: -args -study")
	}
	var keys, values, queries *Tensor
	if *studyCache == "" {
		k, v, q := standIn(t, 8, 2, 64)
		keys, values, queries = &k, &v, &q
	} else {
		f, err := os.Open(*studyCache)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		list, _, err := tensorfile.ReadSafetensors(f, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			x, err := FromFile(&list[i])
			if err != nil {
				t.Fatal(err)
			}
			switch list[i].Name {
			case "keys":
				keys = x
			case "values":
				values = x
			case "queries":
				queries = x
			}
		}
	}
	// Every 16th query.
	some := NewTensor(queries.Layers, queries.Heads, (queries.Tokens+15)/16, queries.Dim)
	for l := range queries.Layers {
		for h := range queries.Heads {
			for i := range some.Tokens {
				copy(some.Head(l, h)[i*some.Dim:][:some.Dim], queries.Head(l, h)[16*i*some.Dim:])
			}
		}
	}
	attention, err := Attention(keys, &some)
	if err != nil {
		t.Fatal(err)
	}
	dim := keys.Dim
	channel := Side{Axis: PerChannel, Group: 64, Fit: Unbiased}
	token := Side{Axis: PerToken, Group: min(64, dim), Fit: Unbiased}
	with := func(s Side, fs ...func(s *Side)) Side {
		for _, f := range fs {
			f(&s)
		}
		return s
	}
	minMax := func(s *Side) { s.Fit = MinMax }
	squares := func(s *Side) { s.Fit = LeastSquares }
	wide := func(s *Side) { s.Group = 256 }
	shift := func(s *Side) { s.Shift = true }
	rotate := func(s *Side) { s.Shift, s.Rotate, s.Group = true, true, dim }
	normalise := func(s *Side) { s.Normalise, s.Shift, s.Rotate, s.Group = true, true, true, dim }
	fmt.Printf("%d layers of %d heads of %d tokens of %d channels; %d queries a head\n\n", keys.Layers, keys.Heads, keys.Tokens, dim, some.Tokens)
	fmt.Println("| bits | keys / values | in memory: keys | values | in the file: both | error: keys | values | attention | cosine: keys | values | attention |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	for _, f := range []Format{Bits1, Mixed, Ternary, Bits2, Bits3, Bits4} {
		row := func(name, k, v, file string, q Quality) {
			fmt.Printf("| %v | %s | %s | %s | %s | %.4f | %.4f | %.4f | %.4f | %.4f | %.4f |\n", f, name, k, v, file,
				q.Keys.Relative, q.Values.Relative, q.Attention.Relative, q.Keys.Cosine, q.Values.Cosine, q.Attention.Cosine)
		}
		if f != Mixed {
			q, err := Compare(keys, values, minMaxTensor(keys, f.levels()), minMaxTensor(values, f.levels()), &some, nil)
			if err != nil {
				t.Fatal(err)
			}
			row("per tensor, min-max", f.String(), f.String(), "-", q)
		}
		for _, m := range []struct {
			name         string
			keys, values Side
			important    bool
		}{
			{"tokens, min-max", with(token, minMax), with(token, minMax), false},
			{"channels / tokens, min-max (KIVI)", with(channel, minMax), with(token, minMax), false},
			{"channels / tokens, least squares", with(channel, squares), with(token, squares), false},
			{"channels / tokens, shift, least squares", with(channel, squares), with(token, shift, squares), false},
			{"channels / tokens, shift, unbiased", channel, with(token, shift), false},
			{"channels, min-max / tokens, shift, unbiased", with(channel, minMax), with(token, shift), false},
			{"channels, min-max / channels, unbiased", with(channel, minMax), channel, false},
			{"channels, min-max / channels, unbiased, groups of 256", with(channel, wide, minMax), with(channel, wide), false},
			{"tokens, shift, rotate, unbiased", with(token, rotate), with(token, rotate), false},
			{"tokens, shift, rotate, least squares", with(token, rotate, squares), with(token, rotate, squares), false},
			{"tokens, normalise, shift, rotate, least squares", with(token, normalise, squares), with(token, normalise, squares), false},
			{"channels, min-max / tokens, shift, unbiased; important at 4 bits", with(channel, minMax), with(token, shift), true},
		} {
			o := Defaults()
			o.Keys, o.Values = m.keys, m.values
			o.Row = *studyRow
			class := Class{f, f}
			if f == Mixed {
				if m.keys.Axis != PerChannel {
					continue
				}
				if m.values.Axis != PerChannel {
					class.Values = Ternary
				}
			}
			o.Classes = []Class{class}
			if m.important {
				if f == Bits4 {
					continue
				}
				o.Classes = append(o.Classes, Class{Bits4, Bits4})
				if o.Assign, err = Important(attention, keys.Tokens, 0.3); err != nil {
					t.Fatal(err)
				}
			}
			c := mustQuantise(t, keys, values, o)
			k, v := mustDequantise(t, c)
			q, err := Compare(keys, values, k, v, &some, nil)
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if _, err := c.WriteTo(&file); err != nil {
				t.Fatal(err)
			}
			info := c.Info()
			bits := func(bytes int64, x *Tensor) string { return fmt.Sprintf("%.2f", 8*float64(bytes)/float64(len(x.Data))) }
			row(m.name, bits(info.Keys.Bytes, keys), bits(info.Values.Bytes, values),
				fmt.Sprintf("%.2f", 8*float64(file.Len())/float64(info.Numbers)), q)
		}
	}
}
