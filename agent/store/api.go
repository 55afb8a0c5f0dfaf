package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/grafana/regexp"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/navcloud/binnacle/agent/query"
)

// Rules is who knows the rules, for /api/v1/rules and /api/v1/alerts.
type Rules interface {
	RuleGroups() []*rules.Group
	AlertingRules() []*rules.AlertingRule
}

// Limits of one request.
const (
	maxWriteBody       = 16 << 20 // bytes as sent, of remote-write and OTLP; Prometheus' own stays below 1 MB
	remoteReadSamples  = 1_000_000
	remoteReadAtOnce   = 2
	remoteReadMaxFrame = 1 << 20
	maxSelectors       = 100
)

// Handler answers Prometheus' HTTP API below /api/v1 (queries, series, labels, metadata, rules, alerts,
// status, remote-write, OTLP) and the exposition at /metrics. version is the agent's; current is asked for
// the rules at each request.
func (s *Store) Handler(version string, current func() Rules) http.Handler {
	begun := s.opts.Now()
	cwd, _ := os.Getwd() // only shown
	api := v1.NewAPI(s.reader(), s.read, s.disk, s.disk,
		func(context.Context) v1.ScrapePoolsRetriever { return nobody{} },
		func(context.Context) v1.TargetRetriever { return nobody{} },
		func(context.Context) v1.AlertmanagerRetriever { return nobody{} },
		func() config.Config { return config.DefaultConfig },
		map[string]string{}, v1.GlobalURLOptions{},
		func(h http.HandlerFunc) http.HandlerFunc { return h },
		admin{s.disk}, s.dir, false, false, 0, s.opts.Requests,
		func(context.Context) v1.RulesRetriever {
			if r := current(); r != nil {
				return r
			}
			return nobody{} // the role is off
		},
		remoteReadSamples, remoteReadAtOnce, remoteReadMaxFrame, false, noOrigin,
		func() (v1.RuntimeInfo, error) {
			return v1.RuntimeInfo{
				StartTime: begun, CWD: cwd, ServerTime: s.opts.Now(), ReloadConfigSuccess: true, LastConfigTime: begun,
				GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0), StorageRetention: s.opts.Retention.String(),
			}, nil
		},
		&v1.PrometheusVersion{Version: apiVersion, Revision: version, Branch: "binnacle", GoVersion: runtime.Version()},
		func() []notifications.Notification { return []notifications.Notification{} },
		func() (<-chan notifications.Notification, func(), bool) { return nil, func() {}, false },
		s.gatherer(), s.reg, nil,
		true, remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType},
		false, false, false, 0, false, false, nil, features.NewRegistry(), v1.OpenAPIOptions{}, Parser(), false, s.opts.Query.Timeout,
	)
	router := route.New().WithPrefix("/api/v1")
	api.Register(router)

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", s.bounded(router))
	mux.Handle("POST "+otlpPath, s.bounded(newOTLP(s)))
	mux.HandleFunc("GET /api/v1/metadata", s.metadata)
	mux.HandleFunc("GET /metrics", s.exposition)
	mux.Handle("GET /federate", s.bounded(http.HandlerFunc(s.federate)))
	return mux
}

// apiVersion is the Prometheus whose API this is. Grafana reads it as a semantic version, and offers what that version has.
// Source: github.com/prometheus/prometheus v0.316 is Prometheus 3.16, read 30 November 2026.
const apiVersion = "3.16.0"

// noOrigin matches no page's origin: none of another site may read an answer. Without an expression at all the library
// panics at the first request that names its origin.
var noOrigin = regexp.MustCompile(`[^\s\S]`)

// writes are what is bounded by what it brings, and must not be ended half way.
var writes = map[string]bool{"/api/v1/write": true, otlpPath: true}

// bounded bounds what a request brings, and what its answer may cost.
func (s *Store) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxWriteBody)
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if n := len(r.Form["match[]"]); n > maxSelectors {
			http.Error(w, fmt.Sprintf("%d selectors, at most %d are taken", n, maxSelectors), http.StatusBadRequest)
			return
		}
		most := s.spends()
		if writes[r.URL.Path] {
			most = 0
		}
		query.Spend(r.Context(), most, func(ctx context.Context) {
			r := r.WithContext(ctx)
			if r.Method == http.MethodHead { // the library's routes know GET alone; what it writes goes nowhere
				r.Method = http.MethodGet
			}
			h.ServeHTTP(w, r)
		})
	})
}

// metadata answers what Prometheus answers, from what the agent's own sources describe: there are no
// scrape targets to ask.
func (s *Store) metadata(w http.ResponseWriter, r *http.Request) {
	type meta struct {
		Type string `json:"type"`
		Help string `json:"help"`
		Unit string `json:"unit"`
	}
	only, out := r.FormValue("metric"), map[string][]meta{}
	most := -1
	for _, name := range []string{"limit", "limit_per_metric"} {
		n, err := strconv.Atoi(cmp.Or(r.FormValue(name), "-1"))
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":"%s must be a number"}`, name)
			return
		}
		if name == "limit" && n >= 0 { // a metric has one description here
			most = n
		}
	}
	for _, p := range s.series.Latest(time.Time{}) {
		if _, has := out[p.Name]; !has && most >= 0 && len(out) >= most {
			continue
		}
		if only == "" || only == p.Name {
			out[p.Name] = []meta{{string(promType(p.Desc.Kind)), p.Desc.Help, string(p.Desc.Unit)}}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": out})
	if err != nil {
		s.opts.Log.Debug("metadata not delivered", "err", err)
	}
}

var errNoScrape = errors.New("nothing is scraped here")

// nobody stands where Prometheus has scrape targets and alertmanagers, of which there are none.
type nobody struct{}

func (nobody) ScrapePools() []string                                 { return []string{} } // no nulls: clients expect lists
func (nobody) TargetsActive() map[string][]*scrape.Target            { return nil }
func (nobody) TargetsDropped() map[string][]*scrape.Target           { return nil }
func (nobody) TargetsDroppedCounts() map[string]int                  { return map[string]int{} }
func (nobody) ScrapePoolConfig(string) (*config.ScrapeConfig, error) { return nil, errNoScrape }
func (nobody) RuleGroups() []*rules.Group                            { return nil }
func (nobody) AlertingRules() []*rules.AlertingRule                  { return nil }
func (nobody) Alertmanagers() []*url.URL                             { return nil }
func (nobody) DroppedAlertmanagers() []*url.URL                      { return nil }

// gatherer gathers the figures of the engine, and those of the database that is open now.
func (s *Store) gatherer() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		s.disk.mu.RLock()
		all := prometheus.Gatherers{s.reg}
		if s.disk.reg != nil {
			all = append(all, s.disk.reg)
		}
		s.disk.mu.RUnlock()
		return all.Gather()
	})
}

// admin is the database as the API's status pages see it.
type admin struct{ d *disk }

func (a admin) CleanTombstones() error { return a.d.with((*tsdb.DB).CleanTombstones) }

func (a admin) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	return a.d.with(func(db *tsdb.DB) error { return db.Delete(ctx, mint, maxt, ms...) })
}

func (a admin) Snapshot(dir string, withHead bool) error {
	return a.d.with(func(db *tsdb.DB) error { return db.Snapshot(dir, withHead) })
}

func (a admin) Stats(label string, limit int) (st *tsdb.Stats, err error) {
	err = a.d.with(func(db *tsdb.DB) error {
		st = db.Head().Stats(label, limit)
		return nil
	})
	return st, err
}

func (a admin) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }

func (a admin) BlockMetas() (metas []tsdb.BlockMeta, err error) {
	err = a.d.with(func(db *tsdb.DB) error {
		metas = db.BlockMetas()
		return nil
	})
	return metas, err
}
