// Package store keeps the last days of every series: Prometheus' TSDB and PromQL, embedded.
//
// It takes the agent's samples and remote-write in, and answers PromQL and Prometheus' own HTTP API. Package series
// tells it which series there are and what they add up to. It judges nothing: rules are run over it by package
// rules, which is handed its Queryable and Appendable. All methods may be called by many goroutines.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/navcloud/binnacle/agent/clock"
	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/series"
)

// Options are the settings of a Store.
type Options struct {
	Retention     time.Duration
	RetentionSize int64            // bytes
	LabelLimit    int              // labels of one series; 0: LabelLimit
	Query         query.Config     // bounds of one question; zero: the defaults
	Interval      time.Duration    // between two samples of a series, about
	Series        *series.Registry // shared with others who need totals; nil: the store has one of its own
	Now           func() time.Time
	Log           *slog.Logger
	Requests      *slog.Logger // for what comes by HTTP, of which anybody may send as much as they like; nil: Log
	// Spare makes a folder for what is kept in memory while dir cannot be written; nil: nothing is kept then.
	Spare   func() (string, error)
	Damaged func(damage.Report) // is called with what was damaged; may be nil
	// Exemplars is how many are kept; the oldest give way.
	Exemplars int

	// Clock is the machine's, which the history follows when it goes back; nil: it follows none.
	Clock func() time.Time

	shift func() time.Duration // how far the time of day is from the time that passed; nil: the machine's
}

const (
	outOfOrder = 10 * time.Minute // agents replay their spools
	stripeSize = 512              // the library's default suits big servers: 5 MB more when idle

)

// Store is an open database.
type Store struct {
	opts   Options
	disk   *disk
	read   whole
	engine *engine
	reg    *prometheus.Registry
	dir    string

	series *series.Registry
	names  names

	mu      sync.Mutex // held while Kept of a series is read or written, too
	refused map[string]float64
}

// ErrInUse says that another process has the directory open.
var ErrInUse = errors.New("another process has it open")

// Open opens the database in dir, and makes it when it is not there. A directory that another process
// uses gives ErrInUse.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LabelLimit == 0 {
		o.LabelLimit = LabelLimit
	}
	if o.Requests == nil {
		o.Requests = o.Log
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Second
	}
	if o.Query == (query.Config{}) {
		o.Query = query.Default()
	}
	if o.Series == nil {
		o.Series = series.New(series.Options{Interval: o.Interval})
	}
	if o.shift == nil {
		o.shift = clock.Shift()
	}
	if o.Damaged == nil {
		o.Damaged = func(damage.Report) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	reg := prometheus.NewRegistry()
	s := &Store{
		opts: o, reg: reg, dir: dir, disk: newDisk(dir, o),
		series:  o.Series,
		refused: map[string]float64{},
	}
	s.read = whole{disk: s.disk, past: new(atomic.Pointer[past])}
	s.engine = &engine{gate: &s.disk.gate, most: o.Query.MaxSamples, Engine: promql.NewEngine(promql.EngineOpts{
		Logger: o.Log, Reg: reg, MaxSamples: o.Query.MaxSamples, Timeout: o.Query.Timeout,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: Parser(),
		NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
	})}
	if err := s.disk.open(); err != nil {
		return nil, fmt.Errorf("store: %s: %w", dir, errors.Join(err, s.disk.close()))
	}
	return s, nil
}

// blocks are the shortest and the longest time of a block, in ms. The shortest fills a chunk of each series, the longest is
// a tenth of the retention: two years in blocks of two hours, which is what the library does unless told, are 9000 files
// to open. Source: cmd/prometheus/main.go, "Time retention settings", and tsdb/db.go, DefaultSamplesPerChunk; read November 2026.
func blocks(o Options) (shortest, longest int64) {
	shortest = max(tsdb.DefaultBlockDuration, (tsdb.DefaultSamplesPerChunk * o.Interval).Milliseconds())
	longest = min(o.Retention/10, 31*24*time.Hour).Milliseconds()
	return shortest, max(longest, shortest)
}

// Parser returns the parser of PromQL that all of the agent uses. It refuses what is out of query's bounds before it parses.
func Parser() parser.Parser { return careful{parser.NewParser(parser.Options{})} }

type careful struct{ parser.Parser }

func (c careful) ParseExpr(text string) (parser.Expr, error) {
	if err := query.Check(text); err != nil {
		return nil, err
	}
	return c.Parser.ParseExpr(text)
}

func (c careful) ParseMetricSelector(text string) ([]*labels.Matcher, error) {
	if err := query.Check(text); err != nil {
		return nil, err
	}
	return c.Parser.ParseMetricSelector(text)
}

func (c careful) ParseMetricSelectors(texts []string) ([][]*labels.Matcher, error) {
	if err := query.Check(strings.Join(texts, " ")); err != nil {
		return nil, err
	}
	return c.Parser.ParseMetricSelectors(texts)
}

// Close ends what runs in the background and flushes.
func (s *Store) Close() error {
	if err := errors.Join(s.engine.Close(), s.disk.close()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// Newest is the time of the newest sample; zero where there is none.
func (s *Store) Newest() time.Time {
	var newest int64
	_ = s.disk.with(func(db *tsdb.DB) error { // not open: none is known
		newest = newestIn(db)
		return nil
	})
	if newest <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(newest)
}

// newestIn is the time of the newest sample, in milliseconds; less than 0 where there is none.
func newestIn(db *tsdb.DB) int64 {
	newest := db.Head().MaxTime()
	for _, b := range db.Blocks() {
		newest = max(newest, b.MaxTime()-1) // a block ends before its MaxTime
	}
	return newest
}

// Queryable is what rules read.
func (s *Store) Queryable() storage.Queryable { return s.disk }

// Appendable is where rules write.
func (s *Store) Appendable() storage.AppendableV2 { return s.disk }

// Engine is what rules query with.
func (s *Store) Engine() promql.QueryEngine { return s.engine }

// Hold keeps the database open for who reads it by a Queryable and not by a query, until release is called. It may wait for
// a database that is being opened anew; one goroutine holds it once.
func (s *Store) Hold() (release func()) {
	s.disk.gate.RLock()
	return s.disk.gate.RUnlock
}

// Failing returns why the folder is not written, and since when; nil in good times. What comes is kept in memory meanwhile,
// as far as kept says.
func (s *Store) Failing() (since time.Time, kept bool, err error) {
	since, err = s.disk.failing()
	s.disk.mu.RLock()
	defer s.disk.mu.RUnlock()
	return since, s.disk.spare != nil, err
}

// engine evaluates queries that fit. None is evaluated while the database is being opened anew.
type engine struct {
	*promql.Engine
	gate *sync.RWMutex
	most int // samples of one query
}

// NewInstantQuery implements promql.QueryEngine.
func (e *engine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, query string, at time.Time) (promql.Query, error) {
	return e.fitting(e.Engine.NewInstantQuery(ctx, count(q, e.most), opts, query, at))
}

// NewRangeQuery implements promql.QueryEngine.
func (e *engine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, query string, start, end time.Time, step time.Duration) (promql.Query, error) {
	return e.fitting(e.Engine.NewRangeQuery(ctx, count(q, e.most), opts, query, start, end, step))
}

func (e *engine) fitting(q promql.Query, err error) (promql.Query, error) {
	if err != nil {
		return nil, err
	}
	if err := fits(q.Statement(), e.most); err != nil {
		q.Close()
		return nil, err
	}
	return gated{q, e.gate}, nil
}

type gated struct {
	promql.Query
	gate *sync.RWMutex
}

// Exec implements promql.Query.
func (g gated) Exec(ctx context.Context) *promql.Result {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Query.Exec(ctx)
}

// Stats say how much there is.
type Stats struct {
	Series   uint64             // in the head
	Bytes    int64              // on disk
	Refused  map[string]float64 // samples, by reason, those among them that the registry of series lost
	Lost     []series.Loss      // some of the latter by name
	OldestAt time.Time
}

// Stats returns how much there is.
func (s *Store) Stats() Stats {
	var bytes int64
	var inHead uint64
	_ = s.disk.with(func(db *tsdb.DB) error { // not open: nothing is known
		for _, b := range db.Blocks() {
			bytes += b.Size()
		}
		bytes += db.Head().Size()
		inHead = db.Head().NumSeries()
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.series.Stats()
	refused := maps.Clone(s.refused)
	for k, v := range own.Lost {
		refused[k] += v
	}
	for reason, n := range map[string]uint64{"too_many_labels": s.disk.refused.labels.Load(), "too_many_buckets": s.disk.refused.buckets.Load()} {
		if n > 0 {
			refused[reason] += float64(n)
		}
	}
	st := Stats{Series: inHead, Bytes: bytes, Refused: refused, Lost: own.Named}
	if t, err := s.disk.StartTime(); err == nil && t > 0 && t < s.opts.Now().UnixMilli() {
		st.OldestAt = time.UnixMilli(t)
	}
	return st
}
