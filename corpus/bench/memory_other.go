//go:build !linux

package bench

import "os"

func watchMemory(int) func(*os.ProcessState) int64 {
	return func(*os.ProcessState) int64 { return 0 }
}
