// Package arith holds the entropy coders. Models stay apart: each coder is told
// the probability of what it codes, or handed a table.
package arith
