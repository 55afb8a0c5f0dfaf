package reading

import (
	"slices"
	"strings"
	"unicode"

	"github.com/navcloud/binnacle/alerting"
)

// Kinds, Impacts: the words that an alarm's kind and impact are told in; DESIGN.md's glossary has them.
var (
	Kinds   = []string{"symptom", "errors", "latency", "liveness", "saturation", "down", "quorum", "partition", "change", "config", "network", "hygiene", "heartbeat"}
	Impacts = []string{"users", "data", "quorum", "redundancy", "none"}
)

// layers rank what stands below as the better cause of what stands above; 1 is the lowest.
var layers = map[string]int{
	"zone": 1, "network": 2, "dns": 3, "node": 4, "storage": 5, "platform": 6, "database": 7, "cache": 8, "queue": 9, "workload": 10, "service": 11,
	"edge": 12, "probe": 13, "job": 14, "monitoring": 15, "az": 1, "host": 4, "cluster": 7, "symptom": 13,
}

// unknownLayer stands where a thing of no known layer does: what names a machine is below it, what users see above.
const unknownLayer = 11

// nature reads kind, layer and impact: said by labels, else from the catalogue, else from the shape of the labels, else from words.
func (r *Reader) nature(out *Reading, a alerting.Alarm, labels map[string]string, e *Entry, said mapping) {
	words := lexicon(out.Rule, a, labels)
	if e != nil {
		ev := Catalogue
		if !e.agrees(out.Subject, out.Severity.Value) {
			ev = Guessed
		}
		from := "rule " + e.Name + " of " + e.Pack
		out.Kind, out.Layer = Answer{e.Kind, from, ev}, Answer{e.Layer, from, ev}
		if e.Impact != "" {
			out.Impact = Answer{e.Impact, from, ev}
		}
		if ev == Catalogue {
			out.Wait = e.Wait
		}
		out.Heartbeat = e.Kind == "heartbeat"
		out.Always = out.Heartbeat || e.Name == "InfoInhibitor"
	}
	shape(out, labels, words)
	if !out.Kind.known() || out.Kind.Evidence == Guessed {
		if w := words.kind; w.known() && !out.Kind.known() {
			out.Kind = w
		}
	}
	if !out.Layer.known() {
		out.Layer = words.layer
	}
	out.layerOfSubject()
	declared(out, labels)
	if said.kind != "" {
		out.Kind = Answer{said.kind, said.from, Certain}
	}
	out.harm(words)
}

// declared takes our own labels where their words are ours: others use the same names for other things.
func declared(out *Reading, labels map[string]string) {
	if k := strings.ToLower(labels[alerting.LabelKind]); slices.Contains(Kinds, k) && k != "heartbeat" {
		out.Kind = Answer{k, "kind=" + k, Certain}
	}
	if l := strings.ToLower(labels[alerting.LabelLayer]); layers[l] > 0 {
		out.Layer = Answer{l, "layer=" + l, Certain}
	}
	if i := strings.ToLower(labels[alerting.LabelImpact]); slices.Contains(Impacts, i) {
		out.Impact = Answer{i, "impact=" + i, Certain}
	}
}

// shape reads what the labels say whatever the rule is called: objectives of sloth and pyrra, probes of an address, volumes.
// Sources: sloth's and pyrra's generated rules, read November 2026.
func shape(out *Reading, labels map[string]string, w found) {
	switch {
	case labels["sloth_slo"] != "" || labels["sloth_service"] != "":
		out.Kind, out.Layer = Answer{"symptom", "sloth_slo", Certain}, Answer{"service", "sloth_service", Certain}
	case labels["slo"] != "" && (labels["long"] != "" || labels["exhaustion"] != ""):
		out.Kind, out.Layer = Answer{"symptom", "slo", Certain}, Answer{"service", "slo", Certain}
	case labels["long"] != "" && labels["short"] != "" && !out.Kind.known():
		out.Kind = Answer{"symptom", "burn-rate windows long, short", Certain}
	case out.Subject.Kind == KindTarget && out.Kind.Evidence < Catalogue:
		k := "symptom"
		if w.kind.Value == "hygiene" || w.kind.Value == "latency" {
			k = w.kind.Value
		}
		out.Kind, out.Layer = Answer{k, out.Subject.From + " is an address that is probed", Certain}, Answer{"probe", out.Subject.From, Certain}
	case (out.Subject.Kind == KindVolume || out.Subject.Kind == KindDevice) && out.Kind.Evidence < Catalogue:
		out.Layer = Answer{"storage", out.Subject.From, Certain}
		if w.kind.Value != "latency" && w.kind.Value != "errors" {
			out.Kind = Answer{"saturation", out.Subject.From, Guessed}
		}
	case nagios(labels) && (strings.EqualFold(labels["state"], "DOWN") || labels["service"] == "" && labels["host"] != ""):
		out.Kind, out.Layer = Answer{"down", "a host check", Certain}, Answer{"node", "host", Certain}
	}
}

// layerOfSubject is the layer of a subject of which no word speaks.
func (r *Reading) layerOfSubject() {
	if r.Layer.known() {
		return
	}
	l := map[string]string{
		KindZone: "zone", KindNode: "node", KindVolume: "storage", KindDevice: "storage", KindDatabase: "database", KindQueue: "queue", KindPod: "workload", "container": "workload",
		KindWorkload: "workload", KindService: "service", KindRoute: "edge", KindTarget: "probe",
	}[r.Subject.Kind]
	if l == "node" && r.Subject.From == "instance" { // an exporter's address: of what stands on the machine as well as of itself
		return
	}
	if l != "" {
		r.Layer = Answer{l, r.Subject.From, Certain}
	}
}

// harm reads whether users, data or quorum are harmed.
func (r *Reading) harm(w found) {
	if r.Impact.known() {
		return
	}
	bad := r.Severity.Value == Critical
	switch {
	case r.Kind.Value == "symptom" && r.Layer.Value == "probe" && bad:
		if front(r.Subject.Name) {
			r.Impact = Answer{"users", "a probe of the public address " + r.Subject.Name + " fails", r.Kind.Evidence}
		}
	case r.Kind.Value == "symptom":
		r.Impact = Answer{"users", r.Kind.From, r.Kind.Evidence}
	case r.Layer.Value == "edge" && (r.Kind.Value == "errors" || r.Kind.Value == "down") && bad:
		r.Impact = Answer{"users", "errors at the edge: " + r.Kind.From, min(r.Kind.Evidence, r.Layer.Evidence)}
	case r.Kind.Value == "quorum":
		r.Impact = Answer{"quorum", r.Kind.From, r.Kind.Evidence}
	case w.impact.known():
		r.Impact = w.impact
	}
}

// front says that an address is one that the public can reach: a name with a public ending, and no machine's own.
func front(target string) bool {
	h, _, _ := strings.Cut(target, "/")
	host := strings.ToLower(ParseAddress(h).Host)
	if !strings.Contains(host, ".") || strings.Trim(host, "0123456789.:") == "" || strings.Contains(host, ":") {
		return false
	}
	for _, private := range []string{".local", ".internal", ".svc", ".cluster.local", ".lan", ".intern", ".corp", ".private", ".localdomain", ".home", ".consul"} {
		if strings.HasSuffix(host, private) || strings.Contains(host, private+".") {
			return false
		}
	}
	return true
}

// Rank says how good a cause an alarm makes by what it reads: less is better. It orders what may explain each other, and makes no edge.
func (r *Reading) Rank() int {
	n := layers[r.Layer.Value]
	if n == 0 {
		n = unknownLayer
	}
	n *= 10
	switch r.Kind.Value {
	case "down", "partition", "quorum", "network", "saturation":
	case "change", "config":
		n -= 1
	case "errors", "liveness":
		n += 3
	case "latency":
		n += 5
	case "symptom":
		n += 40
	case "hygiene":
		n += 90
	default:
		n += 2
	}
	if r.Layer.Value == "monitoring" || r.Layer.Value == "job" {
		n += 60
	}
	return n
}

// Follows says that such an alarm can be what another fault brings about: errors, waits and losses do, a full disk, an outdated
// certificate or a broken configuration come from elsewhere.
func (r *Reading) Follows() bool {
	switch r.Kind.Value {
	case "hygiene", "config", "change", "heartbeat":
		return false
	case "saturation":
		return r.Layer.Value != "storage" && r.Impact.Value != "data"
	}
	return r.Subject.Kind != KindVolume && r.Subject.Kind != KindDevice
}

// Users says that users are harmed, as far as is read.
func (r *Reading) Users() bool { return r.Impact.Value == "users" }

// found is what words say.
type found struct{ kind, layer, impact Answer }

// split parts a name into lower-case words: at capitals, digits' ends, dashes and underscores.
func split(name string) string {
	var b strings.Builder
	runes := []rune(name)
	b.WriteByte(' ')
	for i, c := range runes {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			b.WriteByte(' ')
			continue
		case unicode.IsUpper(c) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsUpper(runes[i-1])):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	b.WriteByte(' ')
	return strings.Join(strings.Fields(b.String()), " ")
}

// lexicon reads the words of a rule's name, then those of its summary and description.
func lexicon(rule string, a alerting.Alarm, labels map[string]string) found {
	var out found
	texts := []string{split(rule)}
	if nagios(labels) {
		texts = append(texts, split(labels["service"]))
	}
	for _, name := range []string{alerting.AnnotationSummary, "description", "message", "output", "info"} {
		text := a.Annotations[name]
		if i := strings.Index(text, "LABELS ="); i >= 0 { // awesome-prometheus-alerts lists all labels there
			text = text[:i]
		}
		texts = append(texts, split(text[:min(len(text), 400)]))
	}
	read := func(to *Answer, list []phrase) {
		for i, text := range texts {
			if i > 0 && to.known() {
				return
			}
			padded := " " + text
			for _, p := range list {
				for _, w := range p.words {
					if strings.Contains(padded, " "+w) {
						*to = Answer{p.means, "the word " + strings.TrimSpace(w), Guessed}
						return
					}
				}
			}
		}
	}
	read(&out.kind, kindWords)
	read(&out.layer, layerWords)
	read(&out.impact, impactWords)
	return out
}
