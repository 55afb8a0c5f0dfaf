package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFormsInTheWild has small forms of public configurations that were read wrongly once: what of them must be in the result, and what
// in the report.
func TestFormsInTheWild(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text string
		want       []string // PATH=VALUE of the configuration
		report     []string
	}{
		"a mail server from the environment": {
			"alertmanager.yml", "global: {smtp_smarthost: '${SMARTHOST}', smtp_from: a@b.c}\nroute: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: '${TO}'}]}]\n",
			[]string{"route.pagers.a.email.smarthost=${env:SMARTHOST}", "route.default=a"},
			nil,
		},
		"PagerDuty's key from the environment": {
			"alertmanager.yml", "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{routing_key: $PD_KEY}]}]\n",
			[]string{"route.pagers.a.pagerduty.routing_key=${env:PD_KEY}", "route.default=a"},
			nil,
		},
		"PagerDuty's first interface": {
			"alertmanager.yml", "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{service_key: 0123456789abcdef0123456789abcdef}]}]\n",
			nil,
			[]string{"its service_key is of Events API v1: add an integration of the type Events API v2"},
		},
		"an address with a placeholder": {
			"alertmanager.yml", "route: {receiver: a}\nreceivers: [{name: a, discord_configs: [{webhook_url: '%%URL%%'}]}]\n",
			nil,
			[]string{"receiver a: discord_configs: left out: discord: "},
		},
		"a Datadog agent with words of YAML 1.1 and tags in one text": {
			"datadog.yaml", "api_key: x\ndogstatsd_non_local_traffic: yes\ntags: 'rack, env:prod, az:a'\n",
			[]string{"collect.statsd.listen=[udp://0.0.0.0:8125]", "node.tags=map[az:a env:prod]"},
			[]string{"tags: rack: left out: a tag wants a name and a value"},
		},
		"a route that nothing comes to": {
			"alertmanager.yml", "route: {receiver: a, routes: [{receiver: b}, {receiver: a, matchers: [x=y]}]}\n" +
				"receivers: [{name: a, webhook_configs: [{url: 'https://a.example'}]}, {name: b, webhook_configs: [{url: 'https://b.example'}]}]\n",
			nil,
			[]string{"route.routes[1]: left out: a route before it takes all"},
		},
		"braces that do not stand alone, lines that go on, semicolons": {
			"objects.cfg", "define host {\n host_name a\n address 10.0.0.1\n check_command c}\ndefine command {\n command_name c\n command_line /bin/true -H $HOSTADDRESS$ \\\n   -s 'a\\;b' ; a comment\n}\n" +
				"define host {\n host_name b\n check_command c\n",
			[]string{"collect.exec.a.command=[/bin/true -H 10.0.0.1 -s a;b]", "collect.exec.b.command=[/bin/true -H b -s a;b]"},
			[]string{"its closing brace does not stand on a line of its own"},
		},
		"a password without a user": {
			"telegraf.conf", "[[inputs.redis]]\n servers = ['tcp://localhost:6379']\n password = 'x'\n",
			[]string{"collect.redis=[map[password:${file:FOLDER/secrets/redis-tcp-localhost-6379-password} url:tcp://localhost:6379]]"},
			nil,
		},
		"a program by its name alone": {
			"telegraf.conf", "[[inputs.exec]]\n commands = ['cat /proc/uptime']\n data_format = 'influx'\n", []string{"collect.exec.cat.command=[CAT /proc/uptime]"}, nil,
		},
		"probes that ask nobody": {
			"telegraf.conf", "[[inputs.dns_query]]\n servers = ['8.8.8.8']\n[[inputs.ping]]\n count = 1\n[[inputs.http_response]]\n[[inputs.net_response]]\n", nil,
			[]string{"inputs.dns_query: left out: it has no domains", "inputs.ping: left out: it has no urls", "inputs.http_response: left out", "inputs.net_response: left out: it has no address"},
		},
		"a CloudWatch agent without a region": {
			"amazon-cloudwatch-agent.json", `{"metrics": {"metrics_collected": {"mem": {}}}}`, []string{"ship.cloudwatch.namespace=CWAgent"}, []string{"set ship.cloudwatch.region"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SMARTHOST", "m.example:25")
			t.Setenv("TO", "a@b.c")
			t.Setenv("PD_KEY", "0123456789abcdef0123456789abcdef")
			t.Setenv("AWS_REGION", "")
			dir := t.TempDir()
			path := filepath.Join(dir, tc.file)
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Import([]File{{path, []byte(tc.text)}}, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range tc.want {
				at, want, _ := strings.Cut(w, "=")
				got := strings.ReplaceAll(fmt.Sprint(get(r.Config, strings.Split(at, ".")...)), dir, "FOLDER")
				if !strings.Contains(want, "CAT") && got != want || strings.Contains(want, "CAT") && !strings.HasSuffix(got, "/cat /proc/uptime]") {
					t.Errorf("%s is %s, want %s", at, got, want)
				}
			}
			for _, w := range tc.report {
				if !slices.ContainsFunc(r.Report, func(l string) bool { return strings.Contains(l, w) }) {
					t.Errorf("the report lacks %q:\n%s", w, strings.Join(r.Report, "\n"))
				}
			}
		})
	}
}

// TestWhatIsNotImportedIsSaid has files of programs that nothing is imported of: each error says what to do in place of it.
func TestWhatIsNotImportedIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"object Host \"a\" {\n  import \"generic-host\"\n}\n":                                 "binnacle check-result",
		"Interval 10\nLoadPlugin cpu\n<Plugin network>\n</Plugin>\n":                          "collect.graphite",
		"modules:\n  http_2xx:\n    prober: http\n":                                           "blackbox_exporter",
		"auths: {a: {community: public}}\nmodules: {if_mib: {walk: [1.3]}}\n":                 "snmp_exporter",
		"Server=127.0.0.1\nUserParameter=x,echo 1\n":                                          "Zabbix",
		"receivers: {otlp: {}}\nexporters: {otlp: {}}\nservice: {pipelines: {metrics: {}}}\n": "otlphttp",
		"apiVersion: 1\ncontactPoints:\n- name: a\n":                                          "contact point",
		"set daemon 30\ncheck process sshd with pidfile /run/sshd.pid\n":                      "monitrc",
	} {
		if _, err := Import([]File{{"/x/file", []byte(text)}}, "/x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// A file that a deployment has not filled in yet is no YAML: the error is the line, not what else it could have been.
func TestATemplateIsSaid(t *testing.T) {
	text := "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n  - send_resolved: %%RESOLVED%%\n"
	for name, text := range map[string]string{"alertmanager.yml": text, "datadog.yaml": "api_key: x\ntags: [a:b]\n\n\nhostname: {{ name }}\n"} {
		_, err := Import([]File{{"/x/" + name, []byte(text)}}, "/x")
		if err == nil || !strings.Contains(err.Error(), "not read: yaml: ") || !strings.Contains(err.Error(), "once a deployment has filled it in") || strings.Contains(err.Error(), "nagios") {
			t.Errorf("%s: %v; want what YAML says, and what to do", name, err)
		}
	}
}

// Routes are read from the last to the first, for those that continue; the report has the order of the file.
func TestTheReportHasTheOrderOfTheFile(t *testing.T) {
	text := "route: {receiver: a, routes: [{receiver: a, matchers: [x=1], group_wait: 1s, routes: [{receiver: a, matchers: [y=1], group_wait: 1s}, {receiver: a, matchers: [y=2], group_wait: 1s}]}, " +
		"{receiver: a, matchers: [x=2], group_wait: 1s}]}\nreceivers: [{name: a, webhook_configs: [{url: 'https://a.example'}]}]\n"
	r, err := Import([]File{{"/x/alertmanager.yml", []byte(text)}}, "/x")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range r.Report {
		if at, _, found := strings.Cut(strings.TrimPrefix(l, "alertmanager.yml: "), ".group_wait"); found {
			got = append(got, at)
		}
	}
	want := []string{"route.routes[0]", "route.routes[0].routes[0]", "route.routes[0].routes[1]", "route.routes[1]"}
	if !slices.Equal(got, want) {
		t.Errorf("the report names %q; want %q", got, want)
	}
}
