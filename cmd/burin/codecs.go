package main

// The codecs that the command offers.
import (
	_ "github.com/burin-codec/burin/codec/circuit/models"
	_ "github.com/burin-codec/burin/codec/learned/weights"
	_ "github.com/burin-codec/burin/codec/lossless"
	_ "github.com/burin-codec/burin/codec/overfit/priors"
	_ "github.com/burin-codec/burin/codec/vector/weights"
)
