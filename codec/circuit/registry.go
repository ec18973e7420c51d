package circuit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"sync"

	"github.com/burin-codec/burin/codec"
)

// A registered model is read when it is first used.
type registered struct {
	name string
	file []byte
	head *modelHead
	id   func() ID
	read func() (*Model, error)
}

var registry struct {
	sync.RWMutex
	models []*registered
}

// Register makes a model known under a name, by which [Named] finds it, and by its
// ID, by which files do. It is meant to be called from init functions: the file is
// read only when the model is needed. It panics if the name is taken or the file is
// none of a model.
func Register(name string, file []byte) {
	head, err := readModelHead(file)
	if err != nil || name == "" {
		panic(fmt.Sprintf("circuit: Register: model %q: %v", name, err))
	}
	registry.Lock()
	defer registry.Unlock()
	for _, r := range registry.models {
		if r.name == name {
			panic(fmt.Sprintf("circuit: Register: model %q: taken", name))
		}
	}
	registry.models = append(registry.models, &registered{
		name: name, file: file, head: head,
		id:   sync.OnceValue(func() ID { return idOf(sha256.Sum256(file)) }),
		read: sync.OnceValues(func() (*Model, error) { return ReadModel(file, math.MaxInt64) }),
	})
}

func registeredModels() []*registered {
	registry.RLock()
	defer registry.RUnlock()
	return registry.models[:len(registry.models):len(registry.models)]
}

// Names returns the names of the registered models, in the order of registration.
func Names() []string {
	var names []string
	for _, r := range registeredModels() {
		names = append(names, r.name)
	}
	return names
}

// Named returns the registered model of a name.
func Named(name string) (*Model, error) {
	for _, r := range registeredModels() {
		if r.name == name {
			return r.read()
		}
	}
	known := "none is registered; codec/circuit/models has some"
	if names := Names(); names != nil {
		known = "only " + strings.Join(names, ", ")
	}
	return nil, codec.OptionError(fmt.Sprintf("circuit: no model %q, %s", name, known))
}

// NameOf returns the name under which a model is registered, or "".
func NameOf(id ID) string {
	for _, r := range registeredModels() {
		if r.id() == id {
			return r.name
		}
	}
	return ""
}

// ModelsFor returns the registered models for pictures of a size and a number of
// channels.
func ModelsFor(width, height, channels int) ([]*Model, error) {
	var models []*Model
	for _, r := range registeredModels() {
		if r.head.width == width && r.head.height == height && r.head.channels == channels {
			m, err := r.read()
			if err != nil {
				return nil, err
			}
			models = append(models, m)
		}
	}
	return models, nil
}

// Choose returns the model that codes the pictures smallest. All models must take
// them.
func Choose(ctx context.Context, models []*Model, pictures []image.Image) (*Model, error) {
	if len(models) == 0 || len(pictures) == 0 {
		return nil, codec.OptionError(fmt.Sprintf("circuit: a choice of %d models for %d pictures", len(models), len(pictures)))
	}
	var x [][]uint16
	for _, p := range pictures {
		v, err := models[0].vector(p)
		if err != nil {
			return nil, err
		}
		x = append(x, v)
	}
	for _, m := range models[1:] {
		if f := models[0]; m.width != f.width || m.height != f.height || m.channels != f.channels {
			return nil, &SizeError{m, f.width, f.height, f.channels}
		}
	}
	return choose(ctx, models, x)
}

// candidatesFor returns the models to try for pictures: those given, all of which must
// take them, or else the registered ones, at least one.
func candidatesFor(weights []codec.Weights, width, height, channels int) ([]*Model, error) {
	var models []*Model
	for _, w := range weights {
		m, ok := w.(*Model)
		if !ok {
			return nil, codec.OptionError(fmt.Sprintf("circuit: weights of type %T, not a circuit.Model", w))
		}
		if m.width != width || m.height != height || m.channels != channels {
			return nil, &SizeError{m, width, height, channels}
		}
		models = append(models, m)
	}
	if models != nil {
		return models, nil
	}
	models, err := ModelsFor(width, height, channels)
	if err == nil && models == nil {
		err = codec.UnsupportedError(fmt.Sprintf("circuit: no model for %s: %s", shape(width, height, channels), knownShapes()))
	}
	return models, err
}

// knownShapes says what the registered models are for.
func knownShapes() string {
	var known []string
	for _, r := range registeredModels() {
		known = append(known, fmt.Sprintf("%s takes %s", r.name, shape(r.head.width, r.head.height, r.head.channels)))
	}
	if known == nil {
		return "none is registered; codec/circuit/models has some"
	}
	return strings.Join(known, ", ")
}

// A model section holds
//
//	method  0: the model is named, 1: it is inside
//	model   its ID, or its file

const (
	modelNamed  = 0
	modelInside = 1
)

func modelSection(m *Model, embed bool) []byte {
	if embed {
		return append([]byte{modelInside}, m.file...)
	}
	id := m.ID()
	return append([]byte{modelNamed}, id[:]...)
}

// readModelSection returns the model of pictures of a size, which is inside, among
// those given or registered.
func readModelSection(payload []byte, width, height, channels int, weights []codec.Weights, l codec.Limits) (*Model, error) {
	m, err := findModel(payload, weights, l)
	if err != nil {
		return nil, err
	}
	if m.width != width || m.height != height || m.channels != channels {
		return nil, codec.FormatError((&SizeError{m, width, height, channels}).Error())
	}
	return m, nil
}

func findModel(payload []byte, weights []codec.Weights, l codec.Limits) (*Model, error) {
	if len(payload) == 0 || payload[0] > modelInside {
		return nil, codec.FormatError("circuit: invalid model section")
	}
	body := payload[1:]
	if payload[0] == modelInside {
		m, err := ReadModel(body, l.MaxModelBytes)
		if errors.Is(err, codec.ErrTooLarge) {
			err = fmt.Errorf("%w: MaxModelBytes is %d", err, l.MaxModelBytes)
		}
		return m, err
	}
	if len(body) != len(ID{}) {
		return nil, codec.FormatError("circuit: invalid ID of a model")
	}
	id := ID(body)
	for _, w := range weights {
		if m, ok := w.(*Model); ok && m.ID() == id {
			return m, nil
		}
	}
	for _, r := range registeredModels() {
		if r.id() == id {
			return r.read()
		}
	}
	return nil, fmt.Errorf("%w: circuit model %x, which is neither given nor among the registered (%s)", codec.ErrModelMismatch, id, strings.Join(Names(), ", "))
}
