package riak

import (
	"fmt"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors/host"
)

// nodeState is what the local node is doing, told from outside.
type nodeState string

// The states. One that is worse hides one that is not: a node that is isolated and secured is isolated.
const (
	stateRunning    nodeState = "running"
	stateStarting   nodeState = "starting" // its virtual machine is young, and its listeners do not serve yet
	stateJoining    nodeState = "joining"  // a member that owns nothing yet
	stateLeaving    nodeState = "leaving"  // a member that hands over what it owns
	stateLeft       nodeState = "left"     // gone, after it had handed over all that it owned
	stateDown       nodeState = "down"     // nobody listens
	stateFrozen     nodeState = "frozen"   // takes connections and never answers, or is stopped by a signal
	stateIsolated   nodeState = "isolated" // serves, and sees fewer than half of its members
	stateOverloaded nodeState = "overloaded"
	stateDiskFull   nodeState = "disk_full"
	stateSecured    nodeState = "secured" // runs with security on: clients need TLS and a login
	stateTLS        nodeState = "tls"     // its certificate is not trusted, so that we can not look
	stateBlind      nodeState = "blind"   // serves, and tells nothing of itself
)

var nodeStates = []nodeState{
	stateRunning, stateStarting, stateJoining, stateLeaving, stateLeft, stateDown, stateFrozen, stateIsolated, stateOverloaded,
	stateDiskFull, stateSecured, stateTLS, stateBlind,
}

// What a state rests on, in words that pages and rules use.
const (
	evProcessGone    = "process_gone"
	evProcessStopped = "process_stopped"
	evRefused        = "port_refused"
	evSilent         = "accepts_and_never_answers"
	evNotTrusted     = "certificate_not_trusted"
	evSecurity       = "security_on"
	evLoginFailed    = "login_failed"
	evPBAnswers      = "protocol_buffers_answer"
	evOddAnswer      = "unexpected_answer"
	evFewMembers     = "sees_few_members"
	evOwnsNothing    = "owns_no_partition"
	evMemberStatus   = "member_status"
	evRefusesWork    = "refuses_requests"
	evDiskFull       = "disk_full"
	evNoFigures      = "no_figures"
)

var evidenceWords = []string{
	evProcessGone, evProcessStopped, evRefused, evSilent, evNotTrusted, evSecurity, evLoginFailed, evPBAnswers, evOddAnswer, evFewMembers,
	evOwnsNothing, evMemberStatus, evRefusesWork, evDiskFull, evNoFigures,
}

const (
	boot      = 3 * time.Minute  // how long a start may take: 5 to 20 s with little data (3.2.3, measured November 2026)
	blindFor  = 45 * time.Second // without figures, three at the usual pace, is blind
	ringFresh = time.Minute      // for how long what /stats told of the ring is believed
	diskFull  = 0.95             // as RiakDiskFull has it
)

// stateFacts are all that a state is told from.
type stateFacts struct {
	processKnown bool          // /proc speaks of the machine that the node is on, and the node's name is known
	process      *host.Process // nil: gone, or not known
	pingReason   string        // why /ping was not answered; empty: it was
	secured      bool
	pb           pbSeen
	statsFailing time.Duration
	statsReason  string
	ring         ringFacts
	status       string  // of this member, as riak admin tells it; empty: not known
	refuses      bool    // requests, since the last figures
	diskUsed     float64 // of 1
	ran          bool    // this very process was seen running
	left         bool    // what was last known of the node: it had handed over all it owned
}

// ringFacts are what the node's own figures tell of its ring; zero where they are old.
type ringFacts struct {
	members, connected int
	owned              float64
	owner              bool // it owned a partition before
}

// judge tells the state from facts, cheapest evidence first, and what it rests on.
func judge(f stateFacts) (nodeState, []string) {
	if f.process != nil && f.process.Stopped {
		return stateFrozen, []string{evProcessStopped}
	}
	young := f.process != nil && f.process.Age < boot && !f.ran
	switch f.pingReason {
	case "":
		return judgeServing(f)
	case reasonTLS:
		return stateTLS, []string{evNotTrusted}
	case reasonConnect:
		return judgeRefused(f, young)
	case reasonTimeout:
		if f.pb.answers() {
			return stateBlind, []string{evSilent, evPBAnswers}
		}
		return stateFrozen, []string{evSilent}
	}
	if young {
		return stateStarting, []string{evOddAnswer}
	}
	return stateBlind, []string{evOddAnswer}
}

func judgeRefused(f stateFacts, young bool) (nodeState, []string) {
	switch {
	case f.pb.answers():
		return stateBlind, []string{evRefused, evPBAnswers}
	case young:
		return stateStarting, []string{evRefused}
	case f.left:
		return stateLeft, []string{evRefused, evOwnsNothing}
	case f.processKnown && f.process == nil:
		return stateDown, []string{evProcessGone, evRefused}
	}
	return stateDown, []string{evRefused}
}

func judgeServing(f stateFacts) (nodeState, []string) {
	var ev []string
	secured := f.secured || f.pb == pbSecured || f.pb == pbUntrusted || f.pb == pbDenied
	if secured {
		ev = append(ev, evSecurity)
	}
	if f.statsFailing > 0 {
		ev = append(ev, evNoFigures)
	}
	none := f.ring.members > 1 && f.ring.owned == 0
	switch {
	case f.ring.connected*2 < f.ring.members:
		return stateIsolated, append(ev, evFewMembers)
	case f.diskUsed >= diskFull:
		return stateDiskFull, append(ev, evDiskFull)
	case f.refuses || f.statsReason == reasonOverload:
		return stateOverloaded, append(ev, evRefusesWork)
	case f.status == "leaving" || f.status == "exiting":
		return stateLeaving, append(ev, evMemberStatus)
	case f.status == "joining":
		return stateJoining, append(ev, evMemberStatus)
	case none && f.ring.owner:
		return stateLeaving, append(ev, evOwnsNothing)
	case none:
		return stateJoining, append(ev, evOwnsNothing)
	case f.pb == pbUntrusted:
		return stateTLS, append(ev, evNotTrusted)
	case f.pb == pbDenied:
		return stateBlind, append(ev, evLoginFailed)
	case f.statsFailing >= blindFor:
		return stateBlind, ev
	case secured:
		return stateSecured, ev
	}
	return stateRunning, ev
}

// stateSeen is how the node stands, and since when. It is Collect's alone, but for what mu guards.
type stateSeen struct {
	state    nodeState
	since    time.Time
	ranAs    string // the process that was last seen serving
	ring     ringFacts
	ringAt   time.Time
	refused  float64 // requests refused, as totals tell
	refuses  bool
	diskUsed float64
	left     bool
	statuses map[string]string // of the members, as riak admin tells; guarded by collector.mu
}

// facts gathers what is known at now.
func (r *collector) facts(now time.Time, ping response, pb pbSeen) stateFacts {
	s := &r.node
	f := stateFacts{
		pingReason: ping.reason, secured: ping.secured, pb: pb, diskUsed: s.diskUsed, left: s.left, refuses: s.refuses,
	}
	f.processKnown, f.process = r.findProcess()
	f.ran = f.process != nil && f.process.ID == s.ranAs
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.statsSince.IsZero() {
		f.statsFailing, f.statsReason = max(now.Sub(r.statsSince), time.Millisecond), r.statsErr.reason
	}
	if now.Sub(s.ringAt) <= ringFresh {
		f.ring = s.ring
	}
	f.status = s.statuses[r.name]
	return f
}

// findProcess finds the node's virtual machine by the name that the node itself told, so that it tells nothing of a node
// elsewhere.
func (r *collector) findProcess() (known bool, p *host.Process) {
	r.mu.Lock()
	name := r.name
	r.mu.Unlock()
	proc := r.env.Root.Path("proc")
	if name == "" || !r.near || host.ProcessesHidden(proc) {
		return false, nil
	}
	pid := host.FindBeam(proc, func(args string) bool { return strings.Contains(args, "\x00"+name+"\x00") })
	if got, ok := host.ReadProcess(proc, pid); ok {
		p = &got
	}
	return r.env.Root.Exists("proc/self"), p
}

// tellState brings the state up to date and appends it.
func (r *collector) tellState(o output, f stateFacts) {
	s, now := &r.node, r.env.Now()
	state, evidence := judge(f)
	if f.pingReason == "" && f.process != nil {
		s.ranAs = f.process.ID
	}
	if f.pingReason == "" && f.ring.members > 0 {
		s.left = state == stateLeaving && f.ring.owned == 0
	}
	if state != s.state {
		if s.state != "" {
			r.env.Log.Info("riak state changed", "from", string(s.state), "to", string(state), "evidence", strings.Join(evidence, ", "))
			o.b.Events = append(o.b.Events, metric.Event{
				Time: now, Title: fmt.Sprintf("Riak %s: %s, was %s", r.name, state, s.state), Text: strings.Join(evidence, ", "),
				Level: metric.Info, Key: "riak_state", Labels: metric.L("cluster", o.cluster),
			})
		}
		s.state, s.since = state, now
	}
	for _, st := range nodeStates {
		o.b.Bool(descState, st == state, "cluster", o.cluster, "state", string(st))
	}
	for _, ev := range evidenceWords {
		has := false
		for _, e := range evidence {
			has = has || e == ev
		}
		o.b.Bool(descEvidence, has, "cluster", o.cluster, "evidence", ev)
	}
	o.add(descStateAge, now.Sub(s.since).Seconds())
	r.keep()
}

// refusals sums what Riak's overload protection refused.
var refusals = []string{"node_get_fsm_rejected_total", "node_put_fsm_rejected_total", "dropped_vnode_requests_total"}

// noteFigures keeps what the state needs of an answer of /stats.
func (r *collector) noteFigures(s figures, members, connected int, owners map[string]float64, self string) {
	n := &r.node
	n.ring.members, n.ring.connected, n.ring.owned = members, connected, owners[self]
	n.ring.owner = n.ring.owner || n.ring.owned > 0
	n.ringAt = r.env.Now()
	sum := 0.0
	for _, key := range refusals {
		v, _ := s.number(key)
		sum += v
	}
	n.refuses = n.refused >= 0 && sum > n.refused
	n.refused = sum
}
