// Package health says how a node and a fleet are: one status and one set of limits for the command line, the pages and the
// metrics.
//
// It knows what a figure means and asks nobody for one: the agent fills a Status, a store answers for a fleet. It imports
// nothing of ours. All of it are values.
package health

import (
	"slices"
	"time"
)

// Status is the truth about a node: what it collects, ships, judges and routes.
type Status struct {
	At            time.Time      `json:"at"`
	Version       string         `json:"version"`
	Node          string         `json:"node"`
	Begun         time.Time      `json:"begun"`
	Listen        string         `json:"listen"`
	Data          string         `json:"data"`
	DataError     string         `json:"data_error,omitempty"`
	DataShared    bool           `json:"data_shared,omitempty"`     // every user of the machine can write there
	StoreError    string         `json:"store_error,omitempty"`     // of the last write, while none succeeds
	StoreInMemory bool           `json:"store_in_memory,omitempty"` // what comes is kept there while StoreError is set
	Capacity      string         `json:"capacity_error,omitempty"`  // why capacity is not known
	Damaged       []string       `json:"damaged,omitempty"`         // data that was found damaged and set aside, a line each
	Reload        string         `json:"reload_error,omitempty"`
	Door          []string       `json:"door,omitempty"`    // what is open to whom, and files of logins that cannot be used
	Leaving       string         `json:"leaving,omitempty"` // why this instance ends soon
	Loaded        time.Time      `json:"config_loaded"`     // since when the configuration in force is
	Parts         []Part         `json:"parts,omitempty"`
	Collectors    []Collector    `json:"collectors"`
	Sinks         []Sink         `json:"sinks"`
	Store         *Store         `json:"store,omitempty"`
	Rollups       *Rollups       `json:"rollups,omitempty"` // nil where they are off
	Rules         *Rules         `json:"rules,omitempty"`
	Routers       []Router       `json:"routers,omitempty"` // that the alarms of this node go to
	Route         *Route         `json:"route,omitempty"`   // nil where they go to others
	Pager         string         `json:"pager,omitempty"`
	Problems      map[string]int `json:"problems,omitempty"` // by priority
	Firing        int            `json:"firing"`
}

// Part is what is known of a part of the agent that works by itself.
type Part struct {
	Name     string    `json:"name"`            // rules, store, ship.cloudwatch, ...
	Error    string    `json:"error,omitempty"` // why it does not work; empty while it does
	Since    time.Time `json:"since"`           // of Error; of its start while it works
	Tries    int       `json:"tries,omitempty"` // that failed since then
	Failures int       `json:"failures"`        // since the start of the process
}

// Collector is what is known of a collector.
type Collector struct {
	Name     string        `json:"name"`
	Up       bool          `json:"up"`
	Absent   bool          `json:"absent"` // what it looks for was never here
	Reason   string        `json:"reason,omitempty"`
	Error    string        `json:"error,omitempty"`
	LastRun  time.Time     `json:"last_run"`
	LastUp   time.Time     `json:"last_up"`
	Took     time.Duration `json:"took_ns"`
	Series   int           `json:"series"`
	Interval time.Duration `json:"interval_ns"`
	Overruns float64       `json:"overruns"`
	Notes    []string      `json:"notes,omitempty"`  // no faults of its own, but somebody's to mend
	Checks   []Check       `json:"checks,omitempty"` // those that go at their own pace, and parts that could not be seen

	Hidden   []string           `json:"hidden,omitempty"`         // what can never be seen from where it runs, which is no fault
	Rejected map[string]float64 `json:"rejected_lines,omitempty"` // lines that could not be read, by reason
}

// Check is what is known of one check of a collector. Absent, blind and zero are three things: this tells blind.
type Check struct {
	Name   string    `json:"name"`
	Since  time.Time `json:"since,omitzero"` // it should answer and has not since then; zero while it does
	Blind  bool      `json:"blind"`          // so for three of its intervals or longer
	Reason string    `json:"reason,omitempty"`
	Error  string    `json:"error,omitempty"`
}

// BlindChecks are the checks that have been blind for three intervals or longer.
func (c Collector) BlindChecks() []Check {
	return slices.DeleteFunc(slices.Clone(c.Checks), func(k Check) bool { return !k.Blind })
}

// Sink is what is known of a destination. Counts run since the start of the process.
type Sink struct {
	Name        string             `json:"name"`
	Up          bool               `json:"up"`
	DownSince   time.Time          `json:"down_since"`
	LastSuccess time.Time          `json:"last_success"`
	Error       string             `json:"error,omitempty"`
	Sent        float64            `json:"sent"`
	Waiting     int                `json:"waiting"` // samples in memory
	Spooled     int                `json:"spooled"` // samples on disk
	SpoolBytes  int64              `json:"spool_bytes"`
	SpoolOldest time.Time          `json:"spool_oldest"`
	Dropped     map[string]float64 `json:"dropped,omitempty"` // samples by reason
}

// Store is what is known of the history.
type Store struct {
	Series  uint64             `json:"series"`
	Bytes   int64              `json:"bytes"`
	Oldest  time.Time          `json:"oldest"`
	Refused map[string]float64 `json:"refused,omitempty"` // samples by reason
	Lost    []string           `json:"lost,omitempty"`    // in words: the series that lost most samples, and why
}

// Rollups is what is known of what is kept for longer than the store keeps it, a sample every five minutes.
type Rollups struct {
	Series  int       `json:"series"`
	LeftOut int       `json:"left_out"` // series, since there were too many
	Refused int       `json:"refused"`  // samples, by the database
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest"`
	Until   time.Time `json:"until"` // of what was copied; zero until the first is
	Error   string    `json:"error,omitempty"`
	Note    string    `json:"note,omitempty"` // for charts
}

// Rules is what is known of the rules.
type Rules struct {
	Groups  int           `json:"groups"`
	Rules   int           `json:"rules"`
	Late    time.Duration `json:"late_ns"` // behind their interval
	Failing []string      `json:"failing,omitempty"`
	Slow    []string      `json:"slow,omitempty"` // what takes longer than its interval

	// The group that is most behind, with its rule that takes longest, and how long that took last.
	LateGroup string        `json:"late_group,omitempty"`
	LateRule  string        `json:"late_rule,omitempty"`
	LateTakes time.Duration `json:"late_takes_ns,omitempty"`

	Coverage *Coverage `json:"coverage,omitempty"` // nil: nobody has looked yet
}

// Coverage is which alerting rules can fire, as far as was found. Each line is a rule and why.
type Coverage struct {
	At      time.Time `json:"at"`
	Rules   int       `json:"rules"`
	Dead    []string  `json:"dead,omitempty"`            // of the operator's files: they cannot fire
	Blind   []string  `json:"hosts_unwatched,omitempty"` // hosts that no rule that could wake a person sees
	Useless []string  `json:"useless,omitempty"`         // they fire always, or nobody ever acted on them
	Far     []string  `json:"never_near,omitempty"`      // their threshold was never near
}

// Router is what is known of a router that takes the alarms of this node.
type Router struct {
	URL     string    `json:"url"`
	Reached time.Time `json:"reached"`         // when it last answered; zero while it never did
	Error   string    `json:"error,omitempty"` // of the last post
}

// Channel is one way that pages take.
type Channel struct {
	Name     string    `json:"name"`
	Accepted time.Time `json:"accepted"`        // when the service last accepted a call; zero: not as far as is known
	Error    string    `json:"error,omitempty"` // why it did not, when it was last tried
}

// NodeHeard is a node that posts its alarms to this router.
type NodeHeard struct {
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"` // last
}

// Route is what is known of paging.
type Route struct {
	Mode        string        `json:"mode"`
	Durable     bool          `json:"durable"`                 // decisions are on disk before the call
	StandsIn    string        `json:"stands_in,omitempty"`     // where the ledger is while its own place cannot be written
	StandsInFor string        `json:"stands_in_for,omitempty"` // why
	Since       time.Time     `json:"since"`                   // of Durable
	Undelivered time.Duration `json:"undelivered"`             // age of the oldest page that no pager accepted
	Open        int           `json:"open"`                    // incidents
	Standby     bool          `json:"standby"`                 // another router of the fleet sends
	Channels    []Channel     `json:"channels,omitempty"`      // that pages take
	Nodes       []NodeHeard   `json:"nodes,omitempty"`         // that post their alarms here
	AWS         *AWS          `json:"aws,omitempty"`           // nil where nothing of it is taken in
}

// AWS is what came from there, and what our own questions cost.
type AWS struct {
	Queue      string     `json:"queue,omitempty"`
	Leads      bool       `json:"leads"` // this router asks; another one does, or none may
	Received   uint64     `json:"received"`
	Poison     uint64     `json:"poison,omitempty"`    // messages given up: they could not be read
	Reconciled time.Time  `json:"reconciled,omitzero"` // when CloudWatch last said how its alarms are
	Fault      string     `json:"fault,omitempty"`     // why it could not
	Forms      []AWSForm  `json:"forms,omitempty"`
	Groups     []AWSGroup `json:"groups,omitempty"`
	Alarms     *AWSAlarms `json:"alarms,omitempty"` // rules that are kept there as alarms
	Spent      float64    `json:"spent"`            // dollars in this month since the start, at list prices
}

// AWSAlarms is how CloudWatch's alarms stand to our rules.
type AWSAlarms struct {
	Wanted  int    `json:"wanted"`
	Put     int    `json:"put"`  // that are missing there or differ
	Drop    int    `json:"drop"` // that nobody wants
	Over    int    `json:"over"` // beyond the most that there may be
	Done    int    `json:"done"`
	Applies bool   `json:"applies"` // this router changes them; else it only plans
	Fault   string `json:"fault,omitempty"`
}

// AWSGroup is how an Auto Scaling group stands.
type AWSGroup struct {
	Name  string    `json:"name"`
	Size  string    `json:"size"`           // "wants 3, has 2, 1 starting"
	Short time.Time `json:"short,omitzero"` // since when it has fewer than it wants, for too long
}

// AWSForm is one kind of word that came.
type AWSForm struct {
	Name   string    `json:"name"`
	Result string    `json:"result"` // taken, unknown, unreadable
	Count  uint64    `json:"count"`
	Last   time.Time `json:"last"`
	Detail string    `json:"detail,omitempty"`
}
