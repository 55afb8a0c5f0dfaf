package intake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
)

// Paths of heartbeats. Who knows the UUID of a name may ping it.
// Source: healthchecks.io, "Pinging API" (success, start, fail, log, exit status), read 30 November 2026.
const (
	PathPing       = "/ping/"            // UUID, then nothing, start, fail, log, or an exit code
	PathHeartbeat  = "/api/v1/heartbeat" // HeartbeatPing, by name
	PathHeartbeats = "/api/v1/heartbeats"
)

// HeartbeatPing is a ping by name, for who may post as an agent.
type HeartbeatPing struct {
	Name  string `json:"name"`
	State string `json:"state"` // success (when empty), start, fail, or an exit code
	Text  string `json:"text"`  // of a failure
}

// HeartbeatState is what is known of one name, with its address.
type HeartbeatState struct {
	Beat
	Path string `json:"path,omitempty"` // /ping/UUID; none for a sender's alarm
}

// pings is the Heartbeats of a router with their memory on disk.
type pings struct {
	mu       sync.Mutex
	beats    *Heartbeats
	by       map[string]HeartbeatConfig
	replicas []string // labels that tell the servers of one pair apart
	key      []byte
	file     string // empty: nothing is kept
	written  []byte // by write
	wake     chan struct{}
}

const (
	beatsFile   = "heartbeats.json"
	keyFile     = "heartbeat.key"
	maxPingText = 2 << 10
	maxBeats    = 8 << 20 // bytes of the file
	maxKey      = 1 << 10
)

// openPings reads what is remembered in folder. A file that cannot be read is set aside, and told; the pings work all the same.
func openPings(by map[string]HeartbeatConfig, replicas []string, folder string, now time.Time, told func(damage.Report)) *pings {
	p := &pings{by: by, replicas: replicas, wake: make(chan struct{}, 1)}
	p.key = make([]byte, keySize)
	_, _ = rand.Read(p.key) // never fails
	var known []Beat
	if folder != "" {
		p.file = filepath.Join(folder, beatsFile)
		p.readKey(filepath.Join(folder, keyFile), now, told)
		if !load("heartbeats", p.file, maxBeats, now, told, &known) {
			known = nil
		}
	}
	p.beats = NewHeartbeats(by, known, now)
	return p
}

// readKey reads the key from which the addresses of heartbeats are made, and makes one where there is none. The file has it
// twice, each with a checksum: with another key every job would ping an address that is not there.
func (p *pings) readKey(path string, now time.Time, told func(damage.Report)) {
	text, err := atomicfile.Read(path, maxKey)
	key, sound := keyIn(text)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case sound:
		p.key = key
	case err == nil && len(text) == len(p.key): // as it was before there were checksums
		p.key = text
	case !fresh:
		aside, aerr := damage.Aside(path, now)
		told(damage.Report{
			Store: "heartbeat key", At: now, Aside: aside,
			What: fmt.Sprint("jobs that ping by an address need their new ones, which binnacle heartbeat list says: the key is damaged", because(errors.Join(err, aerr))),
		})
	}
	if bytes.Equal(text, keyText(p.key)) {
		return
	}
	if err := atomicfile.Write(path, keyText(p.key), 0o600); err != nil {
		told(damage.Report{Store: "heartbeat key", At: now, What: "addresses of heartbeats end with the process: " + err.Error()})
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

const keySize, sumSize = 32, 4 // bytes

// keyText is the file of a key.
func keyText(key []byte) []byte {
	sum := sha256.Sum256(key)
	return bytes.Repeat(slices.Concat(key, sum[:sumSize]), 2)
}

// keyIn finds the first key of a file that is sound.
func keyIn(text []byte) (key []byte, sound bool) {
	for one := range slices.Chunk(text, keySize+sumSize) {
		if len(one) < keySize+sumSize {
			break
		}
		if sum := sha256.Sum256(one[:keySize]); bytes.Equal(sum[:sumSize], one[keySize:]) {
			return one[:keySize:keySize], true
		}
	}
	return nil, false
}

// load reads what is remembered of what. A file that cannot be read is set aside and told, and into is not to be used.
func load(what, path string, most int64, now time.Time, told func(damage.Report), into any) bool {
	aside, err := damage.Load(path, most, now, into)
	if err != nil {
		told(damage.Report{Store: what, What: "what was remembered cannot be read: " + err.Error(), Aside: aside, At: now})
	}
	return err == nil
}

// id is the UUID of a name.
func (p *pings) id(name string) string {
	return strings.ToLower(cmp.Or(p.by[name].ID, uuidOf(p.key, name)))
}

// named finds the name of a UUID.
func (p *pings) named(id string) string {
	for name, c := range p.by {
		if !c.Alarm && p.id(name) == strings.ToLower(id) {
			return name
		}
	}
	return ""
}

// ping notes a ping, and says whether the name is known.
func (p *pings) ping(name string, what Ping, text string) bool {
	p.mu.Lock()
	ok := p.beats.Ping(name, what, secret.Redact(text), time.Now()) // it is kept, and listed
	p.mu.Unlock()
	if ok {
		p.soon()
	}
	return ok
}

func (p *pings) soon() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// fires notes alarms that always fire.
func (p *pings) fires(a alerting.Alarm, sender string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beats.Fires(a, SenderIdentity(a, p.replicas), sender, now)
}

// result notes the result of a check.
func (p *pings) result(c CheckResult, fresh time.Duration, now time.Time) {
	p.mu.Lock()
	p.beats.Result(c, fresh, now)
	p.mu.Unlock()
	p.soon()
}

// due returns what begins or ends now.
func (p *pings) due(now time.Time) ([]alerting.Input, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beats.Due(now)
}

// write keeps what is remembered, where it changed. One goroutine calls it; a disk that hangs holds up no ping.
func (p *pings) write() error {
	if p.file == "" {
		return nil
	}
	p.mu.Lock()
	data, err := json.Marshal(p.beats.Beats())
	p.mu.Unlock()
	if err != nil || bytes.Equal(data, p.written) {
		return err
	}
	if err := atomicfile.Write(p.file, data, 0o600); err != nil {
		return err
	}
	p.written = data
	return nil
}

// whatOf reads the end of a ping's path, or the state of a ping by name.
func whatOf(text string) (Ping, string, error) {
	switch text {
	case "", "success", "0", "log":
		return Success, "", nil
	case "start":
		return Start, "", nil
	case "fail":
		return Fail, "it said that it failed", nil
	}
	if n, err := strconv.ParseUint(text, 10, 8); err == nil {
		return Fail, fmt.Sprintf("exit code %d", n), nil
	}
	return 0, "", fmt.Errorf("want nothing, start, fail, log or an exit code of 0 to 255, have %q", text)
}

// servePing answers GET, HEAD and POST of /ping/UUID and what may follow. The body of a failure is its text.
func (i *Intake) servePing(w http.ResponseWriter, r *http.Request) {
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, PathPing), "/")
	p, detail, err := whatOf(what)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	name := i.pings.named(id)
	if name == "" {
		i.fail(w, http.StatusNotFound, errors.New("no heartbeat has this UUID"))
		return
	}
	if p == Fail {
		if body, _ := io.ReadAll(io.LimitReader(r.Body, maxPingText)); len(bytes.TrimSpace(body)) > 0 {
			detail += ": " + strings.ToValidUTF8(string(bytes.TrimSpace(body)), "\ufffd")
		}
	}
	if what != "log" { // which healthchecks.io keeps as text alone
		i.pings.ping(name, p, detail)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK"))
}

func (i *Intake) postHeartbeat(w http.ResponseWriter, r *http.Request) {
	var h HeartbeatPing
	if err := read(w, r, maxSmall, &h); err != nil {
		i.fail(w, status(err), err)
		return
	}
	p, detail, err := whatOf(h.State)
	if err != nil {
		i.fail(w, http.StatusBadRequest, fmt.Errorf("state: %w", err))
		return
	}
	if text := strings.TrimSpace(h.Text[:min(len(h.Text), maxPingText)]); p == Fail && text != "" {
		detail += ": " + strings.ToValidUTF8(text, "\ufffd")
	}
	if h.State == "log" { // text alone, which changes nothing
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if !i.pings.ping(h.Name, p, detail) {
		i.fail(w, http.StatusNotFound, fmt.Errorf("no heartbeat is named %q: intake.heartbeats of the configuration names them", cutLabel(h.Name)))
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (i *Intake) getHeartbeats(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, i.Heartbeats())
}

// Heartbeats are what is known of all that must be heard, by name.
func (i *Intake) Heartbeats() []HeartbeatState {
	i.pings.mu.Lock()
	defer i.pings.mu.Unlock()
	var out []HeartbeatState
	for _, b := range i.pings.beats.Beats() {
		s := HeartbeatState{Beat: b}
		if b.Labels == nil {
			s.Path = PathPing + i.pings.id(b.Name)
		}
		out = append(out, s)
	}
	return out
}

// SenderIdentity is the same for all senders of one pair: the labels of the alarm that always fires, without those that tell
// replicas apart.
func SenderIdentity(a alerting.Alarm, replicas []string) string {
	labels := map[string]string{}
	for k, v := range a.Labels {
		if !slices.Contains(replicas, k) {
			labels[k] = v
		}
	}
	return a.Rule() + ":" + alerting.Alarm{Labels: labels}.Fingerprint()
}

// beat raises and ends the alarms about heartbeats until ctx ends.
func (i *Intake) beat(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			_ = i.pings.write() // the next start reads what was kept last
			return
		case <-timer.C:
		case <-i.pings.wake:
		}
		now := time.Now()
		in, next := i.pings.due(now)
		if len(in) > 0 && i.opts.Put(ctx, in...) != nil {
			return // ctx ended
		}
		if err := i.pings.write(); (err != nil) != failing {
			failing = err != nil
			i.opts.Log.Warn("heartbeats on disk", "failing", failing, "err", err)
		}
		wait := marksTick // what fires is repeated, and what is remembered is kept
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), 10*time.Millisecond))
		}
		timer.Reset(wait)
	}
}
