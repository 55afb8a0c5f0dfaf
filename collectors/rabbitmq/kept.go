package rabbitmq

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// What stood in the broker and does not any more is an outage, also when machine, broker and agent come back together from a
// loss of power: a vhost or a queue that is gone looks like one that never was. So what was seen is kept.
const (
	missedFor = 24 * time.Hour // after that nobody misses it any more
	// settledAfter is how long a queue or vhost that nobody configured must have stood, in use, to be missed: what jobs and tests
	// make and delete is not.
	settledAfter = time.Hour
	// handover is how long another node may list the queues until what this one kept of them is old.
	handover = 10 * time.Minute

	maxKeptVHosts, maxKeptQueues = 1000, manyQueue
)

// standing is since when and until when something was seen, in use.
type standing struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

func (s standing) settled() bool { return s.Last.Sub(s.First) >= settledAfter }

// keptThings are the vhosts and queues that were seen. The lock of the collector guards it.
type keptThings struct {
	wanted map[string]bool // vhosts of what is configured: missed whenever they are not there

	vhosts  map[string]standing
	listed  []string // vhosts of the newest list, sorted
	known   bool     // there was a list
	queues  map[queueName]standing
	there   map[queueName]bool // queues of the newest list
	queueAt time.Time          // when there was a list of queues
}

func (k *keptThings) init(o Options) {
	k.wanted, k.vhosts, k.queues = map[string]bool{}, map[string]standing{}, map[queueName]standing{}
	for _, x := range o.Exchanges {
		k.wanted[cmp.Or(x.VHost, "/")] = true
	}
	for _, q := range o.Queues {
		k.wanted[cmp.Or(q.VHost, "/")] = true
	}
	if o.Probe.User != "" {
		k.wanted[o.Probe.VHost] = true
	}
}

// listVHosts takes over which vhosts there are.
func (k *keptThings) listVHosts(names []string, now time.Time) {
	slices.Sort(names)
	k.listed, k.known = names, true
	maps.DeleteFunc(k.vhosts, func(name string, s standing) bool {
		return now.Sub(s.Last) > missedFor || !s.settled() && !k.hasVHost(name)
	})
}

// useVHosts notes vhosts in use.
func (k *keptThings) useVHosts(names []string, now time.Time) {
	for _, name := range names {
		s, ok := k.vhosts[name]
		if !ok && (len(k.vhosts) >= maxKeptVHosts || k.known && !k.hasVHost(name)) {
			continue
		}
		if !ok {
			s.First = now
		}
		s.Last = now
		k.vhosts[name] = s
	}
}

func (k *keptThings) hasVHost(name string) bool {
	_, ok := slices.BinarySearch(k.listed, name)
	return ok
}

// expectedVHosts are those whose absence is an outage, in order; none before there was a list.
func (k *keptThings) expectedVHosts() []string {
	if !k.known {
		return nil
	}
	all := maps.Clone(k.wanted)
	for name, s := range k.vhosts {
		if s.settled() {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// listQueues takes over all queues of the cluster.
func (k *keptThings) listQueues(all []listedQueue, now time.Time) {
	k.queueAt, k.there = now, make(map[queueName]bool, len(all))
	for _, q := range all {
		name := q.named()
		k.there[name] = true
		if !q.stays() || !q.used() {
			continue
		}
		s, ok := k.queues[name]
		if !ok && len(k.queues) >= maxKeptQueues {
			continue
		}
		if !ok {
			s.First = now
		}
		s.Last = now
		k.queues[name] = s
	}
	maps.DeleteFunc(k.queues, func(name queueName, s standing) bool {
		return now.Sub(s.Last) > missedFor || !s.settled() && !k.there[name]
	})
}

// unelected notes that another node lists the queues now: after a while that one knows what was deleted in order, and this one
// does not.
func (k *keptThings) unelected(now time.Time) {
	if now.Sub(k.queueAt) > handover {
		clear(k.queues)
	}
}

// missing are the queues that stood in use for long and are gone, of vhosts that are there, and how many are kept in all.
func (k *keptThings) missing() (gone namedQueues, kept int) {
	var names []queueName
	for name, s := range k.queues {
		if !s.settled() || k.known && !k.hasVHost(name.vhost) {
			continue
		}
		kept++
		if !k.there[name] {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b queueName) int {
		return cmp.Or(cmp.Compare(a.vhost, b.vhost), cmp.Compare(a.name, b.name))
	})
	for _, n := range names {
		gone.add(n)
	}
	return gone, kept
}

// drop forgets all that is not there now: somebody says that it is missed no more.
func (k *keptThings) drop() {
	maps.DeleteFunc(k.vhosts, func(name string, _ standing) bool { return !k.hasVHost(name) })
	maps.DeleteFunc(k.queues, func(name queueName, _ standing) bool { return !k.there[name] })
}
