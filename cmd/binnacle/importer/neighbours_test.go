package importer

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
)

// TestSecretsOfAllImporters has a secret at each place where the files of others have one. None is shown, each is in a file.
func TestSecretsOfAllImporters(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"alertmanager.yml": `
global: {http_config: {proxy_url: 'http://ann:HIDDENa1@proxy:3128'}, smtp_smarthost: 'm:25', smtp_from: a@b.c, smtp_auth_username: a, smtp_auth_password: HIDDENa2}
route: {receiver: a}
receivers:
- name: a
  webhook_configs:
  - {url: 'https://ann:HIDDENa3@hooks.example/x', http_config: {basic_auth: {username: a, password: HIDDENa4}}}
  - {url: 'https://hooks.example/y', http_config: {http_headers: {X-Auth-Token: {values: [HIDDENa5], secrets: [HIDDENa6]}}}}
  email_configs: [{to: a@b.c, headers: {X-Api-Key: HIDDENa8}}]
  telegram_configs: [{bot_token: 'HIDDENa9', chat_id: 1}]
`,
		"prometheus.yml": `
scrape_configs:
- {job_name: a, static_configs: [{targets: [h:1]}], basic_auth: {username: u, password: HIDDENp1}}
- {job_name: b, static_configs: [{targets: [h:1]}], authorization: {credentials: HIDDENp2}}
- {job_name: c, static_configs: [{targets: [h:1]}], params: {token: [HIDDENp3], module: [if_mib]}, proxy_url: 'http://u:HIDDENp4@proxy'}
- {job_name: d, http_sd_configs: [{url: 'http://u:HIDDENp5@sd/x'}], http_headers: {X-Auth-Token: {secrets: [HIDDENp6]}}}
- {job_name: e, static_configs: [{targets: [h:1]}], oauth2: {client_id: i, client_secret: HIDDENp7, token_url: 'https://t'}}
- {job_name: f, kubernetes_sd_configs: [{api_server: 'https://u:HIDDENp8@k'}], static_configs: [{targets: [h:2]}]}
remote_write:
- {url: 'https://u:HIDDENp9@push/api'}
- {url: 'https://push/b', headers: {X-Scope-Token: HIDDENpa}, authorization: {credentials: HIDDENpb}}
- {url: 'https://push/c', sigv4: {region: eu-west-1, access_key: AKIDEXAMPLE, secret_key: HIDDENpc}}
- {url: 'https://push/d', basic_auth: {username: u, password: HIDDENpd}, tls_config: {insecure_skip_verify: true}}
`,
		"telegraf.conf": `
[[inputs.prometheus]]
  urls = ["http://u:HIDDENt1@h:9100/metrics?token=HIDDENt2"]
[[inputs.prometheus]]
  urls = ["http://h:9101/metrics"]
  bearer_token_string = "HIDDENt3"
[[inputs.redis]]
  servers = ["tcp://:HIDDENt4@h:6379"]
[[inputs.mysql]]
  servers = ["u:HIDDENt5@tcp(h:3306)/"]
[[inputs.rabbitmq]]
  url = "http://h:15672"
  username = "u"
  password = "HIDDENt6"
[[inputs.http_response]]
  urls = ["https://u:HIDDENt7@h/x"]
  [inputs.http_response.headers]
    X-Api-Key = "HIDDENt8"
[[inputs.exec]]
  commands = ["/bin/true --password HIDDENt9 -a u:x", "/bin/true | /bin/cat --token=HIDDENta"]
  data_format = "influx"
[[inputs.exec]]
  commands = ["/nowhere/gone --password=HIDDENtb"]
  environment = ["API_TOKEN=HIDDENtc"]
[[inputs.snmp]]
  agents = ["udp://h:161"]
  community = "HIDDENtd"
[[inputs.http]]
  urls = ["https://u:HIDDENte@h"]
[[outputs.http]]
  url = "https://u:HIDDENtf@push/api"
  data_format = "prometheusremotewrite"
  [outputs.http.headers]
    X-Scope-Token = "HIDDENtg"
[[outputs.influxdb_v2]]
  urls = ["http://h:8086"]
  token = "HIDDENth"
[[outputs.cloudwatch]]
  region = "eu-west-1"
  access_key = "AKIDEXAMPLE"
  secret_key = "HIDDENti"
[[inputs.elasticsearch]]
  servers = ["http://u:HIDDENtj@h:9200"]
[[inputs.ping]]
  urls = ["h"]
`,
		"datadog.yaml": "api_key: HIDDENd1\nproxy: {https: 'http://u:HIDDENd2@p'}\ntags: ['token:x']\n",
		"conf.d/http_check.yaml": `
instances:
- {name: a, url: 'https://u:HIDDENd3@h/x', headers: {X-Api-Key: HIDDENd4}}
- {name: b, url: 'https://h/y', username: u, password: HIDDENd5}
`,
		"conf.d/openmetrics.d/conf.yaml": `
instances:
- {openmetrics_endpoint: 'http://u:HIDDENd6@h:1/metrics'}
- {openmetrics_endpoint: 'http://h:1/metrics', headers: {Authorization: 'Bearer HIDDENd7'}}
- {openmetrics_endpoint: 'http://h:1/metrics', auth_token: {reader: {type: file, path: /x}, writer: {type: header, name: A}}, extra_headers: {X-Token: HIDDENd8}}
`,
		"conf.d/redisdb.yaml":  "instances: [{host: h, port: 1, password: HIDDENd9}]\n",
		"conf.d/mysql.yaml":    "instances: [{host: h, user: u, pass: HIDDENda}]\n",
		"conf.d/rabbitmq.yaml": "instances: [{rabbitmq_api_url: 'http://h:15672/api/', rabbitmq_user: u, rabbitmq_pass: HIDDENdb}]\n",
		"conf.d/postgres.yaml": "instances: [{host: h, password: HIDDENdc}]\n",
		"conf.d/snmp.yaml":     "instances: [{ip_address: h, community_string: HIDDENdd}]\n",
		"amazon-cloudwatch-agent.json": `{"agent": {"credentials": {"role_arn": "x"}}, "metrics": {"namespace": "N", "metrics_collected": {"statsd": {}, "procstat":
[{"pattern": "java -Dpw --password=HIDDENc1"}]}, "credentials": {"secret_key": "HIDDENc2"}}}`,
		"config.js": `{port: 8125, backends: ["./backends/graphite", "statsd-influx"], graphiteHost: "g", influxdb: {password: "HIDDENs1"}, librato: {token: "HIDDENs2"}}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lost := map[string]string{ // what is not carried over has no file, and is reported
		"p8": "kubernetes_sd", "pd": "tls_config", "tb": "not on this machine", "td": "inputs.snmp", "te": "inputs.http", "th": "influxdb_v2", "d1": "api_key", "d2": "proxy",
		"d7": "headers", "d8": "extra_headers", "dc": "postgres", "dd": "snmp", "c1": "its pattern holds a secret", "c2": "credentials", "s1": "statsd-influx", "s2": "librato",
	}
	for _, name := range []string{"alertmanager.yml", "prometheus.yml", "telegraf.conf", "datadog.yaml", "amazon-cloudwatch-agent.json", "config.js"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, cfg := written(t, t.TempDir(), File{path, b})
			config, err := yaml.Marshal(r.Config)
			if err != nil {
				t.Fatal(err)
			}
			in, err := yaml.Marshal(cfg)
			if err != nil {
				t.Fatal(err)
			}
			report := strings.Join(r.Report, "\n")
			for what, text := range map[string]string{"configuration": string(config), "report": report, "configuration in force": secret.Redact(string(in))} {
				if at := strings.Index(text, "HIDDEN"); at >= 0 {
					t.Errorf("the %s shows …%s", what, text[max(0, at-60):min(len(text), at+12)])
				}
			}
			held := fmt.Sprint(slices.Collect(maps.Values(r.Secrets)))
			all := string(b)
			if name == "datadog.yaml" {
				more, _ := filepath.Glob(filepath.Join(dir, "conf.d", "*"))
				deeper, _ := filepath.Glob(filepath.Join(dir, "conf.d", "*", "*"))
				for _, m := range append(more, deeper...) {
					b, _ := os.ReadFile(m) // a folder is none
					all += string(b)
				}
			}
			for _, m := range regexp.MustCompile(`HIDDEN(..)`).FindAllStringSubmatch(all, -1) {
				why, gone := lost[m[1]]
				if in := strings.Contains(held, m[0]); in == gone && why != "" || !in && !gone || gone && !strings.Contains(report, why) {
					t.Errorf("%s: in a file: %v, left out: %v; the report:\n%s", m[0], in, gone, report)
				}
			}
		})
	}
}
