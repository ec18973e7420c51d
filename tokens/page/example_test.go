package page_test

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"log"
	"strings"

	"github.com/burin-codec/burin/tokens"
	"github.com/burin-codec/burin/tokens/page"
)

func Example() {
	l, err := page.New("# Report\n\nSome *text* and `code`.\n\n- a list", page.Markdown, page.Dense())
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range l.All() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("page of", m.Bounds().Max)
		if err := png.Encode(io.Discard, m); err != nil { // or a file, or a request
			log.Fatal(err)
		}
	}
	fmt.Print(l.Text(0))
	// Output:
	// page of (794,64)
	// Report
	// Some text and code.
	// • a list
}

// A service that has to choose between sending text and sending pages.
func ExampleSweep() {
	text := strings.Repeat("A sentence of some length that stands for a document. ", 500)
	count := func(s string) (int, error) { return len(s) / 4, nil } // the service's own tokeniser

	o := page.Dense()
	o.Width, o.Height = 1024, 1024
	m, err := tokens.Lookup("deepseek-ocr-base")
	if err != nil {
		log.Fatal(err)
	}
	costs, err := page.Sweep(context.Background(), text, page.Plain, []*page.Options{o}, []*tokens.Model{m}, count)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range costs {
		fmt.Printf("%s: %d pages, %d text tokens, %d visual tokens (%s)\n", c.Model, c.Pages, c.TextTokens, c.VisualTokens, c.Confidence)
	}
	// Output:
	// deepseek-ocr-base: 2 pages, 6750 text tokens, 546 visual tokens (vendor-doc)
}
