package intake

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// senders knows those that post alarms: what each said of its alarms' ends, from which its clock is known, and how often it
// posts. Nothing of it decides anything but whether an end has passed.
type senders struct {
	mu sync.Mutex
	by map[string]*sender
}

// sender is one that posts.
type sender struct {
	last    time.Time
	posts   int
	offsets []time.Duration // of its clock against ours, the newest last: the least that the ends of its alarms allow
	ends    map[string]said // by fingerprint: ends that advance say that an alarm fires
}

// said is the first and the latest end that were said of an alarm, and when one was last said.
type said struct{ first, end, at time.Time }

// Bounds of what is remembered, and of what is corrected.
const (
	maxSenders   = 5000
	maxEnds      = 20_000
	maxOffsets   = 16
	leastOffset  = time.Minute      // nothing is corrected below
	leastAdvance = 50 * time.Second // between ends of one alarm that fires: senders repeat each minute at least by default
	forgetSender = time.Hour
	forgetEnd    = 10 * time.Minute // an end that was not said for so long says nothing any more
)

// name is who sends an alarm: the host of its generator where that is a host others can tell apart, else who logged in,
// else the address.
func name(r *http.Request, who string, a alerting.Alarm) string {
	if u, err := url.Parse(a.Generator); err == nil && u.Hostname() != "" && !local(u.Hostname()) {
		return u.Host
	}
	if who != "" {
		return who
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return cmp.Or(r.RemoteAddr, "unknown")
	}
	return host
}

// local hosts are many machines' own.
func local(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsUnspecified())
}

// heard notes a post of a sender.
func (s *senders) heard(by string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.get(by, now).posts++
}

func (s *senders) get(by string, now time.Time) *sender {
	k := s.by[by]
	if k == nil {
		if s.by == nil {
			s.by = map[string]*sender{}
		}
		for limit := forgetSender; len(s.by) >= maxSenders; limit /= 2 {
			for name, o := range s.by {
				if now.Sub(o.last) >= limit {
					delete(s.by, name)
				}
			}
		}
		k = &sender{ends: map[string]said{}}
		s.by[by] = k
	}
	k.last = now
	return k
}

// clock is how far a sender's clock is behind ours, at least.
func (s *senders) clock(by string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.by[by]; k != nil {
		return k.behind()
	}
	return 0
}

// passed says whether an alarm's end, as its sender says it, has passed. An end that advances from post to post is that of
// an alarm that fires, whatever our clock says: then the sender's clock is behind ours. Two of a pair that share a name say two
// ends of what is over, by turns and for 15 minutes: those are close, and the later one does not advance.
func (s *senders) passed(by, fingerprint string, end, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.get(by, now)
	was, known := k.ends[fingerprint]
	advances := known && end.After(was.end) && end.Sub(was.first) >= leastAdvance && now.Sub(end) >= leastOffset
	if advances { // it fires, so its sender's clock shows less than its end
		k.note(now.Sub(end))
	}
	if !known {
		was = said{first: end, end: end}
		if len(k.ends) >= maxEnds {
			k.forget(now)
		}
	}
	if known || len(k.ends) < maxEnds {
		if end.After(was.end) {
			was.end = end
		}
		was.at = now
		k.ends[fingerprint] = was
	}
	if end.After(now) {
		return false
	}
	return !advances && !end.Add(k.behind()).After(now)
}

// note keeps how far a sender's clock is behind ours at least.
func (k *sender) note(d time.Duration) {
	k.offsets = append(k.offsets, d)
	if len(k.offsets) > maxOffsets {
		k.offsets = k.offsets[1:]
	}
}

// behind is how far the sender's clock is behind ours, at least; 0 where that is less than leastOffset.
func (k *sender) behind() time.Duration {
	if len(k.offsets) == 0 {
		return 0
	}
	if d := slices.Max(k.offsets); d >= leastOffset {
		return d
	}
	return 0
}

// forget drops ends that were not said for long.
func (k *sender) forget(now time.Time) {
	for fp, e := range k.ends {
		if now.Sub(e.at) > forgetEnd {
			delete(k.ends, fp)
		}
	}
}

// SenderState is what is known of one that posts alarms.
type SenderState struct {
	Name   string        `json:"name"`
	Last   time.Time     `json:"last"`
	Posts  int           `json:"posts"`
	Behind time.Duration `json:"clock_behind,omitempty"` // of our clock, at least
}

// Senders lists those that posted within the last hour, the newest first.
func (i *Intake) Senders() []SenderState {
	i.senders.mu.Lock()
	defer i.senders.mu.Unlock()
	var out []SenderState
	for name, k := range i.senders.by {
		out = append(out, SenderState{name, k.last, k.posts, k.behind()})
	}
	slices.SortFunc(out, func(a, b SenderState) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name)) })
	return out
}
