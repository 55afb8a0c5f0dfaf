package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

const head = "# Written by `binnacle setup` or `binnacle join`. Settings of your own belong into binnacle.yaml or another file of conf.d;\n# what you change here stays, unless a flag of a later run says otherwise.\n"

// settings are a YAML file as names and values.
type settings map[string]any

func readSettings(path string) (settings, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return settings{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := map[string]any{} // so that maps within are of this type too
	if err := yaml.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// at returns what stands at a path of names.
func (s settings) at(path ...string) (any, bool) {
	var v any = map[string]any(s)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, v != nil
}

// put sets a value, or takes it away where v is nil.
func (s settings) put(v any, path ...string) {
	m := map[string]any(s)
	for _, name := range path[:len(path)-1] {
		next, ok := m[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[name] = next
		}
		m = next
	}
	if last := path[len(path)-1]; v == nil {
		delete(m, last)
	} else {
		m[last] = v
	}
}

// text is the fragment as it is written.
func (s settings) text() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(map[string]any(s))
	return b.Bytes(), err
}

// mine is the fragment of setup, and others are what people wrote beside it.
type mine struct {
	settings
	others map[string]settings // by file
	before []byte              // the fragment as it was; nil: it was not there
}

func (p Place) read() (mine, error) {
	m := mine{others: map[string]settings{}}
	var err error
	if m.settings, err = readSettings(p.fragment()); err != nil {
		return m, err
	}
	if text, err := os.ReadFile(p.fragment()); err == nil {
		m.before = text
	}
	files, err := filepath.Glob(filepath.Join(p.dir(), "conf.d", "*.yaml"))
	if err != nil {
		return m, err
	}
	for _, path := range append([]string{p.Config}, files...) {
		if path == p.fragment() {
			continue
		}
		if m.others[path], err = readSettings(path); err != nil {
			return m, err
		}
	}
	return m, nil
}

// theirs returns what a person set at a path, and in which file.
func (m mine) theirs(path ...string) (v any, file string, ok bool) {
	for file, s := range m.others {
		if v, ok := s.at(path...); ok {
			return v, file, true
		}
	}
	return nil, "", false
}

// want sets a value where nobody set one: said says that a flag asks for it, which rules over an earlier run, and is an error
// where a person's file says otherwise.
func (m mine) want(v any, said bool, path ...string) error {
	if theirs, file, ok := m.theirs(path...); ok {
		if said && fmt.Sprint(theirs) != fmt.Sprint(v) {
			return fmt.Errorf("%v is set in %s: change it there", path, file)
		}
		return nil
	}
	if _, ok := m.at(path...); ok && !said {
		return nil
	}
	m.put(v, path...)
	return nil
}

// same says whether the fragment says the same as before: then it is left as it is, comments included.
func (m mine) same(p Place) bool {
	old, err := readSettings(p.fragment())
	if err != nil || m.before == nil {
		return false
	}
	a, err1 := old.text()
	b, err2 := m.text()
	return err1 == nil && err2 == nil && slices.Equal(a, b)
}

// writeFragment puts the fragment into force: one that the agent would refuse is taken back.
func (j *job) writeFragment(m mine, check func() error) error {
	if m.same(j.Place) {
		j.kept("%s", j.fragment())
		return check()
	}
	text, err := m.text()
	if err != nil {
		return err
	}
	if _, err := j.write(j.fragment(), text); err != nil {
		return err
	}
	if err := check(); err != nil {
		if m.before == nil {
			return errors.Join(err, os.Remove(j.fragment()))
		}
		_, back := j.write(j.fragment(), m.before)
		return errors.Join(err, back)
	}
	j.did("%s", j.fragment())
	return nil
}
