// Package inr holds pictures as small fitted networks.
package inr
