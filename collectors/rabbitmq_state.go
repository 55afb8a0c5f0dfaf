package collectors

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// rabbitmqState is what the local node is doing, told from outside.
type rabbitmqState string

// The states. Elsewhere all but the first are one: "scrape failed".
const (
	rabbitmqRunning   rabbitmqState = "running"
	rabbitmqStarting  rabbitmqState = "starting"
	rabbitmqPaused    rabbitmqState = "paused"              // virtual machine up, application stopped: a minority, or stop_app
	rabbitmqDown      rabbitmqState = "down"                // no process
	rabbitmqFrozen    rabbitmqState = "frozen"              // accepts connections and never answers
	rabbitmqBlind     rabbitmqState = "blind"               // it runs, and we may not or can not look
	rabbitmqSuspected rabbitmqState = "partition_suspected" // answers for itself, but not for the others
)

var rabbitmqStates = []rabbitmqState{
	rabbitmqRunning, rabbitmqStarting, rabbitmqPaused, rabbitmqDown, rabbitmqFrozen, rabbitmqBlind, rabbitmqSuspected,
}

// What a state rests on, in words that pages and rules use.
const (
	evProcessGone    = "process_gone"
	evProcessStopped = "process_stopped"
	evPortsRefused   = "ports_refused"
	evDistOpen       = "distribution_port_open"
	evSilent         = "accepts_and_never_answers"
	evClusterSilent  = "cluster_wide_requests_hang"
	evPeerSilent     = "peer_port_silent"
	evPeerRefused    = "peer_port_refused"
	evQueueGrows     = "distribution_queue_grows"
	evLoginFailed    = "login_failed"
	evAccessRefused  = "access_refused"
	evNoPlugin       = "prometheus_plugin_missing"
	evNoManagement   = "management_plugin_missing"
)

var rabbitmqEvidences = []string{
	evProcessGone, evProcessStopped, evPortsRefused, evDistOpen, evSilent, evClusterSilent, evPeerSilent, evPeerRefused,
	evQueueGrows, evLoginFailed, evAccessRefused, evNoPlugin, evNoManagement,
}

const (
	// rabbitmqSilence is how long a cluster-wide request may wait for its answer, while the local ones are quick,
	// before it is a sign. It is answered in 10 ms at 11,000 queues.
	rabbitmqSilence = 4500 * time.Millisecond
	// rabbitmqBoot is how long a start may take. After it a node that serves nothing is paused.
	rabbitmqBoot = 2 * time.Minute
	// rabbitmqGrew looks in a row at which a distribution queue grew, and this many bytes in it, are a sign.
	rabbitmqGrew      = 3
	rabbitmqGrewBytes = 64 << 10
)

// rabbitmqFacts are all that a state is told from.
type rabbitmqFacts struct {
	process        rabbitmqProcess
	ports          map[string]rabbitmqAnswer
	plugin, alarms rabbitmqAnswer // the two local endpoints
	deniedReason   string
	clusterSilent  time.Duration
	peersSilent    []string // no answer from their port twice in a row
	peersRefused   []string
	peersLost      []string // no answer either, but the brokers know and say so
	queuesGrow     []string
	ran            bool // seen running since this process began
	watching       time.Duration
}

// judgeRabbitmq tells the state from facts, cheapest evidence first, and what it rests on.
func judgeRabbitmq(f rabbitmqFacts) (rabbitmqState, []string) {
	if f.process.there && f.process.stopped {
		return rabbitmqFrozen, []string{evProcessStopped}
	}
	if !f.plugin.spoke() && !f.alarms.spoke() {
		return judgeMute(f)
	}
	var ev []string
	if f.clusterSilent >= rabbitmqSilence {
		ev = append(ev, evClusterSilent)
	}
	if len(f.peersSilent) > 0 {
		ev = append(ev, evPeerSilent)
	}
	if len(ev) > 0 {
		if len(f.queuesGrow) > 0 {
			ev = append(ev, evQueueGrows)
		}
		return rabbitmqSuspected, ev
	}
	if len(f.peersLost) > 0 {
		ev = append(ev, evPeerSilent)
	}
	if len(f.peersRefused) > 0 {
		ev = append(ev, evPeerRefused)
	}
	switch {
	case f.alarms == rabbitmqDenied && strings.HasPrefix(f.deniedReason, "Access refused"):
		return rabbitmqBlind, append(ev, evAccessRefused)
	case f.alarms == rabbitmqDenied:
		return rabbitmqBlind, append(ev, evLoginFailed)
	case f.alarms == rabbitmqRefused:
		return rabbitmqBlind, append(ev, evNoManagement)
	case f.plugin == rabbitmqRefused || f.plugin == rabbitmqMissing:
		return rabbitmqBlind, append(ev, evNoPlugin)
	}
	return rabbitmqRunning, ev
}

// judgeMute tells apart what all looks the same to who only scrapes: neither local endpoint answers.
func judgeMute(f rabbitmqFacts) (rabbitmqState, []string) {
	open := func(name string) bool { return f.ports[name] == rabbitmqOK }
	silent := f.plugin == rabbitmqSilent || f.alarms == rabbitmqSilent
	switch {
	case silent:
		return rabbitmqFrozen, []string{evSilent}
	case open("amqp"):
		return rabbitmqBlind, []string{evNoManagement, evNoPlugin}
	case open("distribution"): // whatever /proc shows us, a virtual machine is there
	case f.process.known && !f.process.there:
		return rabbitmqDown, []string{evProcessGone, evPortsRefused}
	case !f.process.known:
		return rabbitmqDown, []string{evPortsRefused}
	}
	ev := []string{evPortsRefused}
	if open("distribution") {
		ev = append(ev, evDistOpen)
	}
	age := f.process.age
	if !f.process.known {
		age = f.watching
	}
	if !f.ran && age < rabbitmqBoot {
		return rabbitmqStarting, ev
	}
	return rabbitmqPaused, ev
}

// facts gathers what the looks know at now.
func (r *rabbitmq) facts(now time.Time) rabbitmqFacts {
	s := &r.seen
	plugin, alarms := r.look("metrics"), r.look("local_alarms")
	f := rabbitmqFacts{
		process: s.process, ports: s.ports, plugin: plugin.last, alarms: alarms.last,
		deniedReason: s.denied, clusterSilent: r.look("nodes").silence(now), watching: now.Sub(s.watching),
		ran: s.ranAs != "" && s.ranAs == s.process.id || !s.process.known && s.ranAs == "unknown",
	}
	nodes := r.look("nodes")
	known := nodes.current(now)
	for _, name := range s.peerNames() {
		p := s.peers[name]
		switch {
		case p.silentTCP >= 2 && known && !s.sees(name):
			f.peersLost = append(f.peersLost, name)
		case p.silentTCP >= 2 && known && nodes.okAt.After(p.triedAt):
			// It answered the brokers since: the cut is over.
		case p.silentTCP >= 2:
			f.peersSilent = append(f.peersSilent, name)
		case p.tcp == rabbitmqRefused:
			f.peersRefused = append(f.peersRefused, name)
		}
		if p.grew >= rabbitmqGrew && p.queue >= rabbitmqGrewBytes {
			f.queuesGrow = append(f.queuesGrow, name)
		}
	}
	return f
}

// rabbitmqChange is one change of state, for the board.
type rabbitmqChange struct {
	at   time.Time
	from rabbitmqState
	to   rabbitmqState
	text string
}

// judge brings the state up to date.
func (r *rabbitmq) judge(now time.Time) {
	s := &r.seen
	f := r.facts(now)
	state, evidence := judgeRabbitmq(f)
	if state == rabbitmqRunning || state == rabbitmqSuspected {
		s.ranAs = f.process.id
		if !f.process.known {
			s.ranAs = "unknown"
		}
	}
	s.evidence = evidence
	if state == s.state {
		return
	}
	if s.state != "" {
		text := strings.Join(evidence, ", ")
		if len(f.peersSilent) > 0 {
			text += fmt.Sprintf(" (no answer from %s)", strings.Join(f.peersSilent, ", "))
		}
		s.events = append(s.events, rabbitmqChange{now, s.state, state, text})
		r.env.Log.Info("rabbitmq state changed", "from", string(s.state), "to", string(state), "evidence", text)
	}
	s.state, s.since = state, now
	if len(s.events) > 100 {
		s.events = slices.Delete(s.events, 0, len(s.events)-100)
	}
}
