package door

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// checkPrefix says what is wrong with web.route_prefix.
func checkPrefix(p string) error {
	if p == "" || p == "/" {
		return nil
	}
	if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?#%\\ \t\"'<>&") || path.Clean(p) != strings.TrimSuffix(p, "/") {
		return fmt.Errorf("route_prefix: want a path like /binnacle, have %q", p)
	}
	p = strings.TrimSuffix(p, "/")
	for pattern := range routes {
		if _, own, _ := strings.Cut(pattern, " "); strings.HasPrefix(own, p+"/") {
			return fmt.Errorf("route_prefix: %s is a path of the agent itself; take another one, like /binnacle", p)
		}
	}
	return nil
}

// Base is the path under which people reach the agent, without a slash at its end: that of external_url, else route_prefix.
func (c Config) Base() string {
	if u, err := url.Parse(c.ExternalURL); err == nil && strings.Trim(u.Path, "/") != "" {
		return strings.TrimSuffix(u.EscapedPath(), "/")
	}
	return strings.TrimSuffix(c.RoutePrefix, "/")
}

// BoardURL is the address under which people reach the agent, without a slash at its end; "" where none is configured.
func (c Config) BoardURL() string {
	if c.ExternalURL == "" {
		return ""
	}
	u, err := url.Parse(c.ExternalURL)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return c.ExternalURL
	}
	return strings.TrimSuffix(c.ExternalURL, "/") + strings.TrimSuffix(c.RoutePrefix, "/")
}

// below takes the path off under which a proxy serves the agent. What comes without it is answered as well: proxies that take
// it off themselves, the nodes of the fleet and the commands on this machine need not know of it.
func (d *Door) below(next http.Handler) http.Handler {
	base, prefix := d.opts.Base(), strings.TrimSuffix(d.opts.RoutePrefix, "/")
	if base == "" && prefix == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, p := range []string{prefix, base} {
			if p == "" {
				continue
			}
			if r.URL.Path == p {
				to := url.URL{Path: p + "/", RawQuery: r.URL.RawQuery}
				w.Header().Set("Location", to.String())
				w.WriteHeader(http.StatusPermanentRedirect)
				return
			}
			if strings.HasPrefix(r.URL.Path, p+"/") {
				cut := *r.URL
				cut.Path, cut.RawPath = r.URL.Path[len(p):], strings.TrimPrefix(r.URL.RawPath, p)
				r = r.WithContext(r.Context())
				r.URL = &cut
				break
			}
		}
		next.ServeHTTP(&rebased{ResponseWriter: w, base: base}, r)
	})
}

// rebased puts the path of the agent in front of where an answer leads.
type rebased struct {
	http.ResponseWriter
	base  string
	wrote bool
}

// Unwrap is for http.ResponseController.
func (w *rebased) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *rebased) WriteHeader(status int) {
	if !w.wrote {
		w.wrote = status >= http.StatusOK
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
			w.Header().Set("Location", w.base+to)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *rebased) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *rebased) Flush() {
	w.wrote = true
	if err := http.NewResponseController(w.ResponseWriter).Flush(); errors.Is(err, http.ErrNotSupported) {
		return
	}
}
