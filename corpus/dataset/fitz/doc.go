// Package fitz lets package corpus/dataset read PDF files, whose pages it renders
// with MuPDF. It is imported for that effect:
//
//	import _ "github.com/burin-codec/burin/corpus/dataset/fitz"
//
// # Licence
//
// MuPDF and its Go binding github.com/gen2brain/go-fitz are under the GNU Affero
// General Public License, version 3. A program that links them may be passed on, or
// be offered to others over a network, only under the terms of that licence, which
// ask for the source of the whole program. So this package is empty unless it is
// built with cgo and the tag fitz,
//
//	CGO_ENABLED=1 go build -tags fitz ./cmd/burin
//
// and no build without the tag downloads or links them.
//
// # Security
//
// MuPDF is C code that parses a complex format, and go-fitz lets some of its errors,
// such as a page tree that cannot be counted, end the process. Render PDF files from
// strangers in a process of their own.
package fitz
