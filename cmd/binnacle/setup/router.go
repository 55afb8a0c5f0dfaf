package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// Router is what a person decides of a router. Fields that are empty leave what an earlier run made, or take the default.
type Router struct {
	Place
	Listen     string   // host:port
	Hosts      []string // further names of this machine
	Admin      string   // login of who may act
	Readers    []string // logins that read
	RoutingKey string   // of PagerDuty
	Region     string
	EventsURL  string
	SendTest   bool
}

const (
	defaultListen = "0.0.0.0:9600"
	localToken    = "this-machine" // the login of the commands of root on this machine
)

// Run makes this machine a router.
func (r Router) Run(ctx context.Context, w World) error {
	place, err := r.absolute()
	if err != nil {
		return err
	}
	r.Place = place
	j := &job{World: w, Place: r.Place}
	if err := j.prepare(); err != nil {
		return err
	}
	m, err := j.read()
	if err != nil {
		return err
	}
	if routers, ok := m.at("rules", "routers"); ok {
		return fmt.Errorf("this node has joined %v: `binnacle setup --undo` first; nothing was changed", routers)
	}
	if err := errors.Join(r.sound(m), r.decide(j, m)); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	var cfg agent.Config
	for _, step := range []func() error{
		j.account, j.folders, j.mainFile,
		func() error { return r.pager(j) },
		func() error { return r.guard(j, m) },
		func() error {
			return j.writeFragment(m, func() (err error) { cfg, err = j.check(ctx); return err })
		},
	} {
		if err := step(); err != nil {
			return full(err)
		}
	}
	if err := r.commands(j, cfg); err != nil {
		return full(err)
	}
	if err := j.start(); err != nil {
		return err
	}
	r.board(j, cfg)
	if err := r.invite(j, cfg); err != nil {
		return full(err)
	}
	return r.test(ctx, j, cfg)
}

// sound errs where the agent would refuse what was asked for: before a certificate, a secret or a login is made of it.
func (r Router) sound(m mine) error {
	var errs []error
	asked := settings{}
	if m.has("route", "pagerduty", "routing_key") { // of an earlier run, or a person's: it was looked at then
		asked.put(strings.Repeat("x", 32), "route", "pagerduty", "routing_key")
	}
	for _, v := range []struct {
		value string
		path  []string
	}{
		{r.RoutingKey, []string{"route", "pagerduty", "routing_key"}},
		{r.Region, []string{"route", "pagerduty", "region"}},
		{r.EventsURL, []string{"route", "pagerduty", "events_url"}},
	} {
		if v.value != "" {
			asked.put(v.value, v.path...)
		}
	}
	if len(r.Hosts) > 0 {
		asked.put(r.Hosts, "web", "hosts")
	}
	text, err := asked.text()
	if err != nil {
		return err
	}
	if _, err := agent.ParseConfig("", text); err != nil {
		faults, _ := errors.AsType[strict.Faults](err)
		for _, f := range faults {
			errs = append(errs, errors.New(f.Text))
		}
		if len(faults) == 0 {
			errs = append(errs, err)
		}
	}
	if r.SendTest && r.RoutingKey == "" && !m.has("route", "pagerduty", "routing_key") {
		errs = append(errs, errors.New("--send-test: no pager is configured: give --routing-key-file"))
	}
	return errors.Join(errs...)
}

// decide puts into the fragment what was asked for, what was found, and the defaults.
func (r Router) decide(j *job, m mine) error {
	listen := r.Listen
	if listen == "" {
		listen = defaultListen
	}
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return fmt.Errorf("--listen: want host:port, have %q", listen)
	}
	errs := []error{m.want(listen, r.Listen != "", "listen"), m.want("shadow", false, "route", "mode")}
	errs = append(errs, m.want(j.Data, false, "data"))
	if r.RoutingKey != "" {
		errs = append(errs, m.want("${file:"+j.secret("pagerduty")+"}", true, "route", "pagerduty", "routing_key"))
	}
	if r.Region != "" {
		errs = append(errs, m.want(r.Region, true, "route", "pagerduty", "region"))
	}
	if r.EventsURL != "" {
		errs = append(errs, m.want(r.EventsURL, true, "route", "pagerduty", "events_url"))
	}
	if len(r.Hosts) > 0 {
		errs = append(errs, m.want(r.Hosts, true, "web", "hosts"))
	}
	if _, _, ok := m.theirs("web", "config_file"); !ok && r.guarded(m, listen) {
		errs = append(errs, m.want(j.web(), false, "web", "config_file"))
		if admin := r.admin(); r.Admin != "" || !m.has("web", "act") {
			errs = append(errs, m.want(withName(m.settings, admin), r.Admin != "", "web", "act"))
		}
	}
	return errors.Join(append(errs, found(j, m))...)
}

// withName is the list of who may act, with one more.
func withName(s settings, name string) []any {
	list, _ := s.at("web", "act")
	have, _ := list.([]any)
	if slices.Contains(have, any(name)) {
		return have
	}
	return append(slices.Clone(have), name)
}

func (r Router) admin() string {
	if r.Admin != "" {
		return r.Admin
	}
	return "admin"
}

// has says whether anybody set a value.
func (m mine) has(path ...string) bool {
	_, _, theirs := m.theirs(path...)
	_, mine := m.at(path...)
	return theirs || mine
}

// listen is the address in force.
func (m mine) listen(or string) string {
	if v, _, ok := m.theirs("listen"); ok {
		return fmt.Sprint(v)
	}
	if v, ok := m.at("listen"); ok {
		return fmt.Sprint(v)
	}
	return or
}

// guarded says whether TLS and logins are wanted: where other machines reach this one, or a flag names a login.
func (r Router) guarded(m mine, listen string) bool {
	_, had := m.at("web", "config_file")
	return had || r.Admin != "" || !loopback(m.listen(listen))
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// pager keeps the routing key where only root and the agent read it.
func (r Router) pager(j *job) error {
	if r.RoutingKey == "" {
		return nil
	}
	changed, err := j.write(j.secret("pagerduty"), []byte(r.RoutingKey+"\n"))
	if changed && err == nil {
		j.did("%s, PagerDuty's routing key", j.secret("pagerduty"))
	}
	return err
}

// board says where the pages are, once something changed.
func (r Router) board(j *job, cfg agent.Config) {
	if !j.changed {
		return
	}
	how := ""
	if authority.Exists(authority.Dir(j.Data)) && cfg.Web.ConfigFile == j.web() {
		how = fmt.Sprintf(" (login %s; a browser knows the certificate after it imported %s)", r.admin(), authority.NodeOf(j.Data).CA())
	}
	j.say("\nThe pages are then at %s%s", cfg.Reached(), how)
}

// invite prints how the next node joins.
func (r Router) invite(j *job, cfg agent.Config) error {
	dir := authority.Dir(j.Data)
	if !authority.Exists(dir) {
		return nil
	}
	if !j.changed {
		j.say("\nNodes join with what `binnacle token join` prints.")
		return nil
	}
	line, err := Invite(cfg, "")
	if err != nil {
		return err
	}
	j.say("\nThe next node joins with (once, within an hour; `binnacle token join` makes more):\n  %s", line)
	return nil
}

// Invite makes a token and returns the command with which a node joins. node names the only one that may use it.
func Invite(cfg agent.Config, node string) (string, error) {
	dir := authority.Dir(cfg.Data)
	if !authority.Exists(dir) {
		return "", fmt.Errorf("no authority is in %s: run `binnacle setup` on the first router", dir)
	}
	a, err := authority.Open(dir, time.Now)
	if err != nil {
		return "", err
	}
	token, err := a.NewJoin(node)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("binnacle join https://%s %s", net.JoinHostPort(cfg.PublicName(), port), token), nil
}

// test sends a page of low urgency and resolves it.
func (r Router) test(ctx context.Context, j *job, cfg agent.Config) error {
	if !r.SendTest {
		return nil
	}
	found, err := agent.CheckLive(ctx, cfg, true)
	if err != nil {
		return err
	}
	j.say("\nThe test page, at low urgency:")
	for _, f := range found {
		j.say("  %s: %s", [...]string{"ok", "advice", "DEFEATS US"}[f.Level], f.Text)
	}
	if slices.ContainsFunc(found, func(f pagerduty.Finding) bool { return f.Level == pagerduty.Defeats }) {
		return errors.New("the test page did not go through")
	}
	return nil
}
