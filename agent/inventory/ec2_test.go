package inventory

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// metadata is an instance's metadata service of version 2: without a token it tells nothing.
func metadata(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
			w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "300")
			_, _ = w.Write([]byte("token"))
		case r.Header.Get("X-aws-ec2-metadata-token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case answers[r.URL.Path] == "":
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(answers[r.URL.Path]))
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const identity = `{"instanceId":"i-0abc","instanceType":"m7g.large","region":"eu-west-1","availabilityZone":"eu-west-1b","accountId":"1"}`

func TestAskWhoAmI(t *testing.T) {
	const document = "/latest/dynamic/instance-identity/document"
	for name, tc := range map[string]struct {
		answers map[string]string
		want    Instance
		fails   bool
	}{
		"with its tags": {
			map[string]string{
				document: identity, "/latest/meta-data/tags/instance/aws:autoscaling:groupName": "api",
				"/latest/meta-data/tags/instance/aws:cloudformation:stack-name": "prod",
			},
			Instance{"i-0abc", "m7g.large", "eu-west-1", "eu-west-1b", "api", "prod"},
			false,
		},
		"without, as by default": {map[string]string{document: identity}, Instance{"i-0abc", "m7g.large", "eu-west-1", "eu-west-1b", "", ""}, false},
		"nothing is there":       {nil, Instance{}, true},
		"rubbish":                {map[string]string{document: "<html>"}, Instance{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Ask(t.Context(), metadata(t, tc.answers), nil)
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("Ask = %+v, %v; want %+v, failing: %v", got, err, tc.want, tc.fails)
			}
		})
	}
}

func TestOnEC2(t *testing.T) {
	for name, tc := range map[string]struct {
		path, text string
		want       bool
	}{
		"Nitro":           {"sys/class/dmi/id/sys_vendor", "Amazon EC2\n", true},
		"Xen":             {"sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n", true},
		"a laptop":        {"sys/class/dmi/id/sys_vendor", "LENOVO\n", false},
		"another Xen":     {"sys/hypervisor/uuid", "00000000-0000-0000-0000-000000000000\n", false},
		"a container":     {"etc/hostname", "x\n", false},
		"another service": {"sys/class/dmi/id/sys_vendor", "Google\n", false},
	} {
		root := t.TempDir()
		path := filepath.Join(root, tc.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := OnEC2(root); got != tc.want {
			t.Errorf("%s (%s): OnEC2 = %v; want %v", name, strings.TrimSpace(tc.text), got, tc.want)
		}
	}
}
