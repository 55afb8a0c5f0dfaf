package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

// Journal says which entries of systemd's journal are read. An empty one is all of this machine's.
type Journal struct {
	Units       []string `yaml:"units"`       // of systemd, with * and ?
	Identifiers []string `yaml:"identifiers"` // SYSLOG_IDENTIFIER
	Priority    string   `yaml:"priority"`    // and what is worse: emerg, alert, crit, err, warning, notice, info, debug
	Directory   string   `yaml:"directory"`   // absolute; of journals of others, such as systemd-journal-remote writes
}

var priorities = []string{"", "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

func (j Journal) faults() (errs []error) {
	for _, list := range [][]string{j.Units, j.Identifiers} {
		for _, name := range list {
			if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, "\x00\n") {
				errs = append(errs, fmt.Errorf("journal: want names of units and identifiers, have %q", name))
			}
		}
	}
	if !slices.Contains(priorities, j.Priority) {
		errs = append(errs, fmt.Errorf("journal: priority: %q is none of %s", j.Priority, strings.Join(priorities[1:], ", ")))
	}
	if j.Directory != "" && !filepath.IsAbs(j.Directory) {
		errs = append(errs, fmt.Errorf("journal: directory: want an absolute path, have %q", j.Directory))
	}
	return errs
}

// args are those of journalctl, which goes on after a cursor, else with what comes from now on.
// Source: journalctl(1) of systemd 252, read 30 November 2026.
func (j Journal) args(cursor string) []string {
	out := []string{"--output=export", "--follow", "--no-pager", "--quiet"}
	if cursor == "" {
		out = append(out, "--lines=0")
	} else {
		out = append(out, "--lines=all", "--after-cursor="+cursor)
	}
	for _, u := range j.Units {
		out = append(out, "--unit="+u)
	}
	for _, i := range j.Identifiers {
		out = append(out, "--identifier="+i)
	}
	if j.Priority != "" {
		out = append(out, "--priority="+j.Priority)
	}
	if j.Directory != "" {
		out = append(out, "--directory="+j.Directory, "--merge") // --follow alone shows one boot of one machine
	}
	return out
}

const (
	maxField    = 1 << 20 // bytes of a field's name and value in one line; what has its length before it may have more
	followAgain = 5 * time.Second
)

// follow reads the journal until ctx ends. A child that ends is started again after its last entry; a cursor that the journal
// does not have any more is said, and the journal is read from now on.
func (s *source) follow(ctx context.Context, mu *sync.Mutex, now func() time.Time) {
	for ctx.Err() == nil {
		mu.Lock()
		cursor := s.cursor
		mu.Unlock()
		read, err := s.child(ctx, cursor, mu, now)
		mu.Lock()
		if ctx.Err() == nil {
			s.err = err
			if read == 0 && cursor != "" && errors.Is(err, errCursor) {
				s.cursor = ""
				s.resets++
			}
		}
		mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(followAgain):
		}
	}
}

// errCursor says that journalctl knows no such place: the journal was vacuumed, or is another one.
var errCursor = errors.New("the journal does not know how far it was read any more; it is read from now on")

func (s *source) child(ctx context.Context, cursor string, mu *sync.Mutex, now func() time.Time) (read int, err error) {
	cmd := exec.CommandContext(ctx, "journalctl", s.Journal.args(cursor)...)
	cmd.WaitDelay = time.Second
	said := collectors.Limited{Limit: 1000}
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	read, err = entries(out, func(cursor string, message []byte) {
		mu.Lock()
		defer mu.Unlock()
		s.err, s.cursor = nil, cursor
		s.lines++
		for _, p := range s.patterns {
			p.try(message, now())
		}
	})
	if err != nil {
		_ = cmd.Process.Kill() // it waits for who reads its output
	}
	ended := cmd.Wait()
	if strings.Contains(said.String(), "cursor") {
		return read, errCursor
	}
	if text := strings.TrimSpace(said.String()); text != "" {
		return read, fmt.Errorf("journalctl: %s", text)
	}
	if err == nil && ended == nil {
		ended = errors.New("it ended")
	}
	return read, fmt.Errorf("journalctl: %w", errors.Join(err, ended))
}

// entries reads the journal's export format: lines FIELD=value, an empty one after each entry; a value with bytes that no line may
// have is FIELD, eight bytes of length, and the value. A message is cut at 64 kB, as a line of a file is.
// Source: systemd.io, "Journal Export Formats", read 30 November 2026.
func entries(in io.Reader, take func(cursor string, message []byte)) (n int, err error) {
	r := bufio.NewReaderSize(in, maxField)
	var cursor string
	var message []byte
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return n, nil // what of an entry came is not whole
		}
		if err != nil {
			return n, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) == 0 {
			if cursor != "" {
				take(cursor, message)
				n++
			}
			cursor, message = "", nil
			continue
		}
		name, value, plain := bytes.Cut(line, []byte("="))
		switch {
		case plain && string(name) == "__CURSOR":
			cursor = string(value)
		case plain && string(name) == "MESSAGE":
			message = bytes.Clone(value[:min(len(value), maxLine)])
		case !plain:
			isMessage := string(name) == "MESSAGE"
			value, err := counted(r, isMessage)
			if err != nil {
				return n, err
			}
			if isMessage {
				message = value
			}
		}
	}
}

// counted reads a value after its length; what is beyond the bound of a line, or of no interest, is left out.
func counted(r *bufio.Reader, keep bool) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint64(head[:])
	if size > 1<<30 {
		return nil, fmt.Errorf("a field of %d bytes", size)
	}
	var value []byte
	rest := int64(size)
	if keep {
		value = make([]byte, min(rest, maxLine))
		if _, err := io.ReadFull(r, value); err != nil {
			return nil, err
		}
		rest -= int64(len(value))
	}
	if _, err := io.CopyN(io.Discard, r, rest+1); err != nil { // and the end of its line
		return nil, err
	}
	return value, nil
}
