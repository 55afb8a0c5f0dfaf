// Package collectors says what a collector is: Spec, Env and the errors that tell absent from blind. The collectors
// are packages below it (host, riak, rabbitmq, statsd), which package catalogue lists; the agent's own is here.
//
// It judges nothing and ships nothing. A Collector looks once, now, when its schedule (package
// agent) says so; what could not be read is said by an error, never by yesterday's value.
package collectors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/metric"
)

// Collector looks once, now, and appends to b what it saw. On an error what b holds of it still counts.
// Calls do not overlap; ctx carries the deadline of this one.
type Collector interface {
	Collect(ctx context.Context, b *metric.Batch) error
}

// Runner is what a Collector also is when it has work between collections, such as a socket to read.
// Run blocks until ctx ends; when it returns nothing of it runs on, and one last Collect still
// yields what it had gathered.
type Runner interface {
	Run(ctx context.Context) error
}

// Opener is what a Collector also is when it opens what it needs, such as sockets, when it is made. Opened says what could not
// be opened: at a start that is tried again, and a reload is refused for it.
type Opener interface {
	Opened() error
}

// Settler is what a Runner also is when its first answers take longer than a collection. Settle returns when they are there,
// or ctx ends: for who looks once, and not for the schedule.
type Settler interface {
	Settle(ctx context.Context)
}

// Checker is what a Collector also is when it has checks that go at their own pace. Checks says how each that has run
// stands; one that has nothing to ask now, or whose subject is known to be down, is not among those that should answer.
type Checker interface {
	Checks() []CheckState
}

// Noter is what a Collector also is when it has things to say that are no fault of its own, but that somebody may want to
// mend at whom it listens to. Notes are few and short, the most important first.
type Noter interface {
	Notes() []string
}

// CheckState says of one check whether it answers. Absent, blind and zero are three things: this is blind.
type CheckState struct {
	Name   string        // in one or few words: "queues", "admin", "/var"
	Every  time.Duration // between two runs
	Since  time.Time     // it should answer and has not since then; zero while it does
	Reason string        // why, as in BlindError
	Err    error         // of the last run
}

// Blind reports whether the check has not answered for three of its intervals: before, it may be a hiccup.
func (s CheckState) Blind(now time.Time) bool {
	return !s.Since.IsZero() && now.Sub(s.Since) >= 3*s.Every
}

// Forgetter is what a Collector also is when it misses what it saw before and does not see now, such as members of a cluster.
// Forget ends that: somebody says that it is gone for good. What is there is watched on.
type Forgetter interface {
	Forget()
}

// Hider is what a Collector also is when something can't be seen from where it runs, and never will be: it is said, and
// is no fault. Hidden names it with what is told instead.
type Hider interface {
	Hidden() []string
}

// PartError is the error of one part of what a collector looks at, such as one disk: the rest was seen.
type PartError struct {
	Part string
	Err  error
}

func (e *PartError) Error() string { return e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// Part wraps the error of one part; nil stays nil.
func Part(name string, err error) error {
	if err == nil {
		return nil
	}
	return &PartError{name, err}
}

// Env is what a collector takes from the world, so that a fixture can be the world.
type Env struct {
	Options any    // the section of the configuration, of the type of Spec.Options
	Root    Root   // the files of the machine
	State   string // folder for what must outlive the agent; empty: nothing is kept
	Node    string // the name of this node
	Version string // of the agent
	HTTP    http.RoundTripper
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Run     func(ctx context.Context, name string, args ...string) ([]byte, error) // a system's own program; nil: Command
	Now     func() time.Time
	Log     *slog.Logger
	// Reserved says whether a metric, by its name as Prometheus has it, is one of a collector's, and not for others to send.
	Reserved func(name string) bool
	Self     func(b *metric.Batch) // appends the agent's own figures; for the collector self

	// Deliver hands on a batch that is complete by itself, such as the answer of one target, under a source of its own: what
	// the next batch of that source does not have has ended, and all of it when none comes within the time given. Nil: what is
	// gathered outside of Collect has nowhere to go.
	Deliver func(source string, b *metric.Batch, within time.Duration)

	// Expected says that the configuration says how to reach what is looked for, or that it was seen on this machine before: that
	// it is not there is an outage.
	Expected bool

	// Undiscovered says that nothing is looked for which the configuration does not name.
	Undiscovered bool

	// AWS is who asks AWS for the fleet, for the collector aws; nil, with the reason, while that is not this node.
	AWS func() (asker any, why string)

	Damaged  func(damage.Report)       // is called with what of State was damaged; may be nil
	Rejected func(reason, line string) // counts a line that could not be read; nil: it is only left out
}

// Reject drops one line of an answer, and counts it by a reason of few words: the rest of the answer is read on.
func (e Env) Reject(reason, line string) {
	if e.Rejected != nil {
		e.Rejected(reason, line)
	}
}

// Spec describes a collector before there is one.
type Spec struct {
	Name     string
	Options  any           // default options, a struct; the configuration is decoded into a copy
	Interval time.Duration // between collections, by default; 0 means the agent's default
	Deadline time.Duration // of one collection, by default; 0 means the agent's default
	Metrics  []*metric.Desc
	New      func(Env) (Collector, error)
	// Service says that it looks for a service, whose absence is an outage once it was seen or configured.
	Service bool
}

// ErrAbsent says that what a collector looks for is not on this machine: not a fault, as long as it
// was never seen. The schedule looks again each minute.
var ErrAbsent = errors.New("not found on this machine")

// BlindError says that a collector could not look, and why in one of few words (the label reason of
// binnacle_collector_up): connect, timeout, auth, http, parse, permission, ...
type BlindError struct {
	Reason string
	Err    error
}

func (e *BlindError) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }
func (e *BlindError) Unwrap() error { return e.Err }

// Blind wraps err with its reason.
func Blind(reason string, err error) error { return &BlindError{reason, err} }
