package rabbitmq

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/collectors/check"
)

// nodeState is what the local node is doing, told from outside.
type nodeState string

// The states. Elsewhere all but the first are one: "scrape failed".
const (
	stateRunning   nodeState = "running"
	stateStarting  nodeState = "starting"
	statePaused    nodeState = "paused"              // virtual machine up, application stopped: a minority, or stop_app
	stateDown      nodeState = "down"                // no process
	stateFrozen    nodeState = "frozen"              // accepts connections and never answers
	stateBlind     nodeState = "blind"               // it runs, and we may not or can not look
	stateSuspected nodeState = "partition_suspected" // answers for itself, but not for the others
)

var nodeStates = []nodeState{
	stateRunning, stateStarting, statePaused, stateDown, stateFrozen, stateBlind, stateSuspected,
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
	evNotTrusted     = "certificate_not_trusted"
	evPeersReachable = "peers_reachable" // of a paused node: it was stopped by hand, or did not come back
)

var evidenceWords = []string{
	evProcessGone, evProcessStopped, evPortsRefused, evDistOpen, evSilent, evClusterSilent, evPeerSilent, evPeerRefused,
	evQueueGrows, evLoginFailed, evAccessRefused, evNoPlugin, evNoManagement, evNotTrusted, evPeersReachable,
}

const (
	// silenceLimit is how long a cluster-wide request may wait for its answer, while the local ones are quick,
	// before it is a sign. It is answered in 10 ms at 11,000 queues.
	silenceLimit = 4500 * time.Millisecond
	// boot is how long a start may take. After it a node that serves nothing is paused.
	boot = 2 * time.Minute
	// grewChecks checks in a row at which a distribution queue grew, and this many bytes in it, are a sign.
	grewChecks = 3
	grewBytes  = 64 << 10
)

// stateFacts are all that a state is told from.
type stateFacts struct {
	process        processSeen
	ports          map[string]answer
	plugin, alarms answer // the two local endpoints
	deniedReason   string
	clusterSilent  time.Duration
	peersSilent    []string // no answer from their port twice in a row
	peersRefused   []string
	peersLost      []string // no answer either, but the brokers know and say so
	queuesGrow     []string
	ran            bool // seen running since this process began
	watching       time.Duration
}

// judge tells the state from facts, cheapest evidence first, and what it rests on.
func judge(f stateFacts) (nodeState, []string) {
	if f.process.there && f.process.stopped {
		return stateFrozen, []string{evProcessStopped}
	}
	if !f.plugin.spoke() && !f.alarms.spoke() {
		if f.plugin == answerTLS || f.alarms == answerTLS {
			return stateBlind, []string{evNotTrusted}
		}
		return judgeMute(f)
	}
	var ev []string
	if f.clusterSilent >= silenceLimit {
		ev = append(ev, evClusterSilent)
	}
	if len(f.peersSilent) > 0 {
		ev = append(ev, evPeerSilent)
	}
	if len(ev) > 0 {
		if len(f.queuesGrow) > 0 {
			ev = append(ev, evQueueGrows)
		}
		return stateSuspected, ev
	}
	if len(f.peersLost) > 0 {
		ev = append(ev, evPeerSilent)
	}
	if len(f.peersRefused) > 0 {
		ev = append(ev, evPeerRefused)
	}
	switch {
	case f.alarms == answerDenied && strings.HasPrefix(f.deniedReason, "Access refused"):
		return stateBlind, append(ev, evAccessRefused)
	case f.alarms == answerDenied, f.plugin == answerDenied:
		return stateBlind, append(ev, evLoginFailed)
	case f.alarms == answerTLS, f.plugin == answerTLS:
		return stateBlind, append(ev, evNotTrusted)
	case f.alarms == answerRefused:
		return stateBlind, append(ev, evNoManagement)
	case f.plugin == answerRefused || f.plugin == answerMissing:
		return stateBlind, append(ev, evNoPlugin)
	}
	return stateRunning, ev
}

// judgeMute tells apart what all looks the same to who only scrapes: neither local endpoint answers.
func judgeMute(f stateFacts) (nodeState, []string) {
	open := func(name string) bool { return f.ports[name] == answerOK }
	silent := f.plugin == answerSilent || f.alarms == answerSilent
	switch {
	case silent:
		return stateFrozen, []string{evSilent}
	case open("amqp"):
		return stateBlind, []string{evNoManagement, evNoPlugin}
	case open("distribution"): // whatever /proc shows us, a virtual machine is there
	case f.process.known && !f.process.there:
		return stateDown, []string{evProcessGone, evPortsRefused}
	case !f.process.known:
		return stateDown, []string{evPortsRefused}
	}
	ev := []string{evPortsRefused}
	if open("distribution") {
		ev = append(ev, evDistOpen)
	}
	age := f.process.age
	if !f.process.known {
		age = f.watching
	}
	switch {
	case !f.ran && age < boot:
		return stateStarting, ev
	case len(f.peersSilent)+len(f.peersLost) > 0:
		return statePaused, append(ev, evPeerSilent)
	}
	return statePaused, append(ev, evPeersReachable)
}

// facts gathers what the checks know at now.
func (r *collector) facts(now time.Time) stateFacts {
	s := &r.seen
	f := stateFacts{
		process: s.process, ports: s.ports, plugin: answerOf(r.checks.metrics), alarms: answerOf(r.checks.localAlarms),
		deniedReason: deniedReason(r.checks.localAlarms), clusterSilent: s.clusterSilent(now), watching: now.Sub(s.watching),
		ran: s.ranAs != "" && s.ranAs == s.process.id || !s.process.known && s.ranAs == "unknown",
	}
	known := r.checks.nodes.Current(now)
	for _, name := range s.peerNames() {
		p := s.peers[name]
		switch {
		case p.silentTCP >= 2 && known && !s.sees(name):
			f.peersLost = append(f.peersLost, name)
		case p.silentTCP >= 2 && known && s.nodesAt.After(p.triedAt):
			// It answered the brokers since: the cut is over.
		case p.silentTCP >= 2:
			f.peersSilent = append(f.peersSilent, name)
		case p.tcp == answerRefused:
			f.peersRefused = append(f.peersRefused, name)
		}
		if p.grew >= grewChecks && p.queue >= grewBytes {
			f.queuesGrow = append(f.queuesGrow, name)
		}
	}
	return f
}

// deniedReason is the broker's own word where a check was denied.
func deniedReason(c *check.Check) string {
	var e *requestError
	if c != nil && errors.As(c.Err(), &e) {
		return e.reason
	}
	return ""
}

// stateChange is one change of state, for the board.
type stateChange struct {
	at   time.Time
	from nodeState
	to   nodeState
	text string
}

// judge brings the state up to date.
func (r *collector) judge(now time.Time) {
	s := &r.seen
	f := r.facts(now)
	state, evidence := judge(f)
	if state == stateRunning || state == stateSuspected {
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
		s.events = append(s.events, stateChange{now, s.state, state, text})
		r.env.Log.Info("rabbitmq state changed", "from", string(s.state), "to", string(state), "evidence", text)
	}
	s.state, s.since = state, now
	if len(s.events) > 100 {
		s.events = slices.Delete(s.events, 0, len(s.events)-100)
	}
}
