package door

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/navcloud/binnacle/agent/words"
)

//go:embed refused.html
var refusedText string

var refusedPage = template.Must(template.New("refused").Parse(refusedText))

// refusals say what a refusal is to a person who looks at a page, and what to do next. They name nothing of this agent: who reads
// them may be anybody.
var refusals = map[int]struct{ title, next string }{
	http.StatusUnauthorized:    {"A login is needed", "Load the page again to be asked for name and password. Who keeps this agent can tell you yours."},
	http.StatusForbidden:       {"Not allowed", "Nothing was changed. Go back with your browser's button, or ask who keeps this agent."},
	http.StatusTooManyRequests: {"Wait a little", "Load the page again in a minute."},
}

// answer tells why in words: as a page to a browser that goes to one, else as a line of text.
func (d *Door) answer(w http.ResponseWriter, r *http.Request, status int, why string) {
	how, known := refusals[status]
	if !known || !looks(r) {
		http.Error(w, why, status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A reader that is gone is no fault.
	_ = refusedPage.Execute(w, struct{ Title, Why, Next string }{how.title, words.Capital(why), how.next})
}

// looks says that a browser asks for a page to show, and no script for an answer.
func looks(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("HX-Request") == ""
}
