package learned

import "github.com/burin-codec/burin/codec/internal/models"

// An ID names a model in files: the first 8 bytes of its hash.
type ID = models.ID

var registry = models.NewRegistry(Name, checkBegin, ReadModel)

// Register makes a model known to the codec: files that name it are decoded with it,
// and the first one registered is what pictures are encoded with unless the options
// name another. It is meant to be called from init functions: the file is read only
// when the model is needed. It panics if it is none of a model.
func Register(file []byte) { registry.Register(file) }

// Default returns the model that pictures are encoded with, the first one registered.
func Default() (*Model, error) { return registry.Default() }
