package reading

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
)

// Kinds, Impacts: the words that an alarm's kind and impact are told in; docs/alarms.md has the glossary.
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
func (r *Reader) nature(out *alerting.Reading, a alerting.Alarm, labels map[string]string, e *Entry, said mapping) {
	var words found
	if e == nil || !e.agrees(out) {
		words = lexicon(out.Rule, a, labels)
	}
	if e != nil {
		ev := alerting.Catalogue
		if !e.agrees(out) {
			ev = alerting.Guessed
		}
		from := "rule " + e.Name + " of " + e.Pack
		out.Kind, out.Layer = answer(e.Kind, from, ev), answer(e.Layer, from, ev)
		if e.Impact != "" {
			out.Impact = answer(e.Impact, from, ev)
		}
		if ev == alerting.Catalogue {
			out.Wait = e.Wait
		}
		out.Heartbeat = e.Kind == "heartbeat" && ev == alerting.Catalogue
		out.Idle = out.Heartbeat || e.Name == "InfoInhibitor" && ev == alerting.Catalogue
	}
	shape(out, labels, words)
	if nagios(labels) {
		plugin(out, a, labels)
	}
	if !out.Kind.Known() {
		out.Kind = words.kind
	}
	if !out.Layer.Known() {
		out.Layer = words.layer
	}
	layerOfSubject(out)
	declared(out, labels)
	if said.kind != "" {
		out.Kind = answer(said.kind, said.from, alerting.Certain)
	}
	harm(out, words)
}

// declared takes our own labels where their words are ours: others use the same names for other things.
func declared(out *alerting.Reading, labels map[string]string) {
	if k := strings.ToLower(labels[alerting.LabelKind]); slices.Contains(Kinds, k) && k != "heartbeat" {
		out.Kind = answer(k, "kind="+k, alerting.Certain)
	}
	if l := strings.ToLower(labels[alerting.LabelLayer]); layers[l] > 0 {
		out.Layer = answer(l, "layer="+l, alerting.Certain)
	}
	if i := strings.ToLower(labels[alerting.LabelImpact]); slices.Contains(Impacts, i) {
		out.Impact = answer(i, "impact="+i, alerting.Certain)
	}
}

// shape reads what the labels say whatever the rule is called: objectives of sloth and pyrra, probes of an address, volumes.
// Sources: sloth's and pyrra's generated rules, read November 2026.
func shape(out *alerting.Reading, labels map[string]string, w found) {
	switch {
	case labels["sloth_slo"] != "" || labels["sloth_service"] != "":
		out.Kind, out.Layer = answer("symptom", "sloth_slo", alerting.Certain), answer("service", "sloth_service", alerting.Certain)
	case labels["slo"] != "" && (labels["long"] != "" || labels["exhaustion"] != ""):
		out.Kind, out.Layer = answer("symptom", "slo", alerting.Certain), answer("service", "slo", alerting.Certain)
	case labels["long"] != "" && labels["short"] != "" && !out.Kind.Known():
		out.Kind = answer("symptom", "burn-rate windows long, short", alerting.Certain)
	case out.Subject.Kind == KindTarget && out.Kind.Trust < alerting.Catalogue:
		k := "symptom"
		if w.kind.Value == "hygiene" && !w.expired || w.kind.Value == "latency" {
			k = w.kind.Value
		}
		out.Kind, out.Layer = answer(k, out.Subject.From+" is an address that is probed", alerting.Certain), answer("probe", out.Subject.From, alerting.Certain)
	case (out.Subject.Kind == KindVolume || out.Subject.Kind == KindDevice) && out.Kind.Trust < alerting.Catalogue:
		out.Layer = answer("storage", out.Subject.From, alerting.Certain)
		if w.kind.Value != "latency" && w.kind.Value != "errors" {
			out.Kind = answer("saturation", out.Subject.From, alerting.Guessed)
		}
	case nagios(labels) && (strings.EqualFold(labels["state"], "DOWN") || labels["service"] == "" && labels["host"] != ""):
		out.Kind, out.Layer = answer("down", "a host check", alerting.Certain), answer("node", "host", alerting.Certain)
	}
}

// plugin reads what a check's plugin printed: the plugins' own words are as good as a rule's name.
func plugin(out *alerting.Reading, a alerting.Alarm, labels map[string]string) {
	text := " " + split(a.Annotations[alerting.AnnotationSummary]+" "+a.Annotations["output"])
	for _, p := range plugins {
		if !strings.Contains(text, " "+p.words) {
			continue
		}
		from := "a plugin's words: " + p.words
		out.Kind, out.Layer = answer(p.kind, from, alerting.Catalogue), answer(p.layer, from, alerting.Catalogue)
		if p.impact != "" {
			out.Impact = answer(p.impact, from, alerting.Catalogue)
		}
		break
	}
	if strings.HasPrefix(split(labels["service"])+" ", "http") && (out.Layer.Trust < alerting.Catalogue || out.Layer.Value == "probe") {
		out.Layer = answer("probe", "service="+labels["service"], alerting.Guessed)
		if h, _, _ := strings.Cut(labels["host"], "."); out.Severity.Value == Critical && generic(h) && front(labels["host"]) {
			out.Impact = answer("users", "an HTTP check of the public name "+labels["host"]+" fails", alerting.Guessed)
		}
	}
}

// layerOfSubject is the layer of a subject of which no word speaks.
func layerOfSubject(r *alerting.Reading) {
	if r.Layer.Known() {
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
		r.Layer = answer(l, r.Subject.From, alerting.Certain)
	}
}

// harm reads whether users, data or quorum are harmed.
func harm(r *alerting.Reading, w found) {
	if r.Impact.Known() {
		return
	}
	bad := r.Severity.Value == Critical
	switch {
	case r.Kind.Value == "symptom" && r.Layer.Value == "probe" && bad:
		if front(r.Subject.Name) {
			r.Impact = answer("users", "a probe of the public address "+r.Subject.Name+" fails", r.Kind.Trust)
		}
	case r.Kind.Value == "symptom":
		r.Impact = answer("users", r.Kind.From, r.Kind.Trust)
	case r.Layer.Value == "edge" && r.Kind.Value == "errors" && bad && w.served:
		r.Impact = answer("users", "errors at the edge: "+r.Kind.From, min(r.Kind.Trust, r.Layer.Trust))
	case r.Kind.Value == "quorum":
		r.Impact = answer("quorum", r.Kind.From, r.Kind.Trust)
	case w.impact.Known():
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
	for _, part := range strings.Split(host, ".")[1:] {
		if within[part] {
			return false
		}
	}
	return true
}

// within are the parts of names that only a team's own networks know. The first part of a name is a machine's or a service's.
var within = func() map[string]bool {
	out := map[string]bool{}
	for _, part := range strings.Fields("local internal int intern interne interno svc lan corp private priv localdomain home consul intra intranet mgmt management") {
		out[part] = true
	}
	return out
}()

// rank says how good a cause an alarm makes by what it reads: less is better. It orders what may explain each other, and makes no edge.
func rank(r *alerting.Reading) int {
	n := layers[r.Layer.Value]
	if n == 0 {
		n = unknownLayer
	}
	n *= 10
	switch r.Kind.Value {
	case "quorum":
		if r.Layer.Value == "platform" { // of its store, without which all else of it stops
			n -= 1
		}
	case "down", "partition", "network", "saturation":
	case "change", "config":
		n -= 1
	case "errors", "liveness", "latency": // more often follow than bring about, also what stands below them
		n += 35
	case "symptom":
		n += 60
	case "hygiene":
		n += 90
	default:
		n += 20
	}
	if r.Layer.Value == "monitoring" || r.Layer.Value == "job" {
		n += 60
	}
	return n
}

// follows says that such an alarm can be what another fault brings about: errors, waits and losses do, a full disk, an outdated
// certificate or a broken configuration come from elsewhere.
func follows(r *alerting.Reading) bool {
	switch r.Kind.Value {
	case "hygiene", "config", "change", "heartbeat":
		return false
	case "saturation":
		return r.Layer.Value != "storage"
	}
	return r.Subject.Kind != KindVolume && r.Subject.Kind != KindDevice
}

// begins says that a word of a text begins with these words.
func begins(text, words string) bool {
	for from := 0; ; {
		n := strings.Index(text[from:], words)
		if n < 0 {
			return false
		}
		n += from
		if (n == 0 || text[n-1] == ' ') && (!whole[words] || ends(text[n+len(words):])) {
			return true
		}
		from = n + 1
	}
}

// ends says that a word ends here, but for a plural or a number.
func ends(rest string) bool {
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "s"), "0123456789")
	return rest == "" || rest[0] == ' '
}

// found is what words say.
type found struct {
	kind, layer, impact alerting.Answer
	served              bool // it speaks of answers 5xx, which users got
	expired             bool // a certificate is no good any more, which is no chore for later
}

// classes are the ways to write a class of answers of HTTP, as the word that the lexicon knows.
var classes = strings.NewReplacer("5XXs", " 5xx ", "5XX", " 5xx ", "4XXs", " 4xx ", "4XX", " 4xx ")

// split parts a name into lower-case words: at capitals, digits' ends, dashes and underscores.
func split(name string) string {
	if strings.Contains(name, "XX") {
		name = classes.Replace(name)
	}
	out := make([]byte, 0, len(name)+len(name)/8)
	before, parted := ' ', false
	for i, c := range name {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			before, parted = c, true
			continue
		case unicode.IsUpper(c) && (unicode.IsLower(before) || unicode.IsUpper(before) && unicode.IsLower(after(name[i:]))):
			parted = true
		}
		if parted && len(out) > 0 {
			out = append(out, ' ')
		}
		out = utf8.AppendRune(out, unicode.ToLower(c))
		before, parted = c, false
	}
	return string(out)
}

// after is the second letter of a text.
func after(text string) rune {
	_, n := utf8.DecodeRuneInString(text)
	c, _ := utf8.DecodeRuneInString(text[n:])
	return c
}

// lexicon reads the words of a rule's name, then those of its summary and description.
func lexicon(rule string, a alerting.Alarm, labels map[string]string) found {
	var out found
	texts := []spoken{speak(split(rule))}
	if nagios(labels) {
		texts = append(texts, speak(split(labels["service"])))
	}
	for _, name := range []string{alerting.AnnotationSummary, "description", "message", "output", "info"} {
		text := a.Annotations[name]
		if text == "" {
			continue
		}
		if i := strings.Index(text, "LABELS ="); i >= 0 { // awesome-prometheus-alerts lists all labels there
			text = text[:i]
		}
		texts = append(texts, speak(split(text[:min(len(text), 400)])))
	}
	read := func(to *alerting.Answer, list []phrase) {
		for i := range texts {
			if i > 0 && to.Known() {
				return
			}
			for _, p := range list {
				for _, w := range p.words {
					if texts[i].begins(w) {
						*to = answer(p.means, "the word "+strings.TrimSpace(w), alerting.Guessed)
						return
					}
				}
			}
		}
	}
	for _, t := range texts {
		out.expired = out.expired || t.begins("expired")
		out.served = out.served || strings.Contains(t.text, "5xx") || strings.Contains(t.text, "http 5")
	}
	read(&out.kind, kindWords)
	read(&out.layer, layerWords)
	read(&out.impact, impactWords)
	return out
}

func answer(value, from string, t alerting.Trust) alerting.Answer {
	return alerting.Answer{Value: value, From: from, Trust: t}
}
