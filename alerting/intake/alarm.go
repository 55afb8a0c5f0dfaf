package intake

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of an alarm. What others send is cut, not refused: a cut alarm still pages.
const (
	maxLabels      = 64
	maxName        = 256 // of a label or an annotation
	maxLabelValue  = 1 << 10
	maxAnnotation  = 8 << 10
	maxAnnotations = 64
	maxTexts       = 32 << 10 // bytes of all annotations
)

// resolveTimeout is how long an alarm without an end holds; Alertmanager's default.
// Source: Alertmanager configuration reference, resolve_timeout, read November 2026.
const resolveTimeout = 5 * time.Minute

var errNoLabels = errors.New("an alarm wants at least one label that is not empty")

// bounded cuts what of an alarm is too long. The error is errNoLabels.
func bounded(p alerting.Alarm) (a alerting.Alarm, cut bool, err error) {
	a = alerting.Alarm{
		Labels: map[string]string{}, Annotations: map[string]string{}, Generator: p.Generator, StartsAt: p.StartsAt, EndsAt: p.EndsAt,
	}
	if len(a.Generator) > maxAnnotation {
		a.Generator, cut = "", true
	}
	for k, v := range p.Labels {
		if v == "" || k == "" {
			continue
		}
		name, short := cutName(k), cutLabel(v)
		cut = cut || short != v || name != k
		a.Labels[name] = short
	}
	if len(a.Labels) == 0 {
		return a, false, errNoLabels
	}
	if len(a.Labels) > maxLabels {
		dropLabels(a.Labels)
		cut = true
	}
	room := maxTexts
	for k, v := range p.Annotations {
		name := cutName(k)
		cut = cut || name != k
		room -= len(name) + min(len(v), maxAnnotation)
		switch {
		case v == "":
		case len(a.Annotations) == maxAnnotations, room < 0 && !needed[name]:
			cut = true
		case len(v) > maxAnnotation:
			cut = true
			a.Annotations[name] = strings.ToValidUTF8(v[:maxAnnotation], "")
		default:
			a.Annotations[name] = strings.ToValidUTF8(v, "�")
		}
	}
	return a, cut, nil
}

// unset: an absent time is the zero time, or the epoch where strfmt wrote it.
func unset(t time.Time) bool { return t.IsZero() || t.Unix() == 0 }

func cutName(k string) string {
	return strings.ToValidUTF8(k[:min(len(k), maxName)], "_")
}

// cutLabel keeps long values apart by a hash of the whole: labels are the identity.
func cutLabel(v string) string {
	v = strings.ToValidUTF8(v, "�")
	if len(v) <= maxLabelValue {
		return v
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(v))
	return strings.ToValidUTF8(v[:maxLabelValue-17], "") + fmt.Sprintf("#%016x", h.Sum64())
}

// dropLabels keeps those that ordering reads and then the first by name.
func dropLabels(labels map[string]string) {
	names := make([]string, 0, len(labels))
	for n := range labels {
		if !slices.Contains(ours, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for len(labels) > maxLabels && len(names) > 0 {
		delete(labels, names[len(names)-1])
		names = names[:len(names)-1]
	}
}

// needed are the annotations that pages need, which are kept in any case.
var needed = map[string]bool{
	alerting.AnnotationSummary: true, "description": true, alerting.AnnotationGuidance: true, alerting.AnnotationRunbook: true, "message": true,
}

var ours = []string{
	alerting.LabelRule, alerting.LabelSeverity, alerting.LabelEntity, alerting.LabelLayer, alerting.LabelKind, alerting.LabelService,
	alerting.LabelCluster, alerting.LabelDep, alerting.LabelImpact, alerting.LabelSource, alerting.LabelPriority, alerting.LabelPage,
	"instance", "host", "node",
}

// postable is an alarm on the wire.
func postable(a alerting.Alarm) *models.PostableAlert {
	return &models.PostableAlert{
		Annotations: a.Annotations, StartsAt: strfmt.DateTime(a.StartsAt), EndsAt: strfmt.DateTime(a.EndsAt),
		Alert: models.Alert{Labels: a.Labels, GeneratorURL: strfmt.URI(a.Generator)},
	}
}
