package importer

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

func isPrometheus(_ File, top map[string]any) bool {
	for _, key := range []string{"scrape_configs", "rule_files", "scrape_config_files", "alerting", "remote_write", "remote_read", "otlp", "storage", "global"} {
		if top[key] != nil && top["groups"] == nil {
			return true
		}
	}
	return false
}

// ofJobs are settings of global that a job has as well.
// Source: github.com/prometheus/prometheus v0.316 config, read 30 November 2026.
var ofJobs = []string{
	"scrape_interval", "scrape_timeout", "scrape_protocols", "body_size_limit", "sample_limit", "label_limit", "label_name_length_limit",
	"label_value_length_limit", "target_limit", "keep_dropped_targets", "metric_name_validation_scheme", "metric_name_escaping_scheme",
	"always_scrape_classic_histograms", "convert_classic_histograms_to_nhcb", "scrape_native_histograms", "scrape_fallback_protocol",
}

// withoutCounterpart are parts of a prometheus.yml, with the reason.
var withoutCounterpart = map[string]string{
	"remote_read": "binnacle answers from its own store alone",
	"storage":     "the store has settings of its own: store.retention, store.retention_size",
	"tracing":     "binnacle sends no traces",
	"otlp":        "OTLP is received with the settings of binnacle",
	"runtime":     "the Go runtime is set by its environment",
}

// prometheus takes scrape jobs, rules, remote-write and the labels of the outside.
func (r *Result) prometheus(f File, top map[string]any) error {
	global := section(top, "global")
	common := map[string]any{}
	for _, key := range sorted(global) {
		switch {
		case slices.Contains(ofJobs, key):
			common[key] = global[key]
		case key == "evaluation_interval":
			r.evaluation(f, text(global[key]))
		case key == "external_labels":
			put(r.Config, global[key], "rules", "external_labels")
		default:
			r.report(f, "global.%s: no counterpart", key)
		}
	}
	for _, key := range sorted(top) {
		if why := withoutCounterpart[key]; why != "" {
			r.report(f, "%s: no counterpart: %s", key, why)
		} else if !slices.Contains([]string{"global", "rule_files", "scrape_config_files", "scrape_configs", "alerting", "remote_write"}, key) {
			r.report(f, "%s: no counterpart", key)
		}
	}
	r.ruleFiles(f, list(top["rule_files"]))
	r.jobs(f, list(top["scrape_configs"]), common)
	for _, pattern := range list(top["scrape_config_files"]) {
		for _, path := range r.matching(f, text(pattern)) {
			if more := r.included(f, path); more != nil {
				var of map[string]any
				if err := yaml.Unmarshal(more.Text, &of); err != nil {
					r.report(f, "%s: not read: %v", path, err)
					continue
				}
				r.jobs(*more, list(of["scrape_configs"]), common)
			}
		}
	}
	alerting := section(top, "alerting")
	for _, key := range sorted(alerting) {
		if key == "alertmanagers" {
			r.report(f, "alerting.alertmanagers: no counterpart: binnacle routes alarms itself: import the alertmanager.yml, and in shadow mode add binnacle to this list")
		} else {
			r.report(f, "alerting.%s: no counterpart: intake.map changes how alarms are read", key)
		}
	}
	for i, w := range list(top["remote_write"]) {
		m, _ := w.(map[string]any)
		r.remoteWrite(f, firstText(text(m["name"]), fmt.Sprintf("remote_write[%d]", i)), m)
	}
	return nil
}

func (r *Result) evaluation(f File, interval string) {
	d, err := model.ParseDuration(interval)
	if err != nil || time.Duration(d) < time.Second || time.Duration(d) > 5*time.Minute {
		r.report(f, "global.evaluation_interval: %s is outside 1s to 5m: rules are evaluated every 15 s", interval)
		return
	}
	put(r.Config, interval, "rules", "interval")
}

func (r *Result) ruleFiles(f File, patterns []any) {
	for _, pattern := range patterns {
		for _, path := range r.matching(f, text(pattern)) {
			more := r.included(f, path)
			if more == nil {
				continue
			}
			var top map[string]any
			if err := yaml.Unmarshal(more.Text, &top); err != nil || top["groups"] == nil {
				r.report(f, "%s: left out: it is no file of rules", path)
				continue
			}
			if err := r.rules(*more, top); err != nil {
				r.report(f, "%s: left out: %v", path, err)
			}
		}
	}
}

// jobs takes entries of scrape_configs, with what global says for all.
func (r *Result) jobs(f File, all []any, common map[string]any) {
	for i, one := range all {
		m, _ := one.(map[string]any)
		if m == nil {
			r.report(f, "scrape_configs[%d]: left out: it is no job", i)
			continue
		}
		job, targets := maps.Clone(common), false
		for _, key := range sorted(m) {
			kind, sd := strings.CutSuffix(key, "_sd_configs")
			switch {
			case key == "static_configs", sd && slices.Contains([]string{"file", "dns", "http"}, kind):
				targets = targets || len(list(m[key])) > 0
				job[key] = m[key]
			case sd:
				r.report(f, "job %s: %s: no counterpart: binnacle discovers targets by static, file, DNS and HTTP: have a program write a file_sd file", text(m["job_name"]), key)
			default:
				job[key] = m[key]
			}
		}
		if !targets {
			r.report(f, "job %s: left out: none of its targets can be found here", text(m["job_name"]))
			continue
		}
		absolute(filepath.Dir(f.Path), job)
		r.job(f, job)
	}
	if len(all) > 0 {
		r.once(f, "scrape_configs: a target of over 50,000 samples or 10 MB is refused unless its job sets sample_limit and body_size_limit")
	}
}

// absolute makes paths of files those that they are beside the file that names them.
func absolute(dir string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch x := x.(type) {
			case string:
				if strings.HasSuffix(k, "_file") && x != "" && !filepath.IsAbs(x) {
					v[k] = filepath.Join(dir, x)
				}
			case []any:
				for i, p := range x {
					if s, ok := p.(string); ok && k == "files" && !filepath.IsAbs(s) {
						x[i] = filepath.Join(dir, s)
					}
				}
				absolute(dir, x)
			default:
				absolute(dir, x)
			}
		}
	case []any:
		for _, x := range v {
			absolute(dir, x)
		}
	}
}
