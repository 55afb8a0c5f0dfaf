package importer

import (
	"fmt"
	"path/filepath"
)

// Without leaves out what the configuration at path sets already, since two files of one configuration may not set the same. What
// differs is reported.
func (r *Result) Without(path string, have map[string]any) {
	r.without(path, "", r.Config, have)
}

func (r *Result) without(path, at string, config, have map[string]any) {
	for _, key := range sorted(config) {
		old, set := have[key]
		if !set {
			continue
		}
		part, deep := config[key].(map[string]any)
		was, deeper := old.(map[string]any)
		switch {
		case deep && deeper:
			r.without(path, at+key+".", part, was)
			if len(part) > 0 {
				continue
			}
		case fmt.Sprint(config[key]) != fmt.Sprint(old):
			r.report(File{Path: path}, "%s%s: it is set there: what would be imported is left out", at, key)
		}
		delete(config, key)
	}
}

// Fragment is the file that an import goes to where a main file is there: one of conf.d beside it.
var Fragment = filepath.Join("conf.d", "import.yaml")
