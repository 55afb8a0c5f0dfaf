package logs

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options are the section collect.logs: logs by name.
type Options map[string]Log

// Log is files that are read as one.
type Log struct {
	Files    []string  `yaml:"files"`    // absolute paths, with * and ? as in a shell
	Journal  *Journal  `yaml:"journal"`  // systemd's journal, in place of files
	Begin    string    `yaml:"begin"`    // RE2 of the first line of an entry of several lines; each line is one where there is none
	Patterns []Pattern `yaml:"patterns"` // each is tried on each entry
}

// Pattern makes a figure, or an alarm, of the entries that it matches.
type Pattern struct {
	Name      string            `yaml:"name"`       // of the figure, as Prometheus has them; of the alarm
	Kind      string            `yaml:"kind"`       // counter, gauge or timer; counter
	Match     string            `yaml:"match"`      // RE2
	Value     string            `yaml:"value"`      // group whose number is the figure: its name, or 1 and so on (gauge, timer)
	Scale     float64           `yaml:"scale"`      // the number is multiplied by it, 0.001 for milliseconds; 1
	Labels    map[string]string `yaml:"labels"`     // label: text with $name or $1 of the match
	MaxSeries int               `yaml:"max_series"` // 1 to 10000; 200
	Alarm     string            `yaml:"alarm"`      // warning or critical: the matches are an alarm as well
	Above     int               `yaml:"above"`      // matches within the time that it takes for one; 1
	Within    time.Duration     `yaml:"within"`     // 10s to 24h; after as long without, it ends; 5m
	Evidence  *bool             `yaml:"evidence"`   // whether the last line that matched is shown in pages; true
}

// Kinds of a pattern.
const (
	kindCounter = "counter"
	kindGauge   = "gauge"
	kindTimer   = "timer"
)

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	metricForm = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$`)
	labelForm  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

func (p Pattern) withDefaults() Pattern {
	if p.Kind == "" {
		p.Kind = kindCounter
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	if p.MaxSeries == 0 {
		p.MaxSeries = 200
	}
	if p.Above == 0 {
		p.Above = 1
	}
	if p.Within == 0 {
		p.Within = 5 * time.Minute
	}
	return p
}

// Validate says what is out of bounds.
func (o Options) Validate() error {
	var errs []error
	kinds := map[string]string{}
	for name, l := range o {
		if !nameForm.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: want a name of letters, digits, '_', '-' and '.', at most 64", name))
			continue
		}
		for _, err := range l.faults() {
			errs = append(errs, fmt.Errorf("%s.%w", name, err))
		}
		for i, p := range l.Patterns {
			p = p.withDefaults()
			if kind, ok := kinds[p.Name]; ok && kind != p.Kind {
				errs = append(errs, fmt.Errorf("%s.patterns: [%d] name: %s is a %s elsewhere", name, i, p.Name, kind))
			}
			kinds[p.Name] = p.Kind
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (l Log) faults() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case len(l.Files) == 0 && l.Journal == nil:
		bad("files: want one or more, or journal")
	case l.Journal != nil && len(l.Files) > 0:
		bad("journal: files are another log")
	case l.Journal != nil && l.Begin != "":
		bad("begin: an entry of the journal is whole")
	}
	if l.Journal != nil {
		errs = append(errs, l.Journal.faults()...)
	}
	for _, f := range l.Files {
		if _, err := filepath.Match(f, ""); err != nil || !filepath.IsAbs(f) {
			bad("files: want absolute paths, with * and ? as in a shell, have %q", f)
		}
	}
	if _, err := regexp.Compile(l.Begin); err != nil {
		bad("begin: %v", err)
	}
	if len(l.Patterns) == 0 {
		bad("patterns: want one or more")
	}
	for i, p := range l.Patterns {
		for _, text := range p.withDefaults().faults() {
			bad("patterns: [%d] %s", i, text)
		}
	}
	return errs
}

func (p Pattern) faults() (out []string) {
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !metricForm.MatchString(p.Name) {
		bad("name: want one as Prometheus has them, have %q", p.Name)
	}
	if !slices.Contains([]string{kindCounter, kindGauge, kindTimer}, p.Kind) {
		bad("kind: %q is none of counter, gauge, timer", p.Kind)
	}
	re, err := regexp.Compile(p.Match)
	switch {
	case p.Match == "":
		bad("match: want one")
	case err != nil:
		bad("match: %v", err)
	case (p.Kind == kindGauge || p.Kind == kindTimer) != (p.Value != ""):
		bad("value: want the group with the number, for the kinds gauge and timer alone")
	case p.Value != "" && group(re, p.Value) < 0:
		bad("value: match has no group %q", p.Value)
	}
	for label := range p.Labels {
		if !labelForm.MatchString(label) || label == "log" || label == "job" || label == "instance" {
			bad("labels: %q cannot be one", label)
		}
	}
	if p.MaxSeries < 1 || p.MaxSeries > 10000 {
		bad("max_series: %d is outside 1 to 10000", p.MaxSeries)
	}
	if p.Alarm != "" && p.Alarm != "warning" && p.Alarm != "critical" {
		bad("alarm: %q is neither warning nor critical", p.Alarm)
	}
	if p.Above < 1 || p.Above > 1e6 {
		bad("above: %d is outside 1 to 1000000", p.Above)
	}
	if p.Within < 10*time.Second || p.Within > 24*time.Hour {
		bad("within: %v is outside 10s to 24h", p.Within)
	}
	return out
}

// group is the index of a group by its name or number; -1: there is none.
func group(re *regexp.Regexp, name string) int {
	if i := re.SubexpIndex(name); i >= 0 {
		return i
	}
	for i := 1; i <= re.NumSubexp(); i++ {
		if fmt.Sprint(i) == name {
			return i
		}
	}
	return -1
}
