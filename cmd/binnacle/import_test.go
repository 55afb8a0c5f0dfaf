package main

import (
	"os"
	"path/filepath"
	"syscall"
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

// TestImportBesideAPackage imports into the folder of a package: its main file stays, what it sets is left out and reported, and the
// agent's group reads what was written.
func TestImportBesideAPackage(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	mine := "data: " + t.TempDir() + "\nroute:\n  mode: shadow\n"
	put("etc/binnacle.yaml", mine)
	put("etc/conf.d/own.yaml", "interval: 20s\n")
	put("prometheus.yml", "global: {scrape_interval: 30s}\nscrape_configs: [{job_name: node, static_configs: [{targets: ['10.0.0.1:9100']}], basic_auth: {username: u, password: planted}}]\n")
	put("alertmanager.yml", "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'https://a.example/planted'}]}]\n")
	etc := filepath.Join(dir, "etc")
	group := os.Getgid()
	if os.Geteuid() == 0 {
		group = 12345
	}
	if err := os.Chown(etc, -1, group); err != nil {
		t.Skip("a folder cannot be given to another group here: ", err)
	}
	wants(t, 0, []string{"import", filepath.Join(dir, "alertmanager.yml"), filepath.Join(dir, "prometheus.yml"), "-o", etc}, "wrote "+filepath.Join(etc, "conf.d", "import.yaml"))
	wants(t, 0, []string{"check", "--config", filepath.Join(etc, "binnacle.yaml")}, "10.0.0.1:9100", "default: a", "mode: shadow")
	if b, err := os.ReadFile(filepath.Join(etc, "binnacle.yaml")); err != nil || string(b) != mine {
		t.Errorf("the main file is %q, %v; want it as it was", b, err)
	}
	secrets, err := filepath.Glob(filepath.Join(etc, "secrets", "*"))
	if err != nil || len(secrets) == 0 {
		t.Fatal(secrets, err)
	}
	for _, path := range append(secrets, filepath.Join(etc, "secrets"), filepath.Join(etc, "conf.d", "import.yaml")) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if of, ok := info.Sys().(*syscall.Stat_t); !ok || int(of.Gid) != group || info.Mode().Perm()&0o007 != 0 || os.Geteuid() == 0 && info.Mode().Perm()&0o040 == 0 {
			t.Errorf("%s: group %d, %v; want group %d, which reads it, and nobody else", path, of.Gid, info.Mode(), group)
		}
	}
	wants(t, 3, []string{"import", filepath.Join(dir, "prometheus.yml"), "-o", etc}, "is there already: nothing was written")
}
