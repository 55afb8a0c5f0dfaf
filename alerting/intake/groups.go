package intake

import (
	"slices"
	"sync"
	"time"
)

// groups knows what each group of an Alertmanager's receiver listed last. A receiver with send_resolved: false never says that an alarm
// ended: but each notification lists all of its group that fires, so that one which is missing has ended, or is muted there.
// Source: Alertmanager 0.35, notify.DedupStage (what is sent again) and template.Data (truncatedAlerts); read 30 November 2026.
type groups struct {
	mu       sync.Mutex
	of       map[groupOf]listed
	resolves map[groupOf]time.Time // receivers that say when alarms end, by their name alone, and when they last did
}

type groupOf struct{ by, receiver, key string }

// listed are the fingerprints of those of a group that fire, as of a time.
type listed struct {
	alarms []string
	at     time.Time
}

// maxGroups bounds the groups that are known.
const maxGroups = 5000

// ended takes what a group lists now and returns what it listed before and does not list any more. whole says that nothing is missing for
// another reason; resolved are those that it calls resolved.
func (g *groups) ended(of groupOf, firing, resolved []string, whole bool, now time.Time) (gone []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of, g.resolves = map[groupOf]listed{}, map[groupOf]time.Time{}
	}
	g.forget(now)
	if receiver := (groupOf{by: of.by, receiver: of.receiver}); len(resolved) > 0 {
		g.resolves[receiver] = now
	} else if _, says := g.resolves[receiver]; !says && whole {
		for _, fp := range g.of[of].alarms {
			if !slices.Contains(firing, fp) {
				gone = append(gone, fp)
			}
		}
	}
	if !whole { // those that it does not list may fire
		firing = append(slices.Clone(firing), g.of[of].alarms...)
		slices.Sort(firing)
		firing = slices.Compact(firing)
	}
	g.of[of] = listed{firing[:min(len(firing), maxPosted)], now}
	return gone
}

// forget drops groups of which nothing fires any more as far as is known; of too many those that were told of first.
func (g *groups) forget(now time.Time) {
	if len(g.of) < maxGroups && len(g.resolves) < maxGroups {
		return
	}
	for limit := webhookEnd; len(g.of) >= maxGroups; limit /= 2 {
		for of, l := range g.of {
			if now.Sub(l.at) >= limit {
				delete(g.of, of)
			}
		}
	}
	for limit := webhookEnd; len(g.resolves) >= maxGroups; limit /= 2 {
		for of, at := range g.resolves {
			if now.Sub(at) >= limit {
				delete(g.resolves, of)
			}
		}
	}
}
