package door

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a file is looked at for a change, and only when a request asks.
const lookEvery = time.Second

// watched is what a file said when it was last read well. It is read anew after it, or a file that it names, changed;
// if it cannot be used then, what it said before stays in force and fault says why.
type watched[T any] struct {
	path string
	log  *slog.Logger
	read func(path string) (T, []string, error) // the files that it names besides

	value atomic.Pointer[T]
	next  atomic.Int64 // when to look again, in ns
	mu    sync.Mutex   // of what follows, and of reading
	marks map[string]mark
	err   error
}

// mark tells one state of a file from another.
type mark struct {
	size int64
	time time.Time
	mode os.FileMode
}

func watch[T any](path string, log *slog.Logger, read func(string) (T, []string, error)) (*watched[T], error) {
	w := &watched[T]{path: path, log: log, read: read}
	w.value.Store(new(T))
	if path == "" {
		return w, nil
	}
	w.next.Store(time.Now().Add(lookEvery).UnixNano())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.load()
	return w, w.err
}

// now returns what is in force.
func (w *watched[T]) now() T {
	if w.path != "" {
		if t := time.Now().UnixNano(); t >= w.next.Load() && w.mu.TryLock() {
			w.next.Store(t + int64(lookEvery))
			if w.changed() {
				before := w.err
				w.load()
				switch {
				case w.err == nil:
					w.log.Info("file reread", "file", w.path)
				case before == nil || before.Error() != w.err.Error():
					w.log.Error("changed file cannot be used; what it said before stays in force", "file", w.path, "err", w.err)
				}
			}
			w.mu.Unlock()
		}
	}
	return *w.value.Load()
}

// lookNow is now for who knows of a change within the last second.
func (w *watched[T]) lookNow() T {
	w.next.Store(0)
	return w.now()
}

func (w *watched[T]) fault() error {
	w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return fmt.Errorf("%s cannot be used, what it said before is in force: %w", w.path, w.err)
	}
	return nil
}

// changed says whether a file differs from when it was read; w.mu is held.
func (w *watched[T]) changed() bool {
	for name, m := range w.marks {
		if markOf(name) != m {
			return true
		}
	}
	return false
}

// load reads; w.mu is held.
func (w *watched[T]) load() {
	marks := map[string]mark{w.path: markOf(w.path)} // before reading: a change meanwhile is seen the next time
	v, others, err := w.read(w.path)
	for _, name := range others {
		marks[name] = markOf(name)
	}
	if err != nil { // files that are named only while it can be read stay watched
		for name := range w.marks {
			marks[name] = markOf(name)
		}
	}
	w.marks, w.err = marks, err
	if err == nil {
		w.value.Store(&v)
	}
}

func markOf(path string) mark {
	i, err := os.Stat(path)
	if err != nil {
		return mark{size: -1}
	}
	return mark{i.Size(), i.ModTime(), i.Mode()}
}
