package inr

// Contexts of the latent at (y, x) of grid i, in the order in which the network
// takes them.

// spatialOffsets lists the neighbours in the same grid, as (dy, dx), nearest first.
// None lies more than 2 to the right in the rows above, so with waves t = x + 3y
// all belong to earlier waves. Outside the grid the context is 0.
var spatialOffsets = [...][2]int{
	{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-2, -1}, {-2, 1},
	{-1, -2}, {-1, 2}, {-2, -2}, {-2, 2}, {0, -3}, {-3, 0}, {-3, -1}, {-3, 1},
	{-1, -3}, {-2, -3}, {0, -4}, {-3, -2}, {-3, 2}, {-4, 0},
}

// waveLag is how many waves a row starts behind the one above.
const waveLag = 3

// parentOffsets lists the contexts in coarser grids: in grid i+up the latent at
// (y>>up + dy*sy, x>>up + dx*sx), clamped to the grid, where sy = 1 for odd y and
// -1 for even y, the side of the parent on which the child lies, and sx likewise.
// Where there is no such grid the context is 0.
var parentOffsets = [MaxParents]struct{ up, dy, dx int }{
	{1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {1, 1, 1}, {2, 0, 0}, {3, 0, 0},
}
