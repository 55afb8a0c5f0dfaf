// Package damagetest makes small disks that tests may fill, turn read-only and break.
package damagetest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a file system of its own, in memory.
type Disk struct {
	t    testing.TB
	Path string
}

// NewDisk mounts an empty file system of size bytes until the test ends. It skips the test where that is not allowed.
func NewDisk(t testing.TB, size string) *Disk {
	t.Helper()
	d := &Disk{t: t, Path: t.TempDir()}
	if err := syscall.Mount("binnacle-test", d.Path, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk cannot be mounted (it wants root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Fill takes all room that is left.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.Create(d.fill())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

// Free gives back what Fill took.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(d.fill()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) fill() string { return filepath.Join(d.Path, "fill") }

// ReadOnly makes the disk read-only, or writable again. Files that are open for writing keep tmpfs from it, as they keep a
// sound disk; Broken does it all the same.
func (d *Disk) ReadOnly(on bool) {
	d.t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("binnacle-test", d.Path, "tmpfs", flags, ""); err != nil {
		d.t.Fatal(err)
	}
}
