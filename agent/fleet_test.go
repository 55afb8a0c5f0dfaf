package agent

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// selfSigned writes a certificate for loopback, which is its own authority, and its key.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", raw)
}

// await waits for what real sockets bring about.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("not within three minutes")
}

// TestANodeReachesAProtectedRouter has a router as it must be set up to listen to other machines: with TLS of a private
// authority, and passwords.
func TestANodeReachesAProtectedRouter(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("pw"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	web := filepath.Join(dir, "web.yml")
	if err := os.WriteFile(web, fmt.Appendf(nil, "tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {node: '%s'}\n", cert, key, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := func(name, more string) *Agent {
		t.Helper()
		cfg, err := ParseConfig(name, []byte(fmt.Sprintf("data: %s/%s\nnode: {name: %s}\nlisten: 127.0.0.1:0\ncollect: off\nstore: off\n%s", dir, name, name, more)))
		if err != nil {
			t.Fatal(err)
		}
		a, end := run(t, cfg)
		t.Cleanup(end)
		return a
	}
	pd := alertingtest.NewPagerDuty()
	t.Cleanup(pd.Close)
	router := begin("router", fmt.Sprintf("web: {config_file: %s, act: [maria], agents: [node]}\nroute: {pagerduty: {routing_key: %s, events_url: '%s'}, order: {wait: {symptom_alone: 0s}}}\n",
		web, alertingtest.RoutingKey, pd.URL()))
	routers := "route: off\nrules: {routers: ['https://" + router.web.address() + "'], login: {username: node, ca_file: " + cert + ", password: "
	status := func(a *Agent) (string, int) {
		var b bytes.Buffer
		code := a.Status().Write(&b)
		return b.String(), code
	}

	stranger := begin("stranger", routers+"wrong}}\n")
	await(t, func() bool { return stranger.routers.client().Routers()[0].Error != "" })
	if text, code := status(stranger); code != health.ExitCritical || !strings.Contains(text, "401 Unauthorized") || !strings.Contains(text, "NOT REACHED") {
		t.Errorf("status of a node with a wrong password, %d:\n%s\nwant critical, and the answer", code, text)
	}

	node := begin("node", routers+"pw}}\n")
	node.put([]alerting.Input{alerting.Firing{Alarm: alerting.Alarm{StartsAt: time.Now(), Labels: map[string]string{
		alerting.LabelRule: "TripsFail", alerting.LabelSeverity: "critical", alerting.LabelKind: "symptom", alerting.LabelEntity: "service:trips",
	}}}})
	await(t, func() bool { return len(pd.Pages()) > 0 })
	if page := pd.Pages()[0]; page.Action != "trigger" || !strings.HasSuffix(page.Summary, "[TripsFail]") {
		t.Errorf("the router sent %+v; want the node's alarm", page)
	}
	await(t, func() bool { return !node.routers.client().Routers()[0].Reached.IsZero() })
	if text, code := status(node); code != health.ExitOK || !strings.Contains(text, "which answered") {
		t.Errorf("status of the node, %d:\n%s\nwant well, and that the router answered", code, text)
	}
}
