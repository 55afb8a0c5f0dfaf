package login_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/secret"
)

func TestAPrivateAuthorityIsTrustedWhereItIsNamed(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "node" || p != "pw" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	get := func(o login.Options) (int, error) {
		tr, err := o.Transport()
		if err != nil {
			t.Fatal(err)
		}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = o.Header()
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	o := login.Options{Username: "node", Password: secret.New("pw")}
	if _, err := get(o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the authority: %v; want a refusal", err)
	}
	o.CAFile = ca
	if status, err := get(o); err != nil || status != http.StatusOK {
		t.Errorf("with it: %d, %v; want 200", status, err)
	}
	o.Password = secret.New("other")
	if status, err := get(o); err != nil || status != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d, %v; want 401", status, err)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		o    login.Options
		want string
	}{
		{login.Options{CAFile: empty}, "ca_file: " + empty + " holds no certificate"},
		{login.Options{CAFile: empty + ".not"}, "ca_file: open "},
		{login.Options{CertFile: empty, KeyFile: empty}, "cert_file: "},
	} {
		if _, err := tc.o.TLS(); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%+v: %v; want %s...", tc.o, err, tc.want)
		}
	}
	if h := (login.Options{Bearer: secret.New("t")}).Header(); h.Get("Authorization") != "Bearer t" {
		t.Errorf("header %v; want the token", h)
	}
}
