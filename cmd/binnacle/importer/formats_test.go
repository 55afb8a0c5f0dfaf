package importer

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite what is wanted of the files of others")

// TestFilesOfOthers imports a file of each kind. What comes of it is beside it, NAME.want: the configuration, which an agent takes,
// what has no counterpart, and the names of secrets, whose values are nowhere else.
func TestFilesOfOthers(t *testing.T) {
	for name, v := range map[string]string{"DC": "eu", "SLACK_URL": "https://hooks.slack.com/services/x", "SMTP_FROM": "a@b.c", "OPSGENIE_KEY": "k"} {
		t.Setenv(name, v)
	}
	for _, name := range []string{
		"prometheus.yml", "telegraf.conf", "amazon-cloudwatch-agent.json", "statsd.js", "dd/datadog.yaml", "nagios-objects.cfg", "nagios/nagios.cfg", "objects.yaml", "stream.yaml", "mimir.yaml",
		"continue.yml", "service.js",
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.Abs("testdata")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			r, cfg := written(t, folder, File{path, b})
			if cfg.Route.Delivery.Mode != "shadow" {
				t.Errorf("mode %q", cfg.Route.Delivery.Mode)
			}
			text, err := yaml.Marshal(r.Config)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.Secrets {
				if strings.Contains(string(text), v) && len(v) > 3 {
					t.Errorf("the configuration shows %s", v)
				}
			}
			got := string(text) + "-- report --\n" + strings.Join(r.Report, "\n") + "\n-- secrets --\n" + strings.Join(sorted(r.Secrets), "\n") + "\n"
			for _, rules := range sorted(r.Rules) {
				got += "-- " + rules + " --\n" + string(r.Rules[rules])
			}
			got = strings.NewReplacer(folder, "FOLDER", dir, "TESTDATA").Replace(got)
			want := filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".want")
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if w, err := os.ReadFile(want); err != nil || string(w) != got {
				t.Errorf("%v: want %s, have\n%s", err, want, got)
			}
		})
	}
}

func TestRecognize(t *testing.T) {
	for text, want := range map[string]string{
		"global: {scrape_interval: 15s}\nscrape_configs: []": "a prometheus.yml", "route: {receiver: a}\nreceivers: [{name: a}]": "an alertmanager.yml",
		"groups: []": "a file of Prometheus rules", "[agent]\n interval = '10s'\n": "a telegraf.conf", "define host {\n}\n": "a nagios.cfg or a file of Nagios objects",
		`{"metrics": {"metrics_collected": {}}}`: "an amazon-cloudwatch-agent.json", "{ port: 8125, backends: ['./backends/graphite'] }": "a configuration of statsd (config.js)",
		"api_key: x\nsite: y": "a datadog.yaml", "init_config:\ninstances: [{}]": "a check of a Datadog agent",
		"collect: {statsd: {}}": "", "route: {mode: shadow}": "", "log: {level: debug}": "", "": "", "\x00": "", "interval: 10s": "",
	} {
		if got := Recognize("/x/file", []byte(text)); got != want {
			t.Errorf("%q is %q; want %q", text, got, want)
		}
	}
}

func TestShellWords(t *testing.T) {
	for line, want := range map[string]string{
		`/a b  c`: "[/a b c]", `/a 'b c' "d e"`: "[/a b c d e] 3", `/a "x \" y"`: `[/a x " y] 2`, `/a\ b`: "[/a b] 1", `/a ''`: "[/a ] 2",
		`/a | b`: "!", `/a $X`: "!", "/a `x`": "!", `/a 'b`: "!", `/a *`: "!", `/a ${env:X}`: "[/a ${env:X}]", `/a "$X"`: "!",
	} {
		words, why := shellWords(line)
		got := fmt.Sprint(words)
		if n, ok := strings.CutPrefix(want, got+" "); ok {
			got += " " + fmt.Sprint(len(words))
			_ = n
		}
		if why != "" {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: %s; want %s", line, got, want)
		}
	}
}

// TestTwoFilesAreOneConfiguration imports what a team has of Prometheus and Alertmanager.
func TestTwoFilesAreOneConfiguration(t *testing.T) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	r, cfg := written(t, t.TempDir(), File{"/etc/am/alertmanager.yml", []byte(before)}, File{filepath.Join(dir, "prometheus.yml"), b})
	if cfg.Route.Ways.Default != "team-mail" || len(cfg.Rules.Files) != 1 || len(r.Rules) != 2 || get(r.Config, "collect", "scrape") == nil {
		t.Errorf("default %q, rules %v of %d files", cfg.Route.Ways.Default, cfg.Rules.Files, len(r.Rules))
	}
}
