package rabbitmq

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// Deadlines of one request, by what it has to ask. Measured on 3.10.8, November 2026: the local node answers in
// milliseconds even in a cut; what it gathers from all nodes hangs until the cut is noticed, 45 to 75 s.
const (
	tcpDeadline     = time.Second
	localDeadline   = 2 * time.Second
	clusterDeadline = 5 * time.Second
	listDeadline    = 20 * time.Second

	authWait = time.Minute // after a 401: the broker counts failed attempts

	// A list rests at least this many times as long as it took: it costs the broker. What only tells states does not:
	// when that is slow there is trouble, and the next answer is wanted soon.
	duty    = 20
	maxWait = 10 * time.Minute

	manyQueue = 1000 // above it lists of all queues cost the broker over a second
)

// check is one thing to look at: what it asks, how often, and how the last look ended. The fields
// below last are guarded by collector.mu.
type check struct {
	name     string // label endpoint
	list     bool   // grows with queues or connections
	cluster  bool   // asks every node of the cluster, so a cut makes it hang
	every    time.Duration
	deadline time.Duration
	do       func(context.Context) (keep func(), err error) // keep runs under the lock when err is nil
	skip     func() bool                                    // under the lock: nothing to do now; may be nil

	last   answer
	silent time.Time // since when no request was answered; zero when the last one was
	okAt   time.Time
	took   time.Duration
	wait   time.Duration
	done   bool // at least one look ended
}

// take looks once and returns how long to rest.
func (r *collector) take(ctx context.Context, l *check) time.Duration {
	begin := r.env.Now()
	r.mu.Lock()
	if l.skip != nil && l.skip() {
		l.done, l.last = false, answerUnasked
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
	l.last = classify(err)
	if l.last != answerSilent {
		l.silent = time.Time{}
	}
	var refusal *requestError
	if errors.As(err, &refusal) && refusal.answer == answerDenied {
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
	case l.last == answerDenied:
		l.wait = max(l.wait, authWait)
	case err == nil && l.list:
		l.wait = max(l.wait, min(duty*l.took, maxWait))
	}
	return max(l.wait-l.took, l.wait/4)
}

// current says whether what the look found is good for now: it ended well, not too long ago.
func (l *check) current(now time.Time) bool {
	return l.done && l.last == answerOK && now.Sub(l.okAt) <= 2*l.wait+l.deadline
}

// silence is how long the node has let our requests wait.
func (l *check) silence(now time.Time) time.Duration {
	if l.silent.IsZero() {
		return 0
	}
	return now.Sub(l.silent)
}

// answer is how a look ended.
type answer uint8

const (
	answerUnasked answer = iota
	answerOK
	answerRefused // nothing listens
	answerSilent  // no answer in time
	answerDenied  // 401 or 403
	answerBroken  // reset, 5xx, or not what was asked for
	answerMissing // 404: no such thing there
)

var answerWords = [...]string{"unasked", "ok", "connect", "timeout", "auth", "http", "missing"}

func (a answer) String() string { return answerWords[a] }

// spoke says whether there was an answer of any kind.
func (a answer) spoke() bool {
	return a == answerOK || a == answerDenied || a == answerBroken || a == answerMissing
}

func classify(err error) answer {
	var h *requestError
	switch {
	case err == nil:
		return answerOK
	case errors.As(err, &h):
		return h.answer
	}
	return answerBroken
}

func (r *collector) unwatchedLooks() []*check {
	return []*check{
		{name: "metrics", every: r.opt.SlowEvery, deadline: localDeadline, do: r.lookMetrics},
		{name: "management", every: r.opt.SlowEvery, deadline: localDeadline, do: r.lookRealm},
	}
}

// allLooks are the looks at a node that we have credentials for, cheapest evidence first.
func (r *collector) allLooks() []*check {
	o := r.opt
	s := &r.seen
	looks := []*check{
		{name: "process", every: o.LocalEvery, deadline: localDeadline, do: r.lookProcess},
		{name: "ports", every: o.LocalEvery, deadline: localDeadline, do: r.lookPorts},
		{
			name: "peers", every: o.LocalEvery, deadline: localDeadline, do: r.lookPeers,
			skip: func() bool { return len(s.peers) == 0 },
		},
		{name: "metrics", every: o.LocalEvery, deadline: localDeadline, do: r.lookMetrics},
		{name: "local_alarms", every: o.LocalEvery, deadline: localDeadline, do: r.lookCheck("local-alarms", nil)},
		{name: "alarms", every: o.SlowEvery, deadline: localDeadline, do: r.lookCheck("alarms", nil)},
		{name: "vhosts", every: o.SlowEvery, deadline: localDeadline, do: r.lookVHosts},
		{name: "nodes", cluster: true, every: o.ClusterEvery, deadline: clusterDeadline, do: r.lookNodes},
		{name: "overview", cluster: true, every: o.SlowEvery, deadline: clusterDeadline, do: r.lookOverview},
		{
			name: "quorum_critical", cluster: true, every: o.SlowEvery, deadline: clusterDeadline,
			do: r.lookCheck("node-is-quorum-critical", &s.quorumCritical),
		},
		{
			name: "mirror_sync_critical", cluster: true, every: o.SlowEvery, deadline: clusterDeadline,
			do: r.lookCheck("node-is-mirror-sync-critical", &s.mirrorCritical),
		},
		{name: "connections", list: true, cluster: true, every: o.SlowEvery, deadline: clusterDeadline, do: r.lookConnections},
		{
			name: "unit", every: 2 * o.LocalEvery, deadline: localDeadline, do: r.lookUnit,
			skip: func() bool { return s.state != stateDown || len(o.Unit) == 0 },
		},
		{
			name: "config", every: 4 * o.SlowEvery, deadline: localDeadline, do: r.lookConfig,
			skip: func() bool { return len(o.Config) == 0 || !r.localHost() },
		},
		{name: "queue_metrics", list: true, every: o.SlowEvery, deadline: clusterDeadline, do: r.lookQueues},
		{
			name: "queues", list: true, cluster: true, every: 4 * o.SlowEvery, deadline: listDeadline, do: r.lookQueueStates,
			skip: func() bool { return !s.elected() || s.totalQueues < 0 || s.totalQueues > manyQueue },
		},
	}
	for i, x := range o.Exchanges {
		looks = append(looks, &check{
			name: "exchange_" + x.Name, cluster: true, every: o.SlowEvery, deadline: clusterDeadline,
			do:   func(ctx context.Context) (func(), error) { return r.lookExchange(ctx, i) },
			skip: func() bool { return !s.elected() },
		})
	}
	return looks
}

// look returns the look of that name; there is one.
func (r *collector) look(name string) *check {
	for _, l := range r.looks {
		if l.name == name {
			return l
		}
	}
	return &check{}
}

func (r *collector) api(path string) string { return r.opt.URL + "/api/" + path }

// vhostPath is "vhost/name" as the API wants it in a path.
func vhostPath(vhost, name string) string {
	if vhost == "" {
		vhost = "/"
	}
	return url.PathEscape(vhost) + "/" + url.PathEscape(name)
}
