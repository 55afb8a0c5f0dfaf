package authority_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/authority"
)

// fleet is a router with an authority, on a clock of its own.
type fleet struct {
	dir    string
	a      *authority.Authority
	router *httptest.Server
	now    time.Time
	mu     sync.Mutex
	tokens map[string]int
}

func folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{dir: folder(t, "authority"), now: time.Now(), tokens: map[string]int{}}
	clock := func() time.Time { return f.now }
	var err error
	if f.a, err = authority.Create(f.dir, "test", clock); err != nil {
		t.Fatal(err)
	}
	n := authority.Node{Dir: folder(t, "tls")}
	if err := n.Sign(f.a, "router", []string{"router", "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	authority.Server{
		Dir: f.dir, Now: clock, Self: func() []string { return []string{"router"} },
		Admit: func(node string, again bool) (string, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.tokens[node] > 0 && !again {
				return "", errors.New("it has joined")
			}
			f.tokens[node]++
			return "bnc_" + node, nil
		},
		Who: func(r *http.Request) (string, bool) {
			node, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer bnc_")
			return node, ok
		},
		Told: func(string, string) {},
	}.Register(mux)
	cert, err := tls.LoadX509KeyPair(n.Cert(), n.Key())
	if err != nil {
		t.Fatal(err)
	}
	f.router = httptest.NewUnstartedServer(mux)
	f.router.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	f.router.StartTLS()
	t.Cleanup(f.router.Close)
	return f
}

func (f *fleet) token(t *testing.T, node string) string {
	t.Helper()
	token, err := f.a.NewJoin(node)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestANodeJoinsOnceAndRenews(t *testing.T) {
	f := newFleet(t)
	n := authority.Node{Dir: folder(t, "node")}
	token := f.token(t, "")
	got, err := authority.Join(t.Context(), f.router.URL, token, "web-1", n)
	if err != nil || got.Token != "bnc_web-1" {
		t.Fatalf("%+v, %v; want a token", got, err)
	}
	if info, err := os.Stat(n.Key()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v; want 0600", info.Mode(), err)
	}
	c, err := authority.ReadCert(n.Cert())
	if err != nil || c.Subject.CommonName != "web-1" || c.VerifyHostname("web-1") != nil || c.VerifyHostname("router") == nil {
		t.Errorf("the certificate of %v with %v, %v; want one of web-1", c.Subject, c.DNSNames, err)
	}
	if life := c.NotAfter.Sub(f.now).Round(24 * time.Hour); life != authority.Life {
		t.Errorf("it lives %v; want a year", life)
	}
	if _, err := authority.Join(t.Context(), f.router.URL, token, "web-2", authority.Node{Dir: folder(t, "other")}); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a second use: %v; want 403", err)
	}

	pool := x509.NewCertPool()
	ca, err := os.ReadFile(n.CA())
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no authority", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	asked := 0
	renew := func(old *x509.Certificate) error {
		asked++
		return authority.AskRenewal(t.Context(), client, f.router.URL, http.Header{"Authorization": {"Bearer bnc_web-1"}}, old.Subject.CommonName, n)
	}
	for _, day := range []int{0, 242, 245, 246} {
		f.now = f.now.Add(time.Duration(day)*24*time.Hour - f.now.Sub(c.NotBefore.Add(5*time.Minute)))
		if _, err := n.Renew(f.now, renew); err != nil {
			t.Fatal(err)
		}
	}
	if next, err := authority.ReadCert(n.Cert()); asked != 1 || err != nil || !next.NotAfter.After(c.NotAfter) {
		t.Errorf("asked %d times, until %v, %v; want once, at two thirds, and a later end", asked, next.NotAfter, err)
	}
}

// What a router refuses leaves the token as it was, unless it was the last step.
func TestWhoMayNotJoin(t *testing.T) {
	f, other := newFleet(t), newFleet(t)
	for name, tc := range map[string]struct {
		url, token, node string
		late             time.Duration
		why              string
	}{
		"another router than the token's": {other.router.URL, f.token(t, ""), "web-1", 0, "another fingerprint"},
		"after an hour":                   {f.router.URL, f.token(t, ""), "web-1", authority.JoinLife, "has ended"},
		"a token for another node":        {f.router.URL, f.token(t, "web-2"), "web-1", 0, "wrong"},
		"under the router's name":         {f.router.URL, f.token(t, ""), "Router", 0, "own"},
		"under an address":                {f.router.URL, f.token(t, ""), "10.0.0.1", 0, "name"},
		"a token without a fingerprint":   {f.router.URL, strings.Split(f.token(t, ""), ".")[0], "web-1", 0, "fingerprint"},
		"over http":                       {strings.Replace(f.router.URL, "https", "http", 1), f.token(t, ""), "web-1", 0, "https"},
		"a made up secret":                {f.router.URL, "bnj_abcdefghijklmnopqrstuvwxyz." + f.a.Fingerprint(), "web-1", 0, "wrong"},
		"one under the router's name":     {f.router.URL, "bnj_abcdefghijklmnopqrstuvwxyz." + f.a.Fingerprint(), "router", 0, "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			f.now = f.now.Add(tc.late)
			defer func() { f.now = f.now.Add(-tc.late) }()
			_, err := authority.Join(t.Context(), tc.url, tc.token, tc.node, authority.Node{Dir: folder(t, "node")})
			if err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("%v; want %q", err, tc.why)
			}
			if len(f.tokens)+len(other.tokens) != 0 {
				t.Errorf("logins were made: %v %v", f.tokens, other.tokens)
			}
		})
	}
}

// A node that lost its disk joins again with a token for it alone.
func TestANodeJoinsAgainByItsName(t *testing.T) {
	f := newFleet(t)
	join := func(token string) error {
		_, err := authority.Join(t.Context(), f.router.URL, token, "web-1", authority.Node{Dir: folder(t, "node")})
		return err
	}
	if err := join(f.token(t, "")); err != nil {
		t.Fatal(err)
	}
	if err := join(f.token(t, "")); err == nil || !strings.Contains(err.Error(), "binnacle token join web-1") {
		t.Errorf("a second web-1: %v; want how it may", err)
	}
	if err := join(f.token(t, "web-1")); err != nil {
		t.Error(err)
	}
}

// Many nodes with one token: one of them joins.
func TestATokenWorksOnceAlsoAtOnce(t *testing.T) {
	f := newFleet(t)
	token := f.token(t, "")
	var wg sync.WaitGroup
	good := make(chan string, 8)
	for i := range cap(good) {
		dir := folder(t, "node")
		wg.Go(func() {
			if _, err := authority.Join(t.Context(), f.router.URL, token, fmt.Sprint("web-", i), authority.Node{Dir: dir}); err == nil {
				good <- "joined"
			}
		})
	}
	wg.Wait()
	if len(good) != 1 {
		t.Errorf("%d nodes joined with one token; want 1", len(good))
	}
}

func TestACertificateThatCannotBeRenewedIsAnAlarm30DaysBefore(t *testing.T) {
	f := newFleet(t)
	n := authority.Node{Dir: folder(t, "node")}
	if err := n.Sign(f.a, "web-1", []string{"web-1"}); err != nil {
		t.Fatal(err)
	}
	fails := func(*x509.Certificate) error { return context.DeadlineExceeded }
	for days, want := range map[int]string{200: "", 300: "later", 334: "later", 336: "alarm", 400: "alarm"} {
		_, err := n.Renew(f.now.Add(time.Duration(days)*24*time.Hour), fails)
		_, later := errors.AsType[*authority.LaterError](err)
		got := map[bool]string{true: "later", false: "alarm"}[later]
		if err == nil {
			got = ""
		}
		if got != want {
			t.Errorf("after %d days: %v; want %q", days, err, want)
		}
	}
	if _, err := (authority.Node{Dir: t.TempDir()}).Renew(f.now, fails); err != nil {
		t.Errorf("without a certificate: %v", err)
	}
}

// A node whose clock is wrong is told so, in place of a certificate that is not valid.
func TestAWrongClockIsSaid(t *testing.T) {
	f := newFleet(t)
	join := func() (authority.Joined, error) {
		return authority.Join(t.Context(), f.router.URL, f.token(t, ""), fmt.Sprint("web-", f.now.Unix()), authority.Node{Dir: folder(t, "node")})
	}
	if got, err := join(); err != nil || got.Ahead.Abs() > time.Minute {
		t.Errorf("%v: the router's clock is %v ahead; want none", err, got.Ahead)
	}
	// The router's certificate of two years ago is what a node sees whose clock is two years ahead.
	f.now = f.now.Add(-2 * authority.Life)
	n := authority.Node{Dir: folder(t, "tls")}
	if err := n.Sign(f.a, "router", []string{"router", "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(n.Cert(), n.Key())
	if err != nil {
		t.Fatal(err)
	}
	f.router.TLS.Certificates[0] = cert
	if _, err := join(); err == nil || !strings.Contains(err.Error(), "set the clock that is wrong. Nothing was sent") || !strings.Contains(err.Error(), "this machine's clock says") {
		t.Errorf("%v; want the clocks", err)
	}
}

// A node whose certificate has ended renews it all the same: it logs in with its token. One whose router has another authority
// is told to join again.
func TestAfterTheEndOfACertificate(t *testing.T) {
	f := newFleet(t)
	n := authority.Node{Dir: folder(t, "node")}
	token := f.token(t, "")
	if _, err := authority.Join(t.Context(), f.router.URL, token, "web-1", n); err != nil {
		t.Fatal(err)
	}
	late := f.now.Add(authority.Life + 24*time.Hour)
	if got := n.Stale(token, f.now); got != "" {
		t.Errorf("it should join again: %s; it has joined a moment ago", got)
	}
	if got := n.Stale(token, late); !strings.Contains(got, "ended") {
		t.Errorf("after its end: %q", got)
	}
	if got := n.Stale(newFleet(t).token(t, ""), f.now); !strings.Contains(got, "another authority") {
		t.Errorf("a token of another router: %q", got)
	}
	_, err := n.Renew(late, func(*x509.Certificate) error { return context.DeadlineExceeded })
	if err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Errorf("%v; want that it ended", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // the router's clock is the test's
	renewed, err := n.Renew(late, func(*x509.Certificate) error {
		return authority.AskRenewal(t.Context(), client, f.router.URL, http.Header{"Authorization": {"Bearer bnc_web-1"}}, "web-1", n)
	})
	if err != nil || !renewed {
		t.Errorf("%v, %v; want it renewed after its end", renewed, err)
	}
}

// What stands half made is made whole by a second try, and nothing that is there is made anew.
func TestCreateIsDoneOnce(t *testing.T) {
	dir := folder(t, "authority")
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := authority.Create(dir, "a", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	second, err := authority.Create(dir, "b", time.Now)
	if err != nil || first.Fingerprint() != second.Fingerprint() {
		t.Errorf("%v: a second authority", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v; want 0600", info, err)
	}
}
