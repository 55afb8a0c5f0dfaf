package agent

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write docs/schema.json and docs/settings.md anew")

const (
	schemaFile   = "../docs/schema.json"
	settingsFile = "../docs/settings.md"
)

// The schema and the reference of the configuration are made from the code: from types, defaults, comments, and what Validate
// answers to values that are too small and too large.
func TestSchemaAndReferenceFitTheCode(t *testing.T) {
	tree := settingsOf(t)
	var schema bytes.Buffer
	enc := json.NewEncoder(&schema)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(schemaOf(tree)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{schemaFile: schema.Bytes(), settingsFile: referenceOf(tree)} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code says (%v): go test ./agent -run SchemaAndReference -update", file, err)
		}
	}
}

// setting is one key of the configuration, or a section.
type setting struct {
	name     string
	doc      string
	typ      reflect.Type
	def      reflect.Value
	bounds   string
	off      bool // takes the word off in place of a section
	children []*setting
	free     *setting // of a section with names of the operator's own: what each holds
}

// settingsOf walks the configuration with all collectors and destinations.
func settingsOf(t *testing.T) *setting {
	t.Helper()
	c := &comments{t: t, by: map[string]map[string]string{}}
	cfg := Default()
	cfg.Data = ""
	root := c.walk("", reflect.ValueOf(cfg))
	plans, err := collectorPlans(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range root.children {
		switch s.name {
		case "collect":
			for _, plan := range plans {
				p := c.walk(plan.spec.Name, reflect.ValueOf(orEmpty(plan.spec.Options)))
				p.off = true
				p.doc = "collector"
				p.children = append(c.walk("", reflect.ValueOf(common{plan.interval, plan.deadline})).children, p.children...)
				s.children = append(s.children, p)
			}
		case "ship":
			for _, spec := range sinks.All() {
				p := c.walk(spec.Name, reflect.ValueOf(orEmpty(spec.Options)))
				p.off = true
				p.doc = "destination"
				p.children = append(p.children, c.walk("", reflect.ValueOf(spec.Common)).children...)
				s.children = append(s.children, p)
			}
			s.free = &setting{name: "NAME", doc: "another destination of one of these kinds", typ: reflect.TypeFor[RoleSections]()}
		}
	}
	return root
}

func orEmpty(options any) any {
	if options == nil {
		return struct{}{}
	}
	return options
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[secret.Secret]()
	unmarshals   = reflect.TypeFor[yaml.Unmarshaler]()
)

func (c *comments) walk(name string, v reflect.Value) *setting {
	s := &setting{name: name, typ: v.Type(), def: v}
	if s.leaf() || v.Type() == reflect.TypeFor[strict.Section]() {
		return s
	}
	switch v.Kind() {
	case reflect.Struct:
		c.fields(s, v)
	case reflect.Map:
		s.free = c.walk("NAME", reflect.New(v.Type().Elem()).Elem())
	case reflect.Slice:
		s.free = c.walk("", reflect.New(v.Type().Elem()).Elem())
	case reflect.Pointer:
		return c.walk(name, reflect.New(v.Type().Elem()).Elem())
	}
	return s
}

func (s *setting) leaf() bool {
	switch {
	case s.typ == durationType || s.typ == secretType || reflect.PointerTo(s.typ).Implements(unmarshals):
		return true
	}
	switch s.typ.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer:
		return false
	}
	return true
}

// fields are those of a struct by their yaml tags, inline ones among them.
func (c *comments) fields(s *setting, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Name == "Off":
			s.off = true
			continue
		case !f.IsExported() || tag == "-" || f.Type == reflect.TypeFor[strict.Sections]():
			continue
		case opts == "inline" && f.Type.Kind() == reflect.Struct:
			c.fields(s, v.Field(i))
			continue
		case tag == "":
			tag = strings.ToLower(f.Name)
		}
		child := c.walk(tag, v.Field(i))
		child.doc = c.of(v.Type(), f.Name)
		child.bounds = boundsOf(v, i, tag)
		s.children = append(s.children, child)
	}
}

// schemaOf is the JSON Schema, draft 2020-12.
func schemaOf(root *setting) map[string]any {
	env := map[string]any{"type": "string", "pattern": `\$\{env:`}
	either := func(kind ...any) map[string]any {
		return map[string]any{"anyOf": append(kind, env, map[string]any{"type": "null"})}
	}
	out := root.schema()
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out["title"] = "Configuration of binnacle"
	out["$defs"] = map[string]any{
		"duration": either(map[string]any{"type": "string", "pattern": `^[0-9.]+(ns|us|µs|ms|s|m|h|d|w|y)?([0-9.]+(ns|us|µs|ms|s|m|h|d|w|y))*$`}, map[string]any{"const": 0}),
		"integer":  either(map[string]any{"type": "integer"}),
		"number":   either(map[string]any{"type": "number"}),
		"bool":     either(map[string]any{"type": "boolean"}),
		"text":     either(map[string]any{"type": "string"}, map[string]any{"type": "number"}, map[string]any{"type": "boolean"}),
		"secret":   map[string]any{"type": []string{"string", "null"}, "description": "${file:/path} or ${env:NAME}"},
	}
	return out
}

func (s *setting) schema() map[string]any {
	out := s.shape()
	var words []string
	for _, w := range []string{s.doc, s.bounds} {
		if w != "" && !strings.Contains(strings.Join(words, ""), w) {
			words = append(words, w)
		}
	}
	if len(words) > 0 {
		out["description"] = strings.Join(words, "; ")
	}
	if d := s.defaultText(); d != "" && s.leaf() {
		out["default"] = d
	}
	return out
}

func (s *setting) shape() map[string]any {
	ref := func(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }
	switch {
	case s.typ == durationType:
		return ref("duration")
	case s.typ == secretType:
		return ref("secret")
	case reflect.PointerTo(s.typ).Implements(unmarshals) || s.typ.Kind() == reflect.Interface:
		return map[string]any{}
	}
	switch s.typ.Kind() {
	case reflect.Bool:
		return ref("bool")
	case reflect.String:
		return ref("text")
	case reflect.Float32, reflect.Float64:
		return ref("number")
	case reflect.Slice: // one value stands for a list of one
		one := *s.free // which may hold what is of the section, beside what is of an item
		one.children = append(slices.Clone(s.children), one.children...)
		forms := []any{map[string]any{"type": "array", "items": s.free.schema()}, one.schema(), map[string]any{"type": "null"}}
		if s.off {
			forms = append(forms, map[string]any{"enum": []any{"off", false}})
		}
		return map[string]any{"anyOf": forms}
	case reflect.Map:
		return s.section(s.free.schema())
	case reflect.Struct:
		return s.section(s.named())
	}
	return ref("integer")
}

// named says what a section takes under a name that it does not know: nothing, or a destination of a known kind.
func (s *setting) named() any {
	if s.free == nil {
		return false
	}
	var kinds []string
	for _, c := range s.children {
		kinds = append(kinds, c.name)
	}
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "object", "required": []string{"kind"}, "properties": map[string]any{"kind": map[string]any{"enum": kinds}}},
		map[string]any{"enum": []any{"off", false}},
	}}
}

func (s *setting) section(others any) map[string]any {
	props := map[string]any{}
	for _, c := range s.children {
		props[c.name] = c.schema()
	}
	out := map[string]any{"type": []string{"object", "null"}, "properties": props, "additionalProperties": others}
	if !s.off {
		return out
	}
	return map[string]any{"anyOf": []any{out, map[string]any{"enum": []any{"off", false}}}}
}

// defaultText is the default as it would be written; empty where there is none.
func (s *setting) defaultText() string {
	if !s.def.IsValid() || s.def.IsZero() && s.typ.Kind() != reflect.Bool && s.typ != durationType {
		return ""
	}
	switch {
	case s.typ == secretType:
		return ""
	case s.typ == durationType:
		return model.Duration(s.def.Interface().(time.Duration)).String()
	case s.typ.Kind() == reflect.Slice && s.typ.Elem().Kind() == reflect.String:
		return strings.Join(s.def.Interface().([]string), ", ")
	case s.leaf():
		return fmt.Sprint(s.def.Interface())
	}
	return ""
}

// referenceOf is the page of all settings.
func referenceOf(root *setting) []byte {
	var b bytes.Buffer
	b.WriteString("# All settings\n\nMade from the code. [Configuration](configuration.md) explains the rest: files, secrets, reloads. `binnacle check` prints what is\nin force; `binnacle check --schema` prints a JSON Schema for editors. A section takes the word `off` where it says so.\n")
	var top []*setting
	for _, s := range root.children {
		if s.leaf() {
			top = append(top, s)
		}
	}
	table(&b, top)
	for _, s := range root.children {
		if !s.leaf() {
			section(&b, s)
		}
	}
	return b.Bytes()
}

func section(b *bytes.Buffer, s *setting) {
	fmt.Fprintf(b, "\n## %s\n\n", s.name)
	if s.off {
		b.WriteString("Takes `off`. ")
	}
	if s.doc != "" {
		fmt.Fprintf(b, "%s.\n", strings.ToUpper(s.doc[:1])+s.doc[1:])
	}
	if s.name != "collect" && s.name != "ship" {
		table(b, s.children)
		return
	}
	var plain, leaves []*setting
	for _, c := range s.children {
		if c.leaf() {
			leaves = append(leaves, c)
		}
	}
	table(b, leaves)
	for _, c := range s.children {
		if c.leaf() {
			continue
		}
		if s.name == "collect" && len(c.children) == 2 && c.free == nil {
			plain = append(plain, c)
			continue
		}
		fmt.Fprintf(b, "\n### %s.%s\n", s.name, c.name)
		list := c.children
		if c.typ.Kind() == reflect.Map {
			list = append(slices.Clone(list), &setting{name: "NAME", typ: reflect.TypeFor[struct{}](), children: c.free.children})
		}
		table(b, list)
	}
	if len(plain) == 0 {
		return
	}
	b.WriteString("\n### The other collectors\n\nThey have `interval` (1s to 1h) and `deadline` alone.\n\n| collector | interval | deadline |\n| --- | --- | --- |\n")
	for _, c := range plain {
		fmt.Fprintf(b, "| `%s` | `%s` | `%s` |\n", c.name, c.children[0].defaultText(), c.children[1].defaultText())
	}
}

func table(b *bytes.Buffer, list []*setting) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n| setting | default | bounds and meaning |\n| --- | --- | --- |\n")
	var rows func(prefix string, list []*setting)
	rows = func(prefix string, list []*setting) {
		for _, s := range list {
			path := prefix + s.name
			more := s.children
			if s.free != nil && len(s.free.children) > 0 {
				path += map[bool]string{true: "[]", false: ".NAME"}[s.typ.Kind() == reflect.Slice]
				more = s.free.children
			}
			if d := s.defaultText(); s.leaf() || len(more) == 0 || s.doc != "" {
				var text []string
				if s.bounds != "" && !strings.Contains(s.doc, s.bounds) {
					text = append(text, s.bounds)
				}
				if s.doc != "" {
					text = append(text, s.doc)
				}
				if d != "" {
					d = "`" + d + "`"
				}
				cell := strings.NewReplacer("|", "\\|") // in code too: a table is cut before its cells are read
				fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, cell.Replace(d), cell.Replace(strings.Join(text, "; ")))
			}
			rows(path+".", more)
		}
	}
	rows("", list)
}
