package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestNodes lists a node that is well and one that fell silent, as an agent's store tells of them.
func TestNodes(t *testing.T) {
	answer := map[string]string{
		"binnacle_node_info":                `{"metric":{"node":"b","az":"eu-west-1b","group":"api"},"value":[1,"1"]},{"metric":{"node":"a\u001b[31m"},"value":[1,"1"]}`,
		"timestamp(binnacle_start_time":     `{"metric":{"node":"b"},"value":[1,"4"]}`,
		"binnacle_build_info":               `{"metric":{"node":"b","version":"1.2.3"},"value":[1,"1"]}`,
		"binnacle_collector_up":             `{"metric":{"node":"b","collector":"host_load"},"value":[1,"1"]}`,
		"by (node, sink) (binnacle_sink_up": `{"metric":{"node":"b","sink":"cloudwatch"},"value":[1,"1"]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := ""
		for part, series := range answer {
			if strings.Contains(r.FormValue("query"), part) {
				result = series
			}
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	}))
	defer srv.Close()
	cmd := newNodes()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"--url", srv.URL})
	err := cmd.ExecuteContext(t.Context())
	if code, ok := err.(exitError); !ok || code != 2 {
		t.Errorf("exit %v, want 2 for a silent node", err)
	}
	want := `node   zone        group  is      version  how it is, and what it ships
a [31m  -           -      silent  -        No word for 1 h. Ships nothing.
b      eu-west-1b  api    well    1.2.3    Looks by 1 collector, ships to 1 destination. Ships cloudwatch: 0 waiting.

2 nodes: 1 silent, 1 well
`
	if got := out.String(); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("nodes:\n%s\nwant\n%s", got, want)
	}
}

// TestNodesAsJSON lists who is missing after the nodes.
func TestNodesAsJSON(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := ""
		switch q := r.FormValue("query"); {
		case strings.HasPrefix(q, "(binnacle_autoscaling_member unless"):
			result = `{"metric":{"instance_id":"i-2","autoscaling_group":"api","state":"InService"},"value":[1,"1"]}`
		case strings.HasPrefix(q, "max by (autoscaling_group)"):
			result = `{"metric":{"autoscaling_group":"api"},"value":[1,"2"]}`
		case strings.Contains(q, "binnacle_node_info"):
			result = `{"metric":{"node":"b","group":"api"},"value":[1,"1"]}`
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	}))
	defer srv.Close()
	cmd := newNodes()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--json", "--url", srv.URL})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Node    string
		Missing *struct {
			Instance, Group, State string
			N                      int
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 3 || got[0].Node != "b" || got[0].Missing != nil {
		t.Fatalf("%s: %v; want b, and two that are missing", &out, err)
	}
	if m := got[1].Missing; m == nil || m.Group != "api" || m.N != 2 {
		t.Errorf("%s; want that api lacks two", &out)
	}
	if m := got[2].Missing; m == nil || got[2].Node != "i-2" || m.Instance != "i-2" || m.State != "InService" {
		t.Errorf("%s; want i-2 missing", &out)
	}
}

func TestNodesWithoutAnAgent(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"no history": {http.NotFound, "keeps no history"},
		"nonsense":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "answer to"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(tc.handler)
			defer srv.Close()
			cmd := newNodes()
			cmd.SetOut(&bytes.Buffer{})
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs([]string{"--url", srv.URL})
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want an error with %q", err, tc.want)
			}
		})
	}
}
