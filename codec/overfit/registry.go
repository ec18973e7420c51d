package overfit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/inr"
)

var registry = newRegistry()

func newRegistry() *models.Registry[*inr.Prior] {
	return models.NewRegistry(Name, inr.CheckPrior, readPrior)
}

// Register makes a prior known to the codec: files that name it are decoded with it, and
// pictures that it suits are fitted from it unless the options name others. Any number
// may be registered, for presets and ranges of lambda. It is meant to be called from init
// functions: files are read only when one of them is needed. It panics if the file is
// none of a prior.
func Register(file []byte) { registry.Register(file) }

// WithoutPrior among codec.Options.Weights, alone, means to fit from nothing.
var WithoutPrior codec.Weights = withoutPrior{}

type withoutPrior struct{}

// Hash returns zeros.
func (withoutPrior) Hash() (h [sha256.Size]byte) { return h }

func (withoutPrior) String() string { return "no prior" }

// priorsFor returns the priors to encode with: those of weights, or the registered ones.
func priorsFor(weights []codec.Weights) ([]*inr.Prior, error) {
	if len(weights) == 0 {
		return registry.All()
	}
	if len(weights) == 1 && weights[0] == WithoutPrior {
		return nil, nil
	}
	var priors []*inr.Prior
	for _, w := range weights {
		p, ok := w.(*inr.Prior)
		if !ok {
			return nil, codec.OptionError(fmt.Sprintf("overfit: weights of type %T, not a prior", w))
		}
		priors = append(priors, p)
	}
	return priors, nil
}

// suits reports whether pictures of a header are such as priors are trained on: gray or
// RGB, with alpha or not.
func suits(h *codec.Header) bool {
	switch h.Model {
	case codec.ModelYCbCr, codec.ModelNYCbCrA, codec.ModelCMYK:
		return false
	}
	return true
}

// readPrior reads a prior that takes no more than some memory.
func readPrior(file []byte, memory int64) (*inr.Prior, error) {
	p, err := inr.ReadPrior(file)
	if err != nil {
		return nil, codec.FormatError("overfit: " + err.Error())
	}
	a := p.Arch()
	if size := modelBytes(&a); size > memory {
		return nil, fmt.Errorf("%w: a prior of %d bytes", codec.ErrTooLarge, size)
	}
	return p, nil
}

// modelBytes returns the memory of networks.
func modelBytes(a *inr.Arch) int64 {
	sum := int64(0)
	for _, n := range a.Params() {
		sum += 4 * int64(n)
	}
	return sum
}

// known is the priors that streams of a file may name: those in the file, and those of the
// options and the registry.
type known struct {
	weights []codec.Weights

	mu       sync.Mutex
	embedded []codec.Weights
}

func (k *known) embed(p *inr.Prior) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.embedded = append(k.embedded, p)
}

// prior is an inr.PriorFunc.
func (k *known) prior(id inr.PriorID) (*inr.Prior, error) {
	k.mu.Lock()
	embedded := k.embedded
	k.mu.Unlock()
	p, err := registry.Named(id[:], embedded)
	if errors.Is(err, codec.ErrModelMismatch) {
		return registry.Named(id[:], k.weights)
	}
	return p, err
}
