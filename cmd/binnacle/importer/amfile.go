package importer

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
)

// modern has Alertmanager's reader of configurations read matchers as its program does: in both notations.
var modern = sync.OnceFunc(func() { compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{}) })

// alertmanager takes receivers, routes, windows and templates. Alertmanager's own reader says whether it is one.
func (r *Result) alertmanager(f File, top map[string]any) error {
	if get(r.Config, "route", "mode") != nil {
		return fmt.Errorf("%s: a second alertmanager.yml: import them one by one", f.Path)
	}
	modern()
	if _, err := amconfig.Load(string(f.Text)); err != nil {
		if section(top, "route") == nil || len(list(top["receivers"])) == 0 {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		r.report(f, "Alertmanager itself refuses this file, perhaps since a deployment fills it in: %v", err)
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
	} else if name := a.first(list(top["receivers"])); name != "" { // without a default there is no way out for what no route matches
		route["default"] = name
		r.report(f, "route.receiver: %s sends to nobody, and here each page needs somebody: what no route matches goes to %s; change route.default", text(root["receiver"]), name)
	} else {
		r.report(f, "route.receiver: %s sends to nobody: there is no pager at all, the board shows what fires", text(root["receiver"]))
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
	for key, v := range route {
		put(r.Config, v, "route", key)
	}
	return nil
}

// first is the pager of the first receiver that sends to anybody.
func (a *am) first(all []any) string {
	for _, one := range all {
		m, _ := one.(map[string]any)
		if to := a.names[text(m["name"])]; len(to) > 0 {
			return to[0]
		}
	}
	return ""
}

// reasons say why a part has no counterpart.
var reasons = map[string]string{
	"inhibit_rules": "binnacle finds root causes by itself and explains symptoms with them",
	"tracing":       "binnacle sends no traces",
}
