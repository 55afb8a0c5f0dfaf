package door

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/navcloud/binnacle/alerting"
)

func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func webConfigFile(t *testing.T, users ...string) string {
	t.Helper()
	text := "basic_auth_users:\n"
	for _, u := range users {
		text += "  " + u + ": '" + hash(t, u+"-password") + "'\n"
	}
	path := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type refusal struct {
	person    alerting.Person
	what, why string
}

// newDoor is a door before a handler that says who came in.
func newDoor(t *testing.T, c Config) (http.Handler, *Door, *[]refusal) {
	t.Helper()
	var refused []refusal
	d, err := New(Options{
		Config: c, Data: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Refused: func(p alerting.Person, what, why string) { refused = append(refused, refusal{p, what, why}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := d.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), bodyStatus(err))
			return
		}
		_ = json.NewEncoder(w).Encode(Who(r))
	}))
	return h, d, &refused
}

type call struct {
	method, path, body string
	from               string // loopback when empty
	host               string
	user, password     string
	header             map[string]string
	cert               string // common name, verified
	unverified         string // common name that the client alone says
}

func (c call) do(t *testing.T, h http.Handler) (int, alerting.Person, string) {
	t.Helper()
	r := httptest.NewRequest(c.method, "http://127.0.0.1:9600"+c.path, strings.NewReader(c.body))
	if c.body == "" {
		r.Body = http.NoBody
	}
	r.RemoteAddr = "127.0.0.1:40000"
	if c.from != "" {
		r.RemoteAddr = c.from + ":40000"
	}
	if c.host != "" {
		r.Host = c.host
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	named := func(cn string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: cn}} }
	if c.cert != "" {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{named(c.cert)}, VerifiedChains: [][]*x509.Certificate{{named(c.cert)}}}
	}
	if c.unverified != "" {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{named(c.unverified)}}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var p alerting.Person
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, p, w.Body.String()
}

const (
	alerts  = "/api/v2/alerts"
	silence = "/api/v1/silence"
)

func TestRolesByIdentity(t *testing.T) {
	guarded := Config{ConfigFile: webConfigFile(t, "maria", "jo", "node"), Act: []string{"maria"}, Agents: []string{"node"}}
	proxied := Config{Proxy: Proxy{From: []string{"10.0.0.0/24"}}, Act: []string{"maria"}}
	as := func(name, method, path string) call {
		return call{method: method, path: path, user: name, password: name + "-password"}
	}
	forged := map[string]string{"X-Forwarded-User": "maria"}
	for name, tc := range map[string]struct {
		config Config
		call   call
		status int
		login  string
	}{
		"who may act acts":                       {guarded, as("maria", "POST", silence), 200, "maria"},
		"and sends":                              {guarded, as("maria", "POST", alerts), 200, "maria"},
		"a reader reads":                         {guarded, as("jo", "GET", "/"), 200, "jo"},
		"and posts a question":                   {guarded, as("jo", "POST", "/api/v1/query"), 200, "jo"},
		"a reader does not silence":              {guarded, as("jo", "POST", silence), 403, ""},
		"nor by Alertmanager's API":              {guarded, as("jo", "POST", "/api/v2/silences"), 403, ""},
		"nor by its end":                         {guarded, as("jo", "DELETE", "/api/v2/silence/s1"), 403, ""},
		"nor at the board":                       {guarded, as("jo", "POST", "/problems/p1/take"), 403, ""},
		"nor on another path to it":              {guarded, as("jo", "POST", "/api/v1/./silence"), 403, ""},
		"nor with letters written otherwise":     {guarded, as("jo", "POST", "/api/v1/%73ilence"), 403, ""},
		"nor by a route that nobody knows":       {guarded, as("jo", "PUT", "/api/v9/new"), 403, ""},
		"a reader ends no alarm":                 {guarded, as("jo", "POST", alerts), 403, ""},
		"and writes no samples":                  {guarded, as("jo", "POST", "/api/v1/write"), 403, ""},
		"and marks no deploy":                    {guarded, as("jo", "POST", "/api/v1/deploys"), 403, ""},
		"a method in a header is no method":      {guarded, call{method: "GET", path: silence, user: "jo", password: "jo-password", header: map[string]string{"X-HTTP-Method-Override": "POST"}}, 200, "jo"},
		"an agent sends":                         {guarded, as("node", "POST", alerts), 200, "node"},
		"an agent does not act":                  {guarded, as("node", "POST", silence), 403, ""},
		"nobody is anonymous where there are":    {guarded, call{method: "GET", path: "/"}, 401, ""},
		"a wrong password":                       {guarded, call{method: "GET", path: "/", user: "maria", password: "x"}, 401, ""},
		"a name that is not there":               {guarded, call{method: "GET", path: "/", user: "eve", password: "x"}, 401, ""},
		"a header alone proves nothing":          {guarded, call{method: "POST", path: silence, header: forged}, 401, ""},
		"a probe needs no login":                 {guarded, call{method: "GET", path: "/-/ready"}, 200, ""},
		"but a wrong one is told":                {guarded, call{method: "GET", path: "/-/ready", user: "maria", password: "x"}, 401, ""},
		"who signs needs no login":               {guarded, call{method: "POST", path: "/api/v1/pagerduty"}, 200, ""},
		"a certificate wins over a header":       {guarded, call{method: "POST", path: silence, cert: "jo", user: "maria", password: "x"}, 403, ""},
		"a certificate acts":                     {guarded, call{method: "POST", path: silence, cert: "maria"}, 200, "maria"},
		"one that nobody verified does not":      {guarded, call{method: "POST", path: silence, unverified: "maria"}, 401, ""},
		"this machine may do all without logins": {Config{}, call{method: "POST", path: silence}, 200, ""},
		"others send":                            {Config{}, call{method: "POST", path: alerts, from: "10.0.0.7"}, 200, ""},
		"and do not act":                         {Config{}, call{method: "POST", path: silence, from: "10.0.0.7"}, 403, ""},
		"nor through a proxy here":               {Config{}, call{method: "POST", path: silence, header: map[string]string{"X-Forwarded-For": "127.0.0.1"}}, 403, ""},
		"nor by a password that nobody checks":   {Config{}, call{method: "POST", path: silence, from: "10.0.0.7", user: "maria", password: "x"}, 403, ""},
		"a proxy of ours says who it is":         {proxied, call{method: "POST", path: silence, from: "10.0.0.9", header: forged}, 200, "maria"},
		"another does not":                       {proxied, call{method: "POST", path: silence, from: "10.0.1.9", header: forged}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _ := newDoor(t, tc.config)
			if status, p, text := tc.call.do(t, h); status != tc.status || p.Login != tc.login {
				t.Errorf("%+v: %d as %q: %s; want %d as %q", tc.call, status, p.Login, text, tc.status, tc.login)
			}
		})
	}
}

func TestARefusedActIsToldByLogin(t *testing.T) {
	h, _, refused := newDoor(t, Config{ConfigFile: webConfigFile(t, "maria", "jo"), Act: []string{"maria"}})
	call{method: "POST", path: silence, user: "jo", password: "jo-password"}.do(t, h)
	call{method: "GET", path: "/", user: "jo", password: "jo-password"}.do(t, h)
	if r := *refused; len(r) != 1 || r[0].person.Login != "jo" || r[0].what != "POST "+silence || !strings.Contains(r[0].why, "web.act") {
		t.Errorf("told %+v; want one, jo's POST %s, for web.act", r, silence)
	}
}

func TestHostsAndOrigins(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Skip(err)
	}
	c := Config{ExternalURL: "https://board.example/", Hosts: []string{"router.internal"}}
	evil := map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	for what, tc := range map[string]struct {
		call   call
		status int
	}{
		"an address":                        {call{method: "GET", path: "/", host: "192.0.2.7:9600"}, 200},
		"an IPv6 address":                   {call{method: "GET", path: "/", host: "[2001:db8::1]:9600"}, 200},
		"localhost":                         {call{method: "GET", path: "/", host: "localhost:9600"}, 200},
		"the machine's name":                {call{method: "GET", path: "/", host: name}, 200},
		"the external URL's":                {call{method: "GET", path: "/", host: "board.example"}, 200},
		"a listed one":                      {call{method: "GET", path: "/", host: "Router.Internal.:9600"}, 200},
		"a foreign name that leads here":    {call{method: "GET", path: "/", host: "evil.example:9600"}, 403},
		"reads no status either":            {call{method: "GET", path: "/-/status", host: "evil.example:9600"}, 403},
		"and acts not":                      {call{method: "POST", path: "/problems/p/take", host: "evil.example", header: map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}}, 403},
		"but a probe under it is answered":  {call{method: "GET", path: "/-/healthy", host: "10-0-0-7.pod.cluster.local"}, 200},
		"a page of another site acts not":   {call{method: "POST", path: silence, header: evil}, 403},
		"nor sends":                         {call{method: "POST", path: alerts, header: evil}, 403},
		"nor writes":                        {call{method: "POST", path: "/api/v1/write", header: evil}, 403},
		"nor from a sandbox":                {call{method: "POST", path: silence, header: map[string]string{"Origin": "null"}}, 403},
		"nor by the origin alone":           {call{method: "POST", path: silence, header: map[string]string{"Origin": "https://evil.example"}}, 403},
		"the own page acts":                 {call{method: "POST", path: silence, header: map[string]string{"Origin": "http://127.0.0.1:9600", "Sec-Fetch-Site": "same-origin"}}, 200},
		"and behind the external URL":       {call{method: "POST", path: silence, header: map[string]string{"Origin": "https://board.example"}}, 200},
		"curl -d says nothing of an origin": {call{method: "POST", path: silence, body: "{}", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 200},
	} {
		t.Run(what, func(t *testing.T) {
			h, _, _ := newDoor(t, c)
			if status, _, text := tc.call.do(t, h); status != tc.status {
				t.Errorf("%+v: %d %s; want %d", tc.call, status, text, tc.status)
			}
		})
	}
}

func TestListed(t *testing.T) {
	for pattern, want := range map[string]bool{
		"GET /anything": true, "POST /api/v2/alerts": true, "DELETE /api/v2/silence/{id}": true, "POST /problems/{id}/take": true,
		"POST /api/v1/new": false, "DELETE /api/v2/alerts": false, "/every/method": false, "PUT /problems/{id}/take": false,
	} {
		if got := Listed(pattern); got != want {
			t.Errorf("Listed(%q) = %v; want %v", pattern, got, want)
		}
	}
}

func TestTokensHaveRolesAndEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	agent, err := NewToken(path, Token{Name: "node-a", Roles: []string{"agent"}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := NewToken(path, Token{Name: "old", Roles: []string{"act"}, Expires: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", i.Mode(), err)
	}
	text, _ := os.ReadFile(path)
	if strings.Contains(string(text), agent) {
		t.Error("the file holds a token; want its hash")
	}
	h, d, _ := newDoor(t, Config{TokensFile: path})
	bearer := func(token, path string) call {
		return call{method: "POST", path: path, header: map[string]string{"Authorization": "Bearer " + token}}
	}
	for name, tc := range map[string]struct {
		call   call
		status int
		login  string
	}{
		"sends":              {bearer(agent, alerts), 200, "node-a"},
		"under any name":     {call{method: "POST", path: alerts, host: "binnacle.monitoring.svc", header: map[string]string{"Authorization": "Bearer " + agent}}, 200, "node-a"},
		"made up, likewise":  {call{method: "POST", path: alerts, host: "evil.example", header: map[string]string{"Authorization": "Bearer bnc_0"}}, 403, ""},
		"as a password":      {call{method: "POST", path: alerts, user: "x", password: agent}, 200, "node-a"},
		"does not act":       {bearer(agent, silence), 403, ""},
		"ended":              {bearer(old, silence), 401, ""},
		"made up":            {bearer("bnc_0000", alerts), 401, ""},
		"nobody without one": {call{method: "GET", path: "/"}, 401, ""},
	} {
		if status, p, text := tc.call.do(t, h); status != tc.status || p.Login != tc.login {
			t.Errorf("%s: %d as %q: %s; want %d as %q", name, status, p.Login, text, tc.status, tc.login)
		}
	}
	if err := RevokeToken(path, "node-a"); err != nil {
		t.Fatal(err)
	}
	d.tokens.next.Store(0) // a second has passed
	if status, _, _ := bearer(agent, alerts).do(t, h); status != 401 {
		t.Errorf("a token that was revoked: %d; want 401", status)
	}
	if list, err := Tokens(path); err != nil || len(list) != 1 || list[0].Name != "old" {
		t.Errorf("tokens %+v, %v; want old", list, err)
	}
}

var here = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

func TestWhatIsOpenIsSaid(t *testing.T) {
	_, open, _ := newDoor(t, Config{})
	_, guarded, _ := newDoor(t, Config{ConfigFile: webConfigFile(t, "maria")})
	all := &net.TCPAddr{IP: net.IPv6zero}
	if a, b, c := open.Faults(all), open.Faults(here), guarded.Faults(all); len(a) != 1 || len(b)+len(c) != 0 {
		t.Errorf("faults %q, %q, %q; want one of the open door that others reach", a, b, c)
	}
}

func TestAFileThatChangesIsReread(t *testing.T) {
	path := webConfigFile(t, "maria")
	h, d, _ := newDoor(t, Config{ConfigFile: path})
	maria := call{method: "GET", path: "/", user: "maria", password: "maria-password"}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.web.next.Store(0)
	}
	write("basic_auth_users: {maria: plain-password-that-is-no-hash}")
	if status, _, _ := maria.do(t, h); status != 200 || len(d.Faults(here)) != 1 {
		t.Errorf("a file that cannot be used: %d, faults %q; want the old one in force, and one fault", status, d.Faults(here))
	}
	write("basic_auth_users: {jo: '" + hash(t, "jo-password") + "'}")
	if status, _, _ := maria.do(t, h); status != 401 || len(d.Faults(here)) != 0 {
		t.Errorf("after maria was taken out: %d, faults %q; want 401 and none", status, d.Faults(here))
	}
	jo := call{method: "GET", path: "/", user: "jo", password: "jo-password"}
	if status, _, _ := jo.do(t, h); status != 200 {
		t.Errorf("jo: %d; want 200", status)
	}
}

func TestConfigFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		config Config
		want   string
	}{
		"act without logins":  {Config{Act: []string{"maria"}}, "web.act"},
		"a file that is gone": {Config{ConfigFile: "/no/such/file"}, "no such file"},
		"a network":           {Config{Proxy: Proxy{From: []string{"10.0.0/8"}}}, "proxy.from"},
		"a header alone":      {Config{Proxy: Proxy{Header: "X-User"}}, "proves nothing"},
		"a URL as a host":     {Config{Hosts: []string{"http://a"}}, "without scheme"},
		"in both lists":       {Config{ConfigFile: webConfigFile(t, "a"), Act: []string{"a"}, Agents: []string{"a"}}, "in act as well"},
		"an external URL":     {Config{ExternalURL: "board.example"}, "external_url"},
	} {
		if err := tc.config.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
	if err := (Config{Hosts: []string{"a.example", "::1"}, ExternalURL: "https://b"}).Validate(); err != nil {
		t.Error(err)
	}
}
