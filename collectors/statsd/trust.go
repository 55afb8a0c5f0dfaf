package statsd

import (
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What a client sends must not pass for what the agent saw itself. A name that a collector has gets statsd_ in front,
// and labels that say who speaks get exported_, in all outputs. Lines that tried are counted, and named in the status.

// Claim is what a line claimed to be.
type Claim uint8

// The claims.
const (
	NoClaim       Claim = iota
	AsCollector         // its name is one that a collector has
	AsOtherNode         // its label node, or the host of an event, is another's
	ReservedLabel       // a label that outputs or the agent use themselves
	claims
)

var claimNames = [claims]string{"none", "collector", "other_node", "reserved_label"}

// String returns the word used as a label.
func (c Claim) String() string { return claimNames[c] }

// Claims yields every Claim but NoClaim.
func Claims(yield func(Claim) bool) {
	for c := NoClaim + 1; c < claims; c++ {
		if !yield(c) {
			return
		}
	}
}

const (
	namePrefix  = "statsd_"
	labelPrefix = "exported_"
)

// honest renames what a series must not be called, and says what it claimed to be. node is this node's name; who believes
// is a listener to which other nodes send.
func (o *Options) honest(name string, typ Type, ls metric.Labels, believes bool) (string, metric.Labels, Claim) {
	claim := NoClaim
	if o.Reserved != nil && o.Reserved(metric.PromName(describe(typ, name))) {
		name, claim = namePrefix+name, AsCollector
	}
	renamed := false
	for i, l := range ls {
		legal := metric.LabelName(l.Name)
		switch {
		case legal == "node" && believes:
			continue
		case legal == "node" && l.Value == o.Node:
			ls[i].Value = "" // as on every other series
		case legal == "node":
			claim = max(claim, AsOtherNode)
			ls[i].Name = labelPrefix + legal
		case legal == "le", legal == "quantile", strings.HasPrefix(legal, "__"), strings.HasPrefix(legal, "binnacle_"):
			claim = max(claim, ReservedLabel)
			ls[i].Name = labelPrefix + legal
		default:
			continue
		}
		renamed = true
	}
	if renamed {
		ls = metric.Normalize(ls)
	}
	return name, ls, claim
}

// honestEvent does the same for an event or a check: it is about this node.
func (o *Options) honestEvent(e *metric.Event, believes bool) Claim {
	if believes {
		return NoClaim
	}
	claim := NoClaim
	ls := make(metric.Labels, 0, len(e.Labels))
	for _, l := range e.Labels {
		kind, subject, _ := strings.Cut(l.Value, ":")
		other := false
		switch l.Name {
		case "host", "node", "instance":
			other = l.Value != o.Node
		case "entity":
			other = (kind == "host" || kind == "node") && subject != o.Node
		}
		if other {
			l.Name, claim = labelPrefix+l.Name, AsOtherNode
		}
		ls = append(ls, l)
	}
	e.Labels = metric.Normalize(ls)
	return claim
}
