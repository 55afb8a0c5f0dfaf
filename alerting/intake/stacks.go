package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// The forms of what people change at AWS.
const (
	formStack = "CloudFormation Stack Status Change"
	formCall  = "AWS API Call via CloudTrail" // of Route 53; others have no meaning here
)

// ruleStackFailed is the alarm of a stack that is neither what it was nor what was wanted.
const ruleStackFailed = "CloudFormationStackFailed"

// stackEvent is one of CloudFormation.
// Source: CloudFormation user guide, "CloudFormation events detail reference" for EventBridge, read 30 November 2026.
type stackEvent struct {
	ID     string `json:"stack-id"`
	Status struct {
		Status string `json:"status"`
		Reason string `json:"status-reason"`
	} `json:"status-details"`
}

// name is the stack's, without its ARN.
func (s stackEvent) name() string {
	_, rest, _ := strings.Cut(s.ID, ":stack/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// stackWord reads what became of a stack: a change that may be blamed, a failure, or that all in it ends.
func stackWord(w word, detail []byte) (word, error) {
	var s stackEvent
	err := json.Unmarshal(detail, &s)
	if err == nil && (s.name() == "" || s.Status.Status == "") {
		err = errors.New("a stack without its ARN or its status")
	}
	if err != nil {
		return w, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	w.stack = s
	w.life = Life{Stack: s.name(), What: StackStays, Cause: s.Status.Reason, At: w.at}
	if strings.HasPrefix(s.Status.Status, "DELETE_") && !s.fails() {
		w.life.What = StackEnds
	}
	return w, nil
}

// stackSays are the states that are news, and what is said of them.
var stackSays = map[string]string{
	"CREATE_IN_PROGRESS": "is being created", "CREATE_COMPLETE": "was created", "UPDATE_IN_PROGRESS": "is being updated", "UPDATE_COMPLETE": "was updated",
	"UPDATE_ROLLBACK_IN_PROGRESS": "is being rolled back", "UPDATE_ROLLBACK_COMPLETE": "was rolled back", "ROLLBACK_IN_PROGRESS": "is being rolled back",
	"ROLLBACK_COMPLETE": "could not be created and was rolled back", "DELETE_IN_PROGRESS": "is being deleted", "DELETE_COMPLETE": "was deleted",
	"IMPORT_COMPLETE": "took over resources", "IMPORT_ROLLBACK_COMPLETE": "was rolled back",
}

// mark is the change that may be blamed for what breaks after it; ok is false where nothing changed.
func (s stackEvent) mark(at time.Time) (d Deploy, ok bool) {
	said := stackSays[s.Status.Status]
	if said == "" {
		return d, false
	}
	return Deploy{Entity: "stack:" + s.name(), By: "CloudFormation", Text: "stack " + s.name() + " " + said, At: at}, true
}

// fails says whether a stack is left as nobody wanted it, and ends whether it is well again.
func (s stackEvent) fails() bool { return strings.HasSuffix(s.Status.Status, "_FAILED") }

func (s stackEvent) ends() bool {
	return slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE", "ROLLBACK_COMPLETE"}, s.Status.Status)
}

func (s stackEvent) alarm(at time.Time) alerting.Alarm {
	name := cutLabel(s.name())
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: ruleStackFailed, alerting.LabelSource: "aws", alerting.LabelSeverity: "warning", alerting.LabelPriority: "P3", alerting.LabelKind: "config",
			alerting.LabelLayer: "service", alerting.LabelEntity: "stack:" + name, "stack": name,
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary:  "Stack " + name + " stands at " + s.Status.Status + ": neither what it was nor what was wanted",
			alerting.AnnotationGuidance: "See which resource failed: aws cloudformation describe-stack-events --stack-name " + name,
			"description":               s.Status.Reason[:min(len(s.Status.Reason), maxAnnotation)],
		},
		StartsAt: at,
	}
}

// recordChange is a part of what Route 53 was asked to do.
// Source: CloudTrail's record of ChangeResourceRecordSets, as the Route 53 developer guide shows it, read 30 November 2026.
type recordChange struct {
	Action string `json:"action"`
	Set    struct {
		Name, Type, SetIdentifier, Failover, Region string
		Weight                                      *float64
		AliasTarget                                 struct {
			DNSName string `json:"dNSName"`
		} `json:"aliasTarget"`
		Records []struct{ Value string } `json:"resourceRecords"`
	} `json:"resourceRecordSet"`
}

// target is where a record leads, in words.
func (c recordChange) target() string {
	var to []string
	if n := c.Set.AliasTarget.DNSName; n != "" {
		to = append(to, strings.TrimSuffix(n, "."))
	}
	for _, r := range c.Set.Records {
		to = append(to, r.Value)
	}
	text := strings.Join(to, ", ")
	if c.Set.SetIdentifier != "" {
		text += " (" + c.Set.SetIdentifier
		if c.Set.Weight != nil {
			text += fmt.Sprintf(", weight %v", *c.Set.Weight)
		}
		text += ")"
	}
	return text
}

// callWord reads a change of records; it keeps the marks of the names.
func callWord(w word, detail []byte) (word, error) {
	var d struct {
		Source       string `json:"eventSource"`
		Name         string `json:"eventName"`
		Error        string `json:"errorCode"`
		UserIdentity struct {
			ARN string `json:"arn"`
		} `json:"userIdentity"`
		Request struct {
			Batch struct {
				Changes []recordChange `json:"changes"`
			} `json:"changeBatch"`
		} `json:"requestParameters"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return w, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if d.Name != "ChangeResourceRecordSets" {
		w.form += ": " + cutForm(d.Name)
		return w, errUnknownForm
	}
	if d.Error != "" {
		return w, nil // it was refused: nothing changed
	}
	by := d.UserIdentity.ARN[strings.LastIndex(d.UserIdentity.ARN, "/")+1:]
	for _, c := range d.Request.Batch.Changes[:min(len(d.Request.Batch.Changes), maxRecords)] {
		name := strings.TrimSuffix(c.Set.Name, ".")
		text := fmt.Sprintf("DNS: %s %s now leads to %s", c.Set.Type, name, c.target())
		if c.Action == "DELETE" {
			text = fmt.Sprintf("DNS: %s %s leads to %s no more", c.Set.Type, name, c.target())
		}
		w.marks = append(w.marks, Deploy{Entity: "dns:" + name, By: by, Text: text, At: w.at})
	}
	return w, nil
}

// maxRecords bounds the marks of one call, which may change a thousand records.
const maxRecords = 20

// inputs are those of marks; one that is too old to be blamed is none.
func inputs(marks []Deploy, now time.Time) (in []alerting.Input) {
	for _, m := range marks {
		one, err := m.Input(now)
		if _, fires := one.(alerting.Firing); err == nil && fires {
			in = append(in, one)
		}
	}
	return in
}
