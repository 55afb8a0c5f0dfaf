package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxBody   = 64 << 10 // of a document, bytes
	maxName   = 128      // of a user or a document's id, bytes
	userField = "X-Navcloud-User"
)

var (
	errPrecondition = errors.New("the document is not of that version")
	errNotFound     = errors.New("no such document")
)

func etag(r record) string { return `"` + strconv.FormatUint(r.Version, 10) + `"` }

func (n *node) routes() http.Handler {
	mux := http.NewServeMux()
	for _, kind := range []string{"trips", "favourites"} {
		mux.Handle("GET /v1/"+kind+"/{id}", n.counted(kind, n.document(kind, n.read)))
		mux.Handle("PUT /v1/"+kind+"/{id}", n.counted(kind, n.document(kind, n.change)))
		mux.Handle("DELETE /v1/"+kind+"/{id}", n.counted(kind, n.document(kind, n.remove)))
	}
	mux.Handle("GET /v1/stream", n.counted("stream", n.stream))
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"version": n.cfg.Version, "node": n.cfg.Node})
	})
	mux.HandleFunc("GET /healthz", n.health)
	mux.Handle("/", n.counted("other", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "no such resource")
	}))
	return mux
}

// coded remembers the status of an answer.
type coded struct {
	http.ResponseWriter
	code int
}

func (c *coded) WriteHeader(code int) {
	c.code = code
	c.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find the connection to take it over.
func (c *coded) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (n *node) counted(route string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &coded{w, http.StatusOK}
		h(c, r)
		n.tel.count("http.requests", 1, "route:"+route, "code:"+strconv.Itoa(c.code))
	})
}

// document finds out which document a request is about.
func (n *node) document(kind string, h func(http.ResponseWriter, *http.Request, key)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k := key{kind, r.Header.Get(userField), r.PathValue("id")}
		if !legalName(k.user) {
			fail(w, http.StatusUnauthorized, fmt.Sprintf("%s: want 1 to %d printable characters without a slash", userField, maxName))
			return
		}
		if !legalName(k.id) {
			fail(w, http.StatusBadRequest, fmt.Sprintf("id: want 1 to %d printable characters without a slash", maxName))
			return
		}
		h(w, r, k)
	}
}

func legalName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(c rune) bool {
		return c == '/' || c == unicode.ReplacementChar || !unicode.IsPrint(c)
	})
}

func (n *node) read(w http.ResponseWriter, r *http.Request, k key) {
	rec, err := n.get(r.Context(), k)
	switch {
	case err != nil:
		n.unavailable(w, err)
	case rec.Version == 0 || rec.Deleted:
		fail(w, http.StatusNotFound, errNotFound.Error())
	case r.Header.Get("If-None-Match") == etag(rec):
		w.Header().Set("ETag", etag(rec))
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etag(rec))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(rec.Body)
	}
}

func (n *node) change(w http.ResponseWriter, r *http.Request, k key) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("body: want at most %d bytes", maxBody))
			return
		}
		fail(w, http.StatusBadRequest, "body: "+err.Error())
		return
	}
	if !json.Valid(body) {
		fail(w, http.StatusBadRequest, "body: want JSON")
		return
	}
	n.answerWrite(w, r, k, body)
}

func (n *node) remove(w http.ResponseWriter, r *http.Request, k key) { n.answerWrite(w, r, k, nil) }

func (n *node) answerWrite(w http.ResponseWriter, r *http.Request, k key, body json.RawMessage) {
	rec, err := n.write(r.Context(), k, body, want{r.Header.Get("If-Match"), r.Header.Get("If-None-Match")})
	switch {
	case errors.Is(err, errPrecondition):
		fail(w, http.StatusPreconditionFailed, err.Error())
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, err.Error())
	case err != nil:
		n.unavailable(w, err)
	case body == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("ETag", etag(rec))
		if rec.Version == 1 {
			w.WriteHeader(http.StatusCreated)
		} else {
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// unavailable answers for a store that failed. The client may try again, at another node too.
func (n *node) unavailable(w http.ResponseWriter, err error) {
	n.cfg.Log.Debug("store failed", "err", err)
	w.Header().Set("Retry-After", "1")
	fail(w, http.StatusServiceUnavailable, "the store is not available")
}

func (n *node) health(w http.ResponseWriter, _ *http.Request) {
	code, status := http.StatusOK, "serving"
	if n.draining.Load() {
		code, status = http.StatusServiceUnavailable, "draining"
	}
	reply(w, code, map[string]any{
		"status": status, "node": n.cfg.Node, "streams": n.hub.len(), "fanout": n.fanout.connected(),
	})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, code int, text string) {
	reply(w, code, map[string]string{"error": text})
}
