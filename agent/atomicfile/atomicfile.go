// Package atomicfile writes small files whole: a reader finds the old text or the new one, never a part. It reads them
// within bounds.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// unfinished is the name of a file that is being written.
const unfinished = ".new-*"

// Sweep removes from a folder what a Write left there whose process was killed: files begun before the time given.
func Sweep(dir string, before time.Time) error {
	left, err := filepath.Glob(filepath.Join(dir, unfinished))
	errs := []error{err}
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// Write puts text into the file at path, which it makes where it is not there. It is on the disk when Write returns, with
// the mode given and the owner of its folder: root sets up what another user runs. On an error the old file is as it was.
func Write(path string, text []byte, mode os.FileMode) error {
	return Fill(path, mode, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// Fill is Write for a text that is made piece by piece. An error of fill leaves the old file as it was.
func Fill(path string, mode os.FileMode, fill func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, unfinished) // which makes it 0600
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = fill(w)
	if err = errors.Join(err, w.Flush(), f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		if folder, serr := os.Stat(dir); serr == nil {
			keepOwner(f.Name(), folder)
		}
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Read reads the file at path, of at most so many bytes. Nothing but a file is read: a named pipe has no end to wait for, and a
// device may have none at all.
func Read(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file but %v", path, info.Mode())
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	return io.ReadAll(io.LimitReader(f, most))
}
