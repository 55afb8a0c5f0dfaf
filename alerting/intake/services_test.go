package intake

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// What services that deploy, back up and keep data say: a failure is a P3 until the same thing goes well, a change may be blamed.
func TestWordsOfServices(t *testing.T) {
	const ecs = "arn:aws:ecs:eu-west-1:123456789012:service/prod/api"
	at := time.Now().Add(-time.Minute).UTC()
	on := func(kind, resource, detail string, n int) string {
		return fmt.Sprintf(`{"detail-type":%q,"source":"aws.x","time":%q,"resources":[%q],"detail":%s}`, kind, at.Add(time.Duration(n)*time.Second).Format(time.RFC3339), resource, detail)
	}
	for name, tc := range map[string]struct {
		says []string
		rule string // that fires in the end; empty: none
		mark string // a text that a mark has; empty: there is none
	}{
		"a deployment fails":                {[]string{on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_FAILED","reason":"circuit breaker"}`, 0)}, "ECSDeploymentFailed", ": could not be deployed"},
		"and goes well":                     {[]string{on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_FAILED"}`, 0), on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_COMPLETED"}`, 1)}, "", "deploy service:api"},
		"in the other order":                {[]string{on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_COMPLETED"}`, 1), on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_FAILED"}`, 0)}, "", "deploy service:api"},
		"in another cluster":                {[]string{on("ECS Deployment State Change", ecs, `{"eventName":"SERVICE_DEPLOYMENT_FAILED"}`, 0), on("ECS Deployment State Change", strings.Replace(ecs, "prod", "test", 1), `{"eventName":"SERVICE_DEPLOYMENT_COMPLETED"}`, 1)}, "ECSDeploymentFailed", "deploy service:api"},
		"tasks find no place":               {[]string{on("ECS Service Action", ecs, `{"eventName":"SERVICE_TASK_PLACEMENT_FAILURE","reason":"RESOURCE:CPU"}`, 0)}, "ECSTasksDoNotStart", ""},
		"and do":                            {[]string{on("ECS Service Action", ecs, `{"eventName":"SERVICE_TASK_PLACEMENT_FAILURE"}`, 0), on("ECS Service Action", ecs, `{"eventName":"SERVICE_STEADY_STATE"}`, 1)}, "", ""},
		"CodeDeploy":                        {[]string{on("CodeDeploy Deployment State-change Notification", "", `{"state":"FAILURE","application":"api","deploymentGroup":"prod","deploymentId":"d-1"}`, 0)}, "CodeDeployFailed", "deploy service:api/prod"},
		"a pipeline":                        {[]string{on("CodePipeline Pipeline Execution State Change", "", `{"state":"FAILED","pipeline":"p"}`, 0)}, "", ": failed"},
		"a backup":                          {[]string{on("Backup Job State Change", "", `{"state":"FAILED","resourceArn":"arn:aws:rds:eu-west-1:1:db:main","statusMessage":"no right"}`, 0)}, "AWSBackupFailed", ""},
		"another backup is good":            {[]string{on("Backup Job State Change", "", `{"state":"FAILED","resourceArn":"arn:a"}`, 0), on("Backup Job State Change", "", `{"state":"COMPLETED","resourceArn":"arn:b"}`, 1)}, "AWSBackupFailed", ""},
		"a backup runs":                     {[]string{on("Backup Job State Change", "", `{"state":"RUNNING","resourceArn":"arn:a"}`, 0)}, "", ""},
		"a database fails over":             {[]string{on("RDS DB Instance Event", "", `{"EventCategories":["failover"],"SourceIdentifier":"main","Message":"Multi-AZ instance failover started."}`, 0)}, "", ": Multi-AZ instance failover started."},
		"a database is saved, as each day":  {[]string{on("RDS DB Instance Event", "", `{"EventCategories":["backup"],"SourceIdentifier":"main","Message":"Backing up DB instance"}`, 0)}, "", ""},
		"instances are refreshed":           {[]string{on("EC2 Auto Scaling Instance Refresh Started", "", `{"InstanceRefreshId":"r","AutoScalingGroupName":"web"}`, 0)}, "", ": instance refresh started"},
		"abuse, which AWS Health tells too": {[]string{on("AWS Health Abuse Event", "", `{"eventArn":"arn:aws:health:x","service":"ABUSE","eventTypeCode":"AWS_ABUSE_DOS_REPORT","eventTypeCategory":"issue","statusCode":"open"}`, 0)}, "AWSHealth", ""},
	} {
		b := newBoard()
		c := cloudOf(t, b, "")
		for _, text := range tc.says {
			c.tell(t, text)
			c.tell(t, text) // it comes twice
		}
		var rules, marks []string
		for _, a := range b.alarms {
			if a.Rule() == RuleDeploy {
				marks = append(marks, a.Annotations[alerting.AnnotationSummary])
				continue
			}
			rules = append(rules, a.Rule())
			if p := a.Labels[alerting.LabelPriority]; p != "P3" {
				t.Errorf("%s: %s; want P3", name, p)
			}
		}
		if got := strings.Join(rules, " "); got != tc.rule {
			t.Errorf("%s: %q fires; want %q", name, got, tc.rule)
		}
		if got := strings.Join(marks, "; "); (got == "") != (tc.mark == "") || !strings.Contains(got, tc.mark) {
			t.Errorf("%s: marks %q; want %q", name, got, tc.mark)
		}
	}
	c := cloudOf(t, newBoard(), "")
	for _, bad := range []string{on("ECS Service Action", "", `{"eventName":"SERVICE_STEADY_STATE"}`, 0), on("Backup Job State Change", "", `{"state":7,"resourceArn":"arn:a"}`, 0), on("Backup Job State Change", "", `"x"`, 0)} {
		if err := c.hears(t.Context(), []byte(bad), time.Now()); !errors.Is(err, errUnreadable) {
			t.Errorf("%s: %v; want that it cannot be read", bad, err)
		}
	}
}
