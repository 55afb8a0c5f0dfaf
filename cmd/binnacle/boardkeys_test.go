package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
)

// TestBoardKeys chooses, takes, gives back, silences and opens by keys, and ends by q.
func TestBoardKeys(t *testing.T) {
	t.Setenv("USER", "ann")
	t.Setenv("SUDO_USER", "")
	problem := func(id, sentence string) alerting.ProblemView {
		return alerting.ProblemView{
			ID: id, Priority: alerting.P1, State: alerting.Paged, Page: alerting.Page{Sentence: sentence, Guidance: "drain it", Impact: "all users"},
			Explained: []alerting.ExplainedAlarm{{Alarm: alerting.Alarm{Labels: map[string]string{"alertname": "Symptom"}}, Why: "users cannot do without zone-a"}},
		}
	}
	var did []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case intake.PathAck:
			var a intake.AckRequest
			_ = json.NewDecoder(r.Body).Decode(&a)
			did = append(did, fmt.Sprintf("ack %s by %s undo %v", a.Problem, a.By, a.Undo))
			fmt.Fprint(w, "{}")
		case intake.PathSilence:
			var a intake.SilenceRequest
			_ = json.NewDecoder(r.Body).Decode(&a)
			did = append(did, fmt.Sprintf("silence %s for %s by %s", a.Problem, a.For, a.By))
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `"no room"`)
		default:
			_ = json.NewEncoder(w).Encode(dispatch.Now{View: alerting.View{Problems: []alerting.ProblemView{problem("p1", "the zone is cut off"), problem("p2", "the disk is full")}}})
		}
	}))
	defer s.Close()
	keys := make(chan byte)
	o := boardOptions{remote: remote{url: s.URL}, every: time.Hour, width: 80, hands: hands{keys: keys}}
	go func() {
		for _, k := range []byte("ajjjaokusq") {
			keys <- k
		}
	}()
	var out bytes.Buffer
	if err := o.keepWatch(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := "ack p2 by ann undo false; ack p1 by ann undo true; silence p1 for 2h0m0s by ann"
	if got := strings.Join(did, "; "); got != want {
		t.Errorf("the keys did %q, want %q", got, want)
	}
	screens := strings.Split(out.String(), "\x1b[H\x1b[2J")[1:]
	for i, want := range []string{
		boardKeys, "choose a problem first", "-- P1 the zone is cut off", "-- P1 the disk is full", "-- P1 the disk is full",
		"! acknowledged: the disk is full", "First: drain it", "- Symptom: users cannot do without zone-a", "! acknowledgement taken back: the zone is cut off", "! not done: ",
	} {
		if i >= len(screens) || !strings.Contains(screens[i], want) {
			t.Errorf("screen %d of %d lacks %q:\n%s", i, len(screens), want, screens[min(i, len(screens)-1)])
		}
	}
}

func TestWithoutATerminalThereAreNoKeys(t *testing.T) {
	var out bytes.Buffer
	keys, w, back := terminal(nil, &out)
	defer back()
	if keys != nil || w != &out {
		t.Error("a pipe was taken for a terminal")
	}
}
