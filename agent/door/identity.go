package door

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting"
)

// visitor is a person with what that person may do here.
type visitor struct {
	alerting.Person
	roles     roles
	forwarded bool // a proxy passed the request on that the configuration does not name
}

var (
	errNobody = errors.New("log in: with a client certificate, a name and password, or a token")
	errWrong  = errors.New("wrong name, password or token")
)

// guarded says whether there is any way to log in; then nobody is anonymous.
func (d *Door) guarded() bool {
	return d.web.now().guards() || d.tokens.any() || len(d.proxies) > 0
}

// identify says who sent r. It is the only place that does. What proves a person is, in this order: the header of a
// configured proxy, a certificate that was verified, a token, a checked password. A header alone proves nothing.
// The error is for who tried and failed.
func (d *Door) identify(r *http.Request) (visitor, error) {
	v := visitor{Person: alerting.Person{From: address(r.RemoteAddr)}}
	if d.fromProxy(v.From) {
		switch names := r.Header.Values(d.opts.Proxy.header()); {
		case len(names) > 1:
			return v, errWrong // which of them the proxy wrote cannot be known
		case len(names) == 1 && strings.TrimSpace(names[0]) != "":
			return d.known(v, strings.TrimSpace(names[0]), alerting.ByProxy), nil
		}
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		if name := commonName(r.TLS.VerifiedChains[0][0]); name != "" {
			return d.known(v, name, alerting.ByCertificate), nil
		}
	}
	if !d.guarded() {
		return d.anonymous(v, r), nil
	}
	name, password, basic := r.BasicAuth()
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case isBearer:
		return d.token(v, bearer)
	case basic && isToken(password):
		return d.token(v, password) // for senders that know no other way
	case basic:
		if err := d.logins.check(r.Context(), d.web.now().users, v.From, name, password); err != nil {
			return v, err
		}
		return d.known(v, name, alerting.ByPassword), nil
	}
	v.roles = anybody
	return v, nil
}

// showsToken says whether r has a token of ours, which no page of a stranger knows: its sender may use any name of this
// agent, such as that of a service in a cluster.
func (d *Door) showsToken(r *http.Request) bool {
	text, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, ok := d.tokens.find(strings.TrimSpace(text))
	return bearer && ok
}

func (d *Door) token(v visitor, text string) (visitor, error) {
	t, ok := d.tokens.find(strings.TrimSpace(text))
	if !ok {
		return v, errWrong
	}
	v.Login, v.Proof, v.roles = t.name, alerting.ByToken, t.roles
	return v, nil
}

func (d *Door) known(v visitor, name string, by alerting.Proof) visitor {
	v.Login, v.Proof = name, by
	switch {
	case slices.Contains(d.opts.Agents, name):
		v.roles = sends
	case len(d.opts.Act) == 0 || slices.Contains(d.opts.Act, name):
		v.roles = allRoles
	default:
		v.roles = reads
	}
	return v
}

// anonymous is everybody where nobody can log in: on this machine a user may do all, since who has a shell here can
// do worse; from elsewhere, and through a proxy that nobody named, they read and send.
func (d *Door) anonymous(v visitor, r *http.Request) visitor {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		v.forwarded = v.forwarded || r.Header.Get(name) != ""
	}
	v.roles = sends
	if a, err := netip.ParseAddr(v.From); err == nil && a.Unmap().IsLoopback() && !v.forwarded {
		v.roles = allRoles
	}
	return v
}

func (d *Door) fromProxy(from string) bool {
	a, err := netip.ParseAddr(from)
	return err == nil && slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// commonName is whom a verified certificate names.
func commonName(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.EmailAddresses) > 0:
		return c.EmailAddresses[0]
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	}
	return ""
}

// address is a remote address without its port and zone.
func address(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	host, _, _ = strings.Cut(host, "%")
	return host
}
