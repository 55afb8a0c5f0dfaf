package rabbitmq

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/collectors/check"
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

// answer is how a check ended.
type answer uint8

const (
	answerUnasked answer = iota
	answerOK
	answerRefused // nothing listens
	answerSilent  // no answer in time
	answerDenied  // 401 or 403
	answerBroken  // reset, 5xx, or not what was asked for
	answerMissing // 404: no such thing there
	answerTLS     // the handshake failed: whoever answers is not trusted, or speaks no TLS
)

var answerWords = [...]string{"unasked", "ok", "connect", "timeout", "auth", "http", "missing", "tls"}

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

// answerOf is how the last run of a check ended.
func answerOf(c *check.Check) answer {
	if c == nil || !c.Done() {
		return answerUnasked
	}
	return classify(c.Err())
}

// checks are all that is asked of a node; those that its collector does not run are nil.
type checks struct {
	process, ports, peers, metrics, management, localAlarms, alarms, vhosts, vhostList *check.Check
	nodes, overview, quorumCritical, mirrorCritical, connections                       *check.Check
	unit, config, queueMetrics, queues                                                 *check.Check
	exchanges                                                                          []*check.Check // as in the options
}

// order is cheapest evidence first.
func (k checks) order() []*check.Check {
	return append([]*check.Check{
		k.process, k.ports, k.peers, k.metrics, k.management, k.localAlarms, k.alarms, k.vhosts, k.vhostList, k.nodes, k.overview,
		k.quorumCritical, k.mirrorCritical, k.connections, k.unit, k.config, k.queueMetrics, k.queues,
	}, k.exchanges...)
}

// ownSeries reports whether what a check finds is told by series of its own, and not as an endpoint.
func (k checks) ownSeries(c *check.Check) bool {
	return c == k.process || c == k.ports || c == k.peers || c == k.unit || c == k.vhostList
}

// rest is how long to wait after a run: longer after a 401, and after a list.
func rest(every time.Duration, list bool) func(time.Duration, error) time.Duration {
	return func(took time.Duration, err error) time.Duration {
		switch {
		case classify(err) == answerDenied:
			return max(every, authWait)
		case err == nil && list:
			return max(every, min(duty*took, maxWait))
		}
		return every
	}
}

// local makes a check that the node answers by itself.
func local(name string, every time.Duration, do func(context.Context) (func(), error)) *check.Check {
	return &check.Check{Name: name, Every: every, Deadline: localDeadline, Do: do, Rest: rest(every, false), Prompt: true}
}

// clusterWide makes a check that asks every node of the cluster, so that a cut makes it hang.
func clusterWide(name string, every time.Duration, do func(context.Context) (func(), error)) *check.Check {
	return &check.Check{Name: name, Every: every, Deadline: clusterDeadline, Do: do, Rest: rest(every, false)}
}

// costly is a check whose answer grows with queues or connections.
func costly(c *check.Check) *check.Check {
	c.Rest = rest(c.Every, true)
	return c
}

// unless lets a check run only where skip does not hold.
func unless(skip func() bool, c *check.Check) *check.Check {
	c.Skip = skip
	return c
}

// unwatchedChecks are what can be asked without credentials.
func (r *collector) unwatchedChecks() checks {
	return checks{
		metrics:    local("metrics", r.opt.SlowEvery, r.askMetrics),
		management: local("management", r.opt.SlowEvery, r.askRealm),
	}
}

// allChecks are the checks of a node that we have credentials for.
func (r *collector) allChecks() checks {
	o := r.opt
	s := &r.seen
	k := checks{
		process:        local("process", o.LocalEvery, r.askProcess),
		ports:          local("ports", o.LocalEvery, r.askPorts),
		peers:          unless(func() bool { return len(s.peers) == 0 }, local("peers", o.LocalEvery, r.askPeers)),
		metrics:        local("metrics", o.LocalEvery, r.askMetrics),
		localAlarms:    local("local_alarms", o.LocalEvery, r.askLocalAlarms),
		alarms:         local("alarms", o.SlowEvery, r.askCheck("alarms", nil)),
		vhosts:         local("vhosts", o.SlowEvery, r.askVHosts),
		vhostList:      costly(clusterWide("vhost_list", o.SlowEvery, r.askVHostList)), // each with its state on all nodes
		nodes:          clusterWide("nodes", o.ClusterEvery, r.askNodes),
		overview:       clusterWide("overview", o.SlowEvery, r.askOverview),
		quorumCritical: clusterWide("quorum_critical", o.SlowEvery, r.askCheck("node-is-quorum-critical", &s.quorumCritical)),
		mirrorCritical: clusterWide("mirror_sync_critical", o.SlowEvery, r.askCheck("node-is-mirror-sync-critical", &s.mirrorCritical)),
		connections:    costly(clusterWide("connections", o.SlowEvery, r.askConnections)),
		unit: unless(func() bool { return s.state != stateDown || len(o.Unit) == 0 },
			local("unit", 2*o.LocalEvery, r.askUnit)),
		config: unless(func() bool { return len(o.Config) == 0 || !r.localHost() },
			local("config", 4*o.SlowEvery, r.askConfig)),
		queues: unless(func() bool { return !s.elected() || s.totalQueues > manyQueue || !s.overviewTold },
			costly(clusterWide("queues", 4*o.SlowEvery, r.askQueueStates))),
	}
	k.queueMetrics = costly(local("queue_metrics", o.SlowEvery, r.askQueues))
	k.queueMetrics.Deadline = clusterDeadline
	k.queues.Deadline = listDeadline
	for i, x := range o.Exchanges {
		k.exchanges = append(k.exchanges, unless(func() bool { return !s.elected() },
			clusterWide("exchange_"+x.label(), o.SlowEvery, func(ctx context.Context) (func(), error) { return r.askExchange(ctx, i) })))
	}
	return k
}

func (r *collector) api(path string) string { return r.opt.URL + "/api/" + path }

// vhostPath is "vhost/name" as the API wants it in a path.
func vhostPath(vhost, name string) string {
	if vhost == "" {
		vhost = "/"
	}
	return url.PathEscape(vhost) + "/" + url.PathEscape(name)
}
