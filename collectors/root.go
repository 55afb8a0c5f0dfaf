package collectors

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Root stands in front of every path of /proc, /sys and the like: "/" in production, a fixture's folder in tests.
type Root string

// maxFile bounds what is read of one file, in bytes. /proc/1/mountinfo of a host with a thousand
// containers has some 500 kB.
const maxFile = 4 << 20

// Path returns where name is.
func (r Root) Path(name string) string { return filepath.Join(string(r), name) }

// Read returns the first 4 MiB of a file.
func (r Root) Read(name string) (string, error) {
	f, err := os.Open(r.Path(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(b), err
}

// Number reads a file that holds one number.
func (r Root) Number(name string) (float64, error) {
	text, err := r.Read(name)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: want a number, have %.40q", name, text)
	}
	return v, nil
}

// Exists reports whether there is such a file or folder.
func (r Root) Exists(name string) bool {
	_, err := os.Stat(r.Path(name))
	return err == nil
}

// Glob returns the names below the root that match a well-formed pattern, without the root.
func (r Root) Glob(pattern string) []string {
	paths, _ := filepath.Glob(r.Path(pattern)) // a malformed pattern matches nothing
	for i, p := range paths {
		paths[i], _ = filepath.Rel(string(r), p)
	}
	return paths
}
