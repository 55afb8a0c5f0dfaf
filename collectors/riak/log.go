package riak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/navcloud/binnacle/collectors"
)

// logEvents are what is counted in the log: the label event and the words that tell it.
// Source: the sources of riak_kv and riak_core 3.0, and Erlang's own atoms, read November 2026.
var logEvents = []struct{ event, words string }{
	{"too_many_siblings", "Too many siblings"},
	{"large_object_read", "Read large object"},
	{"large_object_written", "Writing very large object"},
	{"address_in_use", "eaddrinuse"},
	{"out_of_files", "emfile"},
	{"memory_high", "system_memory_high_watermark"},
	{"long_gc", "long_gc"},
	{"busy_dist_port", "busy_dist_port"},
	{"read_error", "bad_crc"},
}

const (
	logChunk = 4 << 20 // read of one file at one check; what is more waits for the next
	logLine  = 64 << 10
)

// eventLog counts events in what is appended to logs after the first check. A file that becomes shorter was begun anew.
type eventLog struct {
	root  collectors.Root
	paths []string

	mu     sync.Mutex
	offset map[string]int64
	count  map[string]float64
}

func (l *eventLog) check(context.Context) (func(output), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, p := range l.paths {
		if err := l.read(p); err != nil {
			errs = append(errs, err)
		}
	}
	return l.tell, errors.Join(errs...)
}

func (l *eventLog) tell(o output) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range logEvents {
		o.add(descLogged, l.count[e.event], "event", e.event)
	}
}

// read counts in whole lines from where the last check ended.
func (l *eventLog) read(path string) error {
	f, err := os.Open(l.root.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		l.offset[path] = 0 // about to be begun anew
		return nil
	}
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	at, seen := l.offset[path]
	switch {
	case !seen:
		l.offset[path] = info.Size() // what is old was not seen by us
		return nil
	case info.Size() < at:
		at = 0
	}
	text, err := io.ReadAll(io.NewSectionReader(f, at, logChunk))
	if err != nil {
		return fmt.Errorf("log: %s: %w", path, err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole == 0 && len(text) > logLine {
		whole = len(text) // no line is that long
	}
	for line := range bytes.Lines(text[:whole]) {
		for _, e := range logEvents {
			if bytes.Contains(line, []byte(e.words)) {
				l.count[e.event]++
			}
		}
	}
	l.offset[path] = at + int64(whole)
	return nil
}
