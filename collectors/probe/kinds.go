package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 256 << 10

// http asks by HTTP on a connection of its own, and follows redirects without credentials to another host.
func (o *one) http(ctx context.Context, env collectors.Env, f *finding) error {
	client := http.Client{
		Transport: &http.Transport{DialContext: env.Dial, DisableKeepAlives: true, TLSClientConfig: o.config("", f), ForceAttemptHTTP2: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > *o.Redirects {
				return http.ErrUseLastResponse
			}
			if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme { // its credentials are not for another one
				for k := range o.Headers {
					r.Header.Del(k)
				}
				r.Header.Del("Authorization")
			}
			return nil
		},
	}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, f.trace(env.Now)), o.Method, o.target, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "binnacle probe")
	for k, v := range o.Headers {
		r.Header.Set(k, v.Reveal())
		if http.CanonicalHeaderKey(k) == "Host" {
			r.Host = v.Reveal()
		}
	}
	if o.User != "" {
		r.SetBasicAuth(o.User, o.Password.Reveal())
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f.status = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch good := len(o.Status) == 0 && f.status >= 200 && f.status < 400 || slices.Contains(o.Status, f.status); {
	case !good:
		f.how = "status"
	case err != nil:
		return err
	case !o.body.Match(body):
		f.how = "body"
	}
	return nil
}

// trace notes how long the phases took. Of several connections, after redirects, they are sums.
func (f *finding) trace(now func() time.Time) *httptrace.ClientTrace {
	var at [4]time.Time
	begin := func(i int) { f.note(func() { at[i] = now() }) }
	end := func(i int, phase string) {
		f.note(func() {
			if !at[i].IsZero() {
				f.phases[phase] += now().Sub(at[i])
			}
		})
	}
	return &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { begin(0) },
		DNSDone:              func(httptrace.DNSDoneInfo) { end(0, "resolve") },
		ConnectStart:         func(string, string) { begin(1) },
		ConnectDone:          func(string, string, error) { end(1, "connect") },
		TLSHandshakeStart:    func() { begin(2) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { end(2, "tls") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { begin(3) },
		GotFirstResponseByte: func() { end(3, "first_byte") },
	}
}

// untrustedError is what is wrong with a certificate.
type untrustedError struct{ error }

func untrusted(err error) bool {
	_, ours := errors.AsType[untrustedError](err)
	_, theirs := errors.AsType[*tls.CertificateVerificationError](err)
	return ours || theirs
}

// config verifies by itself, so that the end of a certificate is known that is not trusted as well.
func (o *one) config(host string, f *finding) *tls.Config {
	return &tls.Config{
		ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return untrustedError{errors.New("no certificate")}
			}
			leaf, best := s.PeerCertificates[0].NotAfter, time.Time{}
			f.note(func() { f.leaf, f.chain = leaf, best })
			pool := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				pool.AddCert(c)
			}
			chains, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: s.ServerName, Roots: o.roots, Intermediates: pool})
			if err != nil {
				return untrustedError{err}
			}
			for _, chain := range chains { // the best of them: a client takes any
				first := chain[0].NotAfter
				for _, c := range chain {
					if c.NotAfter.Before(first) {
						first = c.NotAfter
					}
				}
				if first.After(best) {
					best = first
				}
			}
			f.note(func() { f.chain = best })
			return nil
		},
	}
}

// connect resolves and connects.
func (o *one) connect(ctx context.Context, env collectors.Env, f *finding) (net.Conn, error) {
	begin := env.Now()
	ctx = httptrace.WithClientTrace(ctx, f.trace(env.Now))
	conn, err := env.Dial(ctx, "tcp", o.target)
	f.note(func() {
		if _, known := f.phases["connect"]; !known {
			f.phases["connect"] = env.Now().Sub(begin)
		}
	})
	return conn, err
}

func (o *one) tls(ctx context.Context, env collectors.Env, f *finding) error {
	conn, err := o.connect(ctx, env, f)
	if err != nil {
		return err
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(o.target)
	if err != nil {
		return err
	}
	begin := env.Now()
	err = tls.Client(conn, o.config(host, f)).HandshakeContext(ctx)
	f.note(func() { f.phases["tls"] = env.Now().Sub(begin) })
	return err
}

// dns looks a name up. That there is no such name is an answer, and not the one that is wanted.
func (o *one) dns(ctx context.Context, f *finding) error {
	r := &net.Resolver{PreferGo: true}
	if o.Server != "" {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, o.Server)
		}
	}
	answers, err := o.lookUp(ctx, r)
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		f.answers, f.how = 0, "answer"
		return nil
	}
	if err != nil {
		return err
	}
	f.answers = len(answers)
	if len(answers) == 0 || !slices.ContainsFunc(answers, o.answer.MatchString) {
		f.how = "answer"
	}
	return nil
}

func (o *one) lookUp(ctx context.Context, r *net.Resolver) (out []string, err error) {
	switch o.Type {
	case "CNAME":
		name, err := r.LookupCNAME(ctx, o.target)
		return []string{name}, err
	case "TXT":
		return r.LookupTXT(ctx, o.target)
	case "MX":
		all, err := r.LookupMX(ctx, o.target)
		for _, mx := range all {
			out = append(out, fmt.Sprint(mx.Pref, " ", mx.Host))
		}
		return out, err
	case "NS":
		all, err := r.LookupNS(ctx, o.target)
		for _, ns := range all {
			out = append(out, ns.Host)
		}
		return out, err
	}
	all, err := r.LookupIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[o.Type], o.target)
	for _, ip := range all {
		out = append(out, ip.String())
	}
	return out, err
}
