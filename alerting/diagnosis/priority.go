package diagnosis

import (
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// judge writes the verdict: what the alarm would be were there no other, its priority with the reason, and how good a cause it makes.
func (w *weighed) judge() {
	v := w.Verdict
	v.Effect = effect(v)
	v.Symptom, v.Steadfast = symptom(v.Fact, w.impact), steadfast(v.Fact, w.impact)
	v.Harmed = w.harmful && w.harm == 0
	v.ForWhole = v.Group() || (v.Kind == "partition" || v.Kind == "quorum") && v.Entity.Kind == topology.KindNode
	v.Ephemeral = !v.Group() && v.Entity.Group != "" && (v.Kind == "liveness" || v.Kind == "down")
	v.Alone, v.Reason = w.priority()
	v.Cause = cause(v)
	v.Rank = int(rankOf(v)) // that of a group alarm asks for its parts, which were judged before
}

// breaks says that an alarm is about what users need and not about what they notice, although its rule says that they are hurt:
// a server that is down or full, a balancer's backend without servers. It can be why others fail.
func breaks(f *alerting.Fact) bool {
	of := f.Entity.Kind == topology.KindServer || f.Entity.Kind == topology.KindBackend
	return f.Known && of && (f.Kind == "down" || f.Kind == "saturation")
}

// symptom says that users notice it: a symptom by its rule, or an edge that answers with errors.
func symptom(f *alerting.Fact, impact string) bool {
	return alerting.SaysSymptom(f.Kind, f.Layer) || impact == "users" && !breaks(f) || f.Layer == "edge" && f.Kind == "errors" && f.Severity == "critical"
}

// effect says that by its kind it follows from something.
func effect(v *alerting.Verdict) bool {
	return v.Kind == "errors" || v.Kind == "latency" || v.Kind == "liveness"
}

// cause says that it can explain more than what stands on the same machine: it would wake a person by itself, and by its
// kind breaks other things. So does a server that is down although it wakes nobody: what needs it alone does.
func cause(v *alerting.Verdict) bool {
	firm := v.Alone <= alerting.P2 || server(v) && v.Kind == "down"
	return v.Known && firm && !v.Symptom && !v.Foreign() && v.Kind != "hygiene" && v.Kind != "liveness"
}

// steadfast alarms are not lowered for coming and going: they page once.
func steadfast(f *alerting.Fact, impact string) bool {
	switch impact {
	case "users", "data", "quorum":
		return true
	}
	return symptom(f, impact) || f.Kind == "partition" || f.Kind == "quorum" || f.Always()
}

// weighed is one alarm with all that the table asks for.
type weighed struct {
	*alerting.Verdict
	impact    string
	critical  bool
	harm      time.Duration // left to harm, as its rule says
	harmful   bool          // its rule says so
	redundant bool          // something stands in for it
	spare     string        // what
	excused   string        // why nobody needs to wake for it
	due       time.Time     // when Unreplaced becomes true
	held      bool          // see standing
	ephemeral time.Duration // how long a replacement takes
}

// weigh looks at another alarm.
func (w *weighed) weigh(in Input, s *standing, v *alerting.Verdict) {
	v.Behind = s.graph.Behind(v.Entity.ID)
	w.Verdict, w.impact, w.critical = v, impactOf(v.Fact), v.Severity == "critical"
	w.harm, w.harmful = harmIn(v.Fact)
	w.spare, w.redundant = s.spare(v.Fact)
	w.excused = s.excused(v)
	w.Unreplaced, w.due, w.held = s.unreplaced(in, v.Fact)
	w.Steady, w.Stays = steady(in.Now, v.Fact, w.vain())
	if w.impact == "users" && v.Reading != nil && v.Reading.Layer.Value == "probe" && v.Impact() == "" && w.passes() && !v.Often() {
		w.impact = ""
	}
}

// impactOf is whom an alarm harms: as its rule says, else as what is urgent of others reads.
func impactOf(f *alerting.Fact) string {
	if f.Reading != nil && f.Severity == "critical" && f.Impact() == "" && f.Foreign() {
		return f.Reading.Impact.Value
	}
	return f.Impact()
}

// life says that an alarm of others is about whether its machine lives, which is what another machine stands in for. What else
// is critical on a machine is so although others are well.
func (w *weighed) life() bool {
	r := w.Reading
	if r == nil {
		return true
	}
	return (r.Kind.Value == "down" || r.Kind.Value == "liveness") && (r.Layer.Value == "node" || !r.Layer.Known())
}

// steady says that an alarm that comes and goes fires for longer than it did lately. stays is when it will, if it fires on. vain says
// that its pages were in vain.
func steady(now time.Time, f *alerting.Fact, vain bool) (is bool, stays time.Time) {
	flaps := f.Flapping && len(f.Phases) > 0
	if !f.Firing() || !flaps && !vain {
		return false, stays
	}
	after := longer
	if flaps && slices.Max(f.Phases) >= longer {
		after += slices.Max(f.Phases)
	}
	if vain {
		after = max(after, longer+f.Past.Vain.Longest*3/2)
	}
	stays = f.First.Add(after)
	return !stays.After(now), stays
}

// ticket says that an alarm calls nobody again until it stays, and why.
func (w *weighed) ticket() (why string, yes bool) {
	switch {
	case w.Steadfast:
		return "", false
	case w.passes():
		return fmt.Sprintf("it comes and goes: it started %d times lately and ended by itself within %s each time", len(w.Starts), words.Compact(slices.Max(w.Phases))), true
	case w.vain() && !w.Steady && (!w.Past.Open || w.Past.Page >= alerting.P3):
		return w.inVain(), true
	}
	return "", false
}

// passes says that an alarm always ended by itself within minutes and has led to a page. That a probe of others harms users is
// read, not said, and believed no longer then. The priority of an incident that is open does not change for it.
func (w *weighed) passes() bool {
	return w.Flapping && (!w.Past.Open || w.Past.Page >= alerting.P3) && w.Past.Called && !w.Steady && len(w.Phases) > 0 && slices.Max(w.Phases) <= brief
}

// expected says that Auto Scaling or the machine itself said that it would go: nobody is paged for that, but for users, data and
// quorum.
func (w *weighed) expected() bool {
	return w.excused != "" && !w.Symptom && !w.Always() && w.impact != "data" && w.impact != "quorum"
}

// priority is that of an alarm that stands alone: the author's last word, then the table; what comes and goes by itself calls once.
func (w *weighed) priority() (alerting.Priority, string) {
	if w.expected() {
		return alerting.P5, w.excused
	}
	if r := w.Reading; r != nil && r.Priority > 0 {
		return r.Priority, "the rule says " + r.Priority.String()
	}
	if p := w.Says(); p > 0 {
		return p, "the rule says " + p.String()
	}
	row := table[slices.IndexFunc(table, func(r row) bool { return r.fits(w) })]
	p, why := row.other, row.reason(w)
	if w.critical {
		p = row.critical
	}
	if says, yes := w.ticket(); yes && p < alerting.P3 {
		p, why = alerting.P3, says
	}
	if w.Always() && p > alerting.P2 {
		p, why = alerting.P2, "the rule says that it always pages"
	}
	return p, why
}

// harmIn is the time left to harm as the rule says it.
func harmIn(f *alerting.Fact) (time.Duration, bool) {
	text := f.HarmIn()
	if text == "" {
		return 0, false
	}
	d, err := words.ParseDuration(text)
	return d, err == nil
}

// row is one line of the table.
type row struct {
	fits            func(w *weighed) bool
	critical, other alerting.Priority // as the rule's author calls it critical, or not
	reason          func(w *weighed) string
}

func says(text string) func(*weighed) string { return func(*weighed) string { return text } }

// either words a row that reads otherwise for what is critical.
func either(critical, other string) func(*weighed) string {
	return func(w *weighed) string {
		if w.critical {
			return critical
		}
		return other
	}
}

// table is the whole of how priorities come about; the first row that fits counts.
var table = []row{
	{func(w *weighed) bool { return w.Reading != nil && w.Reading.Idle }, alerting.P5, alerting.P5, says("it asks for nothing that a person could do")},
	{func(w *weighed) bool { return w.Severity == "info" }, alerting.P5, alerting.P5, says("its author says that it is for the record")},
	{func(w *weighed) bool { return w.Symptom }, alerting.P1, alerting.P3, either("users are affected now", "users begin to notice it")},
	{func(w *weighed) bool { return w.impact == "users" }, alerting.P1, alerting.P3, says("users need it")},
	{func(w *weighed) bool { return w.impact == "data" }, alerting.P1, alerting.P2, says("data is at risk")},
	{func(w *weighed) bool { return w.impact == "quorum" || w.Kind == "quorum" }, alerting.P1, alerting.P2, says("quorum is at risk")},
	{func(w *weighed) bool { return w.Reading != nil && w.Reading.Severity.Value == "low" }, alerting.P4, alerting.P4, func(w *weighed) string { return "its author calls it low: " + w.Reading.Severity.From }},
	{func(w *weighed) bool { return w.Reading != nil && w.Reading.Chore() }, alerting.P3, alerting.P3, func(w *weighed) string { return "it is a chore and nothing is broken: " + w.Reading.Kind.From }},
	{func(w *weighed) bool { return w.harmful && w.harm <= harmSoon }, alerting.P2, alerting.P2, func(w *weighed) string { return "harm follows within " + words.Compact(w.harm) }},
	{func(w *weighed) bool { return w.Kind == "partition" }, alerting.P2, alerting.P2, says("a partition does not heal by itself")},
	{func(w *weighed) bool { return w.Group() && w.Kind == "liveness" }, alerting.P3, alerting.P3, says("only heartbeats are missing: we are blind, nothing else says that they are down")},
	{func(w *weighed) bool { return w.Group() && !w.Known }, alerting.P2, alerting.P3, func(w *weighed) string {
		if w.Entity.ID == w.Rule() {
			return fmt.Sprintf("one rule fires on %d things, and nothing else is known of them", len(w.Members))
		}
		return fmt.Sprintf("one rule fires on %d of %s, and nothing else is known of them", len(w.Members), w.Entity.ID)
	}},
	{func(w *weighed) bool { return w.Group() }, alerting.P2, alerting.P3, func(w *weighed) string { return "one rule fires on most of " + w.Entity.ID }},
	{func(w *weighed) bool { return w.Unreplaced }, alerting.P2, alerting.P3, func(w *weighed) string {
		if w.held {
			return w.spare + ", and no group starts another: the next loss hurts"
		}
		return w.spare + ", and nothing replaced it for " + words.Compact(w.ephemeral) + ": the next loss hurts"
	}},
	{func(w *weighed) bool {
		return w.redundant && w.critical && w.Kind == "saturation" && w.Annotations[alerting.AnnotationGuidance] != ""
	}, alerting.P2, alerting.P2, says("it gets worse by itself and a person must act")},
	{func(w *weighed) bool { return w.redundant && w.Foreign() && w.critical && w.life() }, alerting.P3, alerting.P3, func(w *weighed) string {
		if w.nobodySays() {
			return "nobody says how urgent it is; " + w.spare
		}
		return "its author calls it critical; " + w.spare
	}},
	{func(w *weighed) bool { return w.redundant && !(w.Foreign() && w.critical) }, alerting.P4, alerting.P4, func(w *weighed) string { return w.spare }},
	{func(w *weighed) bool { return w.Foreign() && w.critical }, alerting.P2, alerting.P2, func(w *weighed) string {
		if w.nobodySays() {
			return "nobody says how urgent it is, and nothing else is known of it"
		}
		return "its author calls it critical, and nothing else is known of it"
	}},
	{func(w *weighed) bool { return w.Kind == "liveness" || w.Kind == "hygiene" }, alerting.P3, alerting.P4, says("nothing is known to be broken")},
	{func(w *weighed) bool { return w.critical && w.impact == "redundancy" }, alerting.P2, alerting.P2, says("no users are affected while others serve in its place; the next loss hurts")},
	{func(w *weighed) bool { return w.critical }, alerting.P2, alerting.P2, says("no users are affected, but nothing stands in for it")},
	{func(*weighed) bool { return true }, alerting.P3, alerting.P3, says("a person must look today")},
}
