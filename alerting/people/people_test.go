package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// router keeps what it is told and shows what a test wants.
type router struct {
	view      alerting.View
	got       []alerting.Input
	noted     []string
	escalated string
	full      bool
}

func (r *router) View() alerting.View { return r.view }

func (r *router) Put(_ context.Context, in ...alerting.Input) error {
	if r.full {
		return context.DeadlineExceeded
	}
	r.got = append(r.got, in...)
	for _, i := range in {
		if s, ok := i.(alerting.Silenced); ok {
			r.view.Silences = slices.DeleteFunc(r.view.Silences, func(o alerting.Silence) bool { return o.ID == s.Silence.ID })
			if s.Silence.EndsAt.After(noon) {
				r.view.Silences = append(r.view.Silences, s.Silence)
			}
		}
	}
	return nil
}

func (r *router) Acknowledge(ctx context.Context, a alerting.Acked) error { return r.Put(ctx, a) }

func (r *router) Escalate(_ context.Context, key, by string) error {
	r.escalated = key + " by " + by
	return nil
}

func (r *router) Note(_ context.Context, key, by, text string) error {
	r.noted = append(r.noted, key+" by "+by+": "+text)
	return nil
}

// TestANote is of a problem by any of its names, and says something.
func TestANote(t *testing.T) {
	d, r := desk(problem("p1", "key:1", alerting.P2, alarm("alertname", "Disk")), problem("p2", "", alerting.P3, alarm("alertname", "Slow")))
	for _, n := range [][2]string{{"Disk", "  grew since\nthe deploy "}, {"p2", "seen before"}} {
		if _, err := d.Note(t.Context(), n[0], "ann", n[1]); err != nil {
			t.Errorf("Note(%q) = %v", n[0], err)
		}
	}
	if got, want := strings.Join(r.noted, "; "), "key:1 by ann: grew since the deploy; p2 by ann: seen before"; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}
	if _, err := d.Note(t.Context(), "none", "ann", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no problem: %v, want ErrNotFound", err)
	}
	if _, err := d.Note(t.Context(), "p1", "ann", " \n"); err == nil {
		t.Error("an empty note is taken")
	}
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func alarm(pairs ...string) alerting.Alarm {
	a := alerting.Alarm{Labels: map[string]string{}}
	for n := 0; n < len(pairs); n += 2 {
		a.Labels[pairs[n]] = pairs[n+1]
	}
	return a
}

func problem(id, key string, p alerting.Priority, root alerting.Alarm, explained ...alerting.Alarm) alerting.ProblemView {
	v := alerting.ProblemView{ID: id, Key: key, Priority: p, Root: root, Page: alerting.Page{Entity: root.Labels["instance"], Explained: []alerting.Alarm{root}}}
	for _, e := range explained {
		v.Explained = append(v.Explained, alerting.ExplainedAlarm{Alarm: e})
	}
	return v
}

func desk(problems ...alerting.ProblemView) (*Desk, *router) {
	r := &router{view: alerting.View{Problems: problems}}
	return &Desk{Router: r, Now: func() time.Time { return noon }, Vital: func() []map[string]string {
		return []map[string]string{{"alertname": "StreamsFailing", "service": "api"}}
	}}, r
}

func TestASilenceOfAProblemIsOfThatProblem(t *testing.T) {
	web1, web2 := alarm("alertname", "DiskFull", "instance", "web1:9100"), alarm("alertname", "DiskFull", "instance", "web2:9100")
	pod1 := alarm("alertname", "KubePodCrashLooping", "instance", "10.0.0.7:8080", "namespace", "shop", "pod", "api-1")
	pod2 := alarm("alertname", "KubePodCrashLooping", "instance", "10.0.0.7:8080", "namespace", "shop", "pod", "api-2")
	slow, burn := alarm("alertname", "Slow", "instance", "web1:9100"), alarm("alertname", "Burn", "kind", "symptom")
	late := alarm("alertname", "Failing", "kind", "symptom", "instance", "web1:9100")
	for name, tc := range map[string]struct {
		of           alerting.ProblemView
		covers, lets []alerting.Alarm
	}{
		"one machine, and no other":          {problem("p1", "", alerting.P2, web1), []alerting.Alarm{web1}, []alerting.Alarm{web2}},
		"one pod behind an exporter":         {problem("p1", "", alerting.P2, pod1), []alerting.Alarm{pod1}, []alerting.Alarm{pod2}},
		"with what it explains, symptom too": {problem("p1", "", alerting.P2, web1, slow, burn), []alerting.Alarm{web1, slow, burn}, []alerting.Alarm{web2, late}},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := desk(tc.of)
			s, err := d.Silence(t.Context(), Request{Problem: "p1", For: time.Hour, By: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range tc.covers {
				if !s.Covers(a.Labels, a.Fingerprint()) {
					t.Errorf("it lets %v page", a.Labels)
				}
			}
			for _, a := range tc.lets {
				if s.Covers(a.Labels, a.Fingerprint()) {
					t.Errorf("it covers %v", a.Labels)
				}
			}
		})
	}
}

func TestBounds(t *testing.T) {
	p1 := problem("p1", "", alerting.P1, alarm("alertname", "Burn", "kind", "symptom"))
	p2 := problem("p2", "", alerting.P2, alarm("alertname", "Disk", "instance", "web1"))
	is := func(text ...string) []alerting.Matcher {
		ms, err := ParseMatchers(text...)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	many := make([]alerting.Matcher, maxMatchers+1)
	for n := range many {
		many[n] = alerting.Matcher{Name: fmt.Sprintf("l%d", n), Value: "v"}
	}
	for name, tc := range map[string]struct {
		r    Request
		want string // in the error; empty: it is made
	}{
		"a problem for a week":              {Request{Problem: "p2", For: 7 * 24 * time.Hour}, ""},
		"a P1 for a day":                    {Request{Problem: "p1", For: 24 * time.Hour}, ""},
		"a P1 for a week":                   {Request{Problem: "p1", For: 7 * 24 * time.Hour}, "covers a P1, Burn must end within 1 d"},
		"a P1 by matchers":                  {Request{Matchers: is("alertname=Burn"), For: 25 * time.Hour}, "covers a P1, Burn"},
		"a rule that can be P1":             {Request{Matchers: is("service=api"), For: 25 * time.Hour}, "the P1 rule StreamsFailing"},
		"everything for a day and more":     {Request{Matchers: is("alertname=~.+"), For: 25 * time.Hour}, "everything"},
		"a window ahead":                    {Request{Matchers: is("instance=web1"), Starts: noon.Add(time.Hour), For: 25 * time.Hour}, ""},
		"longer than a year":                {Request{Matchers: is("instance=web1"), For: 400 * 24 * time.Hour}, "longer than a silence may last"},
		"without an end":                    {Request{Problem: "p2"}, "needs an end"},
		"an end that passed":                {Request{Problem: "p2", Starts: noon.Add(-2 * time.Hour), Until: noon.Add(-time.Hour)}, "the end has passed"},
		"an end before its start":           {Request{Problem: "p2", Starts: noon.Add(2 * time.Hour), Until: noon.Add(time.Hour)}, "the end is not after the start"},
		"nothing":                           {Request{For: time.Hour}, "at least one matcher"},
		"what fits the empty string":        {Request{Matchers: is("alertname=~.*"), For: time.Hour}, "must not match the empty string"},
		"two values of one label":           {Request{Matchers: is("alertname=A1", "alertname=A2"), For: time.Hour}, `use alertname=~"A1|A2"`},
		"a value that another matcher bars": {Request{Matchers: is("alertname=A1", "alertname!~A.*"), For: time.Hour}, `cannot be "A1" and fit alertname!~"A.*"`},
		"a value and a pattern that agree":  {Request{Matchers: is("alertname=A1", "alertname=~A.*"), For: time.Hour}, ""},
		"too many matchers":                 {Request{Matchers: many, For: time.Hour}, "more than 32"},
		"a broken pattern":                  {Request{Matchers: []alerting.Matcher{{Name: "a", Value: "(", Regex: true}}, For: time.Hour}, "matcher a"},
		"a problem that is not there":       {Request{Problem: "p9", For: time.Hour}, "no problem"},
		"one that is not there, replaced":   {Request{ID: "x", Problem: "p2", For: time.Hour}, "no silence"},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := desk(p1, p2)
			_, err := d.Silence(t.Context(), tc.r)
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(got, tc.want)) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
}

func TestRegularExpressionsAreBounded(t *testing.T) {
	d, r := desk()
	for n := range maxRegexes / 10 {
		s := alerting.Silence{ID: fmt.Sprint(n), StartsAt: noon, EndsAt: noon.Add(time.Hour)}
		for k := range 10 {
			s.Matchers = append(s.Matchers, alerting.Matcher{Name: fmt.Sprintf("l%d", k), Value: "x.+", Regex: true})
		}
		r.view.Silences = append(r.view.Silences, s)
	}
	one := []alerting.Matcher{{Name: "alertname", Value: "A.+", Regex: true}}
	if _, err := d.Silence(t.Context(), Request{Matchers: one, For: time.Hour}); err == nil || !strings.Contains(err.Error(), "500 matchers by regular expression") {
		t.Errorf("one more: %v, want that there is no room", err)
	}
	if _, err := d.Silence(t.Context(), Request{Matchers: []alerting.Matcher{{Name: "alertname", Value: "A"}}, For: time.Hour}); err != nil {
		t.Errorf("by value: %v", err)
	}
}

func TestReplaceEndRenew(t *testing.T) {
	d, r := desk(problem("p2", "k", alerting.P2, alarm("alertname", "Disk", "instance", "web1"), alarm("alertname", "Slow")))
	made, err := d.Silence(t.Context(), Request{Problem: "p2", For: time.Hour, By: "ann", Comment: "moved"})
	if err != nil {
		t.Fatal(err)
	}
	longer, err := d.Silence(t.Context(), Request{ID: made.ID, Matchers: made.Matchers, Starts: made.StartsAt, Until: noon.Add(2 * time.Hour), By: "bob"})
	if err != nil || longer.ID != made.ID || len(longer.Alarms) != 2 {
		t.Errorf("longer: %+v, %v; want the same silence of the same 2 alarms", longer, err)
	}
	other, err := d.Silence(t.Context(), Request{ID: made.ID, Matchers: []alerting.Matcher{{Name: "instance", Value: "web2"}}, For: time.Hour, By: "bob"})
	if err != nil || other.ID == made.ID || len(r.view.Silences) != 1 {
		t.Errorf("other matchers: %+v, %v, %d silences; want another silence, and the old one ended", other, err, len(r.view.Silences))
	}
	ended, err := d.End(t.Context(), other.ID, "cid")
	if err != nil || len(r.view.Silences) != 0 || ended.EndsAt != other.EndsAt {
		t.Errorf("ended: %+v, %v; want it as it was", ended, err)
	}
	if _, err := d.End(t.Context(), other.ID, "cid"); !errors.Is(err, ErrNotFound) {
		t.Errorf("ended twice: %v, want %v", err, ErrNotFound)
	}
	if err := d.Renew(t.Context(), ended, "cid"); err != nil || len(r.view.Silences) != 1 {
		t.Errorf("renewed: %v", err)
	}
	ended.EndsAt = noon
	if err := d.Renew(t.Context(), ended, "cid"); err == nil {
		t.Error("one whose time is over was renewed")
	}
}

func TestActs(t *testing.T) {
	a1, a2 := alarm("alertname", "Disk", "instance", "web1"), alarm("alertname", "Disk", "instance", "web2")
	d, r := desk(problem("p1", "key:1", alerting.P2, a1, alarm("alertname", "Slow")), problem("p2", "", alerting.P3, a2))
	for name, tc := range map[string]struct{ want, err string }{
		"p1": {"key:1", ""}, "key:1": {"key:1", ""}, alarm("alertname", "Slow").Fingerprint(): {"key:1", ""}, a2.Fingerprint(): {"p2", ""},
		"WEB2": {"p2", ""},
		"disk": {"", "2 problems have the root cause disk, name one: p1 (web1), p2 (web2)"}, "": {"", "want a problem"}, "Other": {"", "no problem"},
	} {
		r.got = nil
		_, err := d.Acknowledge(t.Context(), name, " maria ", false)
		if tc.err != "" {
			if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("acknowledge %q: %v, want %q", name, err, tc.err)
			}
			continue
		}
		if want := (alerting.Acked{Key: tc.want, By: "maria"}); err != nil || len(r.got) != 1 || r.got[0] != alerting.Input(want) {
			t.Errorf("acknowledge %q: %v, %v; want %v", name, r.got, err, want)
		}
	}
	if err := d.Escalate(t.Context(), "p1", "maria"); err != nil || r.escalated != "key:1 by maria" {
		t.Errorf("escalate: %q, %v", r.escalated, err)
	}
	r.full = true
	if _, err := d.Acknowledge(t.Context(), "p1", "maria", false); !errors.Is(err, ErrBusy) {
		t.Errorf("a full router: %v, want %v", err, ErrBusy)
	}
}

func TestWhatASilenceCoversNow(t *testing.T) {
	d, _ := desk(problem("p1", "", alerting.P2, alarm("alertname", "Disk", "instance", "web1"), alarm("alertname", "Failing", "instance", "web1", "kind", "symptom")))
	s := alerting.Silence{Matchers: []alerting.Matcher{{Name: "instance", Value: "web1"}}}
	if got := d.Covered(s); len(got) != 1 || got[0].Rule() != "Disk" {
		t.Errorf("by its host it covers %v, want Disk and not the symptom", got)
	}
	s.Matchers = append(s.Matchers, alerting.Matcher{Name: "alertname", Value: "Disk|Failing", Regex: true})
	if got := d.Covered(s); len(got) != 2 {
		t.Errorf("by the names of the rules it covers %v, want both", got)
	}
}
