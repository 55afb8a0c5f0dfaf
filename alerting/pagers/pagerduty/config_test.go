package pagerduty

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestTheRegionsHaveTheirOwnAddresses(t *testing.T) {
	c := DefaultConfig()
	if events, api := c.urls(); events != "https://events.pagerduty.com" || api != "https://api.pagerduty.com" {
		t.Errorf("us: %s, %s", events, api)
	}
	c.Region = "eu"
	if events, api := c.urls(); events != "https://events.eu.pagerduty.com" || api != "https://api.eu.pagerduty.com" {
		t.Errorf("eu: %s, %s", events, api)
	}
}

func TestCallsGoThroughTheProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	c := DefaultConfig()
	c.Proxy = proxy.URL
	if status := get(t, c, "http://pager.invalid/v2/enqueue"); status != http.StatusOK || asked != "http://pager.invalid/v2/enqueue" {
		t.Errorf("status %d, the proxy was asked for %q", status, asked)
	}
}

func TestOurOwnCAIsTrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c := DefaultConfig()
	c.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(c.CAFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if status := get(t, c, server.URL); status != http.StatusOK {
		t.Errorf("status %d; want 200", status)
	}
}

// get asks for url as c says, and returns the status.
func get(t *testing.T, c Config, url string) int {
	t.Helper()
	rt, _, err := c.transport()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	rt.(*http.Transport).CloseIdleConnections()
	_ = resp.Body.Close()
	return resp.StatusCode
}
