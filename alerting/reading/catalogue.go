package reading

import (
	"bufio"
	"cmp"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Entry is what is known of one public rule.
type Entry struct {
	Name     string
	Kind     string
	Layer    string
	Impact   string   // empty: none known
	Severity string   // as the pack has it
	Wait     Wait     // the pack's `for`
	Subject  []string // labels that name what it is about, the first that is there counts; empty: the nearest of all
	Pack     string   // name of the data file
}

// Wait is a duration in data.
type Wait = time.Duration

// Data files: a line for each rule with its name, kind, layer, impact, severity, wait and subject labels; - where there is none.
// Facts of public rule files alone, read November 2026; each file names its sources by repository, commit and path.
//
//go:embed data/*.txt
var data embed.FS

type catalogue struct {
	byName map[string][]Entry // by the squeezed name
}

var public = sync.OnceValue(func() *catalogue {
	c, err := load()
	if err != nil {
		panic(err) // the files are ours and a test reads them
	}
	return c
})

func load() (*catalogue, error) {
	c := &catalogue{byName: map[string][]Entry{}}
	files, err := data.ReadDir("data")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		pack := strings.TrimSuffix(f.Name(), ".txt")
		in, err := data.Open(path.Join("data", f.Name()))
		if err != nil {
			return nil, err
		}
		sc := bufio.NewScanner(in)
		for n := 1; sc.Scan(); n++ {
			line := strings.TrimSpace(sc.Text())
			if line == "" || line[0] == '#' {
				continue
			}
			e, err := entry(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", f.Name(), n, err)
			}
			e.Pack = pack
			key := squeeze(e.Name)
			c.byName[key] = append(c.byName[key], e)
		}
		_ = in.Close()
	}
	return c, nil
}

func entry(line string) (Entry, error) {
	f := strings.Fields(line)
	if len(f) != 7 {
		return Entry{}, fmt.Errorf("want 7 fields, have %d: %q", len(f), line)
	}
	for i, s := range f[1:] {
		if s == "-" {
			f[i+1] = ""
		}
	}
	e := Entry{Name: f[0], Kind: f[1], Layer: f[2], Impact: f[3], Severity: f[4]}
	switch {
	case !slices.Contains(Kinds, e.Kind):
		return e, fmt.Errorf("%s: kind %q", e.Name, e.Kind)
	case layers[e.Layer] == 0:
		return e, fmt.Errorf("%s: layer %q", e.Name, e.Layer)
	case e.Impact != "" && !slices.Contains(Impacts, e.Impact):
		return e, fmt.Errorf("%s: impact %q", e.Name, e.Impact)
	case e.Severity != "" && Word(e.Severity) == "":
		return e, fmt.Errorf("%s: severity %q", e.Name, e.Severity)
	}
	if f[5] != "" {
		d, err := time.ParseDuration(f[5])
		if err != nil {
			return e, fmt.Errorf("%s: %w", e.Name, err)
		}
		e.Wait = d
	}
	if f[6] != "" {
		e.Subject = strings.Split(f[6], ",")
	}
	return e, nil
}

// find returns the entry of a rule: of several with one name that of the alarm's severity. CloudWatch's alarms have names of
// their own, so that they are found by namespace and metric.
func (c *catalogue) find(name string, labels map[string]string) *Entry {
	keys := []string{name}
	if ns := labels["namespace"]; strings.Contains(ns, "/") && (strings.HasPrefix(ns, "AWS/") || labels["metric"] != "") {
		keys = []string{"cloudwatch/" + ns + "/" + cmp.Or(labels["metric"], labels["metric_name"], labels["MetricName"])}
	}
	for _, k := range keys {
		list := c.byName[squeeze(k)]
		for i := range list {
			if list[i].Severity != "" && Word(list[i].Severity) == Word(labels[alerting.LabelSeverity]) {
				return &list[i]
			}
		}
		if len(list) > 0 {
			return &list[0]
		}
	}
	return nil
}

// mild says that no pack calls a rule of this name worse than a warning.
func (c *catalogue) mild(name string) bool {
	return !slices.ContainsFunc(c.byName[squeeze(name)], func(e Entry) bool {
		return e.Severity == "" || gravity[Word(e.Severity)] > gravity[Warning]
	})
}

// subject is the owner that the entry says its rule is about.
func (e *Entry) subject(found []alerting.Owner, from map[string]string) (alerting.Owner, bool) {
	if e == nil {
		return alerting.Owner{}, false
	}
	for _, label := range e.Subject {
		for _, o := range found {
			if from[o.ID()] == label {
				return o, true
			}
		}
	}
	return alerting.Owner{}, false
}

// agrees says that an alarm looks as the public rule's do: it has the labels that the rule is about, none that is nearer than
// these, and is not called worse than in the pack. Else somebody uses the name for a thing of their own.
func (e *Entry) agrees(r *alerting.Reading) bool {
	s := r.Subject
	if e.Severity != "" && r.Unknown == "" && gravity[r.Severity.Value] > gravity[Word(e.Severity)] {
		return false
	}
	if len(e.Subject) == 0 {
		return s.Kind != KindVolume && s.Kind != KindDevice || e.Layer == "storage"
	}
	if e.Kind == "down" && (s.Kind == "" || s.Kind == KindCluster) { // absent() of a comparison leaves no label of its own
		return true
	}
	return slices.Contains(e.Subject, s.From) || slices.Contains(e.Subject, "instance") && s.Kind == KindNode
}

// first puts the labels that the entry names before the others, in its order.
func (e *Entry) first(list []string) []string {
	if e == nil || !slices.ContainsFunc(list, func(l string) bool { return slices.Contains(e.Subject, l) }) {
		return list
	}
	var out []string
	for _, l := range e.Subject {
		if slices.Contains(list, l) {
			out = append(out, l)
		}
	}
	for _, l := range list {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func (e *Entry) names(label string) bool { return e != nil && slices.Contains(e.Subject, label) }
