package rabbitmq

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// queueStateCounts is what only the list of queues says.
type queueStateCounts struct {
	noMajority, down        namedQueues
	unsynchronised, unknown int
	tooMany                 bool // the list goes on: the counts are of its beginning
}

// maxNamed bounds how many queues are told by name for one reason: a page has no room for more.
const maxNamed = 10

// namedQueues is how many queues there are of a kind, the first of them by name.
type namedQueues struct {
	n     int
	first []queueName
}

func (q *namedQueues) add(name queueName) {
	if q.n++; name.name != "" && len(q.first) < maxNamed {
		q.first = append(q.first, name)
	}
}

// queueName is that of a queue in its vhost.
type queueName struct{ vhost, name string }

// listedQueue is a queue of the list. The type is "quorum" or "rabbit_quorum_queue", by version and by what is asked.
type listedQueue struct {
	VHost string `json:"vhost"`
	Name  string `json:"name"`

	Type    string        `json:"type"`
	State   string        `json:"state"`
	Leader  maybe[string] `json:"leader"`
	Online  []string      `json:"online"`
	Members []string      `json:"members"`
	Mirrors []string      `json:"slave_nodes"`
	Synced  []string      `json:"synchronised_slave_nodes"`

	Durable    maybe[bool]     `json:"durable"`
	AutoDelete maybe[bool]     `json:"auto_delete"`
	Exclusive  maybe[bool]     `json:"exclusive"`
	Arguments  json.RawMessage `json:"arguments"`
	Policy     json.RawMessage `json:"effective_policy_definition"`
	Messages   maybe[float64]  `json:"messages"`
	Consumers  maybe[float64]  `json:"consumers"`
}

func (q listedQueue) named() queueName {
	return queueName{collectors.Label(q.VHost), collectors.Label(q.Name)}
}

// stays says that a queue does not go by itself: it is durable, nobody's own, and has no expiry.
func (q listedQueue) stays() bool {
	is := func(b maybe[bool]) bool { return b.at != nil && *b.at }
	return is(q.Durable) && !is(q.AutoDelete) && !is(q.Exclusive) &&
		!bytes.Contains(q.Arguments, []byte(`"x-expires"`)) && !bytes.Contains(q.Policy, []byte(`"expires"`))
}

// used says that a queue holds messages or has consumers.
func (q listedQueue) used() bool {
	return q.Messages.at != nil && *q.Messages.at > 0 || q.Consumers.at != nil && *q.Consumers.at > 0
}

// replicated reports whether a queue lives by a majority of its members: quorum queues and streams.
func (q listedQueue) replicated() bool {
	return strings.Contains(q.Type, "quorum") || strings.Contains(q.Type, "stream")
}

// askQueueStates reads the list of queues, where that is short, for the ones that lost their home, their majority or
// a mirror. An idle queue has no state at all; that is no fault. Of a replicated one whose members are not told nothing is
// known.
func (r *collector) askQueueStates(ctx context.Context) (func(), error) {
	const columns = "name,vhost,type,state,leader,online,members,slave_nodes,synchronised_slave_nodes," +
		"durable,auto_delete,exclusive,arguments,effective_policy_definition,messages,consumers"
	all, more, err := pagesOf[listedQueue](ctx, r, "queues", columns, manyQueue/pageSize)
	if err != nil {
		return nil, err
	}
	st := queueStateCounts{tooMany: more}
	for _, q := range all {
		switch {
		case q.replicated() && len(q.Members) > 0 && (2*len(q.Online) <= len(q.Members) || q.Leader.at == nil || *q.Leader.at == ""):
			st.noMajority.add(q.named())
		case q.State != "" && slices.Contains([]string{"down", "crashed", "stopped", "minority"}, q.State):
			st.down.add(q.named())
		case q.replicated() && len(q.Members) == 0:
			st.unknown++
		case len(q.Synced) < len(q.Mirrors):
			st.unsynchronised++
		}
	}
	return func() {
		r.seen.queueStates = st
		if !more {
			r.seen.kept.listQueues(all, r.env.Now())
		}
	}, nil
}
