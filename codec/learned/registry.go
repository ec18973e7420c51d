package learned

import (
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/models"
)

var registry = models.NewRegistry(Name, func(file []byte) error {
	_, _, err := readConfig(file)
	return err
}, ReadModel)

// Register makes a model known to the codec: files that name it are decoded with it,
// and the first one registered is what pictures are encoded with unless the options
// name another. It is meant to be called from init functions: the file is read only
// when the model is needed. It panics if it is none of a model.
func Register(file []byte) { registry.Register(file) }

// Default returns the model that pictures are encoded with, the first one registered.
func Default() (*Model, error) { return registry.Default() }

func modelOf(id ID, weights []codec.Weights) (*Model, error) {
	return registry.Of(models.ID(id), weights)
}

func modelFor(weights []codec.Weights) (*Model, error) { return registry.For(weights) }
