package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of what a message may carry.
const (
	maxEnvelopes = 6   // within each other
	maxLetters   = 100 // in one message; SQS and Lambda batch at most 10 by default
)

// letter is one word as it was written, out of its envelopes.
type letter struct {
	data   []byte
	came   time.Time // when the innermost envelope says that it was sent, else when it came
	form   string    // of an envelope with nothing in it that has a meaning here; empty: data is to be read
	posted bool      // it was in an envelope of a topic, which may carry a text as well
}

// letters takes what AWS delivers out of its envelopes: those of SNS, also within each other; the records in which Lambda and pipes hand on
// what they had of SQS and SNS; lists; and JSON that somebody wrote as a string. What is none of these is a letter itself.
// Source: SNS developer guide, "Parsing message formats", Lambda developer guide, "Using Lambda with Amazon SQS" and "with Amazon SNS"
// (events), and EventBridge user guide, "Pipes batching", read 30 November 2026.
func letters(data []byte, came time.Time) []letter {
	var o opener
	o.open(letter{data: data, came: came}, 0)
	return o.out
}

type opener struct{ out []letter }

func (o *opener) put(l letter) {
	if len(o.out) < maxLetters {
		o.out = append(o.out, l)
	}
}

func (o *opener) open(l letter, depth int) {
	l.data = bytes.TrimSpace(l.data)
	switch {
	case depth > maxEnvelopes || len(l.data) == 0:
		o.put(l)
	case l.data[0] == '"':
		var text string
		if json.Unmarshal(l.data, &text) != nil {
			o.put(l)
			return
		}
		l.data = []byte(text)
		o.open(l, depth+1)
	case l.data[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(l.data, &list) != nil || len(list) == 0 {
			o.put(l)
			return
		}
		for _, one := range list {
			o.open(letter{data: one, came: l.came, posted: l.posted}, depth+1)
		}
	case l.data[0] == '{':
		o.object(l, depth)
	default:
		o.put(l)
	}
}

// object opens what may be an envelope.
func (o *opener) object(l letter, depth int) {
	var p struct {
		Type, TopicArn, Timestamp string
		Message                   json.RawMessage
		Records                   []record
		DetailType                string `json:"detail-type"`
		EventSource               string `json:"eventSource"`
		Body                      string `json:"body"`
	}
	_ = lenient(l.data, &p) // what is no JSON is said by who reads it
	switch {
	case p.DetailType != "": // whatever else it has
		o.put(l)
	case p.Type != "" && p.TopicArn != "":
		if t, ok := cloudTime(p.Timestamp); ok {
			l.came = t
		}
		if l.data, l.posted = p.Message, true; p.Type != "Notification" {
			l.form = "SNS " + cutForm(p.Type)
			o.put(l)
			return
		}
		o.open(l, depth+1)
	case len(p.Records) > 0 && p.Records[0].known():
		for _, r := range p.Records {
			o.open(r.letter(l), depth+1)
		}
	case p.EventSource == "aws:sqs" && p.Body != "": // a record by itself, as a pipe hands it on
		o.open(letter{data: []byte(p.Body), came: l.came}, depth+1)
	default:
		o.put(l)
	}
}

// record is one of what Lambda is called with for SQS (body) or SNS (Sns).
type record struct {
	Body string          `json:"body"`
	SNS  json.RawMessage `json:"Sns"`
}

func (r record) known() bool { return r.Body != "" || len(r.SNS) > 0 }

func (r record) letter(of letter) letter {
	data := []byte(r.Body)
	if len(r.SNS) > 0 {
		data = r.SNS
	}
	return letter{data: data, came: of.came, posted: of.posted}
}

// read says what a letter says.
func (l letter) read() (word, error) {
	if l.form != "" {
		return word{form: l.form}, errUnknownForm
	}
	if l.posted && !bytes.HasPrefix(l.data, []byte("{")) {
		return word{form: "a text"}, errUnknownForm // which a topic may carry, too
	}
	return parseWord(l.data, l.came)
}

// kindOf says in a person's words that JSON is not what AWS sends.
func kindOf(err error) error {
	if typ := (*json.UnmarshalTypeError)(nil); errors.As(err, &typ) {
		return fmt.Errorf("want an object, have a %s", typ.Value)
	}
	return err
}
