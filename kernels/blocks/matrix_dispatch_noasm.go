//go:build !amd64 || noasm

package blocks

func (m *Matrix) mulTile(s []float32, tile int, a *Activations, j, n int) {
	m.mulTileGeneric(s, tile, a, j, n)
}

func (m *PlaneMatrix) lookTile(s *[lookupRows]float32, tile int, t *Tables, j int) {
	m.lookTileGeneric(s, tile, t, j)
}

func (m *PatternMatrix) places(places []uint8, codes []uint16) { m.placesGeneric(places, codes) }
