//go:build !amd64 || noasm

package blocks

func (m *Matrix) mulTile(s []float32, tile int, a *Activations, j, n int) {
	m.mulTileGeneric(s, tile, a, j, n)
}
