package door

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// CORS says which pages of other sites may read here in a browser. They may never act or send.
type CORS struct {
	// Origins are those pages' sites: https://grafana.example.com, https://*.example.com for all below a domain, or * alone.
	Origins []string `yaml:"origins"`
}

// Validate says which entry is no origin.
func (c CORS) Validate() error {
	var errs []error
	for _, o := range c.Origins {
		if o == "*" {
			if len(c.Origins) > 1 {
				errs = append(errs, errors.New("origins: * is all sites: list nothing beside it"))
			}
			continue
		}
		u, err := url.Parse(o)
		host := ""
		if err == nil {
			host = strings.TrimPrefix(u.Host, "*.")
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || host == "" || strings.Contains(host, "*") || o != u.Scheme+"://"+u.Host {
			errs = append(errs, fmt.Errorf("origins: want scheme and host like https://grafana.example.com, https://*.example.com or *, have %q", o))
		}
	}
	return errors.Join(errs...)
}

// allows returns what Access-Control-Allow-Origin says to a page of origin; "" where it may not read.
func (c CORS) allows(origin string) string {
	if origin == "" {
		return ""
	}
	for _, o := range c.Origins {
		scheme, domain, wild := strings.Cut(o, "://*.")
		switch {
		case o == "*":
			return "*"
		case strings.EqualFold(o, origin):
			return origin
		case wild && len(origin) > len(scheme)+len("://.")+len(domain) &&
			strings.HasPrefix(strings.ToLower(origin), scheme+"://") && strings.HasSuffix(strings.ToLower(origin), "."+strings.ToLower(domain)):
			return origin
		}
	}
	return ""
}

// What a page of a listed origin may send, as Prometheus says it.
// Source: github.com/prometheus/prometheus v0.316 util/httputil/cors.go, read 30 November 2026.
const (
	corsHeaders = "Accept, Authorization, Content-Type, Origin"
	corsMethods = "GET, POST, OPTIONS"
	corsExposed = "Date"
)

// share tells a browser that a page of another site may read the answer, where it may. done: the question was no more than
// whether it may, and is answered. Nobody is asked who it is for that: browsers send no login with such a question.
func (d *Door) share(w http.ResponseWriter, r *http.Request) (reader, done bool) {
	if len(d.opts.CORS.Origins) == 0 {
		return false, false
	}
	w.Header().Add("Vary", "Origin")
	allowed := d.opts.CORS.allows(r.Header.Get("Origin"))
	if allowed == "" {
		return false, false
	}
	method := r.Header.Get("Access-Control-Request-Method")
	asks := r.Method == http.MethodOptions && method != ""
	if asks {
		real := r.Clone(r.Context())
		real.Method = method
		r = real
	}
	if role := routeOf(r).role; role != Read && role != Public {
		return false, false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if allowed != "*" { // with the reader's own login
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if asks {
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	}
	return true, asks
}
