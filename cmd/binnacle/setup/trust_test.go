package setup

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

// trust is a client's settings for an authority, whose certificate of the same folder must be signed by it.
func trust(t *testing.T, ca string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	if !c.RootCAs.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", ca)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(filepath.Dir(ca), "cert.pem"), filepath.Join(filepath.Dir(ca), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.RootCAs}); err != nil {
		t.Errorf("%s: %v", ca, err)
		return nil
	}
	return c
}
