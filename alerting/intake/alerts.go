package intake

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// postAlerts takes alarms. Those of a batch that cannot be read are named in the answer; the others count.
func (i *Intake) postAlerts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(headerRouter, cmp.Or(i.opts.Version, "devel")) // whoever posted knows that a router answered
	i.nodes.heard(r, time.Now())
	all, err := readAlarms(w, r)
	if err != nil {
		i.fail(w, status(err), err)
		return
	}
	now := time.Now()
	batch := batch{i: i, who: i.opts.Who(r), r: r, now: now, heard: map[string]bool{}}
	for n, text := range all {
		if string(text) == "null" {
			continue
		}
		if err := batch.add(text); err != nil {
			batch.bad = append(batch.bad, badAlarm{n, err})
		}
	}
	batch.close()
	i.alarms.Add(uint64(batch.good))
	if !i.put(w, r, batch.in...) {
		return
	}
	if n := len(batch.bad); n > 0 {
		i.bad.Add(uint64(n))
		i.fail(w, http.StatusBadRequest, fmt.Errorf("%d of %d alarms could not be read, the others count: %w",
			n, n+batch.good, errors.Join(batch.bad[:min(n, 10)]...)))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// batch becomes the inputs of one post.
type batch struct {
	i     *Intake
	who   alerting.Person
	r     *http.Request
	now   time.Time
	in    []alerting.Input
	heard map[string]bool
	good  int
	bad   []error
}

// add reads one alarm, as Alertmanager reads one: without a start it started now, with an end that has passed it is over,
// and without an end it ends when it was not repeated for resolveTimeout.
func (b *batch) add(text []byte) error {
	read, err := readAlarm(text)
	if err != nil {
		return err
	}
	a, cut, err := bounded(read)
	if err != nil {
		return err
	}
	if cut {
		b.i.cut.Add(1)
	}
	b.good++
	by := name(b.r, b.who.Login, a)
	if !b.heard[by] {
		b.heard[by] = true
		b.i.senders.heard(by, b.now)
		b.in = append(b.in, alerting.Heard{Sender: by})
	}
	fp := a.Fingerprint()
	endless := a.EndsAt.IsZero()
	switch {
	case endless:
		a.EndsAt = b.now.Add(resolveTimeout)
	case b.i.senders.passed(by, fp, a.EndsAt, b.now):
		b.in = append(b.in, alerting.Ended{Fingerprint: fp, Sender: by})
		return nil
	case !a.EndsAt.After(b.now): // by its sender's clock it fires
		a.EndsAt = b.now.Add(resolveTimeout)
		if !a.StartsAt.IsZero() {
			a.StartsAt = a.StartsAt.Add(b.i.senders.clock(by))
		}
	}
	if a.StartsAt.IsZero() || a.StartsAt.After(b.now) {
		a.StartsAt = b.now
	}
	b.i.pings.fires(a, by, b.now)
	in := alerting.Firing{Alarm: a, Sender: by}
	b.in = append(b.in, in)
	if endless {
		b.i.endLater(in)
	}
	return nil
}

// close notes who posted, also where the post had no alarm: such a post says that the sender lives.
func (b *batch) close() {
	if len(b.heard) > 0 {
		return
	}
	by := name(b.r, b.who.Login, alerting.Alarm{})
	b.i.senders.heard(by, b.now)
	b.in = append(b.in, alerting.Heard{Sender: by})
}

// filter is what a GET of alarms asks for.
// Source: Alertmanager 0.34 api/v2/openapi.yaml, read November 2026.
type filter struct {
	matchers                    labels.Matchers
	active, silenced, inhibited bool
	receiver                    *regexp.Regexp
}

// maxFilters bounds the matchers of one question.
const maxFilters = 32

func newFilter(r *http.Request) (filter, error) {
	q := r.URL.Query()
	f := filter{}
	for name, to := range map[string]*bool{"active": &f.active, "silenced": &f.silenced, "inhibited": &f.inhibited, "unprocessed": new(bool), "muted": new(bool)} {
		var err error
		if *to, err = strconv.ParseBool(cmp.Or(q.Get(name), "true")); err != nil {
			return f, fmt.Errorf("%s: want true or false, have %q", name, q.Get(name))
		}
	}
	if n := len(q["filter"]); n > maxFilters {
		return f, fmt.Errorf("filter: %d are more than %d", n, maxFilters)
	}
	for _, text := range q["filter"] {
		ms, err := people.ReadMatchers(text)
		if err != nil {
			return f, fmt.Errorf("filter %q: %w", text, err)
		}
		f.matchers = append(f.matchers, ms...)
	}
	if text := q.Get("receiver"); text != "" {
		if err := query.CheckRegex(text); err != nil {
			return f, fmt.Errorf("receiver: %w", err)
		}
		re, err := regexp.Compile("^(?:" + text + ")$")
		if err != nil {
			return f, fmt.Errorf("receiver %q: %w", text, err)
		}
		f.receiver = re
	}
	return f, nil
}

func (f filter) wants(a *models.GettableAlert) bool {
	for _, m := range f.matchers {
		if !m.Matches(a.Labels[m.Name]) {
			return false
		}
	}
	if f.receiver != nil && !slices.ContainsFunc(a.Receivers, func(r *models.ReceiverReference) bool { return f.receiver.MatchString(*r.Name) }) {
		return false
	}
	silenced, inhibited := len(a.Status.SilencedBy) > 0, len(a.Status.InhibitedBy) > 0
	switch {
	case silenced && !f.silenced, inhibited && !f.inhibited, !silenced && !inhibited && !f.active:
		return false
	}
	return true
}

// shown is an alarm as Alertmanager would show it: what a problem explains is inhibited by its root.
func shown(a alerting.Alarm, route, root string, silences []alerting.Silence, at time.Time) *models.GettableAlert {
	fp := a.Fingerprint()
	state := models.AlertStatusStateActive
	st := &models.AlertStatus{InhibitedBy: []string{}, SilencedBy: []string{}, MutedBy: []string{}, State: &state}
	if root != fp {
		st.InhibitedBy = append(st.InhibitedBy, root)
	}
	for _, s := range silences {
		if s.Active(at) && s.Covers(a.Labels, fp) {
			st.SilencedBy = append(st.SilencedBy, s.ID)
		}
	}
	if len(st.InhibitedBy)+len(st.SilencedBy) > 0 {
		state = models.AlertStatusStateSuppressed
	}
	starts, ends, updated := strfmt.DateTime(a.StartsAt), strfmt.DateTime(a.EndsAt), strfmt.DateTime(at)
	annotations := a.Annotations
	if annotations == nil {
		annotations = map[string]string{}
	}
	return &models.GettableAlert{
		Annotations: annotations, StartsAt: &starts, EndsAt: &ends, UpdatedAt: &updated, Fingerprint: &fp, Status: st,
		Receivers: []*models.ReceiverReference{{Name: receiver(route)}},
		Alert:     models.Alert{Labels: a.Labels, GeneratorURL: strfmt.URI(a.Generator)},
	}
}

func receiver(route string) *string {
	if route == "" {
		route = "board"
	}
	return &route
}

// groups are the router's problems with the alarms that f wants.
func (i *Intake) groups(f filter) models.AlertGroups {
	v := i.opts.View()
	out := models.AlertGroups{}
	for _, p := range v.Problems {
		root := p.Root.Fingerprint()
		g := &models.AlertGroup{
			Receiver: &models.ReceiverReference{Name: receiver(p.Route)}, RouteLabels: models.LabelSet{},
			Labels: models.LabelSet{alerting.LabelRule: p.Root.Rule()},
		}
		if e := p.Page.Entity; e != "" {
			g.Labels[alerting.LabelEntity] = e
		}
		// An alarm that ended is none any more, though its incident waits whether it comes back.
		if a := shown(p.Root, p.Route, root, v.Silences, v.At); !p.Ended && f.wants(a) {
			g.Alerts = append(g.Alerts, a)
		}
		for _, e := range p.Explained {
			if a := shown(e.Alarm, p.Route, root, v.Silences, v.At); f.wants(a) {
				g.Alerts = append(g.Alerts, a)
			}
		}
		if len(g.Alerts) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func (i *Intake) getGroups(w http.ResponseWriter, r *http.Request) {
	f, err := newFilter(r)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	answer(w, http.StatusOK, i.groups(f))
}

func (i *Intake) getAlerts(w http.ResponseWriter, r *http.Request) {
	f, err := newFilter(r)
	if err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	list := models.GettableAlerts{}
	seen := map[string]bool{}
	for _, g := range i.groups(f) {
		for _, a := range g.Alerts {
			if !seen[*a.Fingerprint] {
				seen[*a.Fingerprint] = true
				list = append(list, a)
			}
		}
	}
	slices.SortFunc(list, func(a, b *models.GettableAlert) int { return cmp.Compare(*a.Fingerprint, *b.Fingerprint) }) // as there
	answer(w, http.StatusOK, list)
}

// spoken is the version of Alertmanager whose API this is: tools like karma choose by it how they speak.
const spoken = "0.34.2"

// shownConfig is enough of a configuration for tools that read one: the receivers, and the one of whatever has no route.
func shownConfig(receivers []string) string {
	text := fmt.Sprintf("route:\n  receiver: %q\nreceivers:\n", receivers[0])
	for _, n := range receivers {
		text += fmt.Sprintf("- name: %q\n", n)
	}
	return text
}

func (i *Intake) getStatus(w http.ResponseWriter, _ *http.Request) {
	text, state, up := shownConfig(i.receivers()), models.ClusterStatusStatusDisabled, strfmt.DateTime(i.started)
	version, branch, revision, none, goVersion := spoken, "binnacle", i.opts.Version, "", runtime.Version()
	answer(w, http.StatusOK, &models.AlertmanagerStatus{
		Config: &models.AlertmanagerConfig{Original: &text}, Uptime: &up,
		Cluster:     &models.ClusterStatus{Status: &state, Peers: []*models.PeerStatus{}},
		VersionInfo: &models.VersionInfo{Version: &version, Branch: &branch, BuildDate: &none, BuildUser: &none, GoVersion: &goVersion, Revision: &revision},
	})
}

// receivers are the names that alarms of the API carry: the board's, the configured routes', those of problems.
func (i *Intake) receivers() []string {
	names := []string{*receiver("")}
	if i.opts.Routes != nil {
		names = append(names, i.opts.Routes()...)
	}
	for _, p := range i.opts.View().Problems {
		if p.Route != "" && !slices.Contains(names, p.Route) {
			names = append(names, p.Route)
		}
	}
	return names
}

func (i *Intake) getReceivers(w http.ResponseWriter, _ *http.Request) {
	list := []*models.Receiver{}
	for _, n := range i.receivers() {
		list = append(list, &models.Receiver{Name: &n})
	}
	answer(w, http.StatusOK, list)
}
