package aws

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// needs are the rights of an operation of the SDK where it is not the one of its own name.
// Source: Service Authorization Reference, "Actions, resources, and condition keys" of CloudWatch, SQS and Auto Scaling, read 30 November 2026.
var needs = map[string][]string{
	"sqs:DeleteMessageBatch":       {"sqs:DeleteMessage"},
	"cloudwatch:PutMetricAlarm":    {"cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"}, // with its tag
	"cloudwatch:PutCompositeAlarm": {"cloudwatch:PutCompositeAlarm", "cloudwatch:TagResource"},
}

// called are the rights that the code of a package asks for: each call of an SDK's client.
func called(t *testing.T, glob string) map[string]bool {
	t.Helper()
	call := regexp.MustCompile(`\.(alarms|queues|groups|client)\.([A-Z]\w+)\(ctx`)
	service := map[string]string{"alarms": "cloudwatch", "client": "cloudwatch", "queues": "sqs", "groups": "autoscaling"}
	out := map[string]bool{}
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			op := service[m[1]] + ":" + m[2]
			rights := needs[op]
			if rights == nil {
				rights = []string{op}
			}
			for _, r := range rights {
				out[r] = true
			}
		}
	}
	return out
}

// granted are the rights of a policy of the template.
func granted(t *testing.T, policy string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../packaging/aws/binnacle.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Properties struct {
				PolicyDocument struct {
					Statement []struct{ Action any }
				}
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, s := range doc.Resources[policy].Properties.PolicyDocument.Statement {
		switch a := s.Action.(type) {
		case string:
			out[a] = true
		case []any:
			for _, one := range a {
				out[one.(string)] = true
			}
		}
	}
	return out
}

// The template grants what the code calls, and nothing else; what the documentation lists is granted or named with where it is not.
func TestTheTemplateGrantsWhatTheCodeCalls(t *testing.T) {
	for policy, glob := range map[string]string{"RouterPolicy": "*.go", "NodePolicy": "../sinks/cloudwatch*.go"} {
		want, have := called(t, glob), granted(t, policy)
		if len(want) == 0 {
			t.Fatalf("no call is found in %s", glob)
		}
		for _, right := range slices.Sorted(maps.Keys(want)) {
			if !have[right] {
				t.Errorf("%s lacks %s, which the code calls", policy, right)
			}
		}
		for _, right := range slices.Sorted(maps.Keys(have)) {
			if !want[right] {
				t.Errorf("%s grants %s, which the code never calls", policy, right)
			}
		}
		docs, err := os.ReadFile("../../docs/aws.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, right := range slices.Sorted(maps.Keys(want)) {
			_, name, _ := strings.Cut(right, ":")
			if !strings.Contains(string(docs), name) {
				t.Errorf("docs/aws.md does not name %s", right)
			}
		}
	}
}
