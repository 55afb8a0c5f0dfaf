package agent

import (
	"net/http"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting/intake"
)

// mayAct says whether who asks may take, silence and escalate. Without web.act everybody may who gets in.
func (c WebConfig) mayAct(r *http.Request) bool {
	return len(c.Act) == 0 || slices.Contains(c.Act, requester(r))
}

// requester is whom the web-config file let in: by name and password, else the common name of the certificate.
func requester(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok {
		return user
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return r.TLS.PeerCertificates[0].Subject.CommonName
	}
	return ""
}

// acts says whether a request is what a person does to alarms. What agents and other senders tell is not.
func acts(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	for _, p := range []string{"/problems/", "/silences/", "/api/v2/silence", intake.PathAck, intake.PathSilence} {
		if strings.HasPrefix(r.URL.Path, p) {
			return true
		}
	}
	return false
}

// roles refuses acts of those who may only read.
func (c WebConfig) roles(next http.Handler) http.Handler {
	if len(c.Act) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if acts(r) && !c.mayAct(r) {
			http.Error(w, requester(r)+" may read here, and not act: web.act of the configuration names who may", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
