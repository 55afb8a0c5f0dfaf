package sinks_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

// FuzzSpool opens a directory whose one segment and cursor hold anything: it is read without a panic, to
// its end, and can be written to afterwards.
func FuzzSpool(f *testing.F) {
	dir := f.TempDir()
	s := must(sinks.OpenSpool(dir, sinks.DefaultSpool(), nil))
	if _, _, err := s.Append(sinkstest.Samples(3, time.Unix(1, 0))); err != nil {
		f.Fatal(err)
	}
	_ = s.Close()
	segment := must(os.ReadFile(filepath.Join(dir, "0000000000000000.seg")))
	f.Add(segment, []byte("0 0 1\n"))
	f.Add(segment[:len(segment)-1], []byte("0 0\n"))
	f.Add([]byte{}, []byte("18446744073709551615 -1 -1\n"))
	f.Fuzz(func(t *testing.T, segment, cursor []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"0000000000000000.seg": segment, "cursor": cursor} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := sinks.OpenSpool(dir, sinks.DefaultSpool(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for {
			waiting := s.Stats().Samples
			batch, lost, err := s.Peek()
			if err == nil && len(batch) == 0 {
				break
			}
			if err == nil {
				err = s.Next(len(batch))
				lost = len(batch)
			}
			if left := s.Stats().Samples; left+lost != waiting {
				t.Fatalf("%d waited, %d taken, %d left (%v)", waiting, lost, left, err)
			}
		}
		if _, _, err := s.Append(sinkstest.Samples(2, time.Unix(2, 0))); err != nil {
			t.Fatal(err)
		}
		if batch, _, err := s.Peek(); err != nil || len(batch) != 2 {
			t.Fatalf("after writing to it: %d samples, %v; want 2", len(batch), err)
		}
	})
}
