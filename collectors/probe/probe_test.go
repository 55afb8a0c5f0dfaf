package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// ask runs a probe once, and returns what the collector says.
func ask(t *testing.T, p Probe) string {
	t.Helper()
	o := Options{"x": p}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Spec.New(collectors.Env{Options: o, Now: time.Now, Dial: (&net.Dialer{}).DialContext, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	made := c.(*collector)
	made.set.Once(t.Context())
	b := &metric.Batch{Time: time.Now()}
	err = c.Collect(t.Context(), b)
	fixture.Check(t, Spec, b)
	text := fixture.Show(b, err, "")
	for _, s := range made.Checks() {
		if !s.Since.IsZero() {
			text += "blind " + s.Reason + "\n"
		}
	}
	return text
}

func wants(t *testing.T, got string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(got, w) {
			t.Errorf("want %s in\n%s", w, got)
		}
	}
}

// silent accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestHTTP(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			w.WriteHeader(http.StatusInternalServerError)
		case "/elsewhere":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/login":
			if u, p, _ := r.BasicAuth(); u != "u" || p != "secret" || r.Header.Get("X-Key") != "k" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		case "/closes":
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte("all is well"))
	}))
	defer s.Close()
	for name, tc := range map[string]struct {
		p    Probe
		want []string
	}{
		"well":                   {Probe{HTTP: s.URL, Service: "shop", From: "outside"}, []string{`probe_up{from="outside",kind="http",probe="x",service="shop",target="` + s.URL + `"} 1`, `phase="connect"`, `phase="first_byte"`, `phase="total"`}},
		"a status":               {Probe{HTTP: s.URL + "/bad"}, []string{`how="status"`, "} 500"}},
		"a status that is meant": {Probe{HTTP: s.URL + "/bad", Status: []int{500}, Body: "well"}, []string{`probe_up{from="zone",kind="http",probe="x",target="` + s.URL + `/bad"} 1`}},
		"a body":                 {Probe{HTTP: s.URL, Body: "^ill"}, []string{`how="body"`, "} 200"}},
		"a login":                {Probe{HTTP: s.URL + "/login", User: "u", Password: secret.New("secret"), Headers: map[string]secret.Secret{"X-Key": secret.New("k")}}, []string{"} 200"}},
		"no login elsewhere":     {Probe{HTTP: s.URL + "/elsewhere", User: "u", Password: secret.New("secret"), Headers: map[string]secret.Secret{"X-Key": secret.New("k")}}, []string{"} 200"}},
		"redirects without end":  {Probe{HTTP: s.URL + "/loop"}, []string{"} 302", "probe_up"}},
		"refused":                {Probe{HTTP: "http://" + testport.Free(t)}, []string{`how="refused"`}},
		"silent":                 {Probe{HTTP: "http://" + silent(t), Timeout: 200 * time.Millisecond}, []string{`how="timeout"`}},
		"closes":                 {Probe{HTTP: s.URL + "/closes"}, []string{`how="reset"`}},
		"no name":                {Probe{HTTP: "http://no-such-host.invalid"}, []string{"probe_failed"}},
		"no TLS there":           {Probe{HTTP: strings.Replace(s.URL, "http", "https", 1)}, []string{`how="protocol"`}},
	} {
		t.Run(name, func(t *testing.T) { wants(t, ask(t, tc.p), tc.want...) })
	}
}

// certified serves TLS with a certificate that ends at a time, and returns its address and the file of its authority.
func certified(t *testing.T, ends time.Time) (address, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: ends.Add(-time.Hour), NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}()
		}
	}()
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), ca
}

func TestTLS(t *testing.T) {
	soon := time.Now().Add(30 * time.Minute).Truncate(time.Second)
	address, ca := certified(t, soon)
	got := ask(t, Probe{TLS: address, CAFile: ca})
	wants(t, got, `probe_up{from="zone",kind="tls",probe="x",target="`+address+`"} 1`, `certificate="leaf"`, `certificate="chain"`, `phase="tls"`)
	wants(t, ask(t, Probe{TLS: address}), `how="certificate"`, `certificate="leaf"`) // not trusted, and its end is known
	past, ca := certified(t, time.Now().Add(-time.Hour))
	got = ask(t, Probe{TLS: past, CAFile: ca})
	wants(t, got, `how="certificate"`, `certificate="leaf"`)
	if strings.Contains(got, `certificate="chain"`) {
		t.Errorf("a chain that does not hold has an end:\n%s", got)
	}
	wants(t, ask(t, Probe{TLS: silent(t), Timeout: 200 * time.Millisecond}), `how="timeout"`)
}

func TestTCP(t *testing.T) {
	wants(t, ask(t, Probe{TCP: silent(t)}), "probe_up", `phase="connect"`)
	wants(t, ask(t, Probe{TCP: testport.Free(t)}), `how="refused"`)
}

// named answers look-ups: well.example has an address, all else is no name.
func named(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			switch q := m.Questions[0]; {
			case q.Name.String() != "well.example.":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = c.WriteTo(b, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

func TestDNS(t *testing.T) {
	server := named(t)
	wants(t, ask(t, Probe{DNS: "well.example.", Server: server}), `probe_up{from="zone",kind="dns",probe="x",target="well.example."} 1`, "probe_dns_answers")
	wants(t, ask(t, Probe{DNS: "well.example.", Server: server, Answer: "^192\\.0\\.2\\.8$"}), `how="answer"`, "} 1\n")
	wants(t, ask(t, Probe{DNS: "gone.example.", Server: server}), `how="answer"`, "} 0\n") // no such name is no time-out
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wants(t, ask(t, Probe{DNS: "well.example.", Server: l.LocalAddr().String(), Timeout: 200 * time.Millisecond}), `how="timeout"`)
}

func TestICMP(t *testing.T) {
	got := ask(t, Probe{ICMP: "127.0.0.1"})
	if strings.Contains(got, "blind permission") {
		t.Skip("the kernel lets nobody here send echo requests")
	}
	wants(t, got, "probe_up", "probe_icmp_lost_ratio", "} 0\n")
}

func TestValidateNamesEachFault(t *testing.T) {
	minus := -1
	err := Options{"a b": {}, "x": {HTTP: "ftp://h", TCP: "a:1"}, "y": {HTTP: "http://u:p@h"}, "z": {
		TCP: "host", Server: "s", From: "moon", Interval: time.Second, Timeout: time.Hour, Method: "PUT", Type: "SRV", Redirects: &minus, Status: []int{9},
		Body: "(", Answer: "(", CAFile: "/no/such",
	}}.Validate()
	for _, want := range []string{
		"a b: want a name", "x.http: want one of", "y.http: user and password", `z.tcp: want host:port`, "z.server: want", "z.from: ", "z.interval: 1s", "z.timeout: ", "z.method: ",
		"z.type: ", "z.redirects: -1", "z.status: 9", "z.body: error", "z.answer: error", "z.ca_file: ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults: %v", want, err)
		}
	}
}

// What a connection still tells that net/http dials after the request was given up is dropped.
func TestALateConnectionTellsNothing(t *testing.T) {
	f := &finding{phases: map[string]time.Duration{}}
	now := time.Unix(1, 0)
	trace := f.trace(func() time.Time { now = now.Add(time.Second); return now })
	trace.ConnectStart("tcp", "127.0.0.1:1")
	f.note(func() { f.over = true })
	trace.ConnectDone("tcp", "127.0.0.1:1", nil)
	if len(f.phases) != 0 {
		t.Errorf("phases %v; want none noted after the end", f.phases)
	}
}
