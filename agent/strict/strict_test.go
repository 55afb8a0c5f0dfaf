package strict

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Name  string        `yaml:"name"`
	Wait  time.Duration `yaml:"wait"`
	Tags  map[string]string
	List  []string
	Inner inner
	Loose loose
}

type loose struct {
	Off  bool `yaml:"-"`
	Each int
	By   Sections
}

type inner struct {
	Off   bool `yaml:"-"`
	Count int
	Limit int
}

func (i inner) Validate() error {
	var errs []error
	if i.Count < 0 {
		errs = append(errs, errors.New("count: -1 is below 0"))
	}
	if i.Limit > 10 {
		errs = append(errs, errors.New("limit: 11 is above 10"))
	}
	return errors.Join(errs...)
}

func decode(t *testing.T, text string) (sample, error) {
	t.Helper()
	d, err := Parse("a.yaml", []byte(text))
	if err != nil {
		return sample{}, err
	}
	s := sample{Name: "default", Inner: inner{Count: 1}}
	return s, d.Decode(&s)
}

func TestDecodeTellsEveryFaultWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"an unknown name":           {"nane: x\n", `a.yaml:1:1: nane: unknown name; did you mean "name"?`},
		"a name near nothing":       {"zzzzzz: x\n", `a.yaml:1:1: zzzzzz: unknown name`},
		"two faults at once":        {"wait: soon\nlist: {a: b}\n", "a.yaml:1:7: wait: want a duration such as 30s, 5m or 15d, have \"soon\"\na.yaml:2:7: list: want a list, have names and values"},
		"a number that is none":     {"inner:\n  count: many\n", `a.yaml:2:10: inner.count: want a whole number, have "many"`},
		"a value out of bounds":     {"inner: {count: -1, limit: 11}\n", "a.yaml:1:16: inner.count: -1 is below 0\na.yaml:1:27: inner.limit: 11 is above 10"},
		"faults of both kinds":      {"nane: x\ninner: {count: many, limit: 11}\n", "a.yaml:1:1: nane: unknown name; did you mean \"name\"?\na.yaml:2:16: inner.count: want a whole number, have \"many\"\na.yaml:2:29: inner.limit: 11 is above 10"},
		"a text in place of a tree": {"inner: yes\n", `a.yaml:1:8: inner: want settings or the word off, have "yes"`},
		"a name set twice":          {"name: a\nname: b\n", `a.yaml:2:1: name is set twice`},
		"broken YAML":               {"name: [\n", "a.yaml:1:1: did not find expected node content"},
		"an alias":                  {"name: &a x\nlist: [*a]\n", "a.yaml:1:7: anchors and aliases are not supported"},
		"a list for the whole":      {"- a\n", `a.yaml:1:1: want sections such as "collect:", have a list`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(t, tc.in)
			if err == nil || err.Error() != tc.want {
				t.Errorf("decode(%q) = %v; want %v", tc.in, err, tc.want)
			}
		})
	}
}

func TestDecodeKeepsDefaultsAndReadsValues(t *testing.T) {
	s, err := decode(t, "wait: 2d\ntags: {a: b}\nlist: one\nloose: {x: {count: 3}, y: off}\ninner:\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "default" || s.Wait != 48*time.Hour || s.Tags["a"] != "b" || len(s.List) != 1 || s.Inner.Count != 1 {
		t.Errorf("decode = %+v", s)
	}
	in := inner{Limit: 5}
	x := s.Loose.By["x"]
	if err := x.Decode(&in); err != nil || in.Count != 3 || in.Limit != 5 || x.Off() {
		t.Errorf("section x = %+v, off %v, %v", in, x.Off(), err)
	}
	if y := s.Loose.By["y"]; !y.Off() {
		t.Error("section y is not off")
	}
	with, without := x.Split("limit")
	if err := with.Decode(&in); err != nil || without.Decode(&in) != nil || in.Count != 3 {
		t.Errorf("Split = %+v, %v", in, err)
	}
	if s, err := decode(t, "inner: off\n"); err != nil || !s.Inner.Off {
		t.Errorf("inner: off = %+v, %v", s.Inner, err)
	}
	if s, err := decode(t, ""); err != nil || s.Name != "default" {
		t.Errorf("an empty file = %+v, %v", s, err)
	}
}

func TestLoadJoinsConfD(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("b.yaml", "name: base\ninner: {count: 2}\n")
	write("conf.d/10.yaml", "inner: {limit: 3}\nlist: [x]\n")
	d, err := Load(filepath.Join(dir, "b.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var s sample
	if err := d.Decode(&s); err != nil || s.Name != "base" || s.Inner.Count != 2 || s.Inner.Limit != 3 || len(s.List) != 1 {
		t.Errorf("joined = %+v, %v", s, err)
	}

	write("conf.d/20.yaml", "name: again\n")
	_, err = Load(filepath.Join(dir, "b.yaml"))
	if err == nil || !strings.Contains(err.Error(), "20.yaml:1:1: name is already set at ") || !strings.Contains(err.Error(), "b.yaml:1") {
		t.Errorf("Load of a value set twice = %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\ninner: {count: 1}\nloose: {x: off}\n"))
	f.Add([]byte("wait: 9999999999d\nlist: [[[]]]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse("f", b)
		if err != nil {
			return
		}
		var s sample
		_ = d.Decode(&s) // it must return, whatever the text
	})
}
