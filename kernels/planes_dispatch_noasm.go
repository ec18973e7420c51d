//go:build !amd64 || noasm

package kernels

func splitPlanes(dst, src []byte, n, size int) (done int) { return 0 }

func joinPlanes(dst, src []byte, n, size int) (done int) { return 0 }
