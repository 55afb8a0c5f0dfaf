package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestImportWritesWhatCheckAccepts goes the way of a team: import, check; and check of the file that they had.
func TestImportWritesWhatCheckAccepts(t *testing.T) {
	t.Setenv("DC", "eu")
	for _, file := range []string{"prometheus.yml", "telegraf.conf", "amazon-cloudwatch-agent.json", "statsd.js", "dd/datadog.yaml", "nagios/nagios.cfg", "mimir.yaml"} {
		from, to := filepath.Join("importer", "testdata", file), filepath.Join(t.TempDir(), "out")
		wants(t, 0, []string{"import", from, "-o", to}, "wrote "+filepath.Join(to, "binnacle.yaml"))
		wants(t, 0, []string{"check", "--config", filepath.Join(to, "binnacle.yaml")}, "shadow")
		wants(t, 3, []string{"import", from, "-o", to}, "is there already: nothing was written")
		entries, err := filepath.Glob(filepath.Join(to, "secrets", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := os.Stat(e); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; want 0600", e, info.Mode(), err)
			}
		}
	}
	wants(t, 2, []string{"check", "--config", filepath.Join("importer", "testdata", "prometheus.yml")}, "is a prometheus.yml: `binnacle import ")
	wants(t, 3, []string{"import", filepath.Join("importer", "importer.go")}, "not read: want a nagios.cfg")
}
