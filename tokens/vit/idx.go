package vit

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ReadSet reads the pictures and labels of a folder in the format of MNIST: for the
// prefix "train" or "t10k", prefix-images-idx3-ubyte.gz and
// prefix-labels-idx1-ubyte.gz.
func ReadSet(folder, prefix string) (*Set, error) {
	labels, _, err := readIDX(filepath.Join(folder, prefix+"-labels-idx1-ubyte.gz"), 1)
	if err != nil {
		return nil, err
	}
	pixels, dims, err := readIDX(filepath.Join(folder, prefix+"-images-idx3-ubyte.gz"), 3)
	if err != nil {
		return nil, err
	}
	if dims[0] != len(labels) || dims[1] != dims[2] {
		return nil, fmt.Errorf("vit: %s: pictures %v for %d labels", folder, dims, len(labels))
	}
	return &Set{Side: dims[1], Pixels: pixels, Labels: labels}, nil
}

// maxIDX is the most bytes that a file may hold: MNIST has 47 MB.
const maxIDX = 1 << 28

func readIDX(path string, dims int) ([]byte, []int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, fmt.Errorf("vit: %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxIDX))
	if err != nil {
		return nil, nil, fmt.Errorf("vit: %s: %w", path, err)
	}
	if len(b) < 4+4*dims || b[0] != 0 || b[1] != 0 || b[2] != 8 || int(b[3]) != dims {
		return nil, nil, fmt.Errorf("vit: %s: not an IDX file of bytes in %d dimensions", path, dims)
	}
	size, sizes := 1, make([]int, dims)
	for i := range sizes {
		sizes[i] = int(binary.BigEndian.Uint32(b[4+4*i:]))
		if sizes[i] > maxIDX/size {
			return nil, nil, fmt.Errorf("vit: %s: too large", path)
		}
		size *= max(1, sizes[i])
	}
	b = b[4+4*dims:]
	if len(b) != size {
		return nil, nil, fmt.Errorf("vit: %s: %d bytes of samples, want %d", path, len(b), size)
	}
	return b, sizes, nil
}
