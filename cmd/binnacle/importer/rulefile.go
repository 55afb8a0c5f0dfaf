package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting/rules"
)

// Keys of groups and rules that Prometheus has.
// Source: github.com/prometheus/prometheus v0.316 model/rulefmt, read 30 November 2026.
var (
	groupKeys = []string{"name", "interval", "query_offset", "limit", "labels", "rules"}
	ruleKeys  = []string{"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
)

// rules takes a file of rules as it is, where Prometheus' own reader has it so. Files of Mimir and of vmalert have more: what
// Prometheus does not know of them is left out.
func (r *Result) rules(f File, top map[string]any) error {
	if _, err := rules.Advise(f.Path, f.Text); err == nil {
		r.keepRules(ruleName(f.Path), f.Text)
		return nil
	}
	before := len(r.Report)
	n := r.groups(f, f.Path, ruleName(f.Path), top)
	for _, key := range sorted(top) {
		if key != "groups" && key != "namespace" {
			r.report(f, "%s: no counterpart in a file of rules", key)
		}
	}
	if n == 0 {
		return fmt.Errorf("%s: no rule of it can be read: %s", f.Path, strings.Join(r.Report[before:], "; "))
	}
	return nil
}

func ruleName(path string) string {
	name := filepath.Base(path)
	for _, end := range []string{".yml", ".yaml", ".json", ".rules"} {
		name = strings.TrimSuffix(name, end)
	}
	return strings.Trim(unnameable.ReplaceAllString(name, "-"), "-._")
}

func (r *Result) keepRules(name string, text []byte) {
	base := name
	for n := 2; r.Rules[name+".yaml"] != nil; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	r.Rules[name+".yaml"] = text
}

// groups keeps the groups of rules in top that Prometheus reads, and returns how many rules those are.
func (r *Result) groups(f File, path, name string, top map[string]any) (kept int) {
	var out []any
	for gi, g := range list(top["groups"]) {
		group, _ := g.(map[string]any)
		at := fmt.Sprintf("group %s", text(group["name"]))
		if group == nil {
			r.report(f, "groups[%d]: left out: it is no group", gi)
			continue
		}
		if t := text(group["type"]); t != "" && t != "prometheus" {
			r.report(f, "%s: left out, with its %d rules: type %s: binnacle evaluates PromQL alone", at, len(list(group["rules"])), t)
			continue
		}
		own := map[string]any{}
		for _, key := range sorted(group) {
			switch {
			case slices.Contains(groupKeys, key):
				own[key] = group[key]
			case key != "type":
				r.report(f, "%s: %s: no counterpart: the rules are evaluated without it", at, key)
			}
		}
		var rs []any
		for _, one := range list(group["rules"]) {
			if rule := r.rule(f, path, at, own, one); rule != nil {
				rs = append(rs, rule)
			}
		}
		if len(rs) == 0 {
			continue
		}
		own["rules"] = rs
		kept += len(rs)
		out = append(out, own)
	}
	if len(out) > 0 {
		b, err := yaml.Marshal(map[string]any{"groups": out})
		if err != nil {
			r.report(f, "%s: left out: %v", name, err)
			return 0
		}
		r.keepRules(name, b)
	}
	return kept
}

// rule is one as Prometheus reads it; nil: it does not.
func (r *Result) rule(f File, path, at string, group map[string]any, one any) any {
	rule, _ := one.(map[string]any)
	name := text(rule["alert"]) + text(rule["record"])
	own := map[string]any{}
	for _, key := range sorted(rule) {
		if slices.Contains(ruleKeys, key) {
			own[key] = rule[key]
		} else {
			r.report(f, "%s, rule %s: %s: no counterpart", at, name, key)
		}
	}
	alone := map[string]any{}
	for k, v := range group {
		alone[k] = v
	}
	alone["rules"] = []any{own}
	b, err := yaml.Marshal(map[string]any{"groups": []any{alone}})
	if err == nil {
		_, err = rules.Advise(path, b)
	}
	if err != nil {
		r.report(f, "%s, rule %s: left out: %v", at, name, err)
		return nil
	}
	return own
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
