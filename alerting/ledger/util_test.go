package ledger

import (
	"os"
	"testing"
)

func rename(from, to string) error { return os.Rename(from, to) }

func truncate(path string, n int64) error { return os.Truncate(path, n) }

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}
