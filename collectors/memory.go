package collectors

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/navcloud/binnacle/agent/damage"
)

// Recall reads into what a collector kept as store in an earlier life, and says whether there is any. What cannot be read is set
// aside and told; of says in words what it was learnt of.
func (e Env) Recall(store, of string, into any) bool {
	if e.State == "" {
		return false
	}
	path := e.memory(store)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err == nil {
		return true
	}
	to, aerr := damage.Aside(path, e.Now())
	e.Log.Warn("what was learnt of "+of+" is lost", "err", errors.Join(err, aerr))
	if e.Damaged != nil {
		e.Damaged(damage.Report{Store: store, What: "what was learnt of " + of + " cannot be read: " + err.Error(), Aside: to, At: e.Now()})
	}
	return false
}

// Keep writes what Recall reads. What cannot be written is learnt again.
func (e Env) Keep(store, of string, what any) {
	if e.State == "" {
		return
	}
	b, err := json.Marshal(what)
	if err = errors.Join(err, os.MkdirAll(e.State, 0o750)); err == nil {
		err = os.WriteFile(e.memory(store), b, 0o600)
	}
	if err != nil {
		e.Log.Debug("what was learnt of "+of+" is not kept", "err", err)
	}
}

func (e Env) memory(store string) string { return filepath.Join(e.State, store+".json") }
