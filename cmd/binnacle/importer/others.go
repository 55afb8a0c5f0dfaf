package importer

import "regexp"

// others are files of programs that nothing is imported of, with what to do in place of it.
var others = []struct {
	is   *regexp.Regexp
	what string
}{
	{
		regexp.MustCompile(`(?m)^\s*(object|apply|template)\s+(Host|Service|CheckCommand|Notification|Endpoint|Zone|User)\b`),
		"a configuration of Icinga 2 is not imported, since apply rules decide what it checks: name its plugins in collect.exec, or have a NotificationCommand of it call `binnacle check-result`",
	},
	{
		regexp.MustCompile(`(?m)^\s*(LoadPlugin\s+\S+|<Plugin\s+\S+>)`),
		"a collectd.conf is not imported: binnacle collects the host by itself, and takes what the plugin write_graphite sends at collect.graphite",
	},
	{
		regexp.MustCompile(`(?m)^\s*['"]?prober['"]?\s*:|\{\s*['"]?prober['"]?\s*:`),
		"modules of blackbox_exporter are not imported: import the prometheus.yml whose jobs ask the exporter, or name the endpoints in collect.probe",
	},
	{
		regexp.MustCompile(`(?m)^\s*walk\s*:|\{\s*walk\s*:`),
		"modules of snmp_exporter are not imported: keep it, and import the prometheus.yml whose jobs ask it",
	},
	{
		regexp.MustCompile(`(?m)^\s*(UserParameter|ServerActive|PidFile)\s*=`),
		"a configuration of a Zabbix agent is not imported: binnacle collects the host by itself; name the programs of UserParameter in collect.exec",
	},
	{
		regexp.MustCompile(`(?m)^(exporters|service)\s*:[\s\S]*pipelines\s*:`),
		"a configuration of the OpenTelemetry Collector is not imported: an exporter otlphttp of it sends metrics to /v1/metrics here",
	},
	{
		regexp.MustCompile(`(?m)^\s*(contactPoints|policies|muteTimes)\s*:`),
		"alerting of Grafana is not imported: add a contact point of the kind Alertmanager with binnacle's address",
	},
	{
		regexp.MustCompile(`(?m)^\s*(check process|check filesystem|set daemon|set httpd)\b`),
		"a monitrc is not imported: name its processes in collect.host_process.watch and its endpoints in collect.probe",
	},
}

// other says of a file of a program that nothing is imported of what to do in place of it; "": it is none.
func other(text []byte) string {
	for _, o := range others {
		if o.is.Match(text) {
			return o.what
		}
	}
	return ""
}
