// Package door is the front door of HTTP: it stands before every handler of the agent and decides who asks, what that
// person or sender may do, under which names the agent is reached, and how much one request may cost.
//
// It knows no handlers: what they do is theirs. A request that reaches a handler has passed, in this order, the host
// check, the rate limit of the web-config file, identity, the cross-origin check, the role of its route, and its body
// is bounded in time, bytes and parts. Handlers ask Who for the person and nobody else.
//
// The file format is exporter-toolkit's web-config. Its web.Serve is not used: that parses the file at each request
// and checks one password at a time, so that wrong passwords keep right ones out.
// Source: github.com/prometheus/exporter-toolkit v0.20 web/handler.go, read 30 November 2026.
package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// Options are what a Door works with.
type Options struct {
	Config
	Data string // folder of the tokens where Config names no file
	Log  *slog.Logger
	// Refused is told of each act that was refused, for the ledger; may be nil. It must not block.
	Refused func(p alerting.Person, what, why string)
	// Tight says whether memory is so short that bulk intake must wait; nil: near the process's limit.
	Tight func() bool
}

// Door is the front door. Its methods may be called by many goroutines.
type Door struct {
	opts    Options
	hosts   hosts
	cross   *http.CrossOriginProtection
	web     *webFile
	tokens  *tokenFile
	logins  *logins
	proxies []netip.Prefix
	queries *turns
	quiet   *slog.Logger // for refusals: once a minute, with a count
}

// New makes a Door. The error is that of a configuration that cannot be used.
func New(o Options) (*Door, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Refused == nil {
		o.Refused = func(alerting.Person, string, string) {}
	}
	if o.Tight == nil {
		o.Tight = newMemory().short
	}
	d := &Door{
		opts: o, hosts: newHosts(o.Config), cross: http.NewCrossOriginProtection(), logins: newLogins(),
		queries: newTurns(atOnce, inLine), quiet: slog.New(Quiet(o.Log.Handler())),
	}
	if origin := o.origin(); origin != "" {
		if err := d.cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("web.external_url: %w", err)
		}
	}
	var err error
	if d.proxies, err = o.Proxy.prefixes(); err != nil {
		return nil, fmt.Errorf("web.proxy: %w", err)
	}
	if d.web, err = openWebFile(o.ConfigFile, o.Log); err != nil {
		return nil, fmt.Errorf("web.config_file: %w", err)
	}
	if d.tokens, err = openTokens(o.tokens(o.Data), o.Log); err != nil {
		return nil, fmt.Errorf("web.tokens_file: %w", err)
	}
	return d, nil
}

type personKey struct{}

// Who says who sent a request that came through a Door.
func Who(r *http.Request) alerting.Person {
	v, _ := r.Context().Value(personKey{}).(visitor)
	return v.Person
}

// MayAct says whether who sent r may acknowledge, silence and escalate. Pages ask it in order to offer no more than
// that; who may not is refused at the door all the same.
func MayAct(r *http.Request) bool {
	v, _ := r.Context().Value(personKey{}).(visitor)
	return v.roles.has(Act)
}

// Handler puts the door before next.
func (d *Door) Handler(next http.Handler) http.Handler {
	return d.below(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.pass(w, r, next) }))
}

func (d *Door) pass(w http.ResponseWriter, r *http.Request, next http.Handler) {
	rt := routeOf(r)
	if rt.role != Public && !d.hosts.knows(r.Host, d.web.now().names) && !d.showsToken(r) {
		d.refuse(w, r, http.StatusForbidden, fmt.Sprintf("this agent is not known as %q: use its address or name, or list the name under web.hosts", clip(r.Host)))
		return
	}
	file := d.web.now()
	for name, v := range file.headers {
		w.Header().Set(name, v)
	}
	if !file.allow() {
		d.refuse(w, r, http.StatusTooManyRequests, "too many requests: rate_limit of the web-config file")
		return
	}
	reader, done := d.share(w, r)
	if done {
		return
	}
	v, err := d.identify(r)
	if err != nil && rt.role != Signed { // whose senders may show a login of something else
		d.unknown(w, r, err)
		return
	}
	// A page of another site can send a form, or a text, to an agent that its reader reaches; curl -d says nothing of
	// an origin and passes.
	if err := d.cross.Check(r); err != nil && !reader {
		d.refuseAct(w, r, v, rt, "sent by a page of another site")
		return
	}
	if !v.roles.has(rt.role) {
		if !v.Known() && d.guarded() && rt.role != Public && rt.role != Signed {
			d.unknown(w, r, errNobody)
			return
		}
		d.refuseAct(w, r, v, rt, d.lacks(v, rt.role))
		return
	}
	if rt.bulk && d.opts.Tight() {
		w.Header().Set("Retry-After", "15")
		d.refuse(w, r, http.StatusServiceUnavailable, "memory is short: samples and alarms in bulk wait; send again")
		return
	}
	body, err := d.body(w, r, rt)
	if err != nil {
		d.refuse(w, r, bodyStatus(err), err.Error())
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), personKey{}, v))
	r.Body = body
	defer body.Close() // the server closes the body that it made, not this one
	if rt.query {
		ctx, cancel := context.WithTimeout(r.Context(), queryLimit)
		defer cancel()
		leave, err := d.queries.take(ctx)
		if err != nil {
			w.Header().Set("Retry-After", "5")
			d.refuse(w, r, http.StatusServiceUnavailable, err.Error())
			return
		}
		defer leave()
		r = r.WithContext(ctx)
	}
	next.ServeHTTP(w, r)
}

// lacks says why a visitor may not, and what would change that.
func (d *Door) lacks(v visitor, need Role) string {
	name := v.Login
	if !v.Known() {
		name = v.From
		if v.forwarded {
			return name + " may not " + need.verb() + ": a proxy that web.proxy does not name passed this on"
		}
		return name + " may not " + need.verb() + " without a login: set web.config_file or make a token with `binnacle token`"
	}
	if need == Act {
		return name + " may read here, and not act: web.act of the configuration names who may"
	}
	return name + " may not " + need.verb() + " here: web.agents of the configuration, or a token with that role, names who may"
}

// refuseAct is refuse for what would have changed something: the ledger keeps it.
func (d *Door) refuseAct(w http.ResponseWriter, r *http.Request, v visitor, rt route, why string) {
	if rt.role == Act || rt.role == Agent {
		d.opts.Refused(v.Person, r.Method+" "+clip(r.URL.Path), why)
	}
	d.refuse(w, r, http.StatusForbidden, why)
}

func (d *Door) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	drain(w, r)
	d.quiet.Warn("request refused", "status", status, "why", why, "method", r.Method, "path", clip(r.URL.Path), "from", r.RemoteAddr)
	d.answer(w, r, status, why)
}

// unknown answers who could not show who it is.
func (d *Door) unknown(w http.ResponseWriter, r *http.Request, err error) {
	if tooMany, ok := errors.AsType[slowDown](err); ok {
		w.Header().Set("Retry-After", tooMany.seconds())
		d.refuse(w, r, http.StatusTooManyRequests, err.Error())
		return
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="binnacle"`)
	d.refuse(w, r, http.StatusUnauthorized, err.Error())
}

// clip bounds what a stranger can put into a log line.
func clip(s string) string { return words.Clip(s, 120) }

// Faults are what an operator should know of a door that listens at an address: files that changed and cannot be used,
// so that the old ones stay in force, and what is open to others without a login.
func (d *Door) Faults(listen net.Addr) []string {
	var out []string
	for _, f := range []interface{ fault() error }{d.web, d.tokens} {
		if err := f.fault(); err != nil {
			out = append(out, err.Error())
		}
	}
	a, ok := listen.(*net.TCPAddr)
	if !d.guarded() && (!ok || !a.IP.IsLoopback()) {
		out = append(out, fmt.Sprintf("everybody who reaches %s may read and send alarms and samples: set web.config_file with TLS and logins, or make tokens with `binnacle token`", listen))
	}
	return out
}

// shutdownWait is for requests that are under way when the agent stops.
const shutdownWait = 3 * time.Second

// Serve answers on l until ctx ends and the requests under way have ended, or were given up.
func (d *Door) Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	conns := newConns(l, connLimit(), d.quiet)
	srv := &http.Server{
		Handler: conns.track(d.Handler(h)), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, WriteTimeout: 3 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: conns.state, ConnContext: conns.context,
		ErrorLog: slog.NewLogLogger(d.quiet.Handler(), slog.LevelDebug), // handshakes of port scanners
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		ending, cancel := context.WithTimeout(context.Background(), shutdownWait)
		defer cancel()
		if err := srv.Shutdown(ending); err != nil {
			_ = srv.Close() // who still listens is a browser's stream
		}
	})
	defer func() {
		if !stop() {
			<-ended // what a handler works with is closed after this
		}
	}()
	var err error
	if c := d.web.tls(srv); c != nil {
		srv.TLSConfig = c
		err = srv.ServeTLS(conns, "", "")
	} else {
		err = srv.Serve(conns)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
