package series

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// End ends the sources that keep does not know: their collectors run no more.
func (r *Registry) End(at time.Time, keep func(source string) bool) Update {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := Update{At: at}
	for name, src := range r.sources {
		if keep(name) {
			continue
		}
		for _, f := range src.alive {
			r.endFeed(f, src, &u)
		}
		src.alive = nil
	}
	return u
}

// endOthers lets totals stand that got nothing this time, and ends what else is gone.
func (r *Registry) endOthers(src *source, u *Update) {
	at := u.At.UnixMilli()
	keep := src.alive[:0]
	for _, f := range src.alive {
		sums := f.desc.Kind == metric.Delta || f.desc.Kind == metric.Distribution
		switch {
		case f.round == src.round:
		case sums && !f.gone && at-f.last < r.o.Idle.Milliseconds():
			r.give(f.Series, src, u, Still, at)
		default:
			r.endFeed(f, src, u)
			continue
		}
		keep = append(keep, f)
	}
	clear(src.alive[len(keep):])
	src.alive = keep
	if r.asleep > max(minAsleep, r.alive)*5/4 {
		r.forget()
	}
}

func (r *Registry) endFeed(f *feed, src *source, u *Update) {
	s := f.Series
	f.alive = false
	if s.owner == f {
		s.owner = nil
	}
	if f.desc.Kind == metric.Gauge {
		drop(src.feeds, f)
		drop(src.wasFeeds, f)
	}
	if f.desc.Kind == metric.Delta {
		s.counted--
	}
	if s.feeds--; s.feeds > 0 {
		return
	}
	c := r.claims[s.Name]
	c.alive--
	r.alive--
	if s.moved { // a clock's step back held it up
		r.give(s, src, u, Total, max(u.At.UnixMilli(), s.told+2, r.begun+2))
	}
	u.Ended = append(u.Ended, s)
	if s.told != 0 { // its end is written at this time: what another source has of it comes after
		s.told = max(s.told, u.At.UnixMilli())
	}
	if classOf(s.Desc.Kind) == gauge {
		r.drop(s)
	} else {
		r.asleep++
		c.asleep++
	}
	r.disclaim(s.Name)
}

// disclaim forgets a name that no series has.
func (r *Registry) disclaim(name string) {
	if c := r.claims[name]; c.alive+c.asleep == 0 {
		delete(r.claims, name)
	}
}

func drop(feeds map[uint64]*feed, f *feed) {
	for at := feeds[f.hash]; at != nil; at = at.next {
		if at.next == f {
			at.next = f.next
			return
		}
	}
	switch {
	case feeds[f.hash] != f: // it is in the other
	case f.next == nil:
		delete(feeds, f.hash)
	default:
		feeds[f.hash] = f.next
	}
}

func (r *Registry) drop(s *Series) {
	for at := r.series[s.hash]; at != nil; at = at.next {
		if at.next == s {
			at.next = s.next
			return
		}
	}
	if s.next == nil {
		delete(r.series, s.hash)
	} else {
		r.series[s.hash] = s.next
	}
}

// minAsleep is how many totals without a live feed are kept in any case; over it, as many as are alive.
const minAsleep = 10_000

// forget gives up the totals that were silent longest, until as many sleep as may.
func (r *Registry) forget() {
	var asleep []*Series
	for _, s := range r.series {
		for ; s != nil; s = s.next {
			if s.feeds == 0 {
				asleep = append(asleep, s)
			}
		}
	}
	slices.SortFunc(asleep, func(a, b *Series) int { return cmp.Compare(a.last, b.last) })
	gone := map[*Series]bool{}
	for _, s := range asleep[:max(len(asleep)-max(minAsleep, r.alive), 0)] {
		r.drop(s)
		gone[s] = true
		r.asleep--
		r.claims[s.Name].asleep--
		r.disclaim(s.Name)
	}
	for _, src := range r.sources {
		for _, feeds := range []map[uint64]*feed{src.feeds, src.wasFeeds} {
			var old []*feed
			for _, f := range feeds {
				for ; f != nil; f = f.next {
					if gone[f.Series] {
						old = append(old, f)
					}
				}
			}
			for _, f := range old {
				drop(feeds, f)
			}
		}
	}
}
