// Package intake takes alarms and people's words from outside: Prometheus and everything else that speaks
// Alertmanager's v2 API, Nagios' passive results, deploy marks, DogStatsD events, acknowledgements and
// silences. Its Client is the other end: how a node posts its alarms to the routers.
//
// It judges nothing and keeps nothing: what it takes goes to the router as inputs, what it shows comes from
// the router's view. Alarms of others are never refused for what they lack; what is bounded is cut.
// It authenticates nobody: the listener in front of it does.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/reading"
)

// Options are what an Intake works with.
type Options struct {
	// Put hands inputs to the router and blocks while there is no room.
	Put func(ctx context.Context, in ...alerting.Input) error
	// Desk is where the acts of people go.
	Desk *people.Desk
	// View is what the router thinks.
	View func() alerting.View
	// Routes are the names of the configured routes, beside those of problems; may be nil.
	Routes func() []string
	// Who says who sent a request; nil: nobody is known by name.
	Who func(*http.Request) alerting.Person
	// Deployed is told of each deploy mark, for charts and change events; may be nil.
	Deployed func(ctx context.Context, d Deploy)
	// Noticed is told of each notification of another Alertmanager; may be nil. It must not block.
	Noticed func(Notice)
	// Facts takes what a node sees of its clusters; nil: this router judges none.
	Facts func(ctx context.Context, p FactsPost) error
	// Lives is told what becomes of instances at AWS; may be nil.
	Lives func(Life)
	// Config is the section of the configuration; Folder is where heartbeats are remembered, empty: nowhere.
	Config Config
	Folder string
	// Damaged hears of what is remembered and cannot be read; may be nil.
	Damaged func(damage.Report)
	// Replicas are the labels that tell the servers of one pair apart; nil: those that are usual.
	Replicas []string
	Version  string
	Log      *slog.Logger
}

// Intake is the handler of all that comes in.
type Intake struct {
	opts    Options
	started time.Time
	refused atomic.Uint64 // requests that were answered 4xx
	busy    atomic.Uint64 // requests that were answered 503
	cut     atomic.Uint64 // alarms of which something was cut
	alarms  atomic.Uint64
	bad     atomic.Uint64 // alarms of a batch that could not be read
	senders senders
	listed  groups
	nodes   nodes
	pings   *pings
	cloud   *cloud

	mu    sync.Mutex
	marks []due
	queue *CloudQueue // of AWS; nil: none is read
}

// New makes an Intake.
func New(o Options) *Intake {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Who == nil {
		o.Who = func(*http.Request) alerting.Person { return alerting.Person{} }
	}
	if o.Deployed == nil {
		o.Deployed = func(context.Context, Deploy) {}
	}
	if o.Replicas == nil {
		o.Replicas = reading.ReplicaLabels()
	}
	if o.Damaged == nil {
		o.Damaged = func(damage.Report) {}
	}
	now := time.Now()
	return &Intake{opts: o, started: now, pings: openPings(o.Config.Heartbeats, o.Replicas, o.Folder, now, o.Damaged), cloud: openCloud(o)}
}

// The paths of our own endpoints; those of Alertmanager are its own.
const (
	PathAck         = "/api/v1/ack"          // AckRequest, AckAnswer
	PathNote        = "/api/v1/note"         // NoteRequest, AckAnswer
	PathSilence     = "/api/v1/silence"      // SilenceRequest, SilenceAnswer
	PathCheckResult = "/api/v1/check-result" // CheckResult
	PathDeploys     = "/api/v1/deploys"      // Deploy
	PathSNS         = "/api/v1/sns"          // what SNS posts, of the topics in the configuration
)

// Bounds of requests.
const (
	maxBody     = 16 << 20 // 10,000 alarms with their texts
	maxSmall    = 256 << 10
	putDeadline = 5 * time.Second
)

// Register puts the handlers on mux.
func (i *Intake) Register(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"POST /api/v1/alerts":         i.gone,
		"POST /api/v2/alerts":         i.postAlerts,
		"GET /api/v2/alerts":          i.getAlerts,
		"GET /api/v2/alerts/groups":   i.getGroups,
		"GET /api/v2/silences":        i.getSilences,
		"POST /api/v2/silences":       i.postSilence,
		"GET /api/v2/silence/{id}":    i.getSilence,
		"DELETE /api/v2/silence/{id}": i.deleteSilence,
		"GET /api/v2/status":          i.getStatus,
		"GET /api/v2/receivers":       i.getReceivers,
		"POST " + PathAlertmanager:    i.postWebhook,
		"POST " + PathAck:             i.postAck,
		"POST " + PathNote:            i.postNote,
		"POST " + PathSilence:         i.postQuiet,
		"POST " + PathCheckResult:     i.postCheck,
		"POST " + PathFacts:           i.postFacts,
		"POST " + PathDeploys:         i.postDeploy,
		"GET " + PathPing:             i.servePing, // HEAD too
		"POST " + PathPing:            i.servePing,
		"POST " + PathHeartbeat:       i.postHeartbeat,
		"GET " + PathHeartbeats:       i.getHeartbeats,
	} {
		mux.HandleFunc(pattern, h)
	}
	if topics := i.opts.Config.topics(); len(topics.Topics) > 0 {
		mux.Handle("POST "+PathSNS, newTopics(topics, i.cloud, nil, i.opts.Log))
	}
}

// gone answers who posts to the first version of Alertmanager's API, as Alertmanager does.
// Source: github.com/prometheus/alertmanager v0.27, api/api.go; read 30 November 2026.
func (i *Intake) gone(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusGone, map[string]string{
		"status": "deprecated", "error": "the v1 API of Alertmanager is not served: post alarms to /api/v2/alerts (in Prometheus: alertmanagers, api_version: v2)",
	})
}

// fail answers with a JSON string, as Alertmanager does.
func (i *Intake) fail(w http.ResponseWriter, status int, err error) {
	if status == http.StatusServiceUnavailable {
		i.busy.Add(1)
		w.Header().Set("Retry-After", "5")
	} else {
		i.refused.Add(1)
	}
	answer(w, status, err.Error())
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}

// read decodes a bounded body.
func read(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("body: want JSON: %w", err)
	}
	return nil
}

// status is what a body that cannot be read is answered with: who bounds it may say.
func status(err error) int {
	if own, ok := errors.AsType[interface {
		error
		Status() int
	}](err); ok {
		return own.Status()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// put hands inputs on, and says 503 where there is no room for long: senders repeat.
func (i *Intake) put(w http.ResponseWriter, r *http.Request, in ...alerting.Input) bool {
	ctx, cancel := context.WithTimeout(r.Context(), putDeadline)
	defer cancel()
	if err := i.opts.Put(ctx, in...); err != nil {
		i.fail(w, http.StatusServiceUnavailable, fmt.Errorf("the router has no room: %w", err))
		return false
	}
	return true
}

// person names who asks: who logged in, else whom the request names.
func (i *Intake) person(r *http.Request, named string) string {
	return i.opts.Who(r).Name(named)
}
