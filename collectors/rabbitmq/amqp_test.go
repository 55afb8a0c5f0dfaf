package rabbitmq

import (
	"crypto/tls"
	"encoding/pem"
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

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
)

// TestTheProbeSpeaksTLS: with tls the probe says its first word to a broker whose authority is ca_file's, and nothing to others.
func TestTheProbeSpeaksTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler()) // for its certificate alone
	srv.StartTLS()
	defer srv.Close()
	conf := srv.TLS.Clone()
	conf.NextProtos = nil
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	said := make(chan string, 1)
	go func() {
		for {
			raw, err := plain.Accept()
			if err != nil {
				return
			}
			c := tls.Server(raw, conf)
			head := make([]byte, 8)
			_, err = io.ReadFull(c, head)
			_ = c.Close()
			if err != nil {
				head = nil
			}
			said <- string(head)
		}
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		ca    string
		tls   bool
		heard string
	}{
		"trusted":         {ca, true, "AMQP\x00\x00\x09\x01"},
		"another's":       {"", true, ""},
		"without TLS yet": {ca, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			opt := defaultOptions
			opt.AMQP, opt.CAFile = plain.Addr().String(), tc.ca
			opt.Probe.User, opt.Probe.Password, opt.Probe.TLS = "probe", secret.New("secret-word"), tc.tls
			c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.(*collector).connectTrip(t.Context())
			if heard := <-said; err == nil || heard != tc.heard {
				t.Errorf("the broker heard %q, and the probe has %v; want %q and an error", heard, err, tc.heard)
			}
			if tc.ca == "" && !collectors.IsTLS(err) {
				t.Errorf("%v: want an error of the handshake", err)
			}
			if strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}
