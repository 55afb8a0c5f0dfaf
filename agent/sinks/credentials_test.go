package sinks

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
)

// post sends a body with credentials to a server that wants a token.
func postWith(t *testing.T, c Credentials, url string) (*poster, func() error) {
	t.Helper()
	p, err := newPoster("test", HTTPOptions{URL: url, Credentials: c}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	return p, func() error {
		_, _, err := p.post(context.Background(), []byte("samples"), map[string]string{"Content-Type": "application/x-protobuf"})
		return err
	}
}

func TestOAuth2(t *testing.T) {
	asked, valid, broken := 0, "t1", false
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked++
		id, pw, basic := r.BasicAuth()
		if !basic {
			id, pw = r.FormValue("client_id"), r.FormValue("client_secret")
		}
		switch {
		case broken:
			http.Error(w, `{"error":"server_error"}`, http.StatusServiceUnavailable)
		case id != "agent" || pw != "s3cret" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "write" || r.FormValue("audience") != "metrics":
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":3600}`, valid)
		}
	})
	mux.HandleFunc("POST /write", func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != "samples" || r.Header.Get("Authorization") != "Bearer "+valid {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	c := Credentials{OAuth2: OAuth2{ClientID: "agent", ClientSecret: secret.New("s3cret"), TokenURL: srv.URL + "/token", Scopes: []string{"write"}, Params: map[string]string{"audience": "metrics"}}}
	_, send := postWith(t, c, srv.URL+"/write")
	for range 3 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("%d tokens were asked for; want 1 for three posts", asked)
	}
	valid = "t2" // the first one was withdrawn
	if err := send(); err == nil || IsPermanent(err) {
		t.Errorf("a withdrawn token gives %v; want an error that may pass", err)
	}
	if err := send(); err != nil || asked != 2 {
		t.Errorf("after it %v, %d tokens; want a new one", err, asked)
	}
	valid, broken = "t3", true
	_ = send()
	if err := send(); err == nil || IsPermanent(err) || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "503") {
		t.Errorf("without a token %v; want an error that may pass and says 503", err)
	}
	broken = false
	if err := send(); err != nil {
		t.Errorf("once there are tokens again: %v", err)
	}
}

// key is the JSON key of a service account whose tokens come from url.
func serviceAccount(t *testing.T, url string) string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "agent@p.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": url,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGoogle(t *testing.T) {
	identity := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(time.Hour).Unix())) + ".c2ln"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		part := strings.Split(r.FormValue("assertion"), ".")
		claims, err := base64.RawURLEncoding.DecodeString(part[min(1, len(part)-1)])
		var c struct {
			Scope    string `json:"scope"`
			Audience string `json:"target_audience"`
			Issuer   string `json:"iss"`
		}
		if err != nil || json.Unmarshal(claims, &c) != nil || c.Issuer != "agent@p.iam.gserviceaccount.com" {
			http.Error(w, "bad assertion", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if c.Audience == "https://run.example" {
			fmt.Fprintf(w, `{"id_token":%q}`, identity)
			return
		}
		fmt.Fprintf(w, `{"access_token":"access of %s","token_type":"Bearer","expires_in":3600}`, c.Scope)
	})
	mux.HandleFunc("GET /computeMetadata/v1/instance/service-accounts/default/identity", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.FormValue("audience") != "https://run.example" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, identity)
	})
	seen := ""
	mux.HandleFunc("POST /write", func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(srv.URL, "http://"))
	file := serviceAccount(t, srv.URL+"/token")
	for name, tc := range map[string]struct {
		google Google
		want   string
	}{
		"an access token by a file":  {Google{Scope: "monitoring.write", CredentialsFile: file}, "Bearer access of monitoring.write"},
		"an ID token by a file":      {Google{Audience: "https://run.example", CredentialsFile: file}, "Bearer " + identity},
		"an ID token of the machine": {Google{Audience: "https://run.example"}, "Bearer " + identity},
	} {
		if err := tc.google.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, send := postWith(t, Credentials{Google: tc.google}, srv.URL+"/write")
		if err := send(); err != nil || seen != tc.want {
			t.Errorf("%s: %v, %q; want %q", name, err, seen, tc.want)
		}
	}
	other := filepath.Join(t.TempDir(), "user.json")
	if err := os.WriteFile(other, []byte(`{"type":"authorized_user","refresh_token":"PRIVATE"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Google{{CredentialsFile: file}, {Scope: "a", Audience: "b"}, {Scope: "a", CredentialsFile: other}, {Scope: "a", CredentialsFile: "/nowhere.json"}} {
		if err := bad.validate(); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%+v: %v; want an error", bad, err)
		}
	}
}

func TestOneWayToShowWhoSends(t *testing.T) {
	for name, tc := range map[string]struct {
		o    HTTPOptions
		want string
	}{
		"none":                {HTTPOptions{}, ""},
		"two":                 {HTTPOptions{Credentials: Credentials{OAuth2: OAuth2{ClientID: "a", ClientSecret: secret.New("b"), TokenURL: "https://c"}, Google: Google{Scope: "b"}}}, "want one of them"},
		"signed and a token":  {HTTPOptions{SigV4: SigV4{Region: "eu-west-1", Service: "aps"}, Credentials: Credentials{Google: Google{Scope: "b"}}}, "sigv4"},
		"no token URL":        {HTTPOptions{Credentials: Credentials{OAuth2: OAuth2{ClientID: "a", ClientSecret: secret.New("b")}}}, "oauth2.token_url"},
		"no secret":           {HTTPOptions{Credentials: Credentials{OAuth2: OAuth2{ClientID: "a", TokenURL: "https://a"}}}, "client_secret"},
		"a token and a login": {HTTPOptions{Credentials: Credentials{Google: Google{Scope: "b"}}}, "want one of them"},
	} {
		tc.o.URL = "https://a.example"
		if strings.Contains(name, "login") {
			tc.o.Bearer = secret.New("x")
		}
		err := tc.o.Validate()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}
