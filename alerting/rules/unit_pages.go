package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/simulate"
	"github.com/navcloud/binnacle/alerting/topology"
)

// pagesFile is what stands beside a test file as NAME.pages.yaml: the pages that its cases lead to, with
// the default waits, all calls accepted at once and nobody acknowledging.
type pagesFile struct {
	Topology string      `yaml:"topology"` // a file of JSON, relative to this one
	Tests    []pagesTest `yaml:"tests"`

	path string
}

type pagesTest struct {
	Name   string         `yaml:"name"`
	Until  model.Duration `yaml:"until"` // how long to watch; at least to the last case
	Expect []expectPage   `yaml:"expect_pages"`

	graph *topology.Graph
}

// expectPage is one page, in order of sending. What is empty is not compared.
type expectPage struct {
	Rule     string         `yaml:"rule"`
	Entity   string         `yaml:"entity"`
	Priority string         `yaml:"priority"`
	By       model.Duration `yaml:"by"` // sent no later than this
}

// readPages reads the sibling of a test file; one that is not there expects nothing.
func readPages(test string) (pagesFile, error) {
	p := pagesFile{path: strings.TrimSuffix(test, filepath.Ext(test)) + ".pages.yaml"}
	if _, err := os.Stat(p.path); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err := decodeStrict(p.path, &p); err != nil {
		return p, err
	}
	var graph *topology.Graph
	if p.Topology != "" {
		var err error
		if graph, err = topology.Load(filepath.Join(filepath.Dir(p.path), p.Topology)); err != nil {
			return p, fmt.Errorf("%s: %w", p.path, err)
		}
	}
	for i := range p.Tests {
		p.Tests[i].graph = graph
	}
	return p, nil
}

func (p pagesFile) of(name string) *pagesTest {
	for i := range p.Tests {
		if p.Tests[i].Name == name {
			return &p.Tests[i]
		}
	}
	return nil
}

// timeline is a router that lives through a test, and the pages that it sends.
type timeline struct {
	*simulate.Player
	start, at time.Time // of the test, of the evaluation under way
}

func newTimeline(t *pagesTest, start time.Time) (*timeline, error) {
	set := alerting.DefaultSettings()
	if err := set.Validate(); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	return &timeline{simulate.New(simulate.Options{Settings: set, Graph: t.graph}), start, start}, nil
}

// take takes what an evaluation says of alarms.
func (l *timeline) take(in []alerting.Input) {
	for _, i := range in {
		l.Add(simulate.Event{At: l.at, In: i})
	}
}

// sentPage is one page.
type sentPage struct {
	after time.Duration
	page  alerting.Page
}

func (s sentPage) String() string {
	return fmt.Sprintf("%s %s on %s after %s", s.page.Priority, s.page.Rule, s.page.Entity, s.after)
}

// sent are the pages so far.
func (l *timeline) sent() (out []sentPage) {
	for _, c := range l.Calls() {
		if c.Action.Kind == alerting.Trigger {
			out = append(out, sentPage{c.At.Sub(l.start), c.Action.Page})
		}
	}
	return out
}

// compare tells what differs between the pages sent and those expected.
func (t *pagesTest) compare(sent []sentPage) (faults []error) {
	if len(sent) != len(t.Expect) {
		faults = append(faults, fmt.Errorf("expect_pages: want %d pages, have %d: %v", len(t.Expect), len(sent), sent))
	}
	for i := range min(len(sent), len(t.Expect)) {
		want, got := t.Expect[i], sent[i]
		for _, c := range []struct{ what, want, got string }{
			{"rule", want.Rule, got.page.Rule},
			{"entity", want.Entity, got.page.Entity},
			{"priority", want.Priority, got.page.Priority.String()},
		} {
			if c.want != "" && c.want != c.got {
				faults = append(faults, fmt.Errorf("page %d: want %s %s, have %s", i+1, c.what, c.want, got))
			}
		}
		if want.By != 0 && got.after > time.Duration(want.By) {
			faults = append(faults, fmt.Errorf("page %d: want it within %s, have %s", i+1, want.By, got))
		}
	}
	return faults
}
