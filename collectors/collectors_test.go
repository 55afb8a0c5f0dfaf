package collectors

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/navcloud/binnacle/agent/metric"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata/*.txtar")

// noFixture names the collectors that a fixture can't feed, and why: what they gather is sent to them
// while they run, so there is no world to lay out before one Collect. Each has tests of its own.
var noFixture = map[string]string{
	"statsd": "clients send to its sockets",
}

// TestFixtures plays testdata/<collector>.txtar and <collector>-<situation>.txtar, as README.md in this folder says.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, file := range files {
		base := strings.TrimSuffix(filepath.Base(file), ".txtar")
		name, _, _ := strings.Cut(base, "-")
		have[name] = true
		t.Run(base, func(t *testing.T) {
			spec, ok := Lookup(name)
			if !ok {
				t.Fatalf("%s: no collector has the name %q", file, name)
			}
			playFixture(t, spec, file)
		})
	}
	for _, spec := range All() {
		if !have[spec.Name] && noFixture[spec.Name] == "" {
			t.Errorf("collector %s has no fixture: testdata/%s.txtar", spec.Name, spec.Name)
		}
	}
	for name := range noFixture {
		if have[name] {
			t.Errorf("collector %s has a fixture and stands in noFixture", name)
		}
	}
}

func playFixture(t *testing.T, spec Spec, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ar := txtar.Parse(text)
	var got, want string
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // so that an answer that hangs takes no time
		c, env := newCollector(t, spec, root, ar)
		b, err := collectOnce(spec, c, env)
		checkBatch(t, spec, b)
		got = show(b, err, env.Root)
	})
	at := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
	if at >= 0 {
		want = string(ar.Files[at].Data)
	}
	got = forgive(got, want)
	if got == want && at >= 0 {
		return
	}
	if !*update {
		t.Errorf("%s: got\n%swant\n%s(go test ./collectors -update accepts what came)", file, got, want)
		return
	}
	if at < 0 {
		ar.Files = append(ar.Files, txtar.File{Name: "want"})
		at = len(ar.Files) - 1
	}
	ar.Files[at].Data = []byte(got)
	if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newCollector makes spec's collector in the world of ar, laid out below root.
func newCollector(t *testing.T, spec Spec, root string, ar *txtar.Archive) (Collector, Env) {
	t.Helper()
	env := newEnv(t, root, ar)
	env.Options = fixtureOptions(t, spec, ar)
	c, err := spec.New(env)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c, env
}

// newEnv is the world of ar: its files below root, its answers behind HTTP. It dials nothing.
func newEnv(t *testing.T, root string, ar *txtar.Archive) Env {
	t.Helper()
	answers := fixtureHTTP{}
	for _, f := range ar.Files {
		switch url, isHTTP := strings.CutPrefix(f.Name, "http/"); {
		case f.Name == "want", f.Name == "options":
		case isHTTP:
			answers.add(t, url, f.Data)
		default:
			layOut(t, root, f)
		}
	}
	return Env{
		Root: root, Node: "node-1", HTTP: answers, Dial: dialNothing, Now: time.Now,
		Log:  slog.New(slog.NewTextHandler(t.Output(), nil)),
		Self: func(*metric.Batch) {},
	}
}

// layOut writes one file. "path -> target" makes a symbolic link, a name that ends in / a folder.
func layOut(t *testing.T, root string, f txtar.File) {
	t.Helper()
	name, target, isLink := strings.Cut(f.Name, " -> ")
	if !filepath.IsLocal(name) {
		t.Fatalf("%q leads out of the root", f.Name)
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	dir := filepath.Dir(path)
	if strings.HasSuffix(name, "/") {
		dir = path
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	switch {
	case dir == path:
	case isLink:
		err = os.Symlink(target, path)
	default:
		err = os.WriteFile(path, f.Data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fixtureOptions decodes the section options, YAML, into a copy of the defaults; an unknown key is a fault.
func fixtureOptions(t *testing.T, spec Spec, ar *txtar.Archive) any {
	t.Helper()
	if spec.Options == nil {
		return nil
	}
	o := reflect.New(reflect.TypeOf(spec.Options))
	o.Elem().Set(reflect.ValueOf(spec.Options))
	for _, f := range ar.Files {
		if f.Name != "options" {
			continue
		}
		d := yaml.NewDecoder(bytes.NewReader(f.Data))
		d.KnownFields(true)
		if err := d.Decode(o.Interface()); err != nil {
			t.Fatalf("options: %v", err)
		}
	}
	return o.Elem().Interface()
}

// collectOnce does what the schedule does: the root in the context, a deadline, a batch with its time.
func collectOnce(spec Spec, c Collector, env Env) (*metric.Batch, error) {
	deadline := spec.Deadline
	if deadline == 0 {
		deadline = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(WithRoot(context.Background(), env.Root), deadline)
	defer cancel()
	b := &metric.Batch{Time: env.Now()}
	err := c.Collect(ctx, b)
	return b, err
}

// checkBatch tests what holds for every collector: metrics are declared, values are numbers, and no series occurs twice.
func checkBatch(t *testing.T, spec Spec, b *metric.Batch) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range b.Samples {
		key := s.Desc.Name + s.Labels.String()
		if !slices.Contains(spec.Metrics, s.Desc) {
			t.Errorf("%s is not in Spec.Metrics", s.Desc.Name)
		}
		if seen[key] {
			t.Errorf("%s occurs twice", key)
		}
		seen[key] = true
		if s.Hist == nil && (math.IsNaN(s.Value) || math.IsInf(s.Value, 0)) {
			t.Errorf("%s is %v", key, s.Value)
		}
	}
}

// show writes b as sorted lines, and after them the error.
func show(b *metric.Batch, err error, root string) string {
	var lines []string
	for _, s := range b.Samples {
		name := s.Desc.Name
		if len(s.Labels) > 0 {
			name += s.Labels.String()
		}
		value := strconv.FormatFloat(s.Value, 'f', -1, 64)
		if h := s.Hist; h != nil {
			value = fmt.Sprintf("count=%g sum=%g min=%g max=%g", h.Count, h.Sum, h.Min, h.Max)
		}
		lines = append(lines, name+" "+value)
	}
	for _, e := range b.Events {
		lines = append(lines, fmt.Sprintf("event level=%d %q %q%v", e.Level, e.Title, e.Text, e.Labels))
	}
	slices.Sort(lines)
	switch {
	case errors.Is(err, ErrAbsent):
		lines = append(lines, "absent "+err.Error())
	case err != nil:
		lines = append(lines, "error "+err.Error())
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.ReplaceAll(strings.Join(lines, "\n")+"\n", root, "")
}

// forgive makes got say what want says of values that no fixture can know, such as a count of goroutines: * is any
// value, ? any or none.
func forgive(got, want string) string {
	word := map[string]string{}
	var out []string
	for line := range strings.Lines(want) {
		name, isAny := strings.CutSuffix(line, " *\n")
		if isAny {
			word[name] = "*"
		}
		if name, isMaybe := strings.CutSuffix(line, " ?\n"); isMaybe {
			word[name] = "?"
			out = append(out, line)
		}
	}
	for line := range strings.Lines(got) {
		name := line[:max(0, strings.LastIndexByte(line, ' '))]
		switch word[name] {
		case "*":
			out = append(out, name+" *\n")
		case "":
			out = append(out, line)
		}
	}
	slices.SortStableFunc(out, order)
	return strings.Join(out, "")
}

// order is by text, what is no sample last.
func order(a, b string) int {
	return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a, b)*(1-last(a)))
}

func last(line string) int {
	if strings.HasPrefix(line, "error ") || strings.HasPrefix(line, "absent ") {
		return 1
	}
	return 0
}

func TestForgiveTakesOnlyWhatWantLeavesOpen(t *testing.T) {
	want := "a *\nb ?\nc ?\nd 1\n"
	if got := forgive("a 7\nb 8\nd 1\n", want); got != want {
		t.Errorf("forgive: %q, want %q", got, want)
	}
	for _, wrong := range []string{"b 8\nd 1\n", "a 7\nd 2\n", "a 7\nd 1\ne 5\n"} {
		if got := forgive(wrong, want); got == want {
			t.Errorf("forgive(%q) hides a difference from %q", wrong, want)
		}
	}
}
