package dashboards

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestLiveStreamsAreBounded(t *testing.T) {
	bare := func(*http.Request) Page { return Page{Title: "Bare"} }
	p := New(Options{}, Set{Pages: map[string]func(*http.Request) Page{"/{$}": bare}, Live: map[string]func(*http.Request) Page{"bare": bare}})
	p.streaming.Store(maxStreams)
	ask := func(path string) int {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	if got := ask("/live/bare"); got != http.StatusServiceUnavailable {
		t.Errorf("one stream too many: status %d, want 503", got)
	}
	if got := ask("/"); got != http.StatusOK {
		t.Errorf("the page itself: status %d, want 200", got)
	}
	if got := p.streaming.Load(); got != maxStreams {
		t.Errorf("%d streams are counted after one was refused, want %d", got, maxStreams)
	}
}
