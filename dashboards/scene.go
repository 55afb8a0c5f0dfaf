package dashboards

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"sync"
	"time"
)

// scenes are the live pages that somebody looks at, by address and rights.
type scenes struct {
	mu   sync.Mutex
	open map[sceneKey]*scene
}

type sceneKey struct {
	path, query string
	acts        bool // who looks may act
}

// scene is one live page. It is made once for all who look at it.
type scene struct {
	key     sceneKey
	viewers int // guarded by scenes.mu

	mu   sync.Mutex
	last *shot
}

// shot is a live page as it was at one look. Only its bodies change.
type shot struct {
	at     time.Time
	page   news // all of it
	sums   map[string]uint64
	orders map[string]string

	mu     sync.Mutex
	bodies map[*shot][]byte // what is new since an earlier one, as it is sent; nil once it is not the last
}

func (p *Pages) sceneOf(r *http.Request) sceneKey {
	return sceneKey{r.URL.Path, r.URL.RawQuery, p.opts.MayAct == nil || p.opts.MayAct(r)}
}

// enter adds one who looks; ok is false where too many pages are looked at.
func (s *scenes) enter(k sceneKey) (sc *scene, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc = s.open[k]
	if sc == nil {
		if len(s.open) >= maxScenes {
			return nil, false
		}
		sc = &scene{key: k}
		if s.open == nil {
			s.open = map[sceneKey]*scene{}
		}
		s.open[k] = sc
	}
	sc.viewers++
	return sc, true
}

// leave takes one away; the page that nobody looks at is forgotten.
func (s *scenes) leave(sc *scene) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc.viewers--; sc.viewers == 0 {
		delete(s.open, sc.key)
	}
}

// look returns the page as it was less than ttl ago, else as make finds it now. What was made before somebody acted is too old, and
// what was made before the act shows is once that time has come: the router takes a moment.
func (sc *scene) look(now time.Time, ttl time.Duration, acted time.Time, make func() (*shot, error)) (*shot, error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	settled := acted.Add(afterAct * 4 / 5)
	if s := sc.last; s != nil && now.Sub(s.at) < ttl && !s.at.Before(acted) && (now.Before(settled) || !s.at.Before(settled)) {
		return s, nil
	}
	s, err := make()
	if err != nil {
		return nil, err
	}
	if was := sc.last; was != nil {
		was.forget()
	}
	s.at = now
	sc.last = s
	return s, nil
}

// shoot renders a page.
func (p *Pages) shoot(pg Page) (*shot, error) {
	n := news{Version: p.opts.Version, Title: pg.Title + " · binnacle", Urgent: p.urgent(), At: p.opts.Now().UnixMilli(), Order: map[string][]string{}, Parts: map[string]template.HTML{}}
	s := &shot{page: n, sums: map[string]uint64{}, orders: map[string]string{}, bodies: map[*shot][]byte{}}
	for _, sec := range pg.Sections {
		ids := make([]string, 0, len(sec.Parts))
		for _, pt := range sec.Parts {
			h, err := p.html(pt)
			if err != nil {
				return nil, err
			}
			h = template.HTML(p.rebase([]byte(h))) //nolint:gosec // it was escaped before
			f := fnv.New64a()
			_, _ = f.Write(counted.ReplaceAll([]byte(h), []byte("$1")))
			s.sums[pt.ID], n.Parts[pt.ID] = f.Sum64(), h
			ids = append(ids, pt.ID)
		}
		s.orders[sec.ID], n.Order[sec.ID] = fmt.Sprint(ids), ids
	}
	return s, nil
}

// since says what is new since an earlier look; nil: all is.
func (s *shot) since(last *shot) news {
	if last == nil {
		return s.page
	}
	n := s.page
	n.Order, n.Parts = map[string][]string{}, map[string]template.HTML{}
	for id, h := range s.page.Parts {
		if old, ok := last.sums[id]; !ok || old != s.sums[id] {
			n.Parts[id] = h
		}
	}
	for id, ids := range s.page.Order {
		if old, ok := last.orders[id]; !ok || old != s.orders[id] {
			n.Order[id] = ids
		}
	}
	for id := range last.orders {
		if _, ok := s.orders[id]; !ok {
			n.Order[id] = []string{}
		}
	}
	return n
}

// body is since as it is sent, made once for all who know the same.
func (s *shot) body(last *shot) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.bodies[last]; ok {
		return b, nil
	}
	b, err := json.Marshal(s.since(last))
	if err == nil && s.bodies != nil {
		s.bodies[last] = b
	}
	return b, err
}

// forget drops the bodies of a look that is no longer the last, and with them the looks before it.
func (s *shot) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = nil
}
