// Package priors has the priors that burin ships for the overfitted codec. Importing it
// registers them, and with them the codec:
//
//	import _ "github.com/burin-codec/burin/codec/overfit/priors"
//
// README.md says what they were learnt on and how.
package priors

import (
	"embed"

	"github.com/burin-codec/burin/codec/overfit"
)

//go:embed *.prior
var files embed.FS

func init() {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	for _, e := range entries {
		file, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		overfit.Register(file)
	}
}
