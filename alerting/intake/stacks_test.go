package intake

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

func stackSaid(name, status string, at time.Time) string {
	return fmt.Sprintf(`{"detail-type":%q,"source":"aws.cloudformation","time":%q,"resources":[],"detail":{"stack-id":"arn:aws:cloudformation:eu-west-1:111122223333:stack/%s/c1b","status-details":{"status":%q,"status-reason":"why"},"client-request-token":""}}`,
		formStack, at.UTC().Format(time.RFC3339), name, status)
}

// A stack that changes is a mark that may be blamed; one that failed is a P3 until it is well; one that is deleted says so of its groups.
func TestStacks(t *testing.T) {
	at := time.Now().Add(-20 * time.Minute).Truncate(time.Second)
	b := newBoard()
	var lives []Life
	c := openCloud(Options{Put: b.put, Lives: func(l Life) { lives = append(lives, l) }, Config: Config{AWS: AWSConfig{Queue: "https://sqs.eu-west-1.amazonaws.com/1/q"}}})
	said := func() string {
		var out []string
		for _, a := range b.alarms {
			out = append(out, a.Rule()+": "+a.Annotations[alerting.AnnotationSummary])
		}
		return strings.Join(out, "\n")
	}
	for i, step := range []struct{ status, has, hasNot string }{
		{"UPDATE_IN_PROGRESS", "stack navcloud-v42 is being updated", ruleStackFailed},
		{"UPDATE_ROLLBACK_FAILED", ruleStackFailed + ": Stack navcloud-v42 stands at UPDATE_ROLLBACK_FAILED", "\t"},
		{"UPDATE_ROLLBACK_IN_PROGRESS", ruleStackFailed, "\t"},
		{"UPDATE_ROLLBACK_COMPLETE", "stack navcloud-v42 was rolled back", ruleStackFailed},
		{"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "was rolled back", ruleStackFailed},
		{"DELETE_IN_PROGRESS", "is being deleted", ruleStackFailed},
		{"DELETE_FAILED", ruleStackFailed, "\t"},
	} {
		c.tell(t, stackSaid("navcloud-v42", step.status, at.Add(time.Duration(i)*time.Minute)))
		if got := said(); !strings.Contains(got, step.has) || strings.Contains(got, step.hasNot) {
			t.Errorf("after %s:\n%s\nwant %q, without %q", step.status, got, step.has, step.hasNot)
		}
		want := StackStays
		if step.status == "DELETE_IN_PROGRESS" {
			want = StackEnds
		}
		if l := lives[len(lives)-1]; l.Stack != "navcloud-v42" || l.What != want {
			t.Errorf("after %s: %+v", step.status, l)
		}
	}
	old := b.count()
	c.tell(t, stackSaid("other", "UPDATE_COMPLETE", at.Add(-3*time.Hour)))
	if b.count() != old {
		t.Error("a change of three hours ago is still a mark")
	}
	for _, bad := range []string{`{}`, `{"stack-id":"x","status-details":{"status":"Y"}}`, `[]`} {
		if _, err := parseWord([]byte(`{"detail-type":"`+formStack+`","detail":`+bad+`}`), at); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// A switch of Route 53 is a mark with where it leads now; what was refused, and other calls, are none.
func TestRecordSwitch(t *testing.T) {
	at := time.Now().UTC().Format(time.RFC3339)
	call := func(name, errorCode, changes string) string {
		return fmt.Sprintf(`{"detail-type":%q,"source":"aws.route53","time":%q,"detail":{"eventSource":"route53.amazonaws.com","eventName":%q,"errorCode":%q,"userIdentity":{"arn":"arn:aws:sts::1:assumed-role/deploy/anna"},"requestParameters":{"hostedZoneId":"Z1","changeBatch":{"changes":%s}}}}`, formCall, at, name, errorCode, changes)
	}
	b := newBoard()
	c := cloudOf(t, b, "")
	c.tell(t, call("ChangeResourceRecordSets", "", `[{"action":"UPSERT","resourceRecordSet":{"name":"sync.navcloud.com.","type":"A","setIdentifier":"v43","weight":100,"aliasTarget":{"dNSName":"elb-43.eu-west-1.elb.amazonaws.com.","hostedZoneId":"Z2","evaluateTargetHealth":true}}},{"action":"DELETE","resourceRecordSet":{"name":"old.navcloud.com","type":"CNAME","resourceRecords":[{"value":"elb-42"}]}}]`))
	c.tell(t, call("ChangeResourceRecordSets", "InvalidChangeBatch", `[{"action":"UPSERT","resourceRecordSet":{"name":"no.","type":"A"}}]`))
	if err := c.hears(t.Context(), []byte(call("ListHostedZones", "", "[]")), time.Now()); err == nil {
		t.Error("a call that means nothing is taken")
	}
	var got []string
	for _, a := range b.alarms {
		got = append(got, a.Labels[alerting.LabelEntity]+" "+a.Annotations[alerting.AnnotationSummary])
	}
	text := strings.Join(got, "\n")
	if len(got) != 2 || !strings.Contains(text, "dns:sync.navcloud.com") || !strings.Contains(text, "now leads to elb-43.eu-west-1.elb.amazonaws.com (v43, weight 100)") || !strings.Contains(text, "leads to elb-42 no more") || !strings.Contains(text, "anna") {
		t.Errorf("marks\n%s\nwant two, with who and where to", text)
	}
}

// The queue's policy lets topics of the account in, and each rule of the template.
func TestTheTemplateLetsInWhatItAsksFor(t *testing.T) {
	data, err := os.ReadFile("../../packaging/aws/binnacle.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Type       string
			Properties struct{ PolicyDocument json.RawMessage }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	policy := string(doc.Resources["NoticesPolicy"].Properties.PolicyDocument)
	for name, r := range doc.Resources {
		if r.Type == "AWS::Events::Rule" && !strings.Contains(policy, `"`+name+`"`) {
			t.Errorf("the queue's policy does not let %s in", name)
		}
	}
	if !strings.Contains(policy, "sns.amazonaws.com") || !strings.Contains(policy, "${AWS::AccountId}") {
		t.Errorf("policy %s; want topics of this account alone", policy)
	}
}
