package dashboards

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Bounds of what people send.
const (
	maxForm    = 8 << 10
	MaxName    = 60
	MaxComment = 200
	actTime    = 5 * time.Second
)

// Done is what the board says after an action, with its undo.
type Done struct {
	Text   string
	Action string // path of the undo's form; empty: none
	Undo   string
	Give   bool // the undo gives a problem back
}

// act carries a form out and leads back to the board, or says why not.
func (p *Pages) act(w http.ResponseWriter, r *http.Request, do Act) {
	if do == nil {
		p.serve(w, r, Message(http.StatusNotFound, "Not here", "This node does not route alarms. Do it at a router's board."))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.serve(w, r, Message(http.StatusBadRequest, "Not understood", "The form could not be read: "+err.Error()))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actTime)
	defer cancel()
	q, err := do(r.WithContext(ctx))
	if err != nil {
		p.opts.Log.Warn("action at the board failed", "path", r.URL.Path, "err", err)
		p.serve(w, r, Message(http.StatusConflict, "Not done", "It was not done: "+err.Error()+"."))
		return
	}
	p.actedAt.Store(time.Now().UnixNano())
	p.acted.ring()
	to := url.URL{Path: "/board", RawQuery: q.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
