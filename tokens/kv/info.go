package kv

import "github.com/burin-codec/burin/kernels/tensorfile"

// An Info describes a cache.
type Info struct {
	Layers   int              `json:"layers"`
	Tokens   int              `json:"tokens"`
	Keys     SideInfo         `json:"keys"`
	Values   SideInfo         `json:"values"`
	Classes  []ClassInfo      `json:"classes"`
	Residual int              `json:"residual"` // tokens at the end of each layer that are Full
	Storage  tensorfile.DType `json:"storage"`  // of Full tokens

	Numbers int64 `json:"numbers"` // of keys and values
	Bytes   int64 `json:"bytes"`   // in memory: levels, scales, zero points and what else there is
}

// A SideInfo describes keys or values.
type SideInfo struct {
	Heads int   `json:"heads"`
	Dim   int   `json:"dim"`
	Side  Side  `json:"quantiser"`
	Bytes int64 `json:"bytes"` // in memory
}

// A ClassInfo describes a class.
type ClassInfo struct {
	Class
	Tokens int `json:"tokens"` // of all layers, without the residual ones
}

// Info describes c.
func (c *Cache) Info() *Info {
	info := &Info{Layers: c.layers, Tokens: c.tokens, Residual: c.residual, Storage: c.storage, Bytes: int64(len(c.assign))}
	for i, s := range c.sides() {
		bytes := len(s.codes) + len(s.high) + len(s.full) + 2*(len(s.scale)+len(s.zero)+len(s.mean)+len(s.norm))
		side := SideInfo{s.heads, s.dim, s.Side, int64(bytes)}
		*[...]*SideInfo{&info.Keys, &info.Values}[i] = side
		info.Bytes += side.Bytes
		info.Numbers += int64(c.layers) * int64(c.tokens) * int64(s.heads) * int64(s.dim)
	}
	info.Classes = make([]ClassInfo, len(c.classes))
	for i, class := range c.classes {
		info.Classes[i].Class = class
	}
	quantised := c.tokens - c.residual
	if len(c.assign) == 0 {
		info.Classes[0].Tokens = c.layers * quantised
		return info
	}
	for i, class := range c.assign {
		if i%c.tokens < quantised {
			info.Classes[class].Tokens++
		}
	}
	return info
}
