package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
)

// onEC2 returns the root of a machine that says it is an EC2 instance, or is none.
func onEC2(t *testing.T, vendor string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "sys/class/dmi/id")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sys_vendor"), []byte(vendor+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestWhatTheInstanceKnowsIsUsedWhereTheFileIsSilent(t *testing.T) {
	asked := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		answer := map[string]string{
			"/latest/api/token":                                         "token",
			"/latest/dynamic/instance-identity/document":                `{"instanceId":"i-0abc","instanceType":"m7g.large","region":"eu-west-1","availabilityZone":"eu-west-1b"}`,
			"/latest/meta-data/tags/instance/aws:autoscaling:groupName": "api",
		}[r.URL.Path]
		w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "300")
		if answer == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	start := func(vendor string) (*Agent, func()) {
		cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\nnode: {tags: {group: ours}}\ncollect: off\nrules: {packs: []}\n", t.TempDir(), testport.Free(t))))
		if err != nil {
			t.Fatal(err)
		}
		return run(t, cfg, func(a *Agent) { a.where = whereabouts{root: onEC2(t, vendor), metadata: s.URL} })
	}

	a, end := start("Amazon EC2")
	deadline := time.After(2 * time.Minute)
	for a.config().Node.Tags["az"] == "" {
		select {
		case <-asked:
		case <-deadline:
			t.Fatalf("tags are %v; want the instance's zone", a.config().Node.Tags)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if tags := a.config().Node.Tags; tags["az"] != "eu-west-1b" || tags["group"] != "ours" {
		t.Errorf("tags are %v; want the zone of the instance, and the group that the file says", tags)
	}
	again := a.config()
	again.Node.Tags = map[string]string{"stack": "prod"} // the file has changed
	if err := a.Reload(t.Context(), again, nil); err != nil {
		t.Fatal(err)
	}
	if tags := a.config().Node.Tags; tags["az"] != "eu-west-1b" || tags["group"] != "api" || tags["stack"] != "prod" {
		t.Errorf("after a reload the tags are %v; want zone and group of the instance, and the file's stack", tags)
	}
	end()

	for len(asked) > 0 {
		<-asked
	}
	_, end = start("LENOVO")
	end()
	if len(asked) > 0 {
		t.Errorf("elsewhere %s was asked", <-asked)
	}
}
