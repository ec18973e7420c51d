// Package models has the models that burin ships for the circuit codec, by which
// pictures like those of MNIST and Fashion-MNIST are coded without training. Importing
// it registers them with package codec/circuit, under the names of their files:
//
//	import _ "github.com/burin-codec/burin/codec/circuit/models"
//
// files/README.md says what they were learnt from and how. A program grows by the size
// of the files; they are read when they are first used.
package models

import (
	"embed"
	"io/fs"
	"path"
	"strings"

	"github.com/burin-codec/burin/codec/circuit"
)

//go:embed files
var files embed.FS

func init() {
	// The files were checked by the tests, and the pattern is valid.
	names, _ := fs.Glob(files, "files/*.model")
	for _, name := range names {
		data, _ := files.ReadFile(name)
		circuit.Register(strings.TrimSuffix(path.Base(name), ".model"), data)
	}
}
