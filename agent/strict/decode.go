package strict

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/words"
)

// Decode fills into, a pointer to a struct that holds the defaults. Its error is Faults.
//
// A struct with a field "Off bool" takes the word "off" in place of a section. A field of type
// Sections takes every name that no other field has.
func (d *Document) Decode(into any) error {
	v := &visitor{doc: d}
	if d.root != nil {
		v.value(d.root, reflect.ValueOf(into).Elem(), "")
	}
	v.validate(d.root, reflect.ValueOf(into).Elem(), "")
	return v.err()
}

// Section is a part of a document that is decoded later, by who knows its shape.
type Section struct {
	doc  *Document
	node *yaml.Node
	path string
}

// Sections are decoded later, by who knows their names.
type Sections map[string]Section

// Split returns the section with the names given, and the section without them.
func (s Section) Split(names ...string) (with, without Section) {
	with, without = s, s
	if s.node == nil || s.node.Kind != yaml.MappingNode {
		return Section{s.doc, nil, s.path}, s
	}
	a, b := *s.node, *s.node
	a.Content, b.Content = nil, nil
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		part := &b
		if slices.Contains(names, s.node.Content[i].Value) {
			part = &a
		}
		part.Content = append(part.Content, s.node.Content[i], s.node.Content[i+1])
	}
	with.node, without.node = &a, &b
	return with, without
}

// Off says whether the word "off" stands in place of the section.
func (s Section) Off() bool { return s.node != nil && isOff(s.node) }

// Decode fills into as Document.Decode does.
func (s Section) Decode(into any) error {
	v := &visitor{doc: s.doc}
	dst := reflect.ValueOf(into).Elem()
	if s.node != nil && !isNull(s.node) {
		v.value(s.node, dst, s.path)
	}
	v.validate(s.node, dst, s.path)
	return v.err()
}

// Fault makes a fault at the place of the section.
func (s Section) Fault(format string, args ...any) Fault {
	if s.node == nil {
		return Fault{Text: fmt.Sprintf(format, args...)}
	}
	return s.doc.fault(s.node, "%s: %s", s.path, fmt.Sprintf(format, args...))
}

type visitor struct {
	doc    *Document
	faults Faults
}

func (v *visitor) err() error {
	if len(v.faults) == 0 {
		return nil
	}
	v.faults.Sort()
	return v.faults
}

func (v *visitor) add(n *yaml.Node, format string, args ...any) {
	v.faults = append(v.faults, v.doc.fault(n, format, args...))
}

// faulty says whether a fault was found at the place of n.
func (v *visitor) faulty(n *yaml.Node) bool {
	at := v.doc.fault(n, "")
	return slices.ContainsFunc(v.faults, func(f Fault) bool { return f.File == at.File && f.Line == at.Line && f.Column == at.Column })
}

var (
	sectionType  = reflect.TypeFor[Section]()
	sectionsType = reflect.TypeFor[Sections]()
	durationType = reflect.TypeFor[time.Duration]()
	unmarshaler  = reflect.TypeFor[yaml.Unmarshaler]()
)

func (v *visitor) value(n *yaml.Node, dst reflect.Value, path string) {
	if dst.Type() == sectionType {
		dst.Set(reflect.ValueOf(Section{v.doc, n, path}))
		return
	}
	if isNull(n) {
		return // "key:" without a value leaves the default
	}
	if n = v.expand(n, dst, path); n == nil {
		return
	}
	switch {
	case dst.Addr().Type().Implements(unmarshaler):
		v.leaf(n, dst, path)
	case dst.Type() == durationType:
		v.duration(n, dst, path)
	case dst.Kind() == reflect.Struct:
		v.structure(n, dst, path)
	case dst.Kind() == reflect.Map:
		v.mapping(n, dst, path)
	case dst.Kind() == reflect.Slice:
		v.sequence(n, dst, path)
	case dst.Kind() == reflect.Pointer:
		if dst.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		v.value(n, dst.Elem(), path)
	default:
		v.leaf(n, dst, path)
	}
}

var reference = regexp.MustCompile(`\$\{(env|file):([^}]*)\}`)

// expand puts the values of ${env:NAME} into a scalar; nil says that one is a fault. Who reads a value of its own, as a secret
// does, expands it itself.
func (v *visitor) expand(n *yaml.Node, dst reflect.Value, path string) *yaml.Node {
	if n.Kind != yaml.ScalarNode || dst.Addr().Type().Implements(unmarshaler) || !reference.MatchString(n.Value) {
		return n
	}
	good := true
	value := reference.ReplaceAllStringFunc(n.Value, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		text, set := os.LookupEnv(m[2])
		switch {
		case m[1] == "file":
			good = false
			v.add(n, "%s: ${file:...} is for secrets; want a value, or ${env:NAME}", path)
		case !set:
			good = false
			v.add(n, "%s: environment variable %s is not set", path, m[2])
		}
		return text
	})
	if !good {
		return nil
	}
	out := *n
	out.Value = value
	if dst.Kind() != reflect.String {
		out.Tag, out.Style = "", 0 // a number, say, is one by its text
	}
	return &out
}

func (v *visitor) duration(n *yaml.Node, dst reflect.Value, path string) {
	d, err := words.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		v.add(n, "%s: want a duration such as 30s, 5m or 15d, have %s", path, show(n))
		return
	}
	dst.SetInt(int64(d))
}

func (v *visitor) leaf(n *yaml.Node, dst reflect.Value, path string) {
	if err := n.Decode(dst.Addr().Interface()); err != nil {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if strings.Contains(text, "cannot unmarshal") {
			text = fmt.Sprintf("want %s, have %s", typeName(dst), show(n))
		} else if _, after, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(text, "line ") {
			text = after
		}
		v.add(n, "%s: %s", path, text)
	}
}

func (v *visitor) sequence(n *yaml.Node, dst reflect.Value, path string) {
	items := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode:
		items = n.Content
	case n.Kind == yaml.MappingNode && dst.Type().Elem().Kind() != reflect.Struct:
		v.add(n, "%s: want a list, have %s", path, kindName(n))
		return
	case n.Kind == yaml.MappingNode && len(n.Content) == 0:
		return // {} says nothing, as of any section: it is no list of one
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items)) // one value stands for a list of one
	for i, c := range items {
		v.value(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	dst.Set(out)
}

func (v *visitor) mapping(n *yaml.Node, dst reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		v.add(n, "%s: want names and values, have %s", path, kindName(n))
		return
	}
	out := reflect.MakeMap(dst.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		k := reflect.ValueOf(key.Value).Convert(dst.Type().Key())
		if out.MapIndex(k).IsValid() {
			v.add(key, "%s is set twice", dotted(path, key.Value))
			continue
		}
		e := reflect.New(dst.Type().Elem()).Elem()
		v.value(val, e, dotted(path, key.Value))
		out.SetMapIndex(k, e)
	}
	dst.Set(out)
}

func (v *visitor) structure(n *yaml.Node, dst reflect.Value, path string) {
	if off := dst.FieldByName("Off"); off.IsValid() && off.Kind() == reflect.Bool && n.Kind == yaml.ScalarNode {
		if isOff(n) {
			off.SetBool(true)
		} else {
			v.add(n, "%s: want settings or the word off, have %s", path, show(n))
		}
		return
	}
	if n.Kind != yaml.MappingNode {
		v.add(n, "%s: want names and values, have %s", path, kindName(n))
		return
	}
	fields := map[string]reflect.Value{}
	names := collectFields(dst, fields)
	rest := restField(dst)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		f, ok := fields[key.Value]
		switch {
		case seen[key.Value]:
			v.add(key, "%s is set twice", dotted(path, key.Value))
		case !ok && rest.IsValid():
			seen[key.Value] = true
			rest.SetMapIndex(reflect.ValueOf(key.Value), reflect.ValueOf(Section{v.doc, val, dotted(path, key.Value)}))
		case !ok:
			v.add(key, "%s: unknown name%s", dotted(path, key.Value), Suggest(key.Value, names))
		default:
			seen[key.Value] = true
			v.value(val, f, dotted(path, key.Value))
		}
	}
}

// restField returns the Sections of a struct that has them, made when nil, else the zero Value.
func restField(dst reflect.Value) reflect.Value {
	for i := range dst.NumField() {
		if f := dst.Field(i); f.Type() == sectionsType {
			if f.IsNil() {
				f.Set(reflect.MakeMap(sectionsType))
			}
			return f
		}
	}
	return reflect.Value{}
}

// collectFields maps yaml names to fields, those of embedded (inline) structs among them.
func collectFields(dst reflect.Value, into map[string]reflect.Value) (names []string) {
	for i := range dst.NumField() {
		f := dst.Type().Field(i)
		tag, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || tag == "-" || f.Type == sectionsType {
			continue
		}
		if opts == "inline" && f.Type.Kind() == reflect.Struct {
			names = append(names, collectFields(dst.Field(i), into)...)
			continue
		}
		if tag == "" {
			tag = strings.ToLower(f.Name)
		}
		into[tag] = dst.Field(i)
		names = append(names, tag)
	}
	return names
}

// validate calls Validate on dst, and on every field of a struct below it that has one, and puts each line of an error at
// the place of the key it begins with. A value that could not be read is not judged as well.
func (v *visitor) validate(n *yaml.Node, dst reflect.Value, path string) {
	if dst.Type() == sectionType {
		return
	}
	if dst.Kind() == reflect.Struct {
		if off := dst.FieldByName("Off"); off.IsValid() && off.Kind() == reflect.Bool && off.Bool() {
			return
		}
		fields := map[string]reflect.Value{}
		for _, name := range collectFields(dst, fields) {
			v.validate(child(n, name), fields[name], dotted(path, name))
		}
	}
	val, ok := dst.Addr().Interface().(interface{ Validate() error })
	if !ok {
		return
	}
	err := val.Validate()
	if err == nil {
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		at := n
		key, _, _ := strings.Cut(line, ":")
		for _, part := range strings.Split(key, ".") {
			if c := child(at, part); c != nil {
				at = c
			}
		}
		if path != "" {
			line = path + "." + line
		}
		switch {
		case at == nil:
			v.faults = append(v.faults, Fault{File: v.doc.first, Text: line})
		case at == n || !v.faulty(at):
			v.add(at, "%s", line)
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isOff(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.Value == "off" || n.Value == "false")
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "names and values"
	case yaml.SequenceNode:
		return "a list"
	}
	return show(n)
}

func show(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return kindName(n)
	}
	value := secret.Redact(n.Value) // it may be a URL
	if len(value) > 40 {
		return fmt.Sprintf("%q...", value[:40])
	}
	return fmt.Sprintf("%q", value)
}

func typeName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	}
	return "a " + v.Type().String()
}
