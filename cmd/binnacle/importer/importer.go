// Package importer makes a configuration of binnacle's of what others have. What has no counterpart is reported, line by line:
// nothing is lost silently. It reads and computes; it writes nothing.
package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting/rules"
)

// Result is what is to be written.
type Result struct {
	Config  map[string]any
	Rules   map[string][]byte // by file name
	Secrets map[string]string // by file name
	Report  []string
	folder  string
}

// File is one that is read.
type File struct {
	Path string
	Text []byte
}

// Import reads alertmanager.yml and files of Prometheus rules. folder is where the result will be.
func Import(files []File, folder string) (*Result, error) {
	r := &Result{Config: map[string]any{}, Rules: map[string][]byte{}, Secrets: map[string]string{}, folder: folder}
	for _, f := range files {
		var top map[string]any
		if err := yaml.Unmarshal(f.Text, &top); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		var err error
		switch {
		case top["receivers"] != nil && top["route"] != nil:
			err = r.alertmanager(f, top)
		case top["groups"] != nil:
			err = r.rules(f)
		default:
			err = fmt.Errorf("%s: neither an alertmanager.yml (route and receivers) nor a file of Prometheus rules (groups): no other kind is read yet", f.Path)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.Rules) > 0 {
		r.Config["rules"] = map[string]any{"files": []string{filepath.Join(folder, "rules", "*.yaml")}}
	}
	return r, nil
}

func (r *Result) report(f File, format string, args ...any) {
	r.Report = append(r.Report, filepath.Base(f.Path)+": "+fmt.Sprintf(format, args...))
}

// rules takes a file of rules as it is, once Prometheus' own reader has.
func (r *Result) rules(f File) error {
	if _, err := rules.Advise(f.Path, f.Text); err != nil {
		return err
	}
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f.Path), ".yml"), ".yaml")
	for n := 2; r.Rules[name+".yaml"] != nil; n++ {
		name = fmt.Sprintf("%s-%d", strings.TrimSuffix(name, fmt.Sprintf("-%d", n-1)), n)
	}
	r.Rules[name+".yaml"] = f.Text
	return nil
}

// alertmanager takes receivers, routes, windows and templates. Alertmanager's own reader says whether it is one.
func (r *Result) alertmanager(f File, top map[string]any) error {
	if r.Config["route"] != nil {
		return fmt.Errorf("%s: a second alertmanager.yml: import them one by one", f.Path)
	}
	if _, err := amconfig.Load(string(f.Text)); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	a := &am{Result: r, file: f, global: section(top, "global"), names: map[string][]string{}, pagers: map[string]any{}, windows: map[string]any{}}
	for _, key := range sorted(top) {
		switch key {
		case "global", "route", "receivers", "templates", "time_intervals", "mute_time_intervals":
		default:
			r.report(f, "%s: no counterpart: %s", key, reasons[key])
		}
	}
	a.globals()
	a.receivers(list(top["receivers"]))
	a.intervals(append(list(top["time_intervals"]), list(top["mute_time_intervals"])...))
	route := map[string]any{"mode": "shadow", "pagers": a.pagers}
	root := section(top, "route")
	a.tree(root)
	if to := a.names[text(root["receiver"])]; len(to) > 0 {
		route["default"] = to[0]
		if len(to) > 1 { // the default is one pager; a last route that matches all has all of them
			a.routes = append(a.routes, map[string]any{"to": to})
		}
	} else {
		r.report(f, "route.receiver: %s sends to nobody: set route.default", text(root["receiver"]))
	}
	if len(a.routes) > 0 {
		route["routes"] = a.routes
	}
	if len(a.quiet) > 0 {
		route["maintenance"] = a.quiet
	}
	if len(a.windows) > 0 {
		route["windows"] = a.used()
	}
	if t := list(top["templates"]); len(t) > 0 {
		for i, name := range t {
			if !filepath.IsAbs(text(name)) {
				t[i] = filepath.Join(filepath.Dir(f.Path), text(name))
			}
		}
		route["templates"] = t
	}
	r.Config["route"] = route
	return nil
}

// reasons say why a part has no counterpart.
var reasons = map[string]string{
	"inhibit_rules": "binnacle finds root causes by itself and explains symptoms with them",
	"tracing":       "binnacle sends no traces",
}

func section(m map[string]any, key string) map[string]any {
	out, _ := m[key].(map[string]any)
	return out
}

func list(v any) []any { out, _ := v.([]any); return slices.Clone(out) }

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func sorted(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
