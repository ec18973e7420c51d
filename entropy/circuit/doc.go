// Package circuit holds probabilistic circuits: generative models of vectors of
// small integers, such as the pixels of small pictures or a map of tokens, whose
// marginals are exact and cheap, so that they can drive an entropy coder value by
// value. They suit collections of small pictures of one kind: digits, glyphs, icons.
//
// The circuits are hidden Chow-Liu trees (Liu, Mandt and Van den Broeck, "Lossless
// compression with probabilistic circuits", 2022): a tree over the variables, found
// by their mutual information, with a hidden variable beside each.
//
//	c, err := circuit.Learn(ctx, data, nil)  // a Circuit, by expectation maximisation
//	m, err := c.Quantise(DefaultVectors)     // a Model: a byte for each parameter
//	file, _ := m.MarshalBinary()
//
//	coder := m.NewCoder(16)                  // 16 vectors at a time
//	err = coder.Encode(encoders, vectors)
//	err = coder.Decode(decoders, vectors)
//
// A [Predictor] gives the same value by value, for codecs that have other things to
// code between them.
//
// # Few vectors
//
// Tables of how likely each value is in each state need many vectors to learn from.
// [Options].Logistics makes them mixtures of a few discretised logistics, for values of
// which near ones are alike, and [Options].Share, see [Sharing], makes variables share
// theirs. Their model files have versions 2 and 3; without either the version is 1.
// doc/circuit.md has what they save and cost.
//
// # Cost
//
// A value takes two products of a matrix of [states][states] and a vector, whatever
// the number of variables, and a few binary decisions: the fewer, the likelier it
// is. One core of a busy 2-core Sapphire Rapids machine codes, with circuits of
// MNIST, 784 values each (encode, decode; CPU time):
//
//	16 states    5600   4900   pictures/s
//	32 states    3200   3000
//	64 states    2250   2130   (32 on average after pruning and growing)
//
// # Exactness
//
// Training uses any floating point. A Model has integers in its file, and what
// follows from them on the way to a probability is float32 in a fixed order with
// every product rounded. Streams are the same on every machine, and for every number
// of lanes.
//
// # Untrusted input
//
// [ReadModel] checks everything and allocates within a limit. Whatever the model and
// the stream, decoding ends after as many steps as there are variables and gives
// values in range.
package circuit
