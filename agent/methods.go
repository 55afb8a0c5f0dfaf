package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// routed is a mux that says which pattern serves a request.
type routed interface {
	Handler(r *http.Request) (http.Handler, string)
}

// methods answers what no route takes: 405 with the methods that the path has, or 404. Below /api it answers in JSON, as
// programs expect that ask there. ServeMux would say 405 itself, but "/" is the pages' and takes everything.
type methods struct {
	mux   *http.ServeMux
	pages routed // nil: there are none
}

// ofAny are the methods that are tried.
var ofAny = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// at are the methods that a route of its own serves at r's path.
func (m methods) at(r *http.Request) (out []string) {
	q := *r
	for _, method := range ofAny {
		q.Method = method
		if m.pattern(&q) != "" {
			out = append(out, method)
		}
	}
	return out
}

// pattern is that of the route which serves r and names its method; empty: none does.
func (m methods) pattern(r *http.Request) string {
	_, pattern := m.mux.Handler(r)
	if pattern == "/" && m.pages != nil {
		_, pattern = m.pages.Handler(r)
	}
	if !strings.Contains(pattern, " ") {
		return ""
	}
	return pattern
}

// ServeHTTP implements http.Handler.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/")
	switch {
	case m.pattern(r) != "":
	case strings.HasPrefix(r.URL.Path, "/api/v1/"): // the library's routes are known to itself alone
		w = &apiWriter{ResponseWriter: w, r: r, own: m.at(r)}
	default:
		if allow := m.at(r); len(allow) > 0 {
			refuseMethod(w, r, allow)
			return
		}
		if api {
			apiError(w, r, http.StatusNotFound)
			return
		}
	}
	m.mux.ServeHTTP(w, r)
}

// refuseMethod says which methods a path has: to OPTIONS as the answer, else as an error.
func refuseMethod(w http.ResponseWriter, r *http.Request, allow []string) {
	w.Header().Set("Allow", strings.Join(append(allow, http.MethodOptions), ", "))
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/api/"):
		apiError(w, r, http.StatusMethodNotAllowed)
	default:
		http.Error(w, methodText(w, r), http.StatusMethodNotAllowed)
	}
}

func methodText(w http.ResponseWriter, r *http.Request) string {
	return fmt.Sprintf("%s is not taken at %s, but %s", r.Method, r.URL.Path, w.Header().Get("Allow"))
}

// apiError answers as the API below whose path it is: Alertmanager's or Prometheus'.
// Source: Alertmanager's api/v2/openapi.yaml is served by go-openapi, whose errors are a code and a message; read 30 November 2026.
func apiError(w http.ResponseWriter, r *http.Request, status int) {
	kind, text := "not_found", "nothing is served at "+r.URL.Path
	if status == http.StatusMethodNotAllowed {
		kind, text = "method_not_allowed", methodText(w, r)
	}
	var body any = map[string]any{"status": "error", "errorType": kind, "error": text}
	if strings.HasPrefix(r.URL.Path, "/api/v2/") {
		body = map[string]any{"code": status, "message": text}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a reader that is gone is no fault
}

// apiWriter makes JSON of the plain 404 and 405 of the library's router, and adds the routes of our own to what it allows.
type apiWriter struct {
	http.ResponseWriter
	r     *http.Request
	own   []string
	began bool
	ours  bool // the answer was replaced: what the router says is dropped
}

// WriteHeader implements http.ResponseWriter.
func (w *apiWriter) WriteHeader(status int) {
	if w.began {
		return
	}
	w.began = true
	h := w.Header()
	plain := strings.HasPrefix(h.Get("Content-Type"), "text/plain")
	switch {
	case plain && status == http.StatusNotFound && len(w.own) > 0, plain && status == http.StatusMethodNotAllowed:
		w.ours = true
		allow := slices.Clone(w.own)
		for _, method := range ofAny {
			theirs := method
			if method == http.MethodHead {
				theirs = http.MethodGet // the store makes one of the other
			}
			if slices.Contains(strings.Split(h.Get("Allow"), ", "), theirs) && !slices.Contains(allow, method) {
				allow = append(allow, method)
			}
		}
		refuseMethod(w.ResponseWriter, w.r, allow)
	case plain && status == http.StatusNotFound:
		w.ours = true
		apiError(w.ResponseWriter, w.r, status)
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *apiWriter) Write(p []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	if w.ours {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Flush is for handlers that ask for an http.Flusher, as remote-read does.
func (w *apiWriter) Flush() {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *apiWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
