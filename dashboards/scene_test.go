package dashboards

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestOnePageForAllWhoLook holds that a live page is made once for all with one address and one set of rights.
func TestOnePageForAllWhoLook(t *testing.T) {
	p := New(Options{MayAct: func(r *http.Request) bool { return r.Header.Get("May") != "" }})
	key := func(url, may string) sceneKey {
		r := httptest.NewRequest(http.MethodGet, url, nil)
		if may != "" {
			r.Header.Set("May", may)
		}
		return p.sceneOf(r)
	}
	board, _ := p.scenes.enter(key("/live/board", ""))
	for name, k := range map[string]sceneKey{
		"another page": key("/live/nodes", ""), "another filter": key("/live/board?service=a", ""), "other rights": key("/live/board", "yes"),
	} {
		if o, ok := p.scenes.enter(k); !ok || o == board {
			t.Errorf("%s is the same page", name)
		}
	}
	if o, _ := p.scenes.enter(key("/live/board", "")); o != board {
		t.Error("a second one who looks at the same has a page of its own")
	}
	p.scenes.leave(board)
	p.scenes.leave(board)
	if o, _ := p.scenes.enter(key("/live/board", "")); o == board {
		t.Error("the page that nobody looked at is still there")
	}
	for n := range maxScenes {
		p.scenes.enter(sceneKey{path: "/", query: string(rune(n))})
	}
	if _, ok := p.scenes.enter(key("/live/streams", "")); ok {
		t.Error("there is no bound of pages")
	}
}

func TestALookIsKeptUntilItIsOldOrSomebodyActed(t *testing.T) {
	sc, made := &scene{}, 0
	now, never := time.Unix(1000, 0), time.Time{}
	look := func(at, acted time.Time) *shot {
		t.Helper()
		s, err := sc.look(at, time.Second, acted, func() (*shot, error) { made++; return &shot{bodies: map[*shot][]byte{}}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := look(now, never)
	if s := look(now.Add(900*time.Millisecond), never); s != first || made != 1 {
		t.Errorf("within a second it was made %d times; want once", made)
	}
	act := now.Add(500 * time.Millisecond)
	if s := look(act, act); s == first || made != 2 {
		t.Errorf("after the act it was made %d times; want 2", made)
	}
	if look(act.Add(afterAct/2), act); made != 2 {
		t.Errorf("before the act shows it was made %d times; want 2", made)
	}
	if look(act.Add(afterAct), act); made != 3 {
		t.Errorf("when the act shows it was made %d times; want 3", made)
	}
	if look(act.Add(2*afterAct), act); made != 3 {
		t.Errorf("after that it was made %d times; want 3", made)
	}
	if look(act.Add(2*time.Second), act); made != 4 {
		t.Errorf("when it is old it was made %d times; want 4", made)
	}
	if first.bodies != nil {
		t.Error("a look that is not the last keeps what it sent")
	}
	if _, err := sc.look(act.Add(time.Hour), time.Second, never, func() (*shot, error) { return nil, errors.New("no") }); err == nil {
		t.Error("the error is lost")
	}
}
