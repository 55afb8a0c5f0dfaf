package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWriteLeavesTheOldFileOrTheNewOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, serr := os.Stat(path)
		if err != nil || serr != nil || string(got) != text || info.Mode().Perm() != 0o640 {
			t.Errorf("%q, %v, %v; want %q, 0640", got, err, info.Mode(), text)
		}
	}
	if err := Write(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
		t.Error("in a folder that is not there: no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "d"), []byte("x"), 0o600); err == nil {
		t.Error("in place of a folder: no error")
	}
	// A process that was killed while it wrote, an hour ago and now.
	for name, age := range map[string]time.Duration{".new-1": time.Hour, ".new-2": 0} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir, time.Now().Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".new-2")); err != nil {
		t.Errorf("what is being written was swept: %v", err)
	}
	if err := Sweep(dir, time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("%v are left; want the file and the folder", left)
	}
}
