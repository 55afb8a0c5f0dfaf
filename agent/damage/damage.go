// Package damage says what a store found damaged in its files, and what became of it.
//
// Every store that keeps something on disk checks itself when it opens: what it cannot read it sets aside under a name, what
// it can read it keeps, and it starts. It reports here; the agent shows the reports in its status and raises an alarm.
package damage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
)

// Report is one thing that was damaged.
type Report struct {
	Store string    `json:"store"` // ledger, store, rollups, capacity, spool graphite, ...
	What  string    `json:"what"`  // was wrong, in words
	Aside string    `json:"aside,omitempty"`
	Kept  int       `json:"kept"` // records that could be read; 0 where they are not counted
	Lost  int       `json:"lost"` // records or pages that could not be read; 0 where they are not counted
	At    time.Time `json:"at"`
}

// String says it in one line.
func (r Report) String() string {
	text := r.Store + ": " + r.What
	if r.Kept > 0 || r.Lost > 0 {
		text += fmt.Sprintf("; %d records kept, %d lost", r.Kept, r.Lost)
	}
	if r.Aside != "" {
		text += "; the damaged data is in " + r.Aside
	}
	return text
}

// holds is how long a report is shown, unless somebody removes what was set aside before.
const holds = 24 * time.Hour

// Log keeps the reports of one process. The zero Log is ready; all methods may be called by many goroutines.
type Log struct {
	mu      sync.Mutex
	reports []Report
}

// maxReports bounds a Log; the oldest give way.
const maxReports = 100

// Note adds a report. A nil Log drops it.
func (l *Log) Note(r Report) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, r)
	if over := len(l.reports) - maxReports; over > 0 {
		l.reports = slices.Delete(l.reports, 0, over)
	}
}

// Current returns the reports that somebody should still act on: those of the last 24 hours but for the ones whose
// set-aside data is gone, which is how a person says that it is dealt with.
func (l *Log) Current(now time.Time) []Report {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.reports), func(r Report) bool {
		if now.Sub(r.At) > holds {
			return true
		}
		if r.Aside == "" {
			return false
		}
		_, err := os.Lstat(r.Aside)
		return os.IsNotExist(err)
	})
}

// maxAside is how many damaged copies of one file or folder are kept: a disk that fails again and again must not fill
// itself with its own ruins.
const maxAside = 3

// mark stands between the name of what was damaged and the time.
const mark = ".damaged-"

// Aside renames path to a name beside it that says when, and returns the new name. Of the copies that are there already
// it removes the oldest, beyond the newest two.
func Aside(path string, now time.Time) (string, error) { return AsideAs(path, path, now) }

// AsideAs is Aside for what stands under another name than the one that people know it by.
func AsideAs(from, path string, now time.Time) (string, error) {
	base := path + mark + now.UTC().Format("20060102T150405")
	to := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); err != nil { // it is free, or where it is to be cannot be: then the renaming says so
			break
		}
		to = fmt.Sprintf("%s-%d", base, n)
	}
	if err := os.Rename(from, to); err != nil {
		return "", err
	}
	old, err := filepath.Glob(escape(path) + mark + "*")
	if err == nil && len(old) > maxAside {
		slices.Sort(old)
		for _, name := range old[:len(old)-maxAside] {
			_ = os.RemoveAll(name) // tried again the next time
		}
	}
	return to, nil
}

// Load reads what an earlier life of the process left in a JSON file of at most so many bytes. A file that is not there leaves into
// as it is. One that cannot be read is set aside, as aside where that worked; into is then not to be used.
func Load(path string, most int64, now time.Time, into any) (aside string, err error) {
	text, err := atomicfile.Read(path, most)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err == nil {
		return "", nil
	}
	aside, aerr := Aside(path, now)
	return aside, errors.Join(err, aerr)
}

// escape takes the meaning from what filepath.Glob would take for a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
