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
	"github.com/navcloud/binnacle/alerting/router"
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

// timeline feeds a router in simulated time and keeps the pages that it sends.
type timeline struct {
	router *router.Router
	in     []alerting.Input
	sent   []sentPage
}

type sentPage struct {
	after time.Duration
	page  alerting.Page
}

func (s sentPage) String() string {
	return fmt.Sprintf("%s %s on %s after %s", s.page.Priority, s.page.Rule, s.page.Entity, s.after)
}

func newTimeline(t *pagesTest) (*timeline, error) {
	set := alerting.DefaultSettings()
	if err := set.Validate(); err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	l := &timeline{router: router.New(set)}
	if t.graph != nil {
		l.take([]alerting.Input{alerting.Topology{Graph: t.graph}})
	}
	return l, nil
}

func (l *timeline) take(in []alerting.Input) { l.in = append(l.in, in...) }

// pass steps the router from now until before end, as often as it asks for, and answers its calls.
func (l *timeline) pass(start, now, end time.Time) {
	for now.Before(end) {
		actions, next := l.router.Step(now, l.in)
		l.in = nil
		for _, a := range actions {
			if a.Kind == alerting.Trigger {
				l.sent = append(l.sent, sentPage{now.Sub(start), a.Page})
			}
			l.in = append(l.in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		}
		switch {
		case len(l.in) > 0:
			next = now.Add(answerAfter)
		case next.IsZero():
			return // the router waits for nothing
		}
		now = next
	}
}

// answerAfter is how long the pager takes to answer.
const answerAfter = 100 * time.Millisecond

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
