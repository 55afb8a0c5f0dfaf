package door

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test, in a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.make("ca", nil, nil)
	return a
}

// make writes NAME.pem and NAME.key; without a parent the certificate is signed by its own key.
func (a *authority) make(name string, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"router.example"}, BasicConstraintsValid: true, IsCA: parent == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// client trusts the authority and shows a certificate, "" for none.
func (a *authority) client(name string) *http.Client {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conf := &tls.Config{RootCAs: pool}
	if name != "" {
		cert, err := tls.LoadX509KeyPair(filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key"))
		if err != nil {
			a.t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}, Timeout: 2 * time.Minute}
}

// Every policy that asks for certificates verifies them: one that its holder signed, or none, is no login.
func TestCertificatesAreVerifiedUnderEveryPolicy(t *testing.T) {
	a := newAuthority(t)
	for _, name := range []string{"server", "maria", "jo"} {
		a.make(name, a.cert, a.key)
	}
	forged := newAuthority(t)
	forged.make("maria", nil, nil)
	forged.cert = a.cert
	for _, policy := range []string{"RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"} {
		t.Run(policy, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "web.yaml")
			text := "tls_server_config: {cert_file: " + a.dir + "/server.pem, key_file: " + a.dir + "/server.key, client_ca_file: " + a.dir + "/ca.pem, client_auth_type: " + policy + "}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := Config{ConfigFile: file, Act: []string{"maria"}, Agents: []string{"node"}}
			if weak := !strings.Contains(policy, "Verify"); (len(cfg.Advice()) == 1) != weak {
				t.Errorf("advice %q; want some: %v", cfg.Advice(), weak)
			}
			d, err := New(Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- d.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, r.Proto+" "+Who(r).Login)
				}))
			}()
			ask := func(c *http.Client) (int, string) {
				resp, err := c.Post("https://"+l.Addr().String()+silence, "application/json", strings.NewReader("{}"))
				if err != nil {
					return 0, "" // not even a handshake
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				return resp.StatusCode, string(body)
			}
			if status, text := ask(a.client("maria")); status != 200 || text != "HTTP/2.0 maria" {
				t.Errorf("maria: %d %s; want her, by HTTP/2", status, text)
			}
			if status, _ := ask(a.client("jo")); status != 403 {
				t.Errorf("jo, who may read: %d; want 403", status)
			}
			if status, _ := ask(a.client("")); status != 401 && status != 0 {
				t.Errorf("without a certificate: %d; want 401 or no handshake", status)
			}
			if status, text := ask(forged.client("maria")); status == 200 {
				t.Errorf("with a certificate of her own making: %d %s", status, text)
			}
			if !d.hosts.knows("router.example", d.web.now().names) || d.hosts.knows("evil.example", d.web.now().names) {
				t.Error("the agent answers under the names of its certificate and no others")
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	none := filepath.Join(t.TempDir(), "web.yaml")
	text := "tls_server_config: {cert_file: " + a.dir + "/server.pem, key_file: " + a.dir + "/server.key, client_auth_type: RequestClientCert}\n"
	if err := os.WriteFile(none, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Config{ConfigFile: none}).Validate(); err == nil || !strings.Contains(err.Error(), "client_ca_file") {
		t.Errorf("a policy without an authority: %v; want what to name", err)
	}
}
