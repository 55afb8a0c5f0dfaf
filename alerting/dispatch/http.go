package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Now is what GET /api/v1/view answers: all that the command line's board, why and status need.
type Now struct {
	View   alerting.View `json:"view"`
	Status Status        `json:"status"`
}

// Register puts the questions of the command line on mux: GET /api/v1/view, and GET /api/v1/history with
// since, until (RFC 3339), key, alarm (a fingerprint), kind and limit.
func (d *Dispatcher) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/view", d.getView)
	mux.HandleFunc("GET /api/v1/history", d.getHistory)
}

func (d *Dispatcher) getView(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, Now{View: d.View(), Status: d.Status()})
}

func (d *Dispatcher) getHistory(w http.ResponseWriter, r *http.Request) {
	q, err := query(r)
	if err != nil {
		write(w, http.StatusBadRequest, err.Error())
		return
	}
	events, err := d.History(r.Context(), q)
	switch {
	case errors.Is(err, errNoLedger):
		write(w, http.StatusServiceUnavailable, err.Error())
	case err != nil:
		write(w, http.StatusInternalServerError, err.Error())
	default:
		if events == nil {
			events = []ledger.Event{}
		}
		write(w, http.StatusOK, events)
	}
}

const maxHistory = 100_000

func query(r *http.Request) (ledger.Query, error) {
	v := r.URL.Query()
	q := ledger.Query{Key: v.Get("key"), Alarm: v.Get("alarm")}
	for _, k := range v["kind"] {
		q.Kinds = append(q.Kinds, ledger.Kind(k))
	}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return q, fmt.Errorf("%s: want a time like 2026-11-24T03:00:00Z, have %q", name, text)
			}
			*at = t
		}
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxHistory {
			return q, fmt.Errorf("limit: want 1 to %d, have %q", maxHistory, text)
		}
		q.Limit = n
	}
	return q, nil
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}
