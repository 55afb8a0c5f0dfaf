package graphite

import (
	"fmt"
	"slices"
	"strings"
)

// template makes a name and labels of a path. It is written "FILTER TEMPLATE label=value,...", of which TEMPLATE alone must be there.
type template struct {
	filter []string          // parts of a path, "*" for any; nil: every path
	parts  []string          // what each part is: "" nothing, "measurement" of the name, else a label
	rest   bool              // the last part is of the name, and all that follow it
	fixed  map[string]string // labels that each has
}

const measurement = "measurement"

// parseTemplate reads a template in the way of Telegraf's.
// Source: Telegraf 1.32, docs/TEMPLATE_PATTERN.md, read 30 November 2026.
func parseTemplate(text string) (template, error) {
	t := template{fixed: map[string]string{}}
	words := strings.Fields(text)
	if n := len(words); n > 1 && strings.Contains(words[n-1], "=") {
		for _, kv := range strings.Split(words[n-1], ",") {
			k, v, ok := strings.Cut(kv, "=")
			if !ok || !labelForm.MatchString(k) {
				return t, fmt.Errorf("%q: want label=value, have %q", text, kv)
			}
			t.fixed[k] = v
		}
		words = words[:n-1]
	}
	switch len(words) {
	case 1:
	case 2:
		t.filter = strings.Split(words[0], ".")
	default:
		return t, fmt.Errorf("%q: want [FILTER] TEMPLATE [label=value,...]", text)
	}
	t.parts = strings.Split(words[len(words)-1], ".")
	named := false
	for i, part := range t.parts {
		if part == measurement+"*" {
			if i != len(t.parts)-1 {
				return t, fmt.Errorf("%q: %s* takes all that follows", text, measurement)
			}
			t.parts[i], t.rest, part = measurement, true, measurement
		}
		named = named || part == measurement
		if part != "" && part != measurement && !labelForm.MatchString(part) {
			return t, fmt.Errorf("%q: %q is no label", text, part)
		}
	}
	if !named {
		return t, fmt.Errorf("%q: no part is %s", text, measurement)
	}
	return t, nil
}

func (t template) fits(parts []string) bool {
	if len(parts) < len(t.parts) || len(parts) < len(t.filter) {
		return false
	}
	for i, f := range t.filter {
		if f != "*" && f != parts[i] {
			return false
		}
	}
	return true
}

// apply returns the name, and label names and values in turn.
func (t template) apply(parts []string) (name string, kv []string) {
	var names []string
	labels := map[string][]string{}
	var order []string
	for i, part := range t.parts {
		switch part {
		case "":
		case measurement:
			names = append(names, parts[i])
		default:
			if labels[part] == nil {
				order = append(order, part)
			}
			labels[part] = append(labels[part], parts[i])
		}
	}
	if t.rest {
		names = append(names, parts[len(t.parts):]...)
	}
	for _, l := range order {
		kv = append(kv, l, strings.Join(labels[l], "."))
	}
	fixed := []string{}
	for k := range t.fixed {
		fixed = append(fixed, k)
	}
	slices.Sort(fixed)
	for _, k := range fixed {
		kv = append(kv, k, t.fixed[k])
	}
	return strings.Join(names, "."), kv
}
