package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// schema checks a document against the part of JSON Schema that ours uses.
type schema struct {
	defs map[string]any
}

func (s schema) check(at string, rule map[string]any, v any) error {
	if ref, ok := rule["$ref"].(string); ok {
		rule = s.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if ways, ok := rule["anyOf"].([]any); ok {
		var first error
		for _, r := range ways {
			err := s.check(at, r.(map[string]any), v)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
		return first
	}
	if want, ok := rule["enum"].([]any); ok && !slices.Contains(want, v) {
		return fmt.Errorf("%s: %v is none of %v", at, v, want)
	}
	if want, ok := rule["const"]; ok && fmt.Sprint(want) != fmt.Sprint(v) {
		return fmt.Errorf("%s: %v is not %v", at, v, want)
	}
	if !typed(rule["type"], v) {
		return fmt.Errorf("%s: %v is no %v", at, v, rule["type"])
	}
	if p, ok := rule["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(fmt.Sprint(v)) {
		return fmt.Errorf("%s: %q does not match %s", at, v, p)
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if items, ok := rule["items"].(map[string]any); ok {
				if err := s.check(fmt.Sprintf("%s[%d]", at, i), items, item); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		return s.object(at, rule, v)
	}
	return nil
}

func (s schema) object(at string, rule, v map[string]any) error {
	if want, ok := rule["required"].([]any); ok {
		for _, name := range want {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Errorf("%s: %v is not there", at, name)
			}
		}
	}
	props, _ := rule["properties"].(map[string]any)
	for name, item := range v {
		r, ok := props[name].(map[string]any)
		if !ok && rule["additionalProperties"] == false {
			return fmt.Errorf("%s.%s is not known", at, name)
		}
		if more, is := rule["additionalProperties"].(map[string]any); is && !ok {
			r, ok = more, true
		}
		if ok {
			if err := s.check(at+"."+name, r, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func typed(want, v any) bool {
	names := []any{want}
	if list, ok := want.([]any); ok {
		names = list
	}
	have := []any{"null"}
	switch v.(type) {
	case nil:
	case bool:
		have = []any{"boolean"}
	case int:
		have = []any{"integer", "number"}
	case float64:
		have = []any{"number"}
	case string:
		have = []any{"string"}
	default:
		have = []any{map[bool]string{true: "array", false: "object"}[reflect.TypeOf(v).Kind() == reflect.Slice]}
	}
	return want == nil || slices.ContainsFunc(names, func(n any) bool { return slices.Contains(have, n) })
}

// What the agent takes the schema takes, and faults that an editor can see it finds.
func TestTheSchemaTakesWhatTheAgentTakes(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	s := schema{root["$defs"].(map[string]any)}
	check := func(text string) error {
		doc := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			return err
		}
		return s.check("", root, doc)
	}
	described, err := Describe(Default())
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile("../packaging/binnacle.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"the defaults": described, "the sample": string(sample), "the sample, all of it": uncommented(string(sample)), "an empty file": ""}
	pages, _ := filepath.Glob("../docs/*.md")
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```").FindAllStringSubmatch(string(text), -1) {
			if _, err := ParseConfig("t", []byte(block[1])); err == nil || !strings.Contains(err.Error(), "unknown name") { // else it is a file of rules or users
				good[fmt.Sprintf("%s, block %d", page, i)] = block[1]
			}
		}
	}
	for name, text := range good {
		if err := check(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"a name that nobody knows":         "rout: {}",
		"one further down":                 "route: {mod: shadow}",
		"a list where a section is":        "store: [1]",
		"no duration":                      "interval: soon",
		"a destination of no kind":         "ship: {mine: {url: x}}",
		"a collector that there is not":    "collect: {hosts: {}}",
		"a text where a number is":         "store: {retention_size: much}",
		"off where nothing can be off":     "node: off",
		"a setting of another destination": "ship: {statsd: {namespace: x}}",
	} {
		if err := check(text); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// uncommented is the sample with its suggestions in force; "on" aside, each is a line that begins with # and no blank.
func uncommented(text string) string {
	return regexp.MustCompile(`(?m)^( *)#([a-z]|  [a-z])`).ReplaceAllString(text, "$1$2")
}
