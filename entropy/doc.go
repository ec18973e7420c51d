// Package entropy holds probability models that drive the coders of package
// arith. Models and coders are apart: a model says how probable the next
// symbol is, a coder turns that into bytes, and either can be replaced.
//
// [Blend] is the context-mixing model: many adaptive counters, each chosen by a
// context of its own, are combined in the logistic domain by weights that are
// learnt while coding. It suits anything that can be cut into binary decisions
// and for which one can think of many contexts, none of them sufficient.
//
// LaplaceModel is the parametric model of integers that a network predicts: a
// location and a scale for each, tables of integers behind them.
//
// Everything that reaches a probability is integer arithmetic, so that encoder
// and decoder agree on every machine.
package entropy
