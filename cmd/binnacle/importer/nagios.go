package importer

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var nagiosObject = regexp.MustCompile(`(?m)^\s*define\s+[a-z]+\s*\{`)

func isNagios(f File, _ map[string]any) bool {
	return nagiosObject.Match(f.Text) || regexp.MustCompile(`(?m)^\s*(cfg_file|cfg_dir)\s*=`).Match(f.Text)
}

// definition is one object of Nagios.
type definition struct {
	kind string
	set  map[string]string
	file File
}

// nagiosWorld is all that a nagios.cfg names.
type nagiosWorld struct {
	*Result
	main      File
	all       []definition
	templates map[string]definition // by kind and name
	commands  map[string]string
	macros    map[string]string // $USER1$ and the like
	groups    map[string][]string
	unit      float64        // seconds of an interval
	lost      map[string]int // what of objects was not carried over
}

// nagios takes commands that hosts and services are checked with. Their results become alarms by themselves; whom to notify is
// for route to say.
// Source: Nagios Core 4 documentation, Object Definitions and Main Configuration File Options, read 30 November 2026.
func (r *Result) nagios(f File, _ map[string]any) error {
	w := &nagiosWorld{
		Result: r, main: f, templates: map[string]definition{}, commands: map[string]string{}, macros: map[string]string{}, groups: map[string][]string{}, unit: 60,
		lost: map[string]int{},
	}
	if nagiosObject.Match(f.Text) {
		w.read(f)
	} else {
		w.settings(f)
	}
	w.index()
	hosts := map[string]map[string]string{}
	for _, d := range w.all {
		if d.kind == "host" && d.set["register"] != "0" && d.set["host_name"] != "" {
			hosts[d.set["host_name"]] = w.whole(d)
		}
	}
	w.members(hosts)
	w.parents(hosts)
	for _, name := range sorted(hosts) {
		w.check(hosts[name], nil)
	}
	for _, d := range w.all {
		if d.kind == "service" && d.set["register"] != "0" {
			w.service(d, hosts)
		}
	}
	for _, what := range sorted(w.lost) {
		r.report(f, "%s (%d): %s", what, w.lost[what], nagiosReasons(what))
	}
	return nil
}

// settings reads a nagios.cfg and all that it names.
func (w *nagiosWorld) settings(f File) {
	for line := range strings.Lines(string(f.Text)) {
		key, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		key, v = strings.TrimSpace(key), strings.TrimSpace(v)
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		switch key {
		case "cfg_file":
			if more := w.included(f, v); more != nil {
				w.read(*more)
			}
		case "cfg_dir":
			w.folder(f, v)
		case "resource_file":
			if more := w.included(f, v); more != nil {
				for line := range strings.Lines(string(more.Text)) {
					if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.HasPrefix(name, "$") {
						value = strings.TrimSpace(value)
						w.macros[strings.TrimSpace(name)] = value
						w.keep(strings.Trim(strings.TrimSpace(name), "$"), value) // a resource file is where Nagios has its passwords
					}
				}
			}
		case "interval_length":
			if n, err := strconv.ParseFloat(v, 64); err == nil && n > 0 {
				w.unit = n
			}
		case "broker_module", "event_handler", "global_host_event_handler", "global_service_event_handler", "ocsp_command", "ochp_command", "perfdata_file_processing":
			w.Result.report(f, "%s: no counterpart", key)
		}
	}
	w.Result.report(f, "settings of the Nagios process itself (log, cache, limits, event handlers, external commands) have no counterpart; `binnacle check-result` takes results from outside")
}

func (w *nagiosWorld) folder(f File, dir string) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(f.Path), dir)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".cfg") {
			if more := w.included(f, path); more != nil {
				w.read(*more)
			}
		}
		return err
	})
	if err != nil {
		w.Result.report(f, "cfg_dir %s: not read: %v", dir, err)
	}
}

// read takes the definitions of a file.
func (w *nagiosWorld) read(f File) {
	var now *definition
	end := func() {
		if now != nil {
			w.all = append(w.all, *now)
		}
		now = nil
	}
	for line := range strings.Lines(joined.ReplaceAllString(string(f.Text), " ")) {
		line = withoutComment(line)
		kind, starts := strings.CutPrefix(line, "define")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case starts && strings.Contains(kind, "{"):
			if now != nil {
				w.Result.report(f, "define %s: its closing brace does not stand on a line of its own: read up to the next define", now.kind)
				end()
			}
			kind, more, _ := strings.Cut(strings.TrimSpace(kind), "{")
			now = &definition{kind: strings.TrimSpace(kind), set: map[string]string{}, file: f}
			if more = strings.TrimSpace(more); more != "" {
				w.Result.report(f, "define %s: %s: left out: it stands on the line of its brace, where Nagios does not read it", now.kind, more)
			}
		case line == "}":
			end()
		case now != nil:
			key, v, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
			if v = strings.TrimSpace(v); strings.HasSuffix(v, "}") && !strings.Contains(v, "{") {
				v = strings.TrimSpace(strings.TrimSuffix(v, "}"))
			}
			now.set[key] = v
		}
	}
	end()
}

// joined is the end of a line that goes on in the next one.
var joined = regexp.MustCompile(`\\\r?\n[ \t]*`)

// withoutComment is a line without what follows a semicolon; one with a backslash before it is text.
func withoutComment(line string) string {
	for i := 0; i < len(line); i++ {
		if line[i] == ';' && (i == 0 || line[i-1] != '\\') {
			line = line[:i]
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(line, `\;`, ";"))
}

// index finds templates and commands, and counts the kinds that have no counterpart.
func (w *nagiosWorld) index() {
	for _, d := range w.all {
		if n := d.set["name"]; n != "" {
			w.templates[d.kind+" "+n] = d
		}
		switch d.kind {
		case "command":
			w.commands[d.set["command_name"]] = d.set["command_line"]
		case "host", "service", "hostgroup":
		default:
			if d.set["register"] != "0" {
				w.lost["define "+d.kind]++
			}
		}
	}
}

// whole is a definition with what its templates say.
func (w *nagiosWorld) whole(d definition) map[string]string {
	out := w.wholeAt(d, 0)
	maps.DeleteFunc(out, func(_, v string) bool { return v == "null" }) // which says not to take it from a template
	return out
}

func (w *nagiosWorld) wholeAt(d definition, depth int) map[string]string {
	out := map[string]string{}
	for k, v := range d.set {
		out[k] = v
	}
	if depth > 20 {
		return out
	}
	for _, use := range commas(d.set["use"]) { // the first one that says something holds
		t, ok := w.templates[d.kind+" "+use]
		if !ok {
			w.Result.report(d.file, "%s %s: the template %s is not there", d.kind, firstText(d.set["service_description"], d.set["host_name"], d.set["name"]), use)
			continue
		}
		for k, v := range w.wholeAt(t, depth+1) {
			have, set := out[k]
			switch {
			case k == "name" || k == "register" || k == "use":
			case !set:
				out[k] = v
			case strings.HasPrefix(have, "+"):
				out[k] = v + "," + have[1:]
			}
		}
	}
	return out
}

// members fills the groups of hosts, from both sides.
func (w *nagiosWorld) members(hosts map[string]map[string]string) {
	add := func(group, host string) {
		if !slices.Contains(w.groups[group], host) {
			w.groups[group] = append(w.groups[group], host)
		}
	}
	for _, name := range sorted(hosts) {
		for _, g := range commas(strings.TrimPrefix(hosts[name]["hostgroups"], "+")) {
			add(g, name)
		}
	}
	for range 5 { // groups hold groups
		for _, d := range w.all {
			if d.kind != "hostgroup" {
				continue
			}
			for _, h := range commas(d.set["members"]) {
				if h == "*" {
					for _, name := range sorted(hosts) {
						add(d.set["hostgroup_name"], name)
					}
				} else {
					add(d.set["hostgroup_name"], h)
				}
			}
			for _, g := range commas(d.set["hostgroup_members"]) {
				for _, h := range w.groups[g] {
					add(d.set["hostgroup_name"], h)
				}
			}
		}
	}
}

// service checks a service on each host that it names.
func (w *nagiosWorld) service(d definition, hosts map[string]map[string]string) {
	s := w.whole(d)
	var on []string
	not := map[string]bool{}
	names := func(key string, of func(string) []string) {
		for _, n := range commas(strings.TrimPrefix(s[key], "+")) {
			if out, ok := strings.CutPrefix(n, "!"); ok {
				for _, h := range of(out) {
					not[h] = true
				}
				continue
			}
			on = append(on, of(n)...)
		}
	}
	names("host_name", func(n string) []string {
		if n == "*" {
			return sorted(hosts)
		}
		return []string{n}
	})
	names("hostgroup_name", func(n string) []string {
		if n == "*" {
			return sorted(hosts)
		}
		return w.groups[n]
	})
	slices.Sort(on)
	on = slices.DeleteFunc(slices.Compact(on), func(h string) bool { return not[h] })
	if len(on) == 0 {
		w.Result.report(d.file, "service %s: left out: no host has it", s["service_description"])
	}
	for _, h := range on {
		host, ok := hosts[h]
		if !ok {
			w.Result.report(d.file, "service %s: host %s is not defined", s["service_description"], h)
			continue
		}
		w.check(host, s)
	}
}

func commas(s string) (out []string) {
	for _, x := range strings.Split(s, ",") {
		if x = strings.TrimSpace(x); x != "" && x != "null" {
			out = append(out, x)
		}
	}
	return out
}

func seconds(v string, unit float64) (string, bool) {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n <= 0 {
		return "", false
	}
	return fmt.Sprintf("%gs", n*unit), true
}
