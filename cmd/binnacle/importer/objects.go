package importer

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isObject says whether a file holds objects of Kubernetes.
func isObject(_ File, top map[string]any) bool {
	return text(top["kind"]) != "" && (text(top["apiVersion"]) != "" || text(top["kind"]) == "PrometheusRule")
}

// objects takes what objects hold, from one document or many, or a list: rules of PrometheusRule and VMRule, files in a ConfigMap or
// a Secret. It errs where no object is of a kind that is known here.
func (r *Result) objects(f File, _ map[string]any) error {
	dec := yaml.NewDecoder(bytes.NewReader(f.Text))
	known := 0
	for {
		var doc map[string]any
		switch err := dec.Decode(&doc); {
		case err == io.EOF && known == 0:
			return fmt.Errorf("%s: no object in it holds rules or files that are read here", f.Path)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		all := []any{doc}
		of, isList := strings.CutSuffix(text(doc["kind"]), "List")
		if isList {
			all = list(doc["items"])
		}
		for _, o := range all {
			if m, _ := o.(map[string]any); m != nil && r.object(f, firstText(text(m["kind"]), of), m) {
				known++
			}
		}
	}
}

// object takes what one holds, and returns whether its kind is known here.
func (r *Result) object(f File, kind string, m map[string]any) bool {
	name := text(section(m, "metadata")["name"])
	switch kind {
	case "PrometheusRule", "VMRule":
		if r.groups(f, f.Path, ruleName(name), section(m, "spec")) == 0 {
			r.report(f, "%s %s: no rule of it is left", kind, name)
		}
	case "ConfigMap", "Secret":
		return r.filesOf(f, kind, name, m)
	case "ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig":
		r.report(f, "%s %s: left out: binnacle does not discover targets in Kubernetes: name them in collect.scrape, by static, file, DNS or HTTP discovery", kind, name)
	case "AlertmanagerConfig":
		r.report(f, "%s %s: left out: its fields are the operator's own: import the alertmanager.yml that the operator makes of it (the secret alertmanager-NAME-generated)", kind, name)
	case "Prometheus", "Alertmanager", "PrometheusAgent", "ThanosRuler":
		r.report(f, "%s %s: left out: it runs a server in Kubernetes", kind, name)
	default:
		r.report(f, "%s %s: left out: no counterpart", firstText(kind, "an object"), name)
		return false
	}
	return true
}

// filesOf takes the files in a ConfigMap or a Secret, and returns whether there is one that is read here.
func (r *Result) filesOf(f File, kind, name string, m map[string]any) (known bool) {
	files := map[string]any{}
	for key, v := range section(m, "data") {
		if kind == "ConfigMap" {
			files[key] = v
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(text(v)); err != nil {
			r.report(f, "%s %s, %s: left out: its base64 cannot be read", kind, name, key)
		} else {
			files[key] = string(b)
		}
	}
	for key, v := range section(m, "stringData") {
		files[key] = v
	}
	if len(files) == 0 {
		r.report(f, "%s %s: left out: there is no file in it", kind, name)
	}
	for _, key := range sorted(files) {
		in, err := unzipped(key, text(files[key]))
		if err != nil {
			r.report(f, "%s %s, %s: left out: %v", kind, name, key, err)
			continue
		}
		file := File{Path: f.Path + ": " + name + ", " + strings.TrimSuffix(key, ".gz"), Text: []byte(in)}
		k, top, err := kindOf(file)
		if err != nil {
			r.report(f, "%s %s, %s: left out: it is no file that is read here", kind, name, key)
			continue
		}
		known = true
		if err := k.read(r, file, top); err != nil {
			r.report(f, "%s %s, %s: left out: %v", kind, name, key, err)
		}
	}
	return known
}

// maxUnzipped bounds a file that an operator compressed: a Secret has at most 1 MiB.
const maxUnzipped = 16 << 20

// unzipped is a file as it was before an operator compressed it.
func unzipped(key, in string) (string, error) {
	if !strings.HasSuffix(key, ".gz") {
		return in, nil
	}
	z, err := gzip.NewReader(strings.NewReader(in))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(z, maxUnzipped+1))
	if err == nil && len(b) > maxUnzipped {
		err = fmt.Errorf("it has over %d MiB", maxUnzipped>>20)
	}
	return string(b), err
}
