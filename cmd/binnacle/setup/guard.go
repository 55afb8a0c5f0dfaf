package setup

import (
	"bytes"
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
)

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

// logins adds what is missing to the web-config file; the rest of it stays.
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
