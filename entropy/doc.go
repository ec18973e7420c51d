// Package entropy holds probability models that drive the coders of package
// arith. Models and coders are apart: a model says how probable the next
// symbol is, a coder turns that into bytes, and either can be replaced.
//
// # Which one
//
//	to code                                         use
//	anything, from many contexts none of which
//	  suffices                                      Blend
//	integers with a scale each, from a network      Tables of NewScaleTables
//	  the same, as a trained model really saw them  Tables of NewTablesFromCounts
//	  the same, with tables that may not fit        Adaptive
//	  with a mean each, not subtracted before       Tables.EncodeMeans, or LaplaceModel
//	  with several components each                  Mixture
//	channels of which nothing else is known         FactorisedPrior
//	a latent, pass by pass, from what is coded      EncodeLatent, with an Order
//	  from several networks' opinions               Mix
//
// [Blend] is the context-mixing model: many adaptive counters, each chosen by a
// context of its own, are combined in the logistic domain by weights that are
// learnt while coding. It suits anything that can be cut into binary decisions
// and for which one can think of many contexts, none of them sufficient.
//
// [LaplaceModel] is the parametric model of integers that a small network predicts
// one by one: a location and a scale for each, tables of integers behind them.
//
// # Latents of learned codecs
//
// [Tables] are the integer cumulative frequencies of Gaussian, Laplace and logistic
// distributions at scales that grow evenly in the logarithm, made without package
// math. A hyperprior names one for each symbol. What a trained model sees never quite
// fits the family; [Counts] of it make tables that do, which a model carries in some
// two kilobytes. A [FactorisedPrior] has a table for each channel and codes the
// hyperlatents themselves. [Adaptive] lets tables follow the data: bits of matched
// data grow by 0.1 to 0.2 %, those of data half again as wide as a table says shrink
// by 9 to 15 %.
//
// [EncodeLatent], [DecodeLatent] and [CostLatent] are the loop around a context
// network: for each pass of an [Order] a [Predictor] sets means and tables from what
// is coded, a [Quantiser] makes symbols, a [SymbolCoder] codes them. [Checkerboard],
// [ChannelGroups], [Quadtree] and their combinations are orders; [Mix] joins several
// predictors, with weights that it learns.
//
// Bits are exact: what Cost says is what the coder writes, but for its last bytes.
//
// Symbols are coded with arith's range coder, since streams of single bits, escapes and
// tables of 1<<16 mix there, at 0.002 % above entropy. Its decoder asks first whether a
// symbol is 0 where that is likely, and so does 125 to 265 million symbols a second on one
// core of a 2.7 GHz Sapphire Rapids, at 1.3 to 0.2 bits a symbol; rANS with 12-bit tables
// does 285 to 360 million in the same run, and takes 0.1 to 0.2 % more bits. Adaptive does
// 58 to 137, Mix with two predictors 9 to 19, Mixture 6 to 14.
//
// # Sub-packages
//
// Package circuit has probabilistic circuits, which model vectors of small integers as a
// whole; package tensor codes the weights of networks without loss.
//
// Everything that reaches a probability is integer arithmetic, or float64 that no
// compiler may fuse, so that encoder and decoder agree on every machine.
package entropy
