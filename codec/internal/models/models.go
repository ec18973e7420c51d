// Package models keeps the trained models that a codec knows of: those that packages of
// weights registered, and those that options name.
package models

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"sync"

	"github.com/burin-codec/burin/codec"
)

// An ID names a model in files: the first 8 bytes of its hash.
type ID [8]byte

// IDOf returns the ID of the model of a hash.
func IDOf(hash [sha256.Size]byte) ID { return ID(hash[:8]) }

// A Registry is the registered models of a codec.
type Registry[M codec.Weights] struct {
	name  string
	check func(file []byte) error
	read  func(file []byte, memory int64) (M, error)

	mu     sync.RWMutex
	models []*registered[M]
}

// A registered model is read when it is first used.
type registered[M any] struct {
	hash func() [sha256.Size]byte
	read func() (M, error)
}

// NewRegistry returns a registry of the codec of a name, which checks the beginning of a
// model's file and reads it, taking no more than about some memory.
func NewRegistry[M codec.Weights](name string, check func([]byte) error, read func([]byte, int64) (M, error)) *Registry[M] {
	return &Registry[M]{name: name, check: check, read: read}
}

// Register adds a model's file. It panics if it is none.
func (r *Registry[M]) Register(file []byte) {
	if err := r.check(file); err != nil {
		panic(fmt.Sprintf("%s: Register: %v", r.name, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.models = append(r.models, &registered[M]{
		hash: sync.OnceValue(func() [sha256.Size]byte { return sha256.Sum256(file) }),
		read: sync.OnceValues(func() (M, error) { return r.read(file, math.MaxInt64) }),
	})
}

func (r *Registry[M]) list() []*registered[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.models[:len(r.models):len(r.models)]
}

// Default returns the model that was registered first.
func (r *Registry[M]) Default() (m M, err error) {
	models := r.list()
	if len(models) == 0 {
		return m, codec.UnsupportedError(fmt.Sprintf("%s: no model is registered: import codec/%s/weights, or give one", r.name, r.name))
	}
	return models[0].read()
}

// Of returns the model among the given weights and the registered ones that has an ID,
// or an error that wraps codec.ErrModelMismatch.
func (r *Registry[M]) Of(id ID, weights []codec.Weights) (m M, err error) {
	return r.Named(id[:], weights)
}

// Named is Of for a name that is the first bytes of the hash, as many as a codec writes.
func (r *Registry[M]) Named(name []byte, weights []codec.Weights) (m M, err error) {
	is := func(hash [sha256.Size]byte) bool { return bytes.HasPrefix(hash[:], name) }
	for _, w := range weights {
		if given, ok := w.(M); ok && is(given.Hash()) {
			return given, nil
		}
	}
	for _, known := range r.list() {
		if is(known.hash()) {
			return known.read()
		}
	}
	return m, fmt.Errorf("%w: the %s codec's model %x", codec.ErrModelMismatch, r.name, name)
}

// All returns all registered models, in the order in which they were registered: for
// codecs that choose by what they are for.
func (r *Registry[M]) All() ([]M, error) {
	var all []M
	for _, known := range r.list() {
		m, err := known.read()
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// For returns the model to encode with: the one of weights, or the default.
func (r *Registry[M]) For(weights []codec.Weights) (m M, err error) {
	if len(weights) == 0 {
		return r.Default()
	}
	if len(weights) > 1 {
		return m, codec.OptionError(fmt.Sprintf("%s: %d models, not one", r.name, len(weights)))
	}
	m, ok := weights[0].(M)
	if !ok {
		return m, codec.OptionError(fmt.Sprintf("%s: weights of type %T, not one of its models", r.name, weights[0]))
	}
	return m, nil
}
