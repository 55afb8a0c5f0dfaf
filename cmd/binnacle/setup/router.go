package setup

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/door"
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
	if err := r.decide(j, m); err != nil {
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
	if err := r.invite(j, cfg); err != nil {
		return full(err)
	}
	return r.test(ctx, j, cfg)
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

// guard makes TLS and logins where other machines reach this one. A web-config file of a person is left alone.
func (r Router) guard(j *job, m mine) error {
	if !r.guarded(m, defaultListen) {
		return nil
	}
	if _, file, ok := m.theirs("web", "config_file"); ok {
		j.kept("web.config_file of %s: TLS and logins are yours", file)
		return nil
	}
	name := nodeName(m)
	a, err := j.authority(name)
	if err != nil {
		return err
	}
	if err := j.certificate(a, name, append(machineNames(), r.Hosts...)); err != nil {
		return err
	}
	return r.logins(j)
}

func nodeName(m mine) string {
	for _, s := range append([]settings{m.settings}, values(m.others)...) {
		if v, ok := s.at("node", "name"); ok {
			return fmt.Sprint(v)
		}
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

func values(m map[string]settings) (out []settings) {
	for _, s := range m {
		out = append(out, s)
	}
	return out
}

func (j *job) authority(name string) (*authority.Authority, error) {
	dir := authority.Dir(j.Data)
	had := authority.Exists(dir)
	a, err := authority.Create(dir, name, time.Now)
	if err != nil {
		return nil, fmt.Errorf("the authority: %w", err)
	}
	if had {
		j.kept("the fleet's authority, %s", dir)
	} else {
		j.did("the fleet's authority, %s; its key is for the agent's eyes alone: back it up", dir)
	}
	return a, nil
}

// certificate makes the machine's own, or a new one where it lacks a name.
func (j *job) certificate(a *authority.Authority, name string, hosts []string) error {
	n := authority.NodeOf(j.Data)
	if c, err := authority.ReadCert(n.Cert()); err == nil && n.Ready() && !slices.ContainsFunc(hosts, func(h string) bool { return c.VerifyHostname(h) != nil }) {
		j.kept("the certificate, until %s", c.NotAfter.UTC().Format(time.DateOnly))
		return nil
	}
	if err := n.Sign(a, name, hosts); err != nil {
		return err
	}
	j.did("a certificate for %s; the agent renews it", strings.Join(hosts, ", "))
	return nil
}

// machineNames are the names and addresses of this machine.
func machineNames() []string {
	out := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "" && name != "localhost" {
		out = append(out, name)
	}
	addrs, _ := net.InterfaceAddrs() // without any there is loopback
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// webConfig is the web-config file as far as setup knows it; the rest of it stays.
func (r Router) logins(j *job) error {
	text, err := os.ReadFile(j.web())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	doc := map[string]any{}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", j.web(), err)
	}
	s, n := settings(doc), authority.NodeOf(j.Data)
	if _, ok := s.at("tls_server_config"); !ok {
		s.put(n.Cert(), "tls_server_config", "cert_file")
		s.put(n.Key(), "tls_server_config", "key_file")
	}
	passwords, err := r.passwords(s)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# TLS and logins, in exporter-toolkit's format. `binnacle setup` adds logins; the rest is yours.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return err
	}
	if len(text) > 0 && len(passwords) == 0 {
		j.kept("the logins in %s", j.web())
		return nil
	}
	if _, err := j.write(j.web(), b.Bytes()); err != nil {
		return err
	}
	j.did("%s: TLS and logins", j.web())
	for _, p := range passwords {
		j.say("        password of %s: %s   (shown once; the file holds a hash)", p[0], p[1])
	}
	return nil
}

// passwords adds the logins that are not there, and returns each with its password.
func (r Router) passwords(s settings) (out [][2]string, err error) {
	for _, name := range append([]string{r.admin()}, r.Readers...) {
		if _, ok := s.at("basic_auth_users", name); ok || name == "" {
			continue
		}
		if users, ok := s.at("basic_auth_users"); ok && name == r.admin() && r.Admin == "" && len(users.(map[string]any)) > 0 {
			continue // logins of an earlier run, of which nobody asked for another
		}
		password := strings.ToLower(rand.Text()[:20])
		hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
		if err != nil {
			return nil, err
		}
		s.put(string(hash), "basic_auth_users", name)
		out = append(out, [2]string{name, password})
	}
	return out, nil
}

// Client is how the commands of this machine reach its agent.
type Client struct {
	URL       string `yaml:"url"`
	CAFile    string `yaml:"ca_file,omitempty"`
	TokenFile string `yaml:"token_file,omitempty"`
}

// commands lets root's commands on this machine in, where the agent wants a login.
func (r Router) commands(j *job, cfg agent.Config) error {
	if cfg.Web.ConfigFile != j.web() {
		return nil
	}
	_, port, _ := net.SplitHostPort(cfg.Listen) // it was checked
	n, tokenFile := authority.NodeOf(j.Data), j.secret("commands")
	text, err := yaml.Marshal(Client{URL: "https://127.0.0.1:" + port, CAFile: n.CA(), TokenFile: tokenFile})
	if err != nil {
		return err
	}
	path := cfg.Web.TokensPath(cfg.Data)
	have, err := door.Tokens(path)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(have, func(t door.Token) bool { return t.Name == localToken })
	if _, err := os.Stat(tokenFile); err != nil || !known {
		if known {
			if err := door.RevokeToken(path, localToken); err != nil {
				return err
			}
		}
		token, err := door.NewToken(path, door.Token{Name: localToken, Roles: []string{"act"}, Created: time.Now().UTC().Truncate(time.Second)})
		if err != nil {
			return err
		}
		if err := atomicfile.Write(tokenFile, []byte(token+"\n"), 0o600); err != nil {
			return err
		}
		j.did("a token for the commands of this machine, %s", tokenFile)
	}
	changed, err := j.write(j.client(), text)
	if changed && err == nil {
		j.did("%s: `binnacle status` and the like need no flags for who may read it", j.client())
	}
	return err
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
	host := cfg.NodeName()
	if len(cfg.Web.Hosts) > 0 {
		host = cfg.Web.Hosts[0]
	}
	return fmt.Sprintf("binnacle join https://%s %s", net.JoinHostPort(host, port), token), nil
}

// test sends a page of low urgency and resolves it.
func (r Router) test(ctx context.Context, j *job, cfg agent.Config) error {
	if !r.SendTest {
		return nil
	}
	if !cfg.Route.PagerDuty.Configured() {
		return errors.New("--send-test: no pager is configured: give --routing-key-file")
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
