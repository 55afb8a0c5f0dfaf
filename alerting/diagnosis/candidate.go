package diagnosis

import (
	"cmp"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// candidate is an alarm that may be folded with others by what it reads.
type candidate struct {
	Fact     *alerting.Fact
	Reading  *alerting.Reading
	Priority alerting.Priority // were there no other
	Notified alerting.Priority // at which its problem was notified; 0: it was not
	Joined   alerting.Joined   // as was found last

	judged *judged
}

func (a *candidate) wakes() bool { return a.Priority <= alerting.P2 && a.Fact.Silence == "" }

func (a *candidate) guessed() bool { return a.Joined.Trust == alerting.Guessed && !a.Joined.Leads }

// held says that a guess keeps an alarm from a page.
func (a *candidate) held() bool { return a.guessed() && a.Fact.Firing() && a.wakes() }

// began says that an alarm began again since it joined its group.
func (a *candidate) began() bool { return a.Fact.Firing() && a.Fact.First.After(a.Joined.At) }

// onset says that the condition of an alarm whose rule waits began near a time.
func (a *candidate) onset(at time.Time) bool {
	return a.Reading.Wait > 0 && near(a.Fact.Began().Add(-a.Reading.Wait), at)
}

// own says that an alarm is about a thing that fails by itself: nothing else brings it about.
func (a *candidate) own() bool { return !a.Reading.Follows }

// felt says that users are harmed, as far as more than a word of a text says.
func (a *candidate) felt() bool {
	return a.Reading.Users() && a.wakes() && a.Reading.Impact.Trust >= alerting.Catalogue
}

// down says that a host is down, as far as more than a word of a text says.
func (a *candidate) down() bool {
	r := a.Reading
	return r.Kind.Value == "down" && r.Layer.Value == "node" && r.Kind.Trust >= alerting.Catalogue
}

// watches says that an alarm is of parts of the monitoring that fail at their work, which have queries and storage in common. One that
// something is not seen is about that thing.
func (a *candidate) watches() bool {
	r := a.Reading
	return r.Layer.Value == "monitoring" && (r.Kind.Value == "errors" || r.Kind.Value == "latency") && r.Kind.Trust >= alerting.Catalogue
}

// chore alarms are of the alerting system, of batch jobs or of housekeeping: they bring nothing else about.
func (a *candidate) chore() bool {
	switch a.Reading.Layer.Value {
	case "job", "monitoring":
		return true
	}
	return a.Reading.Kind.Value == "hygiene" || a.Reading.Kind.Value == "heartbeat" || a.Reading.Idle
}

// flaws are what keeps an alarm from being the root, the gravest first.
func (a *candidate) flaws() (n int) {
	for _, bad := range []bool{!a.Joined.Leads, !a.Fact.Firing(), !a.wakes()} {
		n *= 2
		if bad {
			n++
		}
	}
	return n
}

func older(a, b *candidate) int {
	return cmp.Or(a.Fact.Began().Compare(b.Fact.Began()), cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(a.Fact.ID, b.Fact.ID))
}

func betterRank(a, b *candidate) int {
	return cmp.Or(cmp.Compare(a.Reading.Rank, b.Reading.Rank), older(a, b))
}
