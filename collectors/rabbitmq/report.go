package rabbitmq

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/check"
)

// report appends what is known now. What is not known is left out, never written as 0; what a rule compares over time
// (states, evidence, sides) is written as 0 as soon as it is over, so that no old value lingers.
func (r *collector) report(b *metric.Batch) error {
	now := r.env.Now()
	s := &r.seen
	out := output{b: b, cluster: s.cluster}
	if out.cluster == "" {
		out.cluster = "rabbitmq" // never learnt: the broker was down ever since we watch
	}
	if !r.watched() {
		return r.reportUnwatched(out, now)
	}
	r.judge(now)
	answers := answerOf(r.checks.metrics).spoke() || answerOf(r.checks.localAlarms).spoke()
	out.truth(descUp, answers)
	for _, st := range nodeStates {
		out.truth(descState, s.state == st, "state", string(st))
	}
	for _, ev := range evidenceWords {
		out.truth(descEvidence, slices.Contains(s.evidence, ev), "evidence", ev)
	}
	out.truth(descInOrder, s.state == stateDown && s.inOrder && answerOf(r.checks.unit) == answerOK)
	out.add(descStateAge, now.Sub(s.since).Seconds())
	out.add(descAppAgain, s.appRestarts)
	out.add(descVMAgain, s.vmRestarts)
	out.add(descInfo, 1, "broker", s.name, "version", s.version)
	if s.handling != "" {
		out.add(descHandling, 1, "handling", s.handling)
	}
	r.reportLooks(out)
	r.reportPlugin(out, now)
	r.reportCluster(out, now)
	r.reportVHosts(out, now)
	r.reportPeers(out, now)
	r.reportQueues(out, now)
	if r.trips != nil {
		r.trips.report(out)
	}
	for _, e := range s.events {
		b.Events = append(b.Events, metric.Event{
			Time: e.at, Title: fmt.Sprintf("RabbitMQ %s: %s, was %s", s.name, e.to, e.from), Text: e.text,
			Level: metric.Info, Key: "rabbitmq_state", Labels: metric.L("cluster", out.cluster),
		})
	}
	s.events = nil
	return r.blindness()
}

// blindness is the error of a Collect that saw nothing. A node that is down, paused or frozen was seen well enough.
func (r *collector) blindness() error {
	if r.seen.state != stateBlind {
		return nil
	}
	for _, c := range []*check.Check{r.checks.localAlarms, r.checks.metrics} {
		if a := answerOf(c); a != answerOK {
			return collectors.Blind(a.String(), fmt.Errorf("rabbitmq: %s", strings.Join(r.seen.evidence, ", ")))
		}
	}
	return nil
}

// Checks says which checks should answer and do not. Of a node that is down, paused, frozen or cut off its state tells
// that, and it is no blindness of ours.
func (r *collector) Checks() []collectors.CheckState {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.set.States(func(err error) string { return classify(err).String() })
	known := r.watched() && r.seen.state != stateRunning && r.seen.state != stateBlind
	for i, s := range out {
		if known || without(s.Name, s.Reason) {
			out[i].Since = time.Time{}
		}
	}
	return out
}

// mayLack are checks that not each version has: there are no mirrors since 4.0, and none of them before 3.8.10.
var mayLack = []string{"mirror_sync_critical", "quorum_critical", "alarms", "vhosts"}

// without says whether a check failed for this version not having it.
func without(check, reason string) bool {
	return reason == answerMissing.String() && slices.Contains(mayLack, check)
}

// Hidden says what a broker without statistics does not tell, and what is not asked where it would cost too much.
func (r *collector) Hidden() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	if r.seen.noStates() {
		out = append(out, "which connections are blocked or in flow: the broker keeps no statistics (management_agent.disable_metrics_collector)")
	}
	if r.checks.vhosts != nil && answerOf(r.checks.vhosts) == answerMissing {
		out = append(out, fmt.Sprintf("which vhosts are down on this node, and whether a queue lives by it alone: version %s has no health checks", cmp.Or(r.seen.version, "unknown")))
	}
	if r.seen.totalQueues > manyQueue || r.seen.queueStates.tooMany {
		out = append(out, fmt.Sprintf("which queues are down or without a majority: there are more than %d, and the list costs the broker too much", manyQueue))
	}
	var missing []string
	if r.checks.metrics.OK() {
		for name := range pluginFamilies {
			if _, ok := r.seen.plugin[name]; !ok {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		out = append(out, fmt.Sprintf("what version %s does not tell: %s", cmp.Or(r.seen.version, "unknown"), strings.Join(missing, ", ")))
	}
	return out
}

// reportUnwatched tells of a broker that was found and that nobody gave us credentials for.
func (r *collector) reportUnwatched(out output, now time.Time) error {
	if answerOf(r.checks.metrics) != answerOK && answerOf(r.checks.management) != answerOK {
		return fmt.Errorf("rabbitmq: %w", collectors.ErrAbsent)
	}
	out.add(descFound, 1)
	r.reportPlugin(out, now)
	return nil
}

// output appends to a batch with the label cluster.
type output struct {
	b       *metric.Batch
	cluster string
}

func (o output) add(d *metric.Desc, v float64, kv ...string) {
	o.b.Add(d, v, append([]string{"cluster", o.cluster}, kv...)...)
}

func (o output) truth(d *metric.Desc, v bool, kv ...string) {
	o.b.Bool(d, v, append([]string{"cluster", o.cluster}, kv...)...)
}

func (r *collector) reportLooks(out output) {
	for _, c := range r.set.All() {
		if !c.Done() || r.checks.ownSeries(c) || without(c.Name, answerOf(c).String()) {
			continue
		}
		out.truth(descProbeOK, c.OK(), "endpoint", c.Name)
		out.add(descProbeTime, c.Took().Seconds(), "endpoint", c.Name)
	}
	if r.seen.process.known {
		out.truth(descProc, r.seen.process.there)
	}
	for port, a := range r.seen.ports {
		out.truth(descPortOpen, a == answerOK, "port", port)
	}
}

func (r *collector) reportPlugin(out output, now time.Time) {
	told := map[string]bool{}
	if r.checks.metrics.Current(now) {
		for name, v := range r.seen.plugin {
			if resource, alarm := alarmFamilies[name]; alarm {
				out.add(descAlarm, v, "resource", resource)
				told[resource] = true
			} else {
				out.add(pluginFamilies[name], v)
			}
		}
	}
	if r.checks.localAlarms == nil || !r.checks.localAlarms.Current(now) {
		return
	}
	for resource, on := range r.seen.alarms {
		if !told[resource] {
			out.truth(descAlarm, on, "resource", resource)
		}
	}
}

// reportCluster tells how this node sees the cluster.
func (r *collector) reportCluster(out output, now time.Time) {
	s := &r.seen
	serves := s.state == stateRunning || s.state == stateSuspected || s.state == stateBlind // to one of the two plugins only
	if len(s.peers) > 0 || s.nodes != nil || s.recalled {
		out.add(descExpected, float64(len(s.peers)+1))
	}
	side := ""
	if r.checks.nodes.Current(now) && serves && s.name != "" {
		running := 0
		for _, n := range s.nodes {
			if n.runs() {
				running++
			}
			if n.Name == s.name && n.Partitions.at != nil {
				out.add(descSplit, float64(len(*n.Partitions.at)))
			}
		}
		out.add(descSeenUp, float64(running))
		out.add(descUnlisted, float64(s.unlisted()))
		if !s.elected() {
			s.kept.unelected(now)
		}
		side = s.side()
	}
	r.reportView(out, side)
	if r.checks.quorumCritical.Current(now) {
		out.truth(descQuorumCrit, s.quorumCritical)
	}
	if r.checks.mirrorCritical.Current(now) {
		out.truth(descMirrorCrit, s.mirrorCritical)
	}
	if r.checks.overview.Current(now) && s.overview.Lag.at != nil {
		out.add(descLag, *s.overview.Lag.at)
	}
	if r.checks.connections.Current(now) && !s.noStates() {
		for state, n := range s.connections {
			out.add(descConnState, float64(n), "state", state)
		}
	}
	if r.checks.connections.Current(now) {
		for _, c := range s.connectionsFrom {
			out.add(descConnFrom, float64(c.n), "client", c.host, "user", c.user)
		}
	}
}

// reportVHosts tells the vhosts that are down on this node, and which of those that should be there the cluster has. Names are bounded, as all that an answer can make a label of.
func (r *collector) reportVHosts(out output, now time.Time) {
	if r.checks.vhosts.Current(now) {
		down := r.seen.vhostsDown
		out.add(descVHostsDown, float64(len(down)))
		for _, name := range down[:min(len(down), maxVHosts)] {
			name = strings.ToValidUTF8(name[:min(len(name), maxVHostName)], "")
			out.add(descVHostDown, 1, "vhost", name)
		}
	}
	if !r.checks.vhostList.Current(now) {
		return
	}
	for _, name := range r.seen.kept.expectedVHosts() {
		out.truth(descVHostIs, r.seen.kept.hasVHost(name), "vhost", name)
	}
}

// viewsKept is how many former sides are told as 0.
const viewsKept = 4

// reportView tells the side that this node sees itself on, and those of before as 0.
func (r *collector) reportView(out output, side string) {
	s := &r.seen
	if side != "" {
		s.views = slices.DeleteFunc(s.views, func(v string) bool { return v == side })
		s.views = append(s.views, side)
		if len(s.views) > viewsKept {
			s.views = s.views[1:]
		}
	}
	for _, v := range s.views {
		out.truth(descView, v == side, "side", v)
	}
}

func (r *collector) reportPeers(out output, now time.Time) {
	s := &r.seen
	nodes, plugin := r.checks.nodes.Current(now), r.checks.metrics.Current(now)
	links := s.linkBytes()
	reachable := 1
	for _, name := range s.peerNames() {
		p := s.peers[name]
		who := []string{"broker", s.name, "peer", name}
		if nodes {
			out.truth(descPeerRuns, s.sees(name), who...)
			if l, ok := links[name]; ok && l.Recv.at != nil && l.Send.at != nil {
				out.add(descPeerBytes, *l.Recv.at, append(who, "direction", "in")...)
				out.add(descPeerBytes, *l.Send.at, append(who, "direction", "out")...)
			}
		}
		if plugin {
			out.truth(descPeerLink, s.links[name] == 3, who...) // 3: up; 1 and 2: trying; absent between tries
			out.add(descDistQueue, s.distQueue[name], who...)
		}
		if p.tcp == answerUnasked {
			continue
		}
		up := p.tcp != answerSilent
		if up {
			reachable++
		}
		out.truth(descPeerTCP, up, who...)
		silent := 0.0
		if !p.silentAt.IsZero() {
			silent = now.Sub(p.silentAt).Seconds()
		}
		out.add(descPeerSilent, silent, who...)
		if tick := s.plugin["rabbitmq_erlang_net_ticktime_seconds"]; silent > 0 && tick > 0 && !(nodes && !s.sees(name)) {
			out.add(descPeerDown, max(0, tick-silent), who...)
		}
	}
	if s.ports != nil {
		out.add(descReachable, float64(reachable))
	}
}

func (s *brokerSeen) linkBytes() map[string]nodeLink {
	out := map[string]nodeLink{}
	for _, n := range s.nodes {
		if n.Name == s.name {
			for _, l := range n.Links {
				out[l.Name] = l
			}
		}
	}
	return out
}

func (r *collector) reportQueues(out output, now time.Time) {
	s := &r.seen
	if r.checks.queueMetrics.Current(now) {
		for _, q := range s.queues.top {
			of := []string{"vhost", q.vhost, "queue", q.name}
			out.add(descQReady, q.ready, of...)
			out.add(descQUnacked, q.unacked, of...)
			out.add(descQConsumers, q.consumers, of...)
			out.add(descQAge, q.age(now).Seconds(), of...)
			if r.wantsQueue(&q) {
				out.add(descQWatched, 1, of...)
			}
		}
		for i, q := range r.opt.Queues {
			if i < len(s.queues.present) {
				out.truth(descQPresent, s.queues.present[i], "vhost", cmp.Or(q.VHost, "/"), "queue", q.Name)
			}
		}
		out.add(descQRest, s.queues.restReady)
		out.add(descQUnread, float64(s.queues.growingUnread))
		out.add(descQIdle, float64(s.queues.withoutConsumer))
	}
	r.reportQueueList(out, now)
	for i, x := range r.opt.Exchanges {
		if a := answerOf(r.checks.exchanges[i]); a == answerMissing || a == answerOK {
			out.truth(descExPresent, a == answerOK, x.labels()...)
		}
		if !r.checks.exchanges[i].Current(now) {
			continue
		}
		of := x.labels()
		seen := s.exchanges[i]
		if seen.In.at != nil {
			out.add(descExIn, *seen.In.at, of...)
		}
		if seen.Out.at != nil {
			out.add(descExOut, *seen.Out.at, of...)
		}
		out.add(descExBindings, float64(seen.Bindings), of...)
		if x.Consumers > 0 {
			out.add(descExExpected, float64(x.Consumers), of...)
		}
	}
}

// reportQueueList tells what only the list of all queues says, and which of those that stood there do not any more.
func (r *collector) reportQueueList(out output, now time.Time) {
	s := &r.seen
	if !r.checks.queues.Current(now) || s.queueStates.tooMany {
		return
	}
	named := func(d *metric.Desc, q namedQueues) {
		for _, name := range q.first {
			out.add(d, 1, "vhost", name.vhost, "queue", name.name)
		}
	}
	if s.queueStates.unknown == 0 || s.queueStates.noMajority.n > 0 {
		out.add(descNoMajority, float64(s.queueStates.noMajority.n))
	}
	named(descQNoMajOne, s.queueStates.noMajority)
	out.add(descQueuesDown, float64(s.queueStates.down.n))
	named(descQDownOne, s.queueStates.down)
	out.add(descUnsynced, float64(s.queueStates.unsynchronised))
	missing, kept := s.kept.missing()
	out.add(descQGone, float64(missing.n))
	out.add(descQKept, float64(kept))
	named(descQGoneOne, missing)
}
