// Package logs reads logs as they grow, and makes figures and alarms of the lines that match.
//
// It ships no line anywhere: it counts. A file is known by who it is and how it begins, not by its name, so that each line is
// counted once, whether the file is renamed, emptied in place or replaced, and over a restart of the agent. What was written
// between the copy and the emptying of a copytruncate is lost for every reader; what nobody looked at before is in the copy.
package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What the collector says of each log.
var (
	descLines   = &metric.Desc{Name: "logs_lines_total", Kind: metric.Delta, Help: "Lines that were read"}
	descCut     = &metric.Desc{Name: "logs_cut_total", Kind: metric.Delta, Help: "Lines longer than 64 kB, of which the rest was left out"}
	descLost    = &metric.Desc{Name: "logs_unmatched_values_total", Kind: metric.Delta, Help: "Matches whose value is no number, or that would be a series too many: reason value, series"}
	descResets  = &metric.Desc{Name: "logs_files_emptied_total", Kind: metric.Delta, Help: "Times that a file was emptied in place"}
	descFiles   = &metric.Desc{Name: "logs_files", Help: "Files that are read"}
	descBehind  = &metric.Desc{Name: "logs_behind_bytes", Unit: metric.Bytes, Help: "What is written and not read yet"}
	descMatches = &metric.Desc{Name: "logs_alarm_matches", Help: "Matches of a pattern with an alarm, within its time"}
)

// Spec is the collector.
var Spec = collectors.Spec{
	Name: "logs", Options: Options{}, New: newCollector,
	Metrics: []*metric.Desc{descLines, descCut, descLost, descResets, descFiles, descBehind, descMatches},
}

const (
	lookEvery  = time.Second
	maxFiles   = 200   // of one log
	maxRenamed = 50    // of one log that are kept open in the hope of more; where there are more, no longer than removed ones
	maxFolder  = 10000 // names of a folder that are searched for a file that was renamed while nobody looked
)

type collector struct {
	env  collectors.Env
	logs []*source

	mu      sync.Mutex
	kept    map[string][]place // as it was last written
	cursors map[string]string
	ended   bool // the next Collect is the last
}

// memory is what is kept over a restart.
type memory struct {
	At       time.Time // nothing was new between then and the end of the agent
	Logs     map[string][]place
	Journals map[string]string `json:",omitempty"` // cursors
}

// source is one log.
type source struct {
	Log
	name     string
	begin    *regexp.Regexp
	patterns []*pattern
	tails    map[identity]*tail
	begun    bool                // files that are new from here on are read from their begin
	since    time.Time           // of an earlier life: a file that was made later is new as well
	paths    map[string]bool     // that were read in it
	names    map[string]identity // the file that a path last was
	looked   time.Time           // when the paths were last looked at, in this life or in an earlier one
	before   time.Time           // the look before that
	err      error
	cursor   string // of the journal's last entry that was taken
	lines    int
	cut      int
	resets   int
}

// stored is the name of what is kept over a restart.
const stored = "logs"

func newCollector(e collectors.Env) (collectors.Collector, error) {
	c := &collector{env: e}
	var known memory
	e.Recall(stored, "how far logs were read", &known)
	descs := map[string]*metric.Desc{}
	var errs []error
	for name, l := range e.Options.(Options) {
		s := &source{Log: l, name: name, tails: map[identity]*tail{}, names: map[string]identity{}}
		if l.Begin != "" {
			s.begin = regexp.MustCompile(l.Begin) // it was checked
		}
		for i, p := range l.Patterns {
			made := newPattern(p.withDefaults(), descs)
			if e.Reserved != nil && e.Reserved(p.Name) {
				errs = append(errs, fmt.Errorf("%s.patterns: [%d] name: %s is one of the agent's own", name, i, p.Name))
			}
			s.patterns = append(s.patterns, made)
		}
		s.cursor = known.Journals[name]
		s.resume(known.Logs[name], known.At, e.Now())
		c.logs = append(c.logs, s)
	}
	slices.SortFunc(c.logs, func(a, b *source) int { return cmp.Compare(a.name, b.name) })
	c.kept, c.cursors = known.Logs, known.Journals
	return c, errors.Join(errs...)
}

// Run looks each second until ctx ends.
func (c *collector) Run(ctx context.Context) error {
	var following sync.WaitGroup
	defer func() {
		following.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = true
	}()
	for _, s := range c.logs {
		if s.Journal != nil {
			following.Go(func() { s.follow(ctx, &c.mu, c.env.Now) })
		}
	}
	if len(c.logs) == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		c.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *collector) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.env.Now()
	for _, s := range c.logs {
		s.look(now)
	}
}

// look reads what is new in the files of a log.
func (s *source) look(now time.Time) {
	if s.Journal != nil {
		return // it is followed
	}
	s.err = s.find(now)
	renamed := 0
	for _, t := range s.tails {
		if t.gone {
			renamed++
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.tails), func(a, b identity) int { return cmp.Compare(s.tails[a].Path, s.tails[b].Path) }) {
		t := s.tails[id]
		if t.grew.IsZero() {
			t.grew = now
		}
		was := t.place
		lines, cut, reset, err := t.look(now, func(line []byte) { s.line(t, now, line) })
		s.lines, s.cut = s.lines+lines, s.cut+cut
		if reset {
			s.resets++
			s.copied(was, t, now)
		}
		if err != nil {
			s.err = errors.Join(s.err, err)
		}
		if len(t.entry) > 0 && now.Sub(t.entryAt) >= idleEnd {
			s.match(t, now) // nothing more of it will come
		}
		if t.ended(now, renamed > maxRenamed) {
			if text := t.text(t.part); len(text) > 0 {
				s.lines++
				s.line(t, now, text)
			}
			s.match(t, now)
			_ = t.file.Close() // it was only read
			delete(s.tails, id)
		}
	}
}

// find opens files that are new. At the first look of all a file is read from its end on: what was written before is no news.
func (s *source) find(now time.Time) error {
	var errs []error
	for _, t := range s.tails {
		t.gone = true
	}
	n := 0
	for _, glob := range s.Files {
		paths, _ := filepath.Glob(glob) // the pattern was checked
		if len(paths) == 0 && !strings.ContainsAny(glob, "*?[") {
			errs = append(errs, fmt.Errorf("%s: %w", glob, os.ErrNotExist))
		}
		for _, path := range paths {
			if n++; n > maxFiles {
				errs = append(errs, fmt.Errorf("%s: more than %d files", glob, maxFiles))
				break
			}
			if err := s.open(path); err != nil && !errors.Is(err, errMoved) {
				errs = append(errs, err)
			}
		}
	}
	s.begun, s.before, s.looked = true, s.looked, now
	return errors.Join(errs...)
}

func (s *source) open(path string) error {
	if packed(path) {
		return nil
	}
	id, size, err := identityOf(path)
	if err != nil {
		return err
	}
	if before, known := s.names[path]; known && before != id {
		s.between(path)
	}
	s.names[path] = id
	if t := s.tails[id]; t != nil {
		t.Path, t.gone = path, false
		return nil
	}
	from := place{}
	if !s.begun && !s.paths[path] && !bornAfter(path, s.since) {
		from.Offset = size
	}
	t, err := openAt(path, id, from)
	if err != nil {
		return err
	}
	if from.Offset > 0 {
		if err := t.keepHead(); err != nil {
			return errors.Join(err, t.file.Close())
		}
	}
	s.tails[id] = t
	return nil
}

// line takes a line, which is an entry or a part of one.
func (s *source) line(t *tail, now time.Time, line []byte) {
	if s.begin == nil {
		for _, p := range s.patterns {
			p.try(line, now)
		}
		return
	}
	if s.begin.Match(line) || len(t.entry) == 0 {
		s.match(t, now)
		t.entry = append(t.entry[:0], line...)
	} else if len(t.entry)+1+len(line) <= maxLine {
		t.entry = append(append(t.entry, '\n'), line...)
	}
	t.entryAt = now
}

// match tries the patterns on an entry that is whole.
func (s *source) match(t *tail, now time.Time) {
	if len(t.entry) == 0 {
		return
	}
	for _, p := range s.patterns {
		p.try(t.entry, now)
	}
	t.entry = t.entry[:0]
}

// Collect tells what was counted since the last time, and keeps how far that was.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	if len(c.logs) == 0 {
		return fmt.Errorf("%w: no logs in collect.logs", collectors.ErrAbsent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	places, cursors := map[string][]place{}, map[string]string{}
	seen := map[string]int{}
	for _, s := range c.logs {
		s.look(b.Time)
		if c.ended {
			s.end(b.Time)
		}
		s.add(b, seen, c.env)
		if s.err != nil {
			errs = append(errs, collectors.Part(s.name, collectors.Blind(reasonOf(s.err), s.err)))
		}
		places[s.name] = s.places()
		if s.cursor != "" {
			cursors[s.name] = s.cursor
		}
		if c.ended {
			for _, t := range s.tails {
				_ = t.file.Close() // it was only read
			}
		}
	}
	if !equal(places, c.kept) || !maps.Equal(cursors, c.cursors) {
		c.env.Keep(stored, "how far logs were read", memory{b.Time, places, cursors})
		c.kept, c.cursors = places, cursors
	}
	return errors.Join(errs...)
}

// end takes an entry as whole that may go on: it will not be read again.
func (s *source) end(now time.Time) {
	for _, t := range s.tails {
		s.match(t, now)
	}
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, os.ErrPermission):
		return "permission"
	case errors.Is(err, os.ErrNotExist):
		return "absent"
	}
	return "read"
}

func (s *source) add(b *metric.Batch, seen map[string]int, env collectors.Env) {
	log := []string{"log", s.name}
	b.Add(descLines, float64(s.lines), log...)
	b.Add(descCut, float64(s.cut), log...)
	b.Add(descResets, float64(s.resets), log...)
	s.lines, s.cut, s.resets = 0, 0, 0
	b.Add(descFiles, float64(len(s.tails)), log...)
	behind := int64(0)
	for _, t := range s.tails {
		if info, err := t.file.Stat(); err == nil {
			behind += max(0, info.Size()-t.Offset-int64(len(t.part)))
		}
	}
	b.Add(descBehind, float64(behind), log...)
	for _, p := range s.patterns {
		p.add(b, s.name, seen, env)
	}
}

// places are how far the files were read. A file that is read before its first line is known as well.
func (s *source) places() []place {
	out := []place{}
	for _, t := range s.tails {
		out = append(out, t.place)
	}
	slices.SortFunc(out, func(a, b place) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Ino, b.Ino)) })
	return out
}

func equal(a, b map[string][]place) bool {
	return maps.EqualFunc(a, b, func(x, y []place) bool { return slices.Equal(x, y) })
}
