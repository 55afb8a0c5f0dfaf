package strict

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		"a name near nothing":       {"zzzzzz: x\n", `a.yaml:1:1: zzzzzz: unknown name; it is one of name, wait, tags, list, inner, loose`},
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

func TestTheEnvironmentStandsWhereItIsNamed(t *testing.T) {
	t.Setenv("STRICT_NAME", "zz")
	t.Setenv("STRICT_N", "7")
	t.Setenv("STRICT_WAIT", "2d")
	t.Setenv("STRICT_EMPTY", "")
	s, err := decode(t, "name: '${env:STRICT_NAME}-1'\nwait: ${env:STRICT_WAIT}\ninner:\n  count: '${env:STRICT_N}'\n  limit: ${env:STRICT_N}\nlist: ['a ${env:STRICT_NAME} b', '${HOME}']\ntags: {t: '${env:STRICT_EMPTY}'}\n")
	if err != nil || s.Name != "zz-1" || s.Wait != 48*time.Hour || s.Inner.Count != 7 || s.Inner.Limit != 7 || s.List[0] != "a zz b" || s.List[1] != "${HOME}" || s.Tags["t"] != "" {
		t.Errorf("decode = %+v, %v", s, err)
	}
	for in, want := range map[string]string{
		"name: '${env:STRICT_NONE}'\n":      "a.yaml:1:7: name: environment variable STRICT_NONE is not set",
		"tags: {x: '${file:/etc/hosts}'}\n": "a.yaml:1:11: tags.x: ${file:...} is for secrets; want a value, or ${env:NAME}",
		"wait: ${env:STRICT_NAME}\n":        `a.yaml:1:7: wait: want a duration such as 30s, 5m or 15d, have "zz"`,
	} {
		if _, err := decode(t, in); err == nil || err.Error() != want {
			t.Errorf("decode(%q) = %v; want %s", in, err, want)
		}
	}
}

func TestFaultsShowNoPassword(t *testing.T) {
	_, err := decode(t, "wait: http://ann:hunter2@host/\n")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("decode = %v; want a fault without the password", err)
	}
}

func TestWhatStandsInConfD(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "conf.d")
	must(os.MkdirAll(filepath.Join(conf, "sub"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("name: base\n"), 0o644))
	must(os.WriteFile(filepath.Join(conf, "10.yaml"), []byte("\xef\xbb\xbfwait: 20s\r\n"), 0o644))
	must(os.WriteFile(filepath.Join(conf, "20.yml"), []byte("wait: 30s\n"), 0o644))
	must(os.WriteFile(filepath.Join(conf, "10.yaml~"), []byte("wait: 40s\n"), 0o644))
	must(os.WriteFile(filepath.Join(conf, "._10.yaml"), []byte("\x00\x05\x16\x07"), 0o644))
	must(os.Symlink("user@host.1234:5", filepath.Join(conf, ".#10.yaml")))
	d, err := Load(filepath.Join(dir, "b.yaml"))
	must(err)
	var s sample
	must(d.Decode(&s))
	want := []string{
		filepath.Join(conf, "10.yaml~") + " is not read: its name does not end in .yaml",
		filepath.Join(conf, "20.yml") + " is not read: its name does not end in .yaml",
		filepath.Join(conf, "sub") + " is not read: it is a folder",
	}
	if s.Wait != 20*time.Second || strings.Join(d.Notes, "\n") != strings.Join(want, "\n") {
		t.Errorf("wait %v, notes\n%s\nwant 20s,\n%s", s.Wait, strings.Join(d.Notes, "\n"), strings.Join(want, "\n"))
	}
}

// A document is asked by many at once: parts of it are taken while it is in use.
func TestSplitChangesNothing(t *testing.T) {
	d, err := Parse("a.yaml", []byte("ship: {a: {kind: b, n: x}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Ship struct {
			By Sections
		} `yaml:"ship"`
	}
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, own := c.Ship.By["a"].Split("kind")
			var o struct {
				N int `yaml:"n"`
			}
			if err := own.Decode(&o); err == nil || !strings.Contains(err.Error(), "a.yaml:1:") {
				t.Errorf("error = %v; want one at its place", err)
			}
		})
	}
	all.Wait()
}
