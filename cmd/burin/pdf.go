//go:build fitz && cgo

package main

// PDF pages for burin bench. This links MuPDF, which is under the AGPL-3.0.
import _ "github.com/burin-codec/burin/corpus/dataset/fitz"
