package intake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of one post of alarms. They are counted in the text, before anything is made of it.
const (
	maxPosted = 20_000    // alarms
	maxOne    = 256 << 10 // bytes of one alarm
	maxFields = 1000      // of one alarm: labels, annotations, and what else is in it
)

// posted is an alarm as it came, before its values are read.
type posted struct {
	Labels       map[string]json.RawMessage `json:"labels"`
	Annotations  map[string]json.RawMessage `json:"annotations"`
	StartsAt     json.RawMessage            `json:"startsAt"`
	EndsAt       json.RawMessage            `json:"endsAt"`
	GeneratorURL json.RawMessage            `json:"generatorURL"`
}

// badAlarm is an alarm of a batch that could not be read; the others of the batch count.
type badAlarm struct {
	n   int // its place in the batch, from 0
	err error
}

func (b badAlarm) Error() string { return fmt.Sprintf("alarm %d: %v", b.n, b.err) }
func (b badAlarm) Unwrap() error { return b.err }

// readAlarms reads a bounded body and returns its alarms one by one. The error is for a body that is no list of at most
// maxPosted alarms.
func readAlarms(w http.ResponseWriter, r *http.Request) (iter.Seq2[int, []byte], error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if !json.Valid(data) {
		var v json.RawMessage
		return nil, fmt.Errorf("body: want JSON: %w", json.Unmarshal(data, &v))
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '[' {
		return nil, errors.New("body: want a list of alarms")
	}
	n := 0
	for range elements(data) {
		if n++; n > maxPosted {
			return nil, fmt.Errorf("body: more than %d alarms in one post; send several", maxPosted)
		}
	}
	return elements(data), nil
}

// elements are the values of a valid JSON list, as they stand in it.
func elements(list []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		depth, begin, n, quoted := 0, 1, 0, false
		for i := 0; i < len(list); i++ {
			c := list[i]
			switch {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				depth--
				if depth == 0 {
					if last := bytes.TrimSpace(list[begin:i]); len(last) > 0 {
						yield(n, last)
					}
					return
				}
			case c == ',' && depth == 1:
				if !yield(n, bytes.TrimSpace(list[begin:i])) {
					return
				}
				n, begin = n+1, i+1
			}
		}
	}
}

// fields counts what is in a valid JSON value, about.
func fields(value []byte) int {
	n, quoted := 1, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// readAlarm makes an alarm of its text. Nothing is refused for what it lacks: a label that is a number is taken as its text,
// a time that cannot be read is none. What cannot be an alarm at all is an error.
func readAlarm(text []byte) (a alerting.Alarm, err error) {
	if len(text) > maxOne {
		return a, fmt.Errorf("%d bytes are more than %d", len(text), maxOne)
	}
	if n := fields(text); n > maxFields {
		return a, fmt.Errorf("%d fields are more than %d", n, maxFields)
	}
	var p posted
	if err := json.Unmarshal(text, &p); err != nil {
		if u, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return a, fmt.Errorf("%s: want an object, have a %s", cmp.Or(u.Field, "alarm"), u.Value)
		}
		return a, err
	}
	a = alerting.Alarm{Labels: texts(p.Labels), Annotations: texts(p.Annotations), Generator: textOf(p.GeneratorURL)}
	a.StartsAt, a.EndsAt = timeOf(p.StartsAt), timeOf(p.EndsAt)
	return a, nil
}

func texts(in map[string]json.RawMessage) map[string]string {
	out := make(map[string]string, len(in))
	for name, v := range in {
		if text := textOf(v); text != "" {
			out[name] = text
		}
	}
	return out
}

// textOf is a JSON value as text: a string's own, "" of null, else the value as it stands.
func textOf(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	var s string
	if v[0] == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// Forms of times that senders use, beside Alertmanager's.
var times = []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly}

// timeOf reads a time: RFC 3339 or near it, in UTC where it names no zone, or seconds or milliseconds since 1970. What it
// cannot read is the zero time, as if it were not there.
func timeOf(v json.RawMessage) time.Time {
	text := strings.TrimSpace(textOf(v))
	for _, form := range times {
		if t, err := time.Parse(form, text); err == nil {
			if unset(t) {
				return time.Time{}
			}
			return t
		}
	}
	const msFrom = 1e11 // as seconds that is the year 5138
	switch s, err := strconv.ParseFloat(text, 64); {
	case err != nil || s <= 0 || s >= msFrom*1000:
		return time.Time{}
	case s >= msFrom:
		return time.UnixMilli(int64(s))
	default:
		return time.Unix(int64(s), 0)
	}
}
