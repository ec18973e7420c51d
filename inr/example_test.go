package inr_test

import (
	"fmt"

	"github.com/burin-codec/burin/inr"
)

// A grey picture of one latent grid, made by hand: the latents are the picture.
func Example() {
	const width, height = 4, 2
	arch := inr.Arch{Channels: 1, Grids: 1, Spatial: 2, Features: 0, Hidden: 1}
	nets := inr.NewQuantised(&arch)
	linear := arch.Layout()[inr.SynWl]
	nets.Step[linear.Module] = 4
	nets.Ints[linear.Module][linear.Offset] = 1 // 1/16 for each step of a latent
	latents := inr.NewLatents(&arch, width, height)
	copy(latents[0].V, []int8{0, 4, 8, 12, 16, 12, 8, 4})

	stream, err := inr.EncodeStream(&arch, nets, latents, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	picture, err := inr.DecodeStream(stream, width, height, 1, nil, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(picture.Pix)
	// Output: [0 64 128 191 255 191 128 64]
}
