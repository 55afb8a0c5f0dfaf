package intake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// serviceForm is how an event of a service that deploys, backs up or keeps data is read: as a change that may be blamed for what
// breaks after it, and as a failure that stands until the same thing goes well.
type serviceForm struct {
	state  string            // the field that says what happened
	says   map[string]string // what that means in words, for a mark; other values are none
	bad    []string          // values by which it fails
	good   []string          // values that end a failure
	rule   string            // of the alarm of a failure; empty: it has none
	entity string            // kind of what it is about
	names  []string          // fields that name it, joined by a slash; none: the last part of the first resource's ARN
	why    []string          // fields that say why, the first that has something
	title  string            // of its alarm, with the name for %s
	look   string            // what to do first
}

// serviceForms are the events that are taken, by their detail-type.
// Sources: EventBridge's events of Amazon ECS ("Service deployment state change events", "Service action events"), CodeDeploy ("Monitoring
// deployments with EventBridge"), CodePipeline, AWS Backup, Amazon RDS ("Monitoring RDS events") and EC2 Auto Scaling ("Instance refresh
// events"), in the user guides of each, read 30 November 2026.
var serviceForms = map[string]serviceForm{
	"ECS Deployment State Change": {
		state: "eventName", says: map[string]string{"SERVICE_DEPLOYMENT_IN_PROGRESS": "is being deployed", "SERVICE_DEPLOYMENT_COMPLETED": "was deployed", "SERVICE_DEPLOYMENT_FAILED": "could not be deployed"},
		bad: []string{"SERVICE_DEPLOYMENT_FAILED"}, good: []string{"SERVICE_DEPLOYMENT_COMPLETED"}, rule: "ECSDeploymentFailed", entity: "service", why: []string{"reason"},
		title: "The last deployment of ECS service %s failed", look: "Read the service's last events: aws ecs describe-services. Roll back or forward.",
	},
	"ECS Service Action": {
		state: "eventName", bad: []string{"SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE_TASK_START_IMPAIRED", "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"}, good: []string{"SERVICE_STEADY_STATE"},
		rule: "ECSTasksDoNotStart", entity: "service", why: []string{"reason", "eventName"},
		title: "Tasks of ECS service %s do not start", look: "Read the service's last events: aws ecs describe-services. Usual causes: no capacity, an image that is gone, a check that fails.",
	},
	"CodeDeploy Deployment State-change Notification": {
		state: "state", says: map[string]string{"START": "is being deployed", "SUCCESS": "was deployed", "FAILURE": "could not be deployed", "STOP": "is left half deployed"},
		bad: []string{"FAILURE"}, good: []string{"SUCCESS"}, rule: "CodeDeployFailed", entity: "service", names: []string{"application", "deploymentGroup"}, why: []string{"deploymentId"},
		title: "The last deployment of %s by CodeDeploy failed", look: "Read why: aws deploy list-deployments, then aws deploy get-deployment.",
	},
	"CodePipeline Pipeline Execution State Change": {
		state: "state", says: map[string]string{"STARTED": "runs", "SUCCEEDED": "has run", "FAILED": "failed"}, entity: "pipeline", names: []string{"pipeline"},
	},
	"Backup Job State Change": {
		state: "state", bad: []string{"FAILED", "ABORTED", "EXPIRED"}, good: []string{"COMPLETED"}, rule: "AWSBackupFailed", entity: "backup", names: []string{"resourceArn"}, why: []string{"statusMessage"},
		title: "The last backup of %s failed", look: "Read why: aws backup list-backup-jobs --by-state FAILED. Start it again before the old one is too old.",
	},
	"RDS DB Instance Event":                       {state: "Message", entity: "database", names: []string{"SourceIdentifier"}},
	"RDS DB Cluster Event":                        {state: "Message", entity: "database", names: []string{"SourceIdentifier"}},
	"EC2 Auto Scaling Instance Refresh Started":   {state: "InstanceRefreshId", entity: "group", names: []string{"AutoScalingGroupName"}},
	"EC2 Auto Scaling Instance Refresh Failed":    {state: "InstanceRefreshId", entity: "group", names: []string{"AutoScalingGroupName"}},
	"EC2 Auto Scaling Instance Refresh Cancelled": {state: "InstanceRefreshId", entity: "group", names: []string{"AutoScalingGroupName"}},
	"EC2 Auto Scaling Instance Refresh Succeeded": {state: "InstanceRefreshId", entity: "group", names: []string{"AutoScalingGroupName"}},
}

// changes are the categories of RDS that are news of a change: the others are backups, notices and what somebody read.
// Source: RDS user guide, "Amazon RDS event categories and event messages", read 30 November 2026.
var changes = []string{"availability", "configuration change", "failover", "failure", "low storage", "maintenance", "recovery", "restoration", "deletion", "serverless"}

// serviceEvent is what one of them said.
type serviceEvent struct {
	form  serviceForm
	name  string // of what it is about
	place string // the cluster of a service of ECS; empty: it has none, or its ARN is of the old form
	state string
	why   string
}

// serviceWord reads one. The error is that of an event that does not say what it is about.
func serviceWord(w word, f serviceForm, resource string, detail []byte) (word, error) {
	var d map[string]any
	err := json.Unmarshal(detail, &d)
	e := serviceEvent{form: f, state: wordOf(d[f.state]), name: resource[strings.LastIndexAny(resource, ":/")+1:]}
	for i, field := range f.names {
		if i == 0 {
			e.name = ""
		}
		e.name = strings.Trim(e.name+"/"+wordOf(d[field]), "/")
	}
	if err == nil && (e.name == "" || e.state == "") {
		err = fmt.Errorf("want what it is about and %s", f.state)
	}
	if err != nil {
		return w, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if _, path, is := strings.Cut(resource, ":service/"); is && strings.Contains(path, "/") {
		e.place, _, _ = strings.Cut(path, "/")
	}
	for _, field := range f.why {
		e.why = cmp.Or(e.why, wordOf(d[field]))
	}
	text := f.says[e.state]
	switch categories, _ := d["EventCategories"].([]any); {
	case f.state == "InstanceRefreshId":
		text = "instance refresh " + strings.ToLower(w.form[strings.LastIndex(w.form, " ")+1:])
	case f.state == "Message" && slices.ContainsFunc(categories, func(c any) bool { return slices.Contains(changes, wordOf(c)) }):
		text = e.state
	}
	if text != "" {
		w.marks = []Deploy{{Entity: e.subject(), Cluster: e.place, By: "AWS", Text: text, At: w.at}}
	}
	if f.rule != "" {
		w.service = e
	}
	return w, nil
}

// wordOf is the text of a field, where it is one.
func wordOf(v any) string {
	text, _ := v.(string)
	return strings.TrimSpace(text)
}

func (e serviceEvent) subject() string { return e.form.entity + ":" + cutLabel(e.name) }

func (e serviceEvent) fails() bool { return slices.Contains(e.form.bad, e.state) }

func (e serviceEvent) ends() bool { return slices.Contains(e.form.good, e.state) }

func (e serviceEvent) alarm(at time.Time) alerting.Alarm {
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: e.form.rule, alerting.LabelSource: "aws", alerting.LabelSeverity: "warning", alerting.LabelPriority: "P3", alerting.LabelKind: "config",
			alerting.LabelLayer: "service", alerting.LabelEntity: e.subject(),
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary:  fmt.Sprintf(e.form.title, cutLabel(e.name)),
			alerting.AnnotationGuidance: e.form.look,
			"description":               e.why[:min(len(e.why), maxAnnotation)],
		},
		StartsAt: at,
	}
	if e.place != "" {
		a.Labels[alerting.LabelCluster] = cutLabel(e.place)
	}
	return a
}
