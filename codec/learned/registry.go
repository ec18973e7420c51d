package learned

import (
	"crypto/sha256"
	"fmt"
	"math"
	"sync"

	"github.com/burin-codec/burin/codec"
)

// A registered model is read when it is first used.
type registered struct {
	hash func() [sha256.Size]byte
	read func() (*Model, error)
}

var registry struct {
	sync.RWMutex
	models []*registered
}

// Register makes a model known to the codec: files that name it are decoded with it,
// and the first one registered is what pictures are encoded with unless the options
// name another. It is meant to be called from init functions: the file is read only
// when the model is needed. It panics if it is none of a model.
func Register(file []byte) {
	if _, _, err := readConfig(file); err != nil {
		panic(fmt.Sprintf("learned: Register: %v", err))
	}
	registry.Lock()
	defer registry.Unlock()
	registry.models = append(registry.models, &registered{
		hash: sync.OnceValue(func() [sha256.Size]byte { return sha256.Sum256(file) }),
		read: sync.OnceValues(func() (*Model, error) { return ReadModel(file, math.MaxInt64) }),
	})
}

func registeredModels() []*registered {
	registry.RLock()
	defer registry.RUnlock()
	return registry.models[:len(registry.models):len(registry.models)]
}

// Default returns the model that pictures are encoded with, the first one registered.
func Default() (*Model, error) {
	models := registeredModels()
	if len(models) == 0 {
		return nil, codec.UnsupportedError("learned: no model is registered: import codec/learned/weights, or give one")
	}
	return models[0].read()
}

// modelOf returns the model among the given weights and the registered ones that has an
// ID.
func modelOf(id ID, weights []codec.Weights) (*Model, error) {
	for _, w := range weights {
		if m, ok := w.(*Model); ok && m.ID() == id {
			return m, nil
		}
	}
	for _, r := range registeredModels() {
		if h := r.hash(); ID(h[:8]) == id {
			return r.read()
		}
	}
	return nil, fmt.Errorf("%w: the learned codec's model %x", codec.ErrModelMismatch, id[:])
}

// modelFor returns the model to encode with.
func modelFor(weights []codec.Weights) (*Model, error) {
	if len(weights) == 0 {
		return Default()
	}
	if len(weights) > 1 {
		return nil, codec.OptionError(fmt.Sprintf("learned: %d models, not one", len(weights)))
	}
	m, ok := weights[0].(*Model)
	if !ok {
		return nil, codec.OptionError(fmt.Sprintf("learned: weights of type %T, not a learned.Model", weights[0]))
	}
	return m, nil
}
