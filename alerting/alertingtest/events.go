package alertingtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

type event struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Payload    *struct {
		Summary   string          `json:"summary"`
		Source    string          `json:"source"`
		Severity  string          `json:"severity"`
		Timestamp string          `json:"timestamp"`
		Details   json.RawMessage `json:"custom_details"`
	} `json:"payload"`
	Links []struct {
		Href string `json:"href"`
	} `json:"links"`
	Images []struct {
		Src string `json:"src"`
	} `json:"images"`
}

// ServeHTTP implements http.Handler for both APIs.
func (p *PagerDuty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	switch mode := p.await(r); {
	case mode == "" || mode == Down:
		p.record(Call{Action: r.Method + " " + r.URL.Path, Why: "connection dropped"})
		drop(w)
	case mode == Fail:
		p.record(Call{Status: 500, Action: r.Method + " " + r.URL.Path, Why: "told to fail"})
		reply(w, 500, `{"status":"error","message":"internal error"}`)
	case r.URL.Path == "/v2/enqueue" && r.Method == http.MethodPost:
		p.enqueue(w, body, mode)
	case r.URL.Path == "/v2/change/enqueue" && r.Method == http.MethodPost:
		p.change(w, body)
	default:
		p.rest(w, r, body)
	}
}

// await waits out a stall; it returns "" when the caller went first.
func (p *PagerDuty) await(r *http.Request) Mode {
	for {
		p.mu.Lock()
		mode, changed := p.mode, p.changed
		p.mu.Unlock()
		if mode != Stall {
			return mode
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return ""
		case <-p.stop:
			return ""
		}
	}
}

func drop(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			_ = c.Close()
		}
	}
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func invalid(w http.ResponseWriter, faults []string) {
	b, _ := json.Marshal(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": faults})
	reply(w, http.StatusBadRequest, string(b))
}

func (p *PagerDuty) record(c Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(c)
}

// put records a call; p.mu is held.
func (p *PagerDuty) put(c Call) {
	c.At = time.Now()
	p.calls = append(p.calls, c)
	if p.OnCall != nil {
		p.OnCall(c)
	}
}

// over says whether a key has used up its minute, and counts the call if not; p.mu is held.
func (p *PagerDuty) over(key string, rate int) bool {
	now := time.Now()
	win := p.window[key]
	for len(win) > 0 && now.Sub(win[0]) > time.Minute {
		win = win[1:]
	}
	if len(win) >= rate {
		p.window[key] = win
		return true
	}
	p.window[key] = append(win, now)
	return false
}

func (p *PagerDuty) enqueue(w http.ResponseWriter, body []byte, mode Mode) {
	var e event
	fault := json.Unmarshal(body, &e)
	c := Call{Action: e.Action, Key: e.DedupKey, Route: e.RoutingKey}
	if e.Payload != nil {
		c.Summary, c.Severity, c.Details = e.Payload.Summary, e.Payload.Severity, string(e.Payload.Details)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.put(c) }()
	switch {
	case len(body) > maxBody:
		c.Status, c.Why = http.StatusRequestEntityTooLarge, "payload over 512 KB"
		reply(w, c.Status, `{"status":"invalid event","message":"payload too large"}`)
		return
	case fault != nil:
		c.Status, c.Why = http.StatusBadRequest, fault.Error()
		invalid(w, []string{c.Why})
		return
	}
	faults := check(e)
	if !p.Account.knows(e.RoutingKey) {
		faults = append(faults, "Invalid routing key")
	}
	if mode == Refuse && c.Details != "" {
		faults = append(faults, "custom_details are not to its liking")
	}
	if len(faults) > 0 {
		c.Status, c.Why = http.StatusBadRequest, strings.Join(faults, "; ")
		invalid(w, faults)
		return
	}
	if p.over(e.RoutingKey, p.rate) {
		c.Status, c.Why = http.StatusTooManyRequests, "rate limit"
		reply(w, c.Status, `{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly.  Please retry later."}`)
		return
	}
	c.Status = http.StatusAccepted
	p.apply(e, &c)
	if mode == LostReply {
		c.Why = "accepted, reply lost"
		drop(w)
		return
	}
	reply(w, c.Status, fmt.Sprintf(`{"status":"success","message":"Event processed","dedup_key":%q}`, c.Key))
}

// apply changes the incidents as PagerDuty does: a trigger on an open one is a line in its log and changes
// neither title nor urgency nor status; what names no open one is dropped. p.mu is held.
func (p *PagerDuty) apply(e event, c *Call) {
	if c.Key == "" {
		c.Key = fmt.Sprintf("auto-%06d", len(p.calls)+1)
	}
	id := e.RoutingKey + "/" + c.Key
	in := p.open[id]
	switch {
	case e.Action == "trigger" && in == nil:
		in = &Incident{
			ID: fmt.Sprintf("Q%06d", len(p.incidents)+1), Number: len(p.incidents) + 1, Key: c.Key, Route: e.RoutingKey,
			Title: e.Payload.Summary, Urgency: "low", Status: "triggered", OpenedAt: time.Now(),
		}
		if e.Payload.Severity == "critical" || e.Payload.Severity == "error" {
			in.Urgency = "high"
		}
		p.open[id], c.Opened = in, true
		p.incidents = append(p.incidents, in)
		p.hook("incident.triggered", *in)
		p.respond(in)
	case e.Action == "acknowledge" && in != nil:
		p.become(in, "acknowledged", "")
	case e.Action == "resolve" && in != nil:
		p.become(in, "resolved", "")
	}
	if in != nil {
		c.Incident = in.Number
	}
}

// respond plays the person on call; p.mu is held.
func (p *PagerDuty) respond(in *Incident) {
	if p.AckAfter <= 0 || in.Urgency != "high" {
		return
	}
	p.work.Go(func() {
		t := time.NewTimer(p.AckAfter)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.stop:
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if in.Status == "triggered" {
			p.become(in, "acknowledged", "the responder")
		}
	})
}

// check lists what breaks the contract.
func check(e event) []string {
	var faults []string
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if len(e.RoutingKey) != keyLength {
		bad("'routing_key' is the wrong length (should be %d characters)", keyLength)
	}
	if e.Action != "trigger" && e.Action != "acknowledge" && e.Action != "resolve" {
		bad("'event_action' must be one of trigger, acknowledge, resolve")
	}
	if utf8.RuneCountInString(e.DedupKey) > maxDedup {
		bad("'dedup_key' is longer than %d characters", maxDedup)
	}
	if e.DedupKey == "" && e.Action != "trigger" {
		bad("'dedup_key' is missing or blank")
	}
	for _, l := range e.Links {
		if l.Href == "" {
			bad("a link has no 'href'")
		}
	}
	for _, i := range e.Images {
		if !strings.HasPrefix(i.Src, "https://") {
			bad("an image's 'src' is not https")
		}
	}
	if e.Action == "trigger" {
		faults = append(faults, checkPayload(e)...)
	}
	return faults
}

func checkPayload(e event) []string {
	if e.Payload == nil {
		return []string{"'payload' is missing or blank"}
	}
	var faults []string
	p := e.Payload
	switch n := utf8.RuneCountInString(p.Summary); {
	case n == 0:
		faults = append(faults, "'payload.summary' is missing or blank")
	case n > maxSummary:
		faults = append(faults, fmt.Sprintf("'payload.summary' is longer than %d characters", maxSummary))
	}
	if p.Source == "" {
		faults = append(faults, "'payload.source' is missing or blank")
	}
	switch p.Severity {
	case "critical", "error", "warning", "info":
	default:
		faults = append(faults, "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
	}
	if p.Timestamp != "" {
		if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil {
			faults = append(faults, "'payload.timestamp' is not ISO 8601")
		}
	}
	if len(p.Details) > 0 && p.Details[0] != '{' {
		faults = append(faults, "'payload.custom_details' is not an object")
	}
	return faults
}

func (p *PagerDuty) change(w http.ResponseWriter, body []byte) {
	var e struct {
		RoutingKey string `json:"routing_key"`
		Payload    struct {
			Summary string `json:"summary"`
		} `json:"payload"`
	}
	err := json.Unmarshal(body, &e)
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Call{Action: "change", Route: e.RoutingKey, Summary: e.Payload.Summary, Status: http.StatusAccepted}
	defer func() { p.put(c) }()
	switch {
	case err != nil || e.Payload.Summary == "" || len(e.RoutingKey) != keyLength:
		c.Status, c.Why = http.StatusBadRequest, "not a change event"
		invalid(w, []string{"'payload.summary' or 'routing_key' is missing or blank"})
	case p.over(e.RoutingKey, p.rate):
		c.Status, c.Why = http.StatusTooManyRequests, "rate limit"
		reply(w, c.Status, `{"status":"throttle exceeded"}`)
	default:
		reply(w, c.Status, `{"status":"success","message":"Change event processed"}`)
	}
}
