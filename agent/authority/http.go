package authority

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Paths of the two questions.
const (
	JoinPath  = "/api/v1/join"
	RenewPath = "/api/v1/join/renew"
)

const (
	askWait   = 20 * time.Second
	maxAnswer = 64 << 10 // bytes
)

// question is what a node sends: to join with a secret and a name, to renew without.
type question struct {
	Secret string `json:"secret,omitempty"`
	Name   string `json:"name,omitempty"`
	CSR    string `json:"csr"`
}

// answer is what it gets.
type answer struct {
	Certificate string `json:"certificate"`
	Authority   string `json:"authority"`
	Token       string `json:"token,omitempty"` // with which the node logs in from now on

	ahead time.Duration
}

// Joined is what a node has after it joined.
type Joined struct {
	Name  string
	Token string        // that agents log in with
	Ahead time.Duration // of the router's clock, within a second or two; negative: it is behind
}

// Check errs where an address of a router and a token have not the form that they must have. It asks nobody.
func Check(base, token string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("want the router as https://host:port")
	}
	_, _, err = splitJoin(token)
	return err
}

// Join asks the router at base to take this node in, and puts its certificate into n. It refuses a router whose chain does not
// hold the authority that the token names, before anything of the token is sent.
func Join(ctx context.Context, base, token, name string, n Node) (Joined, error) {
	if err := Check(base, token); err != nil {
		return Joined{}, err
	}
	secret, want, _ := splitJoin(token) // it was checked
	u, err := url.Parse(base)
	if err != nil {
		return Joined{}, err
	}
	csr, err := n.request(name)
	if err != nil {
		return Joined{}, err
	}
	tr := &http.Transport{TLSClientConfig: pinned(u.Hostname(), want), Proxy: http.ProxyFromEnvironment}
	defer tr.CloseIdleConnections()
	a, err := ask(ctx, &http.Client{Transport: tr}, strings.TrimSuffix(base, "/")+JoinPath, nil, question{Secret: secret, Name: name, CSR: csr})
	if err != nil {
		return Joined{}, err
	}
	block, _ := pem.Decode([]byte(a.Authority))
	if block == nil || fingerprint(block.Bytes) != want || a.Token == "" {
		return Joined{}, errors.New("the router's answer is not that of the authority which the token names")
	}
	return Joined{name, a.Token, a.ahead}, n.keep([]byte(a.Certificate), []byte(a.Authority))
}

// clockWords are said of a certificate that is not valid at this time by this machine's clock; err where that is not why.
func clockWords(c *x509.Certificate, now time.Time, err error) error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || invalid.Reason != x509.Expired {
		return err
	}
	form := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
	return fmt.Errorf("the router's certificate is valid from %s to %s, and this machine's clock says %s: set the clock that is wrong. Nothing was sent", form(c.NotBefore), form(c.NotAfter), form(now))
}

// pinned trusts who shows a chain up to the authority with a fingerprint, and nobody else.
func pinned(host, want string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: true, // the system's authorities do not know ours; VerifyConnection does all that they would
		VerifyConnection: func(s tls.ConnectionState) error {
			roots := x509.NewCertPool()
			for _, c := range s.PeerCertificates {
				if c.IsCA && fingerprint(c.Raw) == want {
					roots.AddCert(c)
					now := time.Now()
					_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
					return clockWords(s.PeerCertificates[0], now, err)
				}
			}
			return errors.New("the router is not the one that made the token: its authority has another fingerprint. Nothing was sent")
		},
	}
}

// AskRenewal renews the certificate of n at a router, by a client that logs in as the node.
func AskRenewal(ctx context.Context, client *http.Client, base string, header http.Header, name string, n Node) error {
	csr, err := n.request(name)
	if err != nil {
		return err
	}
	a, err := ask(ctx, client, strings.TrimSuffix(base, "/")+RenewPath, header, question{CSR: csr})
	if err != nil {
		return err
	}
	return n.keep([]byte(a.Certificate), nil) // the authority is the one that is trusted already
}

func ask(ctx context.Context, client *http.Client, at string, header http.Header, q question) (answer, error) {
	var a answer
	body, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	if header != nil {
		r.Header = header.Clone()
	}
	r.Header.Set("Content-Type", "application/json")
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, err
	}
	if resp.StatusCode != http.StatusOK {
		return a, fmt.Errorf("the router answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.ahead = time.Until(at).Round(time.Second)
	}
	return a, json.Unmarshal(text, &a)
}

// Server answers both questions for the authority in Dir, if there is one at that moment.
type Server struct {
	Dir  string
	Now  func() time.Time
	Self func() []string // names of this machine, which no node may take
	// Admit makes the login of a node and returns its token. again says that the node may have one, which ends.
	Admit func(node string, again bool) (string, error)
	Who   func(*http.Request) (node string, known bool) // who asks for a renewal, as it proved
	Told  func(node, from string)                       // of each node that joined
}

// Register puts the routes on a mux.
func (s Server) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST "+JoinPath, s.join)
	mux.HandleFunc("POST "+RenewPath, s.renew)
}

// read reads a question and opens the authority; it answers itself where it cannot.
func (s Server) read(w http.ResponseWriter, r *http.Request) (q question, a *Authority, ok bool) {
	if !Exists(s.Dir) {
		http.Error(w, "no authority is here: ask the first router, on which `binnacle setup` ran", http.StatusNotFound)
		return q, nil, false
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, "want JSON: "+err.Error(), http.StatusBadRequest)
		return q, nil, false
	}
	a, err := Open(s.Dir, s.Now)
	if err != nil {
		http.Error(w, "the authority cannot be used: "+err.Error(), http.StatusInternalServerError)
		return q, nil, false
	}
	return q, a, true
}

func (s Server) join(w http.ResponseWriter, r *http.Request) {
	q, a, ok := s.read(w, r)
	if !ok {
		return
	}
	if err := a.Good(q.Secret, q.Name); err != nil {
		status := http.StatusForbidden
		if !errors.Is(err, ErrJoin) {
			status = http.StatusInternalServerError
		}
		http.Error(w, err.Error(), status)
		return
	}
	if !NodeName.MatchString(q.Name) || net.ParseIP(q.Name) != nil {
		http.Error(w, "name: want letters, digits and ._- up to 64", http.StatusBadRequest)
		return
	}
	if s.own(q.Name) {
		http.Error(w, fmt.Sprintf("name: %s is this router's own: join under another with --name", q.Name), http.StatusConflict)
		return
	}
	if _, err := a.sign(q.Name, q.CSR, nil); err != nil { // before the token is used up
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	bound, err := a.Redeem(q.Secret, q.Name)
	if errors.Is(err, ErrJoin) {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	var token string
	if err == nil {
		token, err = s.Admit(q.Name, bound)
	}
	var cert []byte
	if err == nil {
		cert, err = a.sign(q.Name, q.CSR, hostsOf(q.Name, r))
	}
	if err != nil {
		http.Error(w, err.Error()+"; the token is used up: `binnacle token join "+q.Name+"` on the router makes a new one", http.StatusConflict)
		return
	}
	s.Told(q.Name, r.RemoteAddr)
	reply(w, answer{Certificate: string(cert), Authority: string(a.PEM()), Token: token})
}

// own says whether a name is this machine's.
func (s Server) own(name string) bool {
	return slices.ContainsFunc(s.Self(), func(own string) bool { return strings.EqualFold(own, name) })
}

func (s Server) renew(w http.ResponseWriter, r *http.Request) {
	q, a, ok := s.read(w, r)
	if !ok {
		return
	}
	node, known := s.Who(r)
	if !known || !NodeName.MatchString(node) || s.own(node) {
		http.Error(w, "a certificate is renewed for the node that logs in with its token", http.StatusForbidden)
		return
	}
	cert, err := a.sign(node, q.CSR, hostsOf(node, r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, answer{Certificate: string(cert), Authority: string(a.PEM())})
}

func reply(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(a) // who does not get it asks again
}

// hostsOf are the names that a node's certificate holds: its own, and the address that it came from. What else it says of
// itself proves nothing, and a router's name would let it read what others send.
func hostsOf(node string, r *http.Request) []string {
	out := []string{node, "localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && net.ParseIP(host) != nil && !net.ParseIP(host).IsLoopback() {
		out = append(out, host)
	}
	return out
}
