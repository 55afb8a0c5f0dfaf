package collectors

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// Deadlines of one request, by what it has to ask. Measured on 3.10.8, November 2026: the local node answers in
// milliseconds even in a cut; what it gathers from all nodes hangs until the cut is noticed, 45 to 75 s.
const (
	rabbitmqTCPDeadline     = time.Second
	rabbitmqLocalDeadline   = 2 * time.Second
	rabbitmqClusterDeadline = 5 * time.Second
	rabbitmqListDeadline    = 20 * time.Second

	rabbitmqAuthWait = time.Minute // after a 401: the broker counts failed attempts

	// A list rests at least this many times as long as it took: it costs the broker. What only tells states does not:
	// when that is slow there is trouble, and the next answer is wanted soon.
	rabbitmqDuty    = 20
	rabbitmqMaxWait = 10 * time.Minute

	rabbitmqManyQueue = 1000 // above it lists of all queues cost the broker over a second
)

// rabbitmqLook is one thing to look at: what it asks, how often, and how the last look ended. The fields
// below last are guarded by rabbitmq.mu.
type rabbitmqLook struct {
	name     string // label endpoint
	list     bool   // grows with queues or connections
	cluster  bool   // asks every node of the cluster, so a cut makes it hang
	every    time.Duration
	deadline time.Duration
	do       func(context.Context) (keep func(), err error) // keep runs under the lock when err is nil
	skip     func() bool                                    // under the lock: nothing to do now; may be nil

	last   rabbitmqAnswer
	silent time.Time // since when no request was answered; zero when the last one was
	okAt   time.Time
	took   time.Duration
	wait   time.Duration
	done   bool // at least one look ended
}

// take looks once and returns how long to rest.
func (r *rabbitmq) take(ctx context.Context, l *rabbitmqLook) time.Duration {
	begin := r.env.Now()
	r.mu.Lock()
	if l.skip != nil && l.skip() {
		l.done, l.last = false, rabbitmqUnasked
		r.mu.Unlock()
		return l.every
	}
	if l.silent.IsZero() {
		l.silent = begin
	}
	r.mu.Unlock()

	look, cancel := context.WithTimeout(ctx, l.deadline)
	keep, err := l.do(look)
	cancel()

	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.env.Now()
	l.took, l.done = now.Sub(begin), true
	l.last = rabbitmqClassify(err)
	if l.last != rabbitmqSilent {
		l.silent = time.Time{}
	}
	var refusal *rabbitmqError
	if errors.As(err, &refusal) && refusal.answer == rabbitmqDenied {
		r.seen.denied = refusal.reason
	}
	if err == nil {
		l.okAt = now
		keep()
	} else if ctx.Err() != nil {
		return 0
	}
	l.wait = l.every
	switch {
	case l.last == rabbitmqDenied:
		l.wait = max(l.wait, rabbitmqAuthWait)
	case err == nil && l.list:
		l.wait = max(l.wait, min(rabbitmqDuty*l.took, rabbitmqMaxWait))
	}
	return max(l.wait-l.took, l.wait/4)
}

// current says whether what the look found is good for now: it ended well, not too long ago.
func (l *rabbitmqLook) current(now time.Time) bool {
	return l.done && l.last == rabbitmqOK && now.Sub(l.okAt) <= 2*l.wait+l.deadline
}

// silence is how long the node has let our requests wait.
func (l *rabbitmqLook) silence(now time.Time) time.Duration {
	if l.silent.IsZero() {
		return 0
	}
	return now.Sub(l.silent)
}

// rabbitmqAnswer is how a look ended.
type rabbitmqAnswer uint8

const (
	rabbitmqUnasked rabbitmqAnswer = iota
	rabbitmqOK
	rabbitmqRefused // nothing listens
	rabbitmqSilent  // no answer in time
	rabbitmqDenied  // 401 or 403
	rabbitmqBroken  // reset, 5xx, or not what was asked for
	rabbitmqMissing // 404: no such thing there
)

var rabbitmqAnswerWord = [...]string{"unasked", "ok", "connect", "timeout", "auth", "http", "missing"}

func (a rabbitmqAnswer) String() string { return rabbitmqAnswerWord[a] }

// spoke says whether there was an answer of any kind.
func (a rabbitmqAnswer) spoke() bool {
	return a == rabbitmqOK || a == rabbitmqDenied || a == rabbitmqBroken || a == rabbitmqMissing
}

func rabbitmqClassify(err error) rabbitmqAnswer {
	var h *rabbitmqError
	switch {
	case err == nil:
		return rabbitmqOK
	case errors.As(err, &h):
		return h.answer
	}
	return rabbitmqBroken
}

func (r *rabbitmq) unwatchedLooks() []*rabbitmqLook {
	return []*rabbitmqLook{
		{name: "metrics", every: r.opt.SlowEvery, deadline: rabbitmqLocalDeadline, do: r.lookMetrics},
		{name: "management", every: r.opt.SlowEvery, deadline: rabbitmqLocalDeadline, do: r.lookRealm},
	}
}

// allLooks are the looks at a node that we have credentials for, cheapest evidence first.
func (r *rabbitmq) allLooks() []*rabbitmqLook {
	o := r.opt
	s := &r.seen
	looks := []*rabbitmqLook{
		{name: "process", every: o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookProcess},
		{name: "ports", every: o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookPorts},
		{
			name: "peers", every: o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookPeers,
			skip: func() bool { return len(s.peers) == 0 },
		},
		{name: "metrics", every: o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookMetrics},
		{name: "local_alarms", every: o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookCheck("local-alarms", nil)},
		{name: "alarms", every: o.SlowEvery, deadline: rabbitmqLocalDeadline, do: r.lookCheck("alarms", nil)},
		{name: "vhosts", every: o.SlowEvery, deadline: rabbitmqLocalDeadline, do: r.lookVHosts},
		{name: "nodes", cluster: true, every: o.ClusterEvery, deadline: rabbitmqClusterDeadline, do: r.lookNodes},
		{name: "overview", cluster: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline, do: r.lookOverview},
		{
			name: "quorum_critical", cluster: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline,
			do: r.lookCheck("node-is-quorum-critical", &s.quorumCritical),
		},
		{
			name: "mirror_sync_critical", cluster: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline,
			do: r.lookCheck("node-is-mirror-sync-critical", &s.mirrorCritical),
		},
		{name: "connections", list: true, cluster: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline, do: r.lookConnections},
		{
			name: "unit", every: 2 * o.LocalEvery, deadline: rabbitmqLocalDeadline, do: r.lookUnit,
			skip: func() bool { return s.state != rabbitmqDown || len(o.Unit) == 0 },
		},
		{
			name: "config", every: 4 * o.SlowEvery, deadline: rabbitmqLocalDeadline, do: r.lookConfig,
			skip: func() bool { return len(o.Config) == 0 || !r.localHost() },
		},
		{name: "queue_metrics", list: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline, do: r.lookQueues},
		{
			name: "queues", list: true, cluster: true, every: 4 * o.SlowEvery, deadline: rabbitmqListDeadline, do: r.lookQueueStates,
			skip: func() bool { return !s.elected() || s.totalQueues < 0 || s.totalQueues > rabbitmqManyQueue },
		},
	}
	for i, x := range o.Exchanges {
		looks = append(looks, &rabbitmqLook{
			name: "exchange_" + x.Name, cluster: true, every: o.SlowEvery, deadline: rabbitmqClusterDeadline,
			do:   func(ctx context.Context) (func(), error) { return r.lookExchange(ctx, i) },
			skip: func() bool { return !s.elected() },
		})
	}
	return looks
}

// look returns the look of that name; there is one.
func (r *rabbitmq) look(name string) *rabbitmqLook {
	for _, l := range r.looks {
		if l.name == name {
			return l
		}
	}
	return &rabbitmqLook{}
}

func (r *rabbitmq) api(path string) string { return r.opt.URL + "/api/" + path }

// vhostPath is "vhost/name" as the API wants it in a path.
func vhostPath(vhost, name string) string {
	if vhost == "" {
		vhost = "/"
	}
	return url.PathEscape(vhost) + "/" + url.PathEscape(name)
}
