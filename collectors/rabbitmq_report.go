package collectors

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// report appends what is known now. What is not known is left out, never written as 0; what a rule compares over time
// (states, evidence, sides) is written as 0 as soon as it is over, so that no old value lingers.
func (r *rabbitmq) report(b *metric.Batch) error {
	now := r.env.Now()
	s := &r.seen
	out := rabbitmqOut{b: b, cluster: s.cluster}
	if out.cluster == "" {
		out.cluster = "rabbitmq" // never learnt: the broker was down ever since we look
	}
	if !r.watched() {
		return r.reportUnwatched(out, now)
	}
	r.judge(now)
	answers := r.look("metrics").last.spoke() || r.look("local_alarms").last.spoke()
	out.truth(rabbitmqUp, answers)
	for _, st := range rabbitmqStates {
		out.truth(rabbitmqStateDesc, s.state == st, "state", string(st))
	}
	for _, ev := range rabbitmqEvidences {
		out.truth(rabbitmqEvidence, slices.Contains(s.evidence, ev), "evidence", ev)
	}
	out.truth(rabbitmqInOrder, s.state == rabbitmqDown && s.inOrder && r.look("unit").last == rabbitmqOK)
	out.add(rabbitmqStateAge, now.Sub(s.since).Seconds())
	out.add(rabbitmqAppAgain, s.appRestarts)
	out.add(rabbitmqVMAgain, s.vmRestarts)
	out.add(rabbitmqInfo, 1, "broker", s.name, "version", s.version)
	if s.handling != "" {
		out.add(rabbitmqHandling, 1, "handling", s.handling)
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

// blindness is the error of a Collect that could not look. A node that is down, paused or frozen was seen well enough.
func (r *rabbitmq) blindness() error {
	if r.seen.state != rabbitmqBlind {
		return nil
	}
	for _, name := range []string{"local_alarms", "metrics"} {
		if l := r.look(name); l.last != rabbitmqOK {
			reason := l.last.String()
			return Blind(reason, fmt.Errorf("rabbitmq: %s", strings.Join(r.seen.evidence, ", ")))
		}
	}
	return nil
}

// reportUnwatched tells of a broker that was found and that nobody gave us credentials for.
func (r *rabbitmq) reportUnwatched(out rabbitmqOut, now time.Time) error {
	if r.look("metrics").last != rabbitmqOK && r.look("management").last != rabbitmqOK {
		return fmt.Errorf("rabbitmq: %w", ErrAbsent)
	}
	out.add(rabbitmqFound, 1)
	r.reportPlugin(out, now)
	return nil
}

// rabbitmqOut appends to a batch with the label cluster.
type rabbitmqOut struct {
	b       *metric.Batch
	cluster string
}

func (o rabbitmqOut) add(d *metric.Desc, v float64, kv ...string) {
	o.b.Add(d, v, append([]string{"cluster", o.cluster}, kv...)...)
}

func (o rabbitmqOut) truth(d *metric.Desc, v bool, kv ...string) {
	o.b.Bool(d, v, append([]string{"cluster", o.cluster}, kv...)...)
}

func (r *rabbitmq) reportLooks(out rabbitmqOut) {
	for _, l := range r.looks {
		if !l.done || l.name == "process" || l.name == "unit" || l.name == "ports" || l.name == "peers" {
			continue
		}
		out.truth(rabbitmqProbeOK, l.last == rabbitmqOK, "endpoint", l.name)
		out.add(rabbitmqProbeTime, l.took.Seconds(), "endpoint", l.name)
	}
	if r.seen.process.known {
		out.truth(rabbitmqProc, r.seen.process.there)
	}
	for port, a := range r.seen.ports {
		out.truth(rabbitmqPortOpen, a == rabbitmqOK, "port", port)
	}
}

func (r *rabbitmq) reportPlugin(out rabbitmqOut, now time.Time) {
	if !r.look("metrics").current(now) {
		return
	}
	for name, v := range r.seen.plugin {
		if resource, alarm := rabbitmqAlarms[name]; alarm {
			out.add(rabbitmqAlarm, v, "resource", resource)
		} else {
			out.add(rabbitmqPlugin[name], v)
		}
	}
}

// reportCluster tells how this node sees the cluster.
func (r *rabbitmq) reportCluster(out rabbitmqOut, now time.Time) {
	s := &r.seen
	serves := s.state == rabbitmqRunning || s.state == rabbitmqSuspected
	if len(s.peers) > 0 || s.nodes != nil || s.recalled {
		out.add(rabbitmqExpected, float64(len(s.peers)+1))
	}
	side := ""
	if r.look("nodes").current(now) && serves && s.name != "" {
		running, split := 0, 0
		for _, n := range s.nodes {
			if n.runs() {
				running++
			}
			if n.Name == s.name {
				split = len(n.Partitions)
			}
		}
		out.add(rabbitmqSeenUp, float64(running))
		out.add(rabbitmqSplit, float64(split))
		side = s.side()
	}
	r.reportView(out, side)
	for d, name := range map[*metric.Desc]string{rabbitmqQuorumCrit: "quorum_critical", rabbitmqMirrorCrit: "mirror_sync_critical"} {
		if r.look(name).current(now) {
			out.truth(d, name == "quorum_critical" && s.quorumCritical || name == "mirror_sync_critical" && s.mirrorCritical)
		}
	}
	if r.look("overview").current(now) && s.overview.Lag != nil {
		out.add(rabbitmqLag, *s.overview.Lag)
	}
	if r.look("connections").current(now) {
		for state, n := range s.connections {
			out.add(rabbitmqConnState, float64(n), "state", state)
		}
	}
}

// reportVHosts tells the vhosts that are down on this node. Names are bounded, as all that an answer can make a label of.
func (r *rabbitmq) reportVHosts(out rabbitmqOut, now time.Time) {
	if !r.look("vhosts").current(now) {
		return
	}
	down := r.seen.vhostsDown
	out.add(rabbitmqVHostsDown, float64(len(down)))
	for _, name := range down[:min(len(down), rabbitmqMaxVHosts)] {
		name = strings.ToValidUTF8(name[:min(len(name), rabbitmqMaxVHostName)], "")
		out.add(rabbitmqVHostDown, 1, "vhost", name)
	}
}

// rabbitmqViews is how many former sides are told as 0.
const rabbitmqViews = 4

// reportView tells the side that this node sees itself on, and those of before as 0.
func (r *rabbitmq) reportView(out rabbitmqOut, side string) {
	s := &r.seen
	if side != "" {
		s.views = slices.DeleteFunc(s.views, func(v string) bool { return v == side })
		s.views = append(s.views, side)
		if len(s.views) > rabbitmqViews {
			s.views = s.views[1:]
		}
	}
	for _, v := range s.views {
		out.truth(rabbitmqView, v == side, "side", v)
	}
}

func (r *rabbitmq) reportPeers(out rabbitmqOut, now time.Time) {
	s := &r.seen
	nodes, plugin := r.look("nodes").current(now), r.look("metrics").current(now)
	links := s.linkBytes()
	reachable := 1
	for _, name := range s.peerNames() {
		p := s.peers[name]
		who := []string{"broker", s.name, "peer", name}
		if nodes {
			out.truth(rabbitmqPeerRuns, s.sees(name), who...)
			if l, ok := links[name]; ok && l.Recv != nil && l.Send != nil {
				out.add(rabbitmqPeerBytes, *l.Recv, append(who, "direction", "in")...)
				out.add(rabbitmqPeerBytes, *l.Send, append(who, "direction", "out")...)
			}
		}
		if plugin {
			out.truth(rabbitmqPeerLink, s.links[name] == 3, who...) // 3: up; 1 and 2: trying; absent between tries
			out.add(rabbitmqDistQueue, s.distQueue[name], who...)
		}
		if p.tcp == rabbitmqUnasked {
			continue
		}
		up := p.tcp != rabbitmqSilent
		if up {
			reachable++
		}
		out.truth(rabbitmqPeerTCP, up, who...)
		silent := 0.0
		if !p.silentAt.IsZero() {
			silent = now.Sub(p.silentAt).Seconds()
		}
		out.add(rabbitmqPeerSilent, silent, who...)
		if tick := s.plugin["rabbitmq_erlang_net_ticktime_seconds"]; silent > 0 && tick > 0 && !(nodes && !s.sees(name)) {
			out.add(rabbitmqPeerDown, max(0, tick-silent), who...)
		}
	}
	if s.ports != nil {
		out.add(rabbitmqReachable, float64(reachable))
	}
}

func (s *rabbitmqSeen) linkBytes() map[string]rabbitmqLink {
	out := map[string]rabbitmqLink{}
	for _, n := range s.nodes {
		if n.Name == s.name {
			for _, l := range n.Links {
				out[l.Name] = l
			}
		}
	}
	return out
}

func (r *rabbitmq) reportQueues(out rabbitmqOut, now time.Time) {
	s := &r.seen
	if r.look("queue_metrics").current(now) {
		for _, q := range s.queues.top {
			of := []string{"vhost", q.vhost, "queue", q.name}
			out.add(rabbitmqQReady, q.ready, of...)
			out.add(rabbitmqQUnacked, q.unacked, of...)
			out.add(rabbitmqQConsumers, q.consumers, of...)
			if r.wantsQueue(&q) {
				out.add(rabbitmqQWatched, 1, of...)
			}
		}
		out.add(rabbitmqQRest, s.queues.restReady)
		out.add(rabbitmqQUnread, float64(s.queues.growingUnread))
		out.add(rabbitmqQIdle, float64(s.queues.withoutConsumer))
	}
	if r.look("queues").current(now) {
		out.add(rabbitmqNoMajority, float64(s.queueStates.noMajority))
		out.add(rabbitmqQueuesDown, float64(s.queueStates.down))
		out.add(rabbitmqUnsynced, float64(s.queueStates.unsynchronised))
	}
	for i, x := range r.opt.Exchanges {
		if !r.look("exchange_" + x.Name).current(now) {
			continue
		}
		of := []string{"exchange", x.Name}
		seen := s.exchanges[i]
		if seen.In != nil {
			out.add(rabbitmqExIn, *seen.In, of...)
		}
		if seen.Out != nil {
			out.add(rabbitmqExOut, *seen.Out, of...)
		}
		out.add(rabbitmqExBindings, float64(seen.Bindings), of...)
		if x.Consumers > 0 {
			out.add(rabbitmqExExpected, float64(x.Consumers), of...)
		}
	}
}
