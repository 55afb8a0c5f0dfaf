package pagerduty

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of single fields, so that no one of them pushes the others out.
const (
	maxField = 2 << 10 // runes
	maxList  = 20
	maxName  = 96 // bytes of an annotation that may count as a name
)

// ordered is a JSON object that keeps its order, which is the order in which a person reads.
type ordered []field

type field struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(f.name))
		b.WriteByte(':')
		b.Write(encode(f.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode marshals what cannot fail: texts, lists and maps of them, and what was encoded before.
func encode(v any) json.RawMessage {
	if raw, ok := v.(json.RawMessage); ok {
		return raw
	}
	data, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return data
}

// details are the custom details of a page in the order of reading, at most limit bytes of JSON. What does
// not fit is cut from the end, which is the list of alarms.
func details(p alerting.Page, limit int) ordered {
	var o ordered
	size := 2
	add := func(name string, value any) {
		raw := encode(value)
		o = append(o, field{name, raw})
		size += len(name) + len(raw) + 4
	}
	text := func(name, s string) {
		if s = strings.TrimSpace(s); s != "" {
			add(name, cutRunes(strings.ToValidUTF8(s, "�"), maxField))
		}
	}
	list := func(name string, l []string) {
		if len(l) > maxList {
			l = l[:maxList]
		}
		if len(l) > 0 {
			add(name, shorten(l))
		}
	}
	text("impact", p.Impact)
	text("broken", p.Broken)
	if !p.Since.IsZero() {
		text("since", p.Since.UTC().Format(time.RFC3339))
	}
	text("guidance", p.Guidance)
	list("changed", p.Changed)
	text("evidence", p.Evidence)
	text("explains", explains(p))
	list("next", p.Behind)
	text("priority", p.Priority.String())
	text("reason", p.Reason)
	text("runbook", p.Runbook)
	if n := len(p.Explained); n > 0 {
		alarms, cut := alarmList(p.Explained, limit-size-len(`,"alarms":,"alarms_cut":100000`))
		if cut > 0 {
			add("alarms_cut", cut)
		}
		add("alarms", alarms)
	}
	return o
}

func shorten(l []string) []string {
	out := make([]string, len(l))
	for i, s := range l {
		out[i] = cutRunes(strings.ToValidUTF8(s, "�"), maxField/4)
	}
	return out
}

// alarmList encodes the alarms within limit bytes. Names go before prose: first every alarm as one short
// line, as many as fit; then, from the head on and as long as there is room, the labels in full; then the
// annotations. cut says how many alarms are not there at all.
func alarmList(alarms []alerting.Alarm, limit int) (list json.RawMessage, cut int) {
	room := limit - 2
	items := []json.RawMessage{}
	for _, a := range alarms {
		item := encode(brief(a))
		if len(item)+1 > room {
			break
		}
		room -= len(item) + 1
		items = append(items, item)
	}
	for _, form := range []func(alerting.Alarm) any{labelled, full} {
		for i := range items {
			item := encode(form(alarms[i]))
			if more := len(item) - len(items[i]); more <= room {
				room -= more
				items[i] = item
			} else {
				break
			}
		}
	}
	return encode(items), len(alarms) - len(items)
}

// brief is an alarm in one line: rule, entity, and the annotations that are names.
func brief(a alerting.Alarm) string {
	parts := []string{a.Rule()}
	if e := a.Labels[alerting.LabelEntity]; e != "" {
		parts = append(parts, e)
	}
	names := nameAnnotations(a)
	for _, k := range slices.Sorted(maps.Keys(names)) {
		parts = append(parts, k+"="+names[k])
	}
	return cutRunes(oneLine(strings.Join(parts, " ")), 300)
}

func labelled(a alerting.Alarm) any { return alarmObject(a, nameAnnotations(a)) }

func full(a alerting.Alarm) any { return alarmObject(a, a.Annotations) }

func alarmObject(a alerting.Alarm, annotations map[string]string) any {
	o := ordered{{"labels", a.Labels}}
	if len(annotations) > 0 {
		o = append(o, field{"annotations", annotations})
	}
	if !a.StartsAt.IsZero() {
		o = append(o, field{"since", a.StartsAt.UTC().Format(time.RFC3339)})
	}
	return o
}

// nameAnnotations are those whose value is one short word: an ID, a ticket, a version. Sentences and
// addresses are prose.
func nameAnnotations(a alerting.Alarm) map[string]string {
	var out map[string]string
	for k, v := range a.Annotations {
		if v == "" || len(v) > maxName || strings.Contains(v, "://") || strings.IndexFunc(v, unicode.IsSpace) >= 0 {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}
