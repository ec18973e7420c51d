// Package weights has the model that burin ships for the vector codec. Importing it
// registers the model, and with it the codec:
//
//	import _ "github.com/burin-codec/burin/codec/vector/weights"
//
// README.md says what it was trained on and how. A program grows by the size of the
// file, which is read when it is first used.
package weights

import (
	_ "embed"

	"github.com/burin-codec/burin/codec/vector"
)

//go:embed photo.model
var file []byte

func init() { vector.Register(file) }
