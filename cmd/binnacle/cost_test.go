package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCostPricesAFleetAndRefusesNonsense(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.yaml")
	text := "ship: {cloudwatch: {region: eu-west-1}}\nintake: {aws: {queue: 'https://sqs.eu-west-1.amazonaws.com/123456789012/q'}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cost := func(args ...string) (string, error) {
		var out strings.Builder
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append([]string{"cost", "--config", file}, args...))
		err := root.ExecuteContext(t.Context())
		return strings.Join(strings.Fields(out.String()), " "), err
	}
	// 30 nodes of 200 metrics in 3 groups: the defaults stay within what a fleet may cost.
	out, err := cost("--nodes", "30", "--groups", "3", "--metrics", "200", "--alarms", "40", "--otlp-per-gb", "0.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PutMetricData 1314000 calls 3.14", "alarms 40 3.00", "sqs:ReceiveMessage 131400 calls 0.05", "all 30 nodes, 3 groups 600 183.28", "by OTLP instead 47 GB 6000 23.52"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q; want %q in it", out, want)
		}
	}
	if out, err = cost("--metrics", "500"); err != nil || !strings.Contains(out, "not sent max_series is 300 200 a node") {
		t.Errorf("printed %q, %v; want what the cap keeps back", out, err)
	}
	for _, args := range [][]string{{"--nodes", "0"}, {"--nodes", "-3"}, {"--groups", "0"}, {"--nodes", "2", "--groups", "3"}, {"--metrics", "-1"}, {"--alarms", "-1"}, {"--otlp-per-gb", "NaN"}} {
		if out, err := cost(args...); err == nil {
			t.Errorf("%v: printed %q; want a refusal", args, out)
		}
	}
}
