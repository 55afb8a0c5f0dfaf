package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/aws/awstest"
)

// The commands of a person who keeps rules at CloudWatch: plan, apply, plan again, export.
func TestAWSAlarms(t *testing.T) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	fake := awstest.New()
	defer fake.Close()
	dims := map[string]string{"Group": "api"}
	fake.Lay(awstest.Metric{Namespace: "NavCloud", Name: "app_free_ratio", Dimensions: dims})
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rules := write("r.yml", "groups:\n- name: g\n  rules:\n  - {alert: Low, expr: 'app_free_ratio < 0.1', for: 2m}\n  - {alert: Rate, expr: 'rate(app_x[5m]) > 1'}\n")
	config := func(from string) string {
		return write("c.yml", fmt.Sprintf("data: %s\nrules: {packs: [], files: [%s]}\naws: {region: eu-west-1, endpoint: '%s'}\nship: {cloudwatch: {alarms: {from: [%s]}}}\n", dir, rules, fake.URL, from))
	}
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		cmd := newRoot()
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append(append([]string{"aws", "alarms"}, args...), "--config", filepath.Join(dir, "c.yml")))
		if err := cmd.Execute(); err != nil {
			fmt.Fprintln(&out, "error:", err)
		}
		return out.String()
	}
	has := func(out string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("printed\n%s\nwant %q in it", out, want)
			}
		}
	}
	config("")
	has(run("plan"), "ship.cloudwatch.alarms.from names no rule")
	config("Low, Rate, Nobody")
	has(run("plan"), "put", "binnacle/binnacle/Low/api/", "Minimum app_free_ratio < 0.1 for 2 min", "it is no comparison of one metric", "no pack or file in force", "note: the beat of a router is not at CloudWatch yet", "1 to put, 0 to delete; 2 rules cannot be an alarm. All: $0.10 a month")
	has(run("apply"), "1 of 1 done")
	has(run("plan"), "1 alarm as they should be, 0 to put")
	has(run("export", "cloudformation"), `"Type": "AWS::CloudWatch::Alarm"`, `"Key": "owner"`)
	fake.Deny("DescribeAlarms", true)
	has(run("plan"), "lacks the right cloudwatch:DescribeAlarms")
}
