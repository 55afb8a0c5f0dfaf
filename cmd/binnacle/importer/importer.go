// Package importer makes a configuration of binnacle's of what others have. What has no counterpart is reported, line by line:
// nothing is lost silently. It reads and computes; it writes nothing.
package importer

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors/exec"
)

// Result is what is to be written.
type Result struct {
	Config  map[string]any
	Rules   map[string][]byte // by file name
	Secrets map[string]string // by file name
	// Topology is the file topology.yaml; empty: there is none.
	Topology []byte
	Report   []string
	folder   string
	seen     map[string]bool // files that others include
	noted    map[string]bool // what is said once
	private  []known         // what programs are started with and nobody is to see
}

// Masked is a configuration as it may be shown: what programs are started with is without its secrets. All others are in files of
// their own.
func (r *Result) Masked(config []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(config)) {
		if strings.HasPrefix(strings.TrimSpace(line), "- ") {
			line = secret.Redact(r.hush(line))
		}
		out.WriteString(line)
	}
	return out.String()
}

// hush is a text without what is private.
func (r *Result) hush(text string) string {
	for _, p := range r.private {
		text = strings.ReplaceAll(text, p.text, secret.New(p.text).String())
	}
	return text
}

// File is one that is read.
type File struct {
	Path string
	Text []byte
}

// Import reads the configuration files of others. folder is where the result will be. What they include is read from the disk.
func Import(files []File, folder string) (*Result, error) {
	r := &Result{
		Config: map[string]any{}, Rules: map[string][]byte{}, Secrets: map[string]string{}, folder: folder,
		seen: map[string]bool{}, noted: map[string]bool{},
	}
	for _, f := range files {
		k, top, err := kindOf(f)
		if err != nil {
			return nil, err
		}
		if r.seen[f.Path] {
			continue // another one of the files includes it
		}
		r.seen[f.Path] = true
		if err := k.read(r, f, top); err != nil {
			return nil, err
		}
	}
	if len(r.Rules) > 0 {
		put(r.Config, []string{filepath.Join(folder, "rules", "*.yaml")}, "rules", "files")
	}
	r.environment()
	if get(r.Config, "route", "mode") == nil {
		put(r.Config, "shadow", "route", "mode")
	}
	return r, nil
}

// kind is a kind of file that is read.
type kind struct {
	name string
	is   func(f File, top map[string]any) bool
	read func(r *Result, f File, top map[string]any) error
}

// kinds are all that are read, in the order in which they are tried. A function, since one of them reads others.
func kinds() []kind {
	return []kind{
		{"a nagios.cfg or a file of Nagios objects", isNagios, (*Result).nagios},
		{"a configuration of statsd (config.js)", isStatsdJS, (*Result).statsdJS},
		{"a telegraf.conf", isTelegraf, (*Result).telegraf},
		{"an alertmanager.yml", func(_ File, t map[string]any) bool { return t["receivers"] != nil && t["route"] != nil }, (*Result).alertmanager},
		{"a prometheus.yml", isPrometheus, (*Result).prometheus},
		{"objects of Kubernetes (PrometheusRule, VMRule, ConfigMap, Secret)", isObject, (*Result).objects},
		{"a file of Prometheus rules", func(_ File, t map[string]any) bool { return t["groups"] != nil }, (*Result).rules},
		{"an amazon-cloudwatch-agent.json", isCloudWatchAgent, (*Result).cloudWatchAgent},
		{"a datadog.yaml", isDatadog, (*Result).datadog},
		{"a check of a Datadog agent", isDatadogCheck, (*Result).datadogCheck},
	}
}

// kindOf says what a file is, and what YAML or JSON it holds.
func kindOf(f File) (kind, map[string]any, error) {
	var top map[string]any
	var err error
	for dec := yaml.NewDecoder(bytes.NewReader(f.Text)); top == nil && err == nil; { // documents before the first that says something
		err = dec.Decode(&top)
	}
	if err == io.EOF { // it is empty
		err = nil
	} else if err != nil {
		top = nil
	}
	fault := ""
	if err != nil {
		fault = strings.ReplaceAll(err.Error(), "\n", " ")
	}
	if ext := strings.ToLower(filepath.Ext(f.Path)); fault != "" && (ext == ".yml" || ext == ".yaml") { // else its name alone would make a kind of nothing
		return kind{}, nil, fmt.Errorf("%s: not read: %s; a template is read once a deployment has filled it in", f.Path, fault)
	}
	for _, k := range kinds() {
		if k.is(f, top) {
			return k, top, nil
		}
	}
	if what := other(f.Text); what != "" {
		return kind{}, nil, fmt.Errorf("%s: %s", f.Path, what)
	}
	if fault != "" {
		fault = " (" + fault + ")"
	}
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return kind{}, nil, fmt.Errorf("%s: not read: want %s%s", f.Path, strings.Join(names, ", "), fault)
}

// Recognize names what a file of another program is; "" where it is none that is read.
func Recognize(path string, text []byte) string {
	k, _, err := kindOf(File{path, text})
	if err != nil {
		return ""
	}
	return k.name
}

// environment reports variables that the configuration takes from the environment and that are not set here.
func (r *Result) environment() {
	b, err := yaml.Marshal(r.Config)
	if err != nil {
		return
	}
	said := map[string]bool{}
	for _, m := range reference.FindAllSubmatch(b, -1) {
		name := string(m[2])
		if _, set := os.LookupEnv(name); string(m[1]) == "env" && !set && !said[name] {
			said[name] = true
			r.Report = append(r.Report, name+": the configuration takes it from the environment, as before; it is not set here")
		}
	}
}

func (r *Result) report(f File, format string, args ...any) {
	r.Report = append(r.Report, secret.Redact(r.hush(filepath.Base(f.Path)+": "+strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))))
}

// once is report for what would be said again of each of many.
func (r *Result) once(f File, format string, args ...any) {
	key := f.Path + fmt.Sprintf(format, args...)
	if !r.noted[key] {
		r.noted[key] = true
		r.report(f, format, args...)
	}
}

// hide puts a secret into a file of its own, and returns what the configuration says in its place.
func (r *Result) hide(name, value string) string {
	if value == "" || strings.HasPrefix(value, "${") {
		return value
	}
	base := strings.Trim(unnameable.ReplaceAllString(name, "-"), "-._")
	file := base
	for n := 2; r.Secrets[file] != "" && r.Secrets[file] != value; n++ {
		file = fmt.Sprintf("%s-%d", base, n)
	}
	r.Secrets[file] = value
	return "${file:" + filepath.Join(r.folder, "secrets", file) + "}"
}

// fits says what an agent would refuse of a part of a configuration.
func fits(part map[string]any) error {
	b, err := yaml.Marshal(part)
	if err != nil {
		return err
	}
	// Files of secrets are not there yet, and the environment is that of another machine.
	if _, err = agent.ParseConfig("", reference.ReplaceAll(b, []byte("x"))); err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if i := strings.Index(line, ": "); i >= 0 {
			line = line[i+2:] // its place is in no file
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return fmt.Errorf("%s", strings.Join(lines, "; "))
}

var reference = regexp.MustCompile(`\$\{(file|env):([^}]*)\}`)

// ship adds a destination. The first of a kind has the kind's name.
func (r *Result) ship(f File, kind, name string, options map[string]any) {
	if err := fits(map[string]any{"ship": map[string]any{kind: options}}); err != nil {
		r.report(f, "%s %s: left out: %v", kind, name, err)
		return
	}
	r.shipAs(f, kind, name, options)
}

// shipAs is ship for what was seen to fit.
func (r *Result) shipAs(f File, kind, name string, options map[string]any) {
	if get(r.Config, "ship", kind) == nil {
		put(r.Config, options, "ship", kind)
		return
	}
	base := strings.Trim(unnameable.ReplaceAllString(strings.ReplaceAll(name, ".", "-"), "-"), "-_")
	if base == "" || base == kind {
		base = kind
	}
	name = base
	for n := 2; get(r.Config, "ship", name) != nil; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	if name != text(options["name"]) && base == kind {
		r.once(f, "%s: the second and further ones have names: %s", kind, name)
	}
	options["kind"] = kind
	put(r.Config, options, "ship", name)
}

// server adds one to the section of a system.
func (r *Result) server(f File, system, from string, s map[string]any) {
	if err := fits(map[string]any{"collect": map[string]any{system: []any{s}}}); err != nil {
		r.report(f, "%s: left out: %v", from, err)
		return
	}
	if pw, ok := s["password"].(string); ok {
		s["password"] = r.hide(system+"-"+text(s["url"])+"-password", pw)
	}
	have, _ := get(r.Config, "collect", system).([]any)
	put(r.Config, append(have, s), "collect", system)
}

// listen adds an address at which StatsD lines come in.
func (r *Result) listen(f File, address string) {
	have, _ := get(r.Config, "collect", "statsd", "listen").([]any)
	if slices.Contains(have, any(address)) {
		return
	}
	if err := fits(map[string]any{"collect": map[string]any{"statsd": map[string]any{"listen": []any{address}}}}); err != nil {
		r.report(f, "StatsD at %s: left out: %v", address, err)
		return
	}
	put(r.Config, append(have, address), "collect", "statsd", "listen")
}

// job adds an entry of scrape_configs.
func (r *Result) job(f File, job map[string]any) {
	name := text(job["job_name"])
	have, _ := get(r.Config, "collect", "scrape", "jobs").([]any)
	taken := func(n string) bool {
		return slices.ContainsFunc(have, func(x any) bool { return x.(map[string]any)["job_name"] == n })
	}
	for n := 2; taken(text(job["job_name"])); n++ {
		job["job_name"] = fmt.Sprintf("%s-%d", name, n)
	}
	if text(job["job_name"]) != name {
		r.report(f, "job %s: there is another one of that name: it is %s here", name, job["job_name"])
	}
	if err := fits(map[string]any{"collect": map[string]any{"scrape": map[string]any{"jobs": []any{job}}}}); err != nil {
		r.report(f, "job %s: left out: %v", name, err)
		return
	}
	if why := missing(job); why != "" {
		r.report(f, "job %s: left out: %s", name, why)
		return
	}
	hidden, _ := r.hidden("scrape-"+name, job).(map[string]any)
	put(r.Config, append(have, hidden), "collect", "scrape", "jobs")
}

// free makes of a name one that no entry of a section of collect has; of a name without a letter or a digit, of another one.
func (r *Result) free(section, name, other string) string {
	base := strings.Trim(unnameable.ReplaceAllString(name, "-"), "-._")
	base = firstText(base[:min(len(base), 60)], other)
	name = base
	for n := 2; get(r.Config, "collect", section, name) != nil; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// program adds one that is run.
func (r *Result) program(f File, from, name string, p map[string]any) {
	name = r.free("exec", name, "program")
	if err := fits(map[string]any{"collect": map[string]any{"exec": map[string]any{name: p}}}); err != nil {
		r.report(f, "%s: left out: %v", from, err)
		return
	}
	command, _ := p["command"].([]string)
	if why := missing(command[0]); why != "" {
		r.report(f, "%s: left out: %s", from, why)
		return
	}
	if err := exec.Others(command[0]); err != nil {
		r.report(f, "%s: left out: %v", from, err)
		return
	}
	command, vars := r.conceal(command)
	if p["command"] = command; len(vars) > 0 {
		have, _ := p["env"].(map[string]any)
		maps.Copy(vars, have)
		p["env"] = vars
		r.once(f, "passwords, communities and tokens of commands are in secrets/ now, and in env of the program, whose arguments name them as $(NAME); in the list of processes they are seen while it runs, as before")
	}
	put(r.Config, p, "collect", "exec", name)
}

// missing says which file that a value names is not on this machine: an agent here would refuse it.
func missing(v any) string {
	switch v := v.(type) {
	case string:
		path := v
		if p, ok := strings.CutPrefix(v, "${file:"); ok {
			path = strings.TrimSuffix(p, "}")
		}
		if filepath.IsAbs(path) {
			if _, err := os.Stat(path); err != nil {
				return path + " is not on this machine: import where it is"
			}
		}
	case map[string]any:
		for _, k := range sorted(v) {
			_, deeper := v[k].(map[string]any)
			if deeper || strings.HasPrefix(text(v[k]), "${file:") || slices.Contains([]string{"ca_file", "cert_file", "key_file"}, k) {
				if why := missing(v[k]); why != "" {
					return why
				}
			}
		}
	}
	return ""
}

// included reads a file that another one names. One that was read already is nil.
func (r *Result) included(f File, path string) *File {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Path), path)
	}
	if r.seen[path] {
		return nil
	}
	r.seen[path] = true
	b, err := os.ReadFile(path)
	if err != nil {
		r.report(f, "%s: not read: %v", path, err)
		return nil
	}
	return &File{path, b}
}

// matching are the files that a pattern names, beside f.
func (r *Result) matching(f File, pattern string) []string {
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Path), path)
	}
	out, err := filepath.Glob(path)
	if err != nil || len(out) == 0 {
		r.report(f, "%s: no such file: nothing of it was read", pattern)
	}
	return out
}
