package scrape

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/dns"
	"github.com/prometheus/prometheus/discovery/file"
	"github.com/prometheus/prometheus/discovery/http"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
)

// Options are the section collect.scrape.
type Options struct {
	Jobs           []Job `yaml:"jobs"`             // entries of scrape_configs, as Prometheus has them
	AllowLinkLocal bool  `yaml:"allow_link_local"` // lets targets stand at 169.254.0.0/16, fe80::/10 and the address of EC2's metadata
}

// Job is one entry of scrape_configs, kept as text: the library's own form holds what cannot be compared.
type Job struct {
	Name string
	text string // YAML, references resolved: it may hold secrets, and is never shown
}

// Validate says what is out of bounds.
func (o Options) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, j := range o.Jobs {
		if seen[j.Name] {
			errs = append(errs, fmt.Errorf("jobs[%d]: job_name %q occurs twice", i, j.Name))
		}
		seen[j.Name] = true
	}
	return errors.Join(errs...)
}

// UnmarshalYAML checks an entry as Prometheus would.
func (j *Job) UnmarshalYAML(n *yaml.Node) error {
	own, err := resolve(n)
	if err != nil {
		return err
	}
	withFallback(own)
	text, err := yaml.Marshal(own)
	if err != nil {
		return err
	}
	j.text = string(text)
	cfg, err := load(*j)
	if err != nil {
		return errors.New(plain(err))
	}
	j.Name = cfg[0].JobName
	return check(cfg[0])
}

// MarshalYAML shows an entry with its defaults and without its secrets.
func (j Job) MarshalYAML() (any, error) {
	cfg, err := load(j)
	if err != nil {
		return nil, err
	}
	shown, err := yaml.Marshal(cfg[0])
	if err != nil {
		return nil, err
	}
	var out yaml.Node
	if err := yaml.Unmarshal(shown, &out); err != nil || len(out.Content) == 0 {
		return nil, err
	}
	return out.Content[0], nil
}

// resolve returns n with the values of ${env:NAME} and ${file:PATH}.
func resolve(n *yaml.Node) (*yaml.Node, error) {
	out := *n
	if n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "${env:") || strings.Contains(n.Value, "${file:")) {
		var s secret.Secret
		if err := n.Decode(&s); err != nil {
			return nil, err
		}
		out.Value = s.Reveal()
		return &out, nil
	}
	out.Content = nil
	for _, c := range n.Content {
		own, err := resolve(c)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, own)
	}
	return &out, nil
}

// withFallback reads an answer without a known Content-Type as text, as Prometheus 2 does: exporters of devices and scripts
// have none. Prometheus 3 refuses them until the job says this.
func withFallback(job *yaml.Node) {
	const key = "fallback_scrape_protocol"
	if job.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i < len(job.Content); i += 2 {
		if job.Content[i].Value == key {
			return
		}
	}
	scalar := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text} }
	job.Content = append(job.Content, scalar(key), scalar("PrometheusText0.0.4"))
}

// Defaults that Prometheus does not have: a target that exposes more is refused as a whole, and says so.
const (
	sampleLimit    = 50_000
	bodySizeLimit  = "10MB"
	scrapeInterval = 15 * time.Second
	scrapeTimeout  = 10 * time.Second
)

// load reads entries as Prometheus reads its own file.
func load(jobs ...Job) ([]*config.ScrapeConfig, error) {
	whole, err := loadConfig(jobs...)
	if err != nil {
		return nil, err
	}
	cfg, err := whole.GetScrapeConfigs()
	if err != nil {
		return nil, err
	}
	if len(cfg) != len(jobs) {
		return nil, fmt.Errorf("want %d jobs, have %d", len(jobs), len(cfg))
	}
	return cfg, nil
}

func loadConfig(jobs ...Job) (*config.Config, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "global: {scrape_interval: %v, scrape_timeout: %v, sample_limit: %d, body_size_limit: %s}\nscrape_configs:\n",
		scrapeInterval, scrapeTimeout, sampleLimit, bodySizeLimit)
	for _, j := range jobs {
		for i, line := range strings.Split(strings.TrimRight(j.text, "\n"), "\n") {
			indent := "  "
			if i == 0 {
				indent = "- "
			}
			text.WriteString(indent + line + "\n")
		}
	}
	return config.Load(text.String(), slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// check refuses what would fail without a word later, or mean another file than was written.
func check(c *config.ScrapeConfig) error {
	var errs []error
	for _, d := range c.ServiceDiscoveryConfigs {
		switch d := d.(type) {
		case discovery.StaticConfig, *http.SDConfig, *dns.SDConfig:
		case *file.SDConfig:
			for _, f := range d.Files {
				if !filepath.IsAbs(f) {
					errs = append(errs, fmt.Errorf("file_sd_configs: %s: want an absolute path", f))
				}
			}
		}
	}
	if len(c.ServiceDiscoveryConfigs) == 0 {
		errs = append(errs, fmt.Errorf("job_name %s: no targets: want static_configs, file_sd_configs, dns_sd_configs or http_sd_configs", c.JobName))
	}
	if slices.Contains([]string{"", "self"}, c.JobName) {
		errs = append(errs, fmt.Errorf("job_name: %q is no name for a job", c.JobName))
	}
	return errors.Join(errs...)
}

// plain takes what the library says of its own lines and types out of an error: its lines are not those of the file.
func plain(err error) string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "yaml: unmarshal errors:"))
		if rest, ok := strings.CutPrefix(line, "line "); ok {
			if _, after, ok := strings.Cut(rest, ": "); ok {
				line = after
			}
		}
		if field, _, ok := strings.Cut(strings.TrimPrefix(line, "field "), " not found in type "); ok && strings.HasPrefix(line, "field ") {
			line = field + ": unknown name, or a discovery that is not built in (static, file, dns and http are)"
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}
