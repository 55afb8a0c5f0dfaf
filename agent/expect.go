package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/catalogue"
)

// expectedFile is where the services that were seen on this machine are kept.
const expectedFile = "expected.json"

// maxExpected bounds what is read of it, in bytes.
const maxExpected = 64 << 10

// expected are the services that were seen on this machine, in this life of the agent or in one before: that they are not there
// is an outage, until somebody has it forgotten. A machine that lost power comes back with its agent before its database.
type expected struct {
	path    string // empty: nothing is kept
	now     func() time.Time
	log     *slog.Logger
	damaged func(damage.Report)

	mu   sync.Mutex
	seen map[string]time.Time // when each was first seen
}

// openExpected reads what earlier lives saw. What cannot be read is set aside and told, and learnt again.
func openExpected(dir string, now func() time.Time, log *slog.Logger, damaged func(damage.Report)) *expected {
	e := &expected{now: now, log: log, damaged: damaged, seen: map[string]time.Time{}}
	if dir == "" {
		return e
	}
	e.path = filepath.Join(dir, expectedFile)
	kept := map[string]time.Time{}
	if aside, err := damage.Load(e.path, maxExpected, now(), &kept); err != nil {
		log.Warn("which services were seen here is lost", "err", err)
		damaged(damage.Report{Store: "expected", What: "which services were seen here cannot be read: " + err.Error(), Aside: aside, At: now()})
		return e
	}
	for name, at := range kept {
		if isService(name) {
			e.seen[name] = at
		}
	}
	return e
}

// isService says whether a collector looks for a service, which can be down, and not for a feature of the machine.
func isService(name string) bool {
	for _, s := range catalogue.All() {
		if s.Name == name {
			return s.Service
		}
	}
	return false
}

// has says whether the service was seen here.
func (e *expected) has(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.seen[name]
	return ok
}

// note keeps that a service was seen.
func (e *expected) note(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.seen[name]; ok {
		return
	}
	e.seen[name] = e.now()
	if err := e.write(); err != nil {
		e.log.Warn("that a service was seen is not kept: after a restart its absence is no outage", "service", name, "err", err)
	}
}

// forget ends that a service is expected, and says whether it was.
func (e *expected) forget(name string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.seen[name]
	if !ok {
		return false, nil
	}
	delete(e.seen, name)
	if err := e.write(); err != nil {
		e.seen[name] = at
		return true, err
	}
	return true, nil
}

// write replaces the file; e.mu is held.
func (e *expected) write() error {
	if e.path == "" {
		return nil
	}
	text, err := json.Marshal(e.seen)
	if err != nil {
		return err
	}
	return atomicfile.Write(e.path, text, 0o600)
}

// configured says that the configuration says how to reach a service: more than the defaults.
func (p plan) configured() bool {
	return p.spec.Service && !reflect.DeepEqual(p.options, p.spec.Options)
}

// PathForget is where a service is forgotten.
const PathForget = "/api/v1/forget"

// Forget asks for it.
type Forget struct {
	Service string `json:"service"`
}

// forget answers to who wants a service forgotten.
func (a *Agent) forget(w http.ResponseWriter, r *http.Request) {
	var f Forget
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		http.Error(w, "want {\"service\": NAME}: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := a.collect.forget(f.Service); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if err := a.again(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a.log.Info("service forgotten", "service", f.Service)
	w.WriteHeader(http.StatusNoContent)
}

// forget ends that a service is expected; the next reload opens its collector anew, which knows nothing of it. Of one that is
// configured, and so expected, it ends that parts of it are missed which are not there any more.
func (r *collectRole) forget(name string) error {
	list := r.list()
	i := slices.IndexFunc(list, func(w *jobAtWork) bool { return w.plan.spec.Name == name })
	if i < 0 || !isService(name) {
		return fmt.Errorf("no service %q is watched for here", name)
	}
	if list[i].plan.configured() {
		if j := list[i].get(); j != nil {
			if f, ok := j.collector.(collectors.Forgetter); ok {
				f.Forget()
				return nil
			}
		}
		return fmt.Errorf("%s is configured: take collect.%s out of the configuration, or say collect: {%s: off}, and reload", name, name, name)
	}
	if was, err := r.expected.forget(name); err != nil || !was {
		return errors.Join(err, fmt.Errorf("%s was never seen here", name))
	}
	list[i].forgotten.Store(true)
	return nil
}
