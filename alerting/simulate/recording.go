package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// line is one line of a recording.
type line struct {
	At          time.Time         `json:"at"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Resolved    bool              `json:"resolved"`
	Generator   string            `json:"generatorURL"`
	Sender      string            `json:"sender"`
}

// repeats of a whole alarm are as many signs of life of its sender: enough to end what it does not send any more.
const repeats = 10

// sender is who sent the line: as it says, else the host of its generator, else one for all of the recording.
func (l line) sender() string {
	if l.Sender != "" {
		return l.Sender
	}
	if u, err := url.Parse(l.Generator); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "recording"
}

// events makes the events of a line.
func (l line) events() ([]Event, error) {
	if len(l.Labels) == 0 {
		return nil, errors.New("labels: want at least one")
	}
	by := l.sender()
	heard := func(at time.Time) Event { return Event{At: at, In: alerting.Heard{Sender: by}} }
	a := alerting.Alarm{Labels: l.Labels, Annotations: l.Annotations, StartsAt: l.StartsAt, EndsAt: l.EndsAt, Generator: l.Generator}
	end := alerting.Ended{Fingerprint: a.Fingerprint(), Sender: by}
	switch {
	case l.At.IsZero() && l.StartsAt.IsZero():
		return nil, errors.New("at: want a time, or a startsAt")
	case l.At.IsZero():
		a.EndsAt = time.Time{} // its end is known
		out := []Event{heard(l.StartsAt), {At: l.StartsAt, In: alerting.Firing{Alarm: a, Sender: by}}}
		for n := range repeats { // its sender repeats it
			if at := l.StartsAt.Add(time.Duration(n+1) * repeatEvery); at.Before(l.EndsAt) {
				out = append(out, heard(at))
			}
		}
		if !l.EndsAt.IsZero() {
			if l.EndsAt.Before(l.StartsAt) {
				return nil, fmt.Errorf("endsAt: %s is before startsAt", l.EndsAt.Format(time.RFC3339))
			}
			out = append(out, heard(l.EndsAt), Event{At: l.EndsAt, In: end})
		}
		return out, nil
	case l.Resolved || !l.EndsAt.IsZero() && !l.EndsAt.After(l.At):
		return []Event{heard(l.At), {At: l.At, In: end}}, nil
	}
	if a.StartsAt.IsZero() {
		a.StartsAt = l.At
	}
	return []Event{heard(l.At), {At: l.At, In: alerting.Firing{Alarm: a, Sender: by}}}, nil
}

// Bounds of a recording.
const (
	maxRecording = 512 << 20 // bytes
	maxEvents    = 1_000_000
	maxSpan      = 92 * 24 * time.Hour
)

// batches makes one batch of all that one sender sent at one time, as Prometheus posts it: none of them ends what the others do not have.
func batches(list []Event) []Event {
	heard := map[string]time.Time{}
	return slices.DeleteFunc(list, func(e Event) bool {
		h, ok := e.In.(alerting.Heard)
		if !ok {
			return false
		}
		last, again := heard[h.Sender]
		heard[h.Sender] = e.At
		return again && last.Equal(e.At)
	})
}

// Read reads a recording, one JSON object for each alarm that was received, and puts it into the order of time; lines
// of one time keep their order. Errors name the line by its number.
func Read(in io.Reader) ([]Event, error) {
	var out []Event
	dec := json.NewDecoder(io.LimitReader(in, maxRecording))
	for n := 1; ; n++ {
		var l line
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			break
		}
		var more []Event
		if err == nil {
			more, err = l.events()
		}
		if err != nil {
			return nil, fmt.Errorf("alarm %d: %w", n, err)
		}
		if out = append(out, more...); len(out) > maxEvents {
			return nil, fmt.Errorf("more than %d alarms", maxEvents)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no alarm in it")
	}
	slices.SortStableFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	out = batches(out)
	if d := out[len(out)-1].At.Sub(out[0].At); d > maxSpan {
		return nil, fmt.Errorf("from %s on it spans %s, want at most %s", out[0].At.Format(time.RFC3339), words.Duration(d), words.Duration(maxSpan))
	}
	return out, nil
}
