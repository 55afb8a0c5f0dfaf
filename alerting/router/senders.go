package router

import (
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// When an alarm ended that nobody called ended: its rule is gone, or its sender was made anew. Both must have passed since it
// was due again, so that neither a burst of posts nor one lost post ends anything.
const (
	missedBatches = 3               // of its sender, none of which had the alarm
	missedFor     = 5 * time.Minute // since its end as it was sent last
	silentAfter   = 5 * time.Minute // a sender that sent nothing for so long is out of contact: what it sent is not ended by it
)

// senders is what the router remembers of who sends alarms. An alarm with several senders, as of a pair of Prometheus
// servers, is over when each of them ended it, or does not send it any more, or is out of contact; and one ended it.
type senders struct {
	known map[string]sender
	sent  map[string][]sent // by alarm: who sends it, in the order in which they began to
}

// sender is one that sends.
type sender struct {
	last    time.Time // its last batch
	batches int
}

// sent is one alarm as one sender sends it.
type sent struct {
	by    string
	at    time.Time // when it was last sent
	ends  time.Time // as was said then; zero: no limit
	ended bool      // its sender called it ended
	batch int       // number of the sender's batch by which it was last sent
}

// maxSendersOf bounds who is remembered for one alarm; the one that has not sent it for longest is forgotten.
const maxSendersOf = 8

func newSenders() senders { return senders{known: map[string]sender{}, sent: map[string][]sent{}} }

// heard notes a batch of a sender.
func (s senders) heard(now time.Time, by string) {
	k := s.known[by]
	k.last = now
	k.batches++
	s.known[by] = k
}

// fires notes that a sender sent an alarm, and returns when it ends if nobody repeats it: the latest word of all that send it.
func (s senders) fires(now time.Time, id, by string, ends time.Time) time.Time {
	k := s.known[by]
	k.last = now
	s.known[by] = k
	word := sent{by: by, at: now, ends: ends, batch: k.batches}
	all := s.sent[id]
	n := slices.IndexFunc(all, func(o sent) bool { return o.by == by })
	switch {
	case n >= 0:
		all[n] = word
	case len(all) < maxSendersOf:
		s.sent[id] = append(all, word)
	default:
		oldest := 0
		for n := range all {
			if all[n].at.Before(all[oldest].at) {
				oldest = n
			}
		}
		all[oldest] = word
	}
	for _, o := range s.sent[id] {
		if !o.ended && !ends.IsZero() && (o.ends.IsZero() || o.ends.After(ends)) {
			ends = o.ends
		}
	}
	return ends
}

// ends notes that a sender called an alarm ended, and says whether it is over: no other sender still sends it. What is said
// by nobody in particular counts at once.
func (s senders) ends(now time.Time, id, by string) bool {
	all := s.sent[id]
	n := slices.IndexFunc(all, func(o sent) bool { return o.by == by })
	if by == "" || n < 0 && len(all) == 0 {
		return true
	}
	if n < 0 {
		return false // who never sent it cannot end what others send
	}
	all[n].ended = true
	return !slices.ContainsFunc(all, func(o sent) bool { return !o.ended && !s.missed(now, o) && !s.silent(now, o) })
}

// standing says what became of an alarm that is past its end: whether it is over, and when to look again. Else it has lost
// contact.
func (s senders) standing(now time.Time, id string) (over bool, again time.Time) {
	wake := alerting.Wake{Now: now}
	for _, o := range s.sent[id] {
		switch {
		case o.ended, s.missed(now, o):
			over = true
		case s.silent(now, o):
		default:
			wake.Add(o.ends.Add(missedFor))
			wake.Add(s.known[o.by].last.Add(silentAfter))
			return false, wake.At
		}
	}
	return over, time.Time{}
}

// missed says that a sender sends others and not this any more.
func (s senders) missed(now time.Time, o sent) bool {
	return !o.ends.IsZero() && s.known[o.by].batches-o.batch >= missedBatches && !now.Before(o.ends.Add(missedFor))
}

// silent says that a sender is out of contact.
func (s senders) silent(now time.Time, o sent) bool {
	return !o.ends.IsZero() && now.After(o.ends) && now.Sub(s.known[o.by].last) >= silentAfter
}

// forget drops what is known of an alarm.
func (s senders) forget(id string) { delete(s.sent, id) }
