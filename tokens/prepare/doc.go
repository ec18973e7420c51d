// Package prepare turns pictures into the tensors that vision-language models
// read: it does what each model's own image processor does, in Go and to the bit.
//
//	r, err := prepare.Prepare("qwen2.5-vl", img, nil)
//	if err != nil {
//		return err
//	}
//	// pixel_values F32[2691·4 1176] and image_grid_thw I64[1 3]
//	err = tensorfile.WriteSafetensors(w, r.Tensors, nil)
//
// A processor converts a picture to RGB, brings it to a size, cuts it into tiles
// or slices, with a thumbnail before or after them, pads, normalises, and lays the
// result out as the model's first layer wants it: NCHW tiles, or flat patches in
// the order in which the model merges them. Sizes and layouts are those that
// package tokens plans: Result.Plan says how many tokens the tensors are.
//
// # To the bit
//
// Pixels are resized in Pillow's fixed-point arithmetic and normalised by the
// processors' own sequence of float operations, so that tensors equal those of the
// processor named in the model's documentation, byte for byte. What "the
// processor" is depends on the libraries that it runs on, which [Backend]
// chooses: Pillow 13 and NumPy, older Pillow, or PyTorch and torchvision. Two
// views are interpolated in floating point, the wholes of Phi-3.5 and Phi-4, and
// may differ by rounding.
//
// JPEG decoders are another matter: image/jpeg and libjpeg give samples that
// differ by a level or two, before any processor sees them.
//
// # Limits
//
// Pictures, intermediate pictures and tensors are bounded by Options.MaxPixels
// and Options.MaxBytes before they are allocated; the errors wrap [ErrTooLarge].
// Errors of package tokens (unknown model, refused picture, bad option) are
// returned as they are.
package prepare
