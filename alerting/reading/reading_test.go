package reading

import (
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// labelled makes an alarm of "name=value" pairs.
func labelled(pairs ...string) alerting.Alarm {
	a := alerting.Alarm{Labels: map[string]string{}, Annotations: map[string]string{}}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		if s, ok := strings.CutPrefix(k, "@"); ok {
			a.Annotations[s] = v
			continue
		}
		a.Labels[k] = v
	}
	return a
}

func read(pairs ...string) alerting.Reading { return New(DefaultSettings()).Read(labelled(pairs...)) }

func TestCatalogueLoads(t *testing.T) {
	if _, err := load(); err != nil {
		t.Fatal(err)
	}
}

func TestSeverity(t *testing.T) {
	for name, tc := range map[string]struct {
		labels   []string
		want     string
		priority alerting.Priority
		unknown  string
	}{
		"page":                              {[]string{"severity=page"}, Critical, 0, ""},
		"in any case":                       {[]string{"severity=CRITICAL"}, Critical, 0, ""},
		"with space around":                 {[]string{"severity= critical "}, Critical, 0, ""},
		"a number and a dash":               {[]string{"severity=SEV-1"}, Critical, 0, ""},
		"a word of several":                 {[]string{"severity=1 - critical"}, Critical, 0, ""},
		"P2 as a severity wakes":            {[]string{"severity=P2"}, Critical, 0, ""},
		"emergency":                         {[]string{"severity=emergency"}, Critical, 0, ""},
		"Zabbix' disaster":                  {[]string{"severity=Disaster"}, Critical, 0, ""},
		"Zabbix' average":                   {[]string{"severity=Average"}, Warning, 0, ""},
		"minor":                             {[]string{"severity=minor"}, Warning, 0, ""},
		"ticket":                            {[]string{"severity=ticket"}, Warning, 0, ""},
		"none":                              {[]string{"severity=none"}, Info, 0, ""},
		"debug":                             {[]string{"severity=debug"}, Info, 0, ""},
		"low":                               {[]string{"severity=low"}, Low, 0, ""},
		"level where severity lacks":        {[]string{"level=critical"}, Critical, 0, ""},
		"a log's level is not an alarm's":   {[]string{"severity=warning", "level=error"}, Warning, 0, ""},
		"urgency":                           {[]string{"urgency=high"}, Critical, 0, ""},
		"of urgency and severity the worse": {[]string{"severity=warning", "urgency=high"}, Critical, 0, ""},
		"a priority that is spelt out":      {[]string{"severity=warning", "priority=P1"}, Critical, alerting.P1, ""},
		"in lower case":                     {[]string{"severity=error", "priority=p1"}, Critical, alerting.P1, ""},
		"a digit":                           {[]string{"severity=warning", "priority=1"}, Critical, 0, ""},
		"a priority in words":               {[]string{"priority=critical"}, Critical, 0, ""},
		"Datadog's tags":                    {[]string{"tags=env:prod,priority:P1,service:web"}, Critical, alerting.P1, ""},
		"sloth":                             {[]string{"sloth_severity=page"}, Critical, 0, ""},
		"Nagios' state":                     {[]string{"state=DOWN", "host=a"}, Critical, 0, ""},
		"a plugin that could not tell":      {[]string{"state=UNKNOWN", "host=a", "service=NTP", "severity=unknown"}, Warning, 0, ""},
		"German":                            {[]string{"severity=Kritisch"}, Critical, 0, ""},
		"German for none":                   {[]string{"severity=keine"}, Info, 0, ""},
		"German, with another label":        {[]string{"schweregrad=Warnung"}, Warning, 0, ""},
		"French without accents":            {[]string{"severity=elevee"}, Critical, 0, ""},
		"Spanish":                           {[]string{"gravedad=Crítico"}, Critical, 0, ""},
		"Polish":                            {[]string{"severity=ostrzeżenie"}, Warning, 0, ""},
		"Russian":                           {[]string{"severity=Критический"}, Critical, 0, ""},
		"Chinese":                           {[]string{"severity=严重"}, Critical, 0, ""},
		"Japanese":                          {[]string{"severity=警告"}, Warning, 0, ""},
		"a colour that means two things":    {[]string{"severity=orange"}, Critical, 0, "orange"},
		"an unknown word pages":             {[]string{"severity=apocalyptic"}, Critical, 0, "apocalyptic"},
		"no word at all pages":              {[]string{"job=x"}, Critical, 0, "none"},
		"no word on a pack's warning":       {[]string{"alertname=KubePodNotReady", "namespace=n", "pod=a"}, Warning, 0, ""},
		"no word on what is for the record": {[]string{"alertname=CPUThrottlingHigh", "namespace=n", "pod=a", "container=c"}, Warning, 0, ""},
		"no word, and another subject":      {[]string{"alertname=KubePodNotReady", "instance=pay-1:8080"}, Critical, 0, "none"},
		"no word, urgent in a pack":         {[]string{"alertname=KubePersistentVolumeFillingUp", "namespace=n", "persistentvolumeclaim=a"}, Critical, 0, "none"},
		"an unknown word on a warning":      {[]string{"alertname=KubePodNotReady", "namespace=n", "pod=a", "severity=orange"}, Critical, 0, "orange"},
		"a plugin's word beside an unknown": {[]string{"host=a", "service=Load", "state=WARNING", "severity=orange"}, Warning, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(tc.labels...)
			if r.Severity.Value != tc.want || r.Priority != tc.priority || r.Unknown != tc.unknown {
				t.Errorf("Read(%v) = %+v, P%d, unknown %q; want %s, P%d, %q", tc.labels, r.Severity, r.Priority, r.Unknown, tc.want, tc.priority, tc.unknown)
			}
		})
	}
	quiet := New(Settings{UnknownSeverity: alerting.P3})
	if r := quiet.Read(labelled("severity=hm")); r.Severity.Value != Warning || r.Unknown != "hm" {
		t.Errorf("with unknown_severity P3: %+v, %q", r.Severity, r.Unknown)
	}
}

// Words that merely begin like others say something else.
func TestWordsThatBeginAlike(t *testing.T) {
	for rule, want := range map[string]string{
		"BackupSlow":            "latency job ",
		"CheckoutSlow":          "latency  ",
		"CheckoutSloBurn":       "symptom  users",
		"SlotsOfTheGridTaken":   "  ",
		"DownloadsPaused":       "  ",
		"NodejsHeapTooLarge":    "saturation  ",
		"ImportantThing":        "  ",
		"NativeHistogramsOff":   "  ",
		"HostingPlanExceeded":   "  ",
		"ReplicaLagging":        "latency workload ",
		"ServersDown":           "down node ",
		"PgbouncerErrors2":      "errors database ",
		"DeadlineExceededOften": "  ",
	} {
		r := read("alertname="+rule, "severity=critical")
		if got := r.Kind.Value + " " + r.Layer.Value + " " + r.Impact.Value; got != want {
			t.Errorf("%s reads as %q; want %q", rule, got, want)
		}
	}
}

// Rules of the files in testdata/files.txt, none of which the catalogue has.
func TestWordsOfPublicRules(t *testing.T) {
	for rule, want := range map[string]string{
		"BackgroundJobDeadLetterGrowth": "errors queue",
		"OdiWatchdogReset":              " monitoring",
		"ErrosFrequentesPagamento":      "errors ",
		"OutboxCriticalBacklog":         "saturation queue",
		"OutboxEventStuck":              "liveness queue",
		"HikariConnectionTimeout":       "errors database",
		"GPUOverheating":                "saturation node",
		"ApplicationDown":               "down service",
		"AppDown":                       "down service",
		"ApplianceDown":                 "down ",
		"SettlementQueueStalled":        "liveness queue",
		"LedgerUnbalancedTransaction":   " ",
		"HighPaymentFailureRate":        "errors ",
		"Applikasjon nede":              "down ",
		"For mange feil i loggene":      "errors ",
		"OdiModuleTemperatureCritical":  "saturation ",
		"MonadBlockStalled":             "liveness ",
		"WaleraAuthBreakerOpen":         " ",
		"NexusCircuitBreakerOpen":       "errors ",
		"CriticalVulnerability":         "hygiene ",
		"ElectricityTokenExpiringSoon":  "hygiene ",
		"BackendNichtErreichbar":        "down ",
		"ErhoehteFehlerrate":            "errors ",
		"LangsameAntworten":             "latency ",
		"ServiceIndisponible":           "down ",
		"TauxErreursApiEleve":           "errors ",
		"CelrixSplitBrain":              "quorum ",
		"MosquittoBrokerUnavailable":    "down queue",
		"EventBusEventsDropped":         "errors queue",
		"MilvusDown":                    "down database",
		"ConsensoLento":                 "latency ",
	} {
		r := read("alertname="+rule, "severity=critical")
		if got := r.Kind.Value + " " + r.Layer.Value; got != want {
			t.Errorf("%s reads as %q; want %q", rule, got, want)
		}
	}
	if r := read("alertname=HAProxyHighCPU", "severity=critical", "fqdn=fe-01.example.com", "environment=prod"); r.Subject.ID() != "node:fe-01" {
		t.Errorf("the subject is %s", r.Subject.ID())
	}
}

func TestAnAliasIsShownAsItIsCalled(t *testing.T) {
	r := read("k8s_pod_name=cart-0", "gravedad=grave")
	if r.Subject.From != "k8s_pod_name" || r.Severity.From != "gravedad=grave" {
		t.Errorf("subject from %q, severity from %q", r.Subject.From, r.Severity.From)
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"https://s0.example.net/health": {"url", "s0.example.net", "", "/health"},
		"http://s0.example.net:8080/":   {"url", "s0.example.net", "8080", "/"},
		"tcp://s0.example.net:5432":     {"url", "s0.example.net", "5432", "/"},
		"example.net/path":              {"url", "example.net", "", "/path"},
		"db-1:9104":                     {"host", "db-1", "9104", ""},
		"db-1.example.net":              {"host", "db-1.example.net", "", ""},
		"[2001:db8::1]:9100":            {"host", "2001:db8::1", "9100", ""},
		"2001:db8::1":                   {"host", "2001:db8::1", "", ""},
		"aa:bb:cc:dd:ee:01":             {"mac", "aa:bb:cc:dd:ee:01", "", ""},
		"/var/run/redis.sock":           {"socket", "", "", "/var/run/redis.sock"},
		"unix:///run/php.sock":          {"socket", "", "", "/run/php.sock"},
		"arn:aws:rds:eu-west-1:1:db:d0": {"arn", "", "", "arn:aws:rds:eu-west-1:1:db:d0"},
		"My Instance":                   {"name", "", "", "My Instance"},
		"":                              {},
	} {
		if got := ParseAddress(text); got != want {
			t.Errorf("ParseAddress(%q) = %+v; want %+v", text, got, want)
		}
	}
}

func TestSubject(t *testing.T) {
	ksm := []string{"job=kube-state-metrics", "instance=10.244.1.17:8443", "service=kube-state-metrics", "endpoint=https-main", "container=kube-rbac-proxy-main", "pod=kube-state-metrics-7d4f-x2x4z"}
	for name, tc := range map[string]struct {
		labels []string
		want   string
		owners []string // among the owners
		not    []string // not among them
	}{
		"a pod behind kube-state-metrics":        {append(ksm, "alertname=A", "namespace=shop", "pod=cart-5d8f7c9b4-x7k2p", "container=app"), "pod:shop/cart-5d8f7c9b4-x7k2p", []string{"namespace:shop", "workload:shop/cart"}, []string{"node:10.244.1.17"}},
		"a node behind kube-state-metrics":       {append(ksm, "namespace=monitoring", "node=ip-10-0-1-5"), "node:ip-10-0-1-5", nil, []string{"namespace:monitoring", "pod:monitoring/kube-state-metrics-7d4f-x2x4z"}},
		"a daemon set behind kube-state-metrics": {append(ksm, "namespace=kube-system", "daemonset=cni"), "workload:kube-system/cni", []string{"namespace:kube-system"}, nil},
		"a node exporter speaks of its host":     {[]string{"job=node-exporter", "instance=db-1.example.net:9100", "pod=node-exporter-x2x4z", "namespace=monitoring", "container=node-exporter"}, "node:db-1", nil, []string{"namespace:monitoring"}},
		"a mountpoint on a host":                 {[]string{"job=node", "instance=db-1:9100", "mountpoint=/data"}, "device:db-1//data", []string{"node:db-1"}, nil},
		"a volume claim":                         {[]string{"job=kubelet", "instance=10.0.1.2:10250", "node=w-1", "namespace=db", "persistentvolumeclaim=data-0"}, "volume:db/data-0", []string{"node:w-1"}, nil},
		"a probe's address":                      {[]string{"job=blackbox", "instance=https://www.example.net/"}, "target:www.example.net", []string{"site:example.net"}, nil},
		"a probe that is relabelled":             {[]string{"job=blackbox", "instance=blackbox:9115", "target=https://s0.example.net"}, "target:s0.example.net", nil, []string{"node:blackbox"}},
		"a queue":                                {[]string{"job=rabbitmq", "queue=billing", "vhost=/"}, "queue://billing", nil, nil},
		"a consumer group behind an exporter":    {[]string{"job=kafka-exporter", "instance=kafka-exporter:9308", "consumergroup=g"}, "queue:g", nil, []string{"node:kafka-exporter"}},
		"CloudWatch's dimensions":                {[]string{"namespace=AWS/RDS", "metric=CPUUtilization", "DBInstanceIdentifier=main"}, "database:main", nil, []string{"namespace:AWS/RDS"}},
		"a check of Nagios":                      {[]string{"host=web-1.example.net", "service=HTTP", "state=CRITICAL"}, "check:web-1.example.net/HTTP", []string{"node:web-1"}, nil},
		"Datadog's tags name a pod":              {[]string{"tags=kube_namespace:shop,pod_name:cart-0,host:i-1"}, "pod:shop/cart-0", []string{"node:i-1"}, nil},
		"OpenTelemetry's names":                  {[]string{"k8s_namespace_name=shop", "k8s_pod_name=cart-0", "k8s_node_name=w-1", "k8s_cluster_name=prod"}, "pod:shop/cart-0", []string{"node:w-1", "namespace:shop", "cluster:prod"}, nil},
		"OpenTelemetry's queue":                  {[]string{"messaging_destination_name=billing", "cloud_availability_zone=eu-1a"}, "queue:billing", []string{"zone:eu-1a"}, nil},
		"Datadog's names as labels":              {[]string{"kube_namespace=shop", "kube_stateful_set=cart", "host=i-1"}, "workload:shop/cart", []string{"node:i-1"}, nil},
		"a usual name wins":                      {[]string{"pod=cart-0", "k8s_pod_name=agent-1", "namespace=shop"}, "pod:shop/cart-0", nil, []string{"pod:shop/agent-1"}},
		"a Spanish host":                         {[]string{"servidor=db-1.example.net"}, "node:db-1", nil, nil},
		"an address that the text alone names":   {[]string{"alertname=BlackboxProbeFailed", "job=blackbox", "@summary=Blackbox probe failed (instance https://www.example.net/)"}, "target:www.example.net", nil, nil},
		"a host that the text alone names":       {[]string{"alertname=HostOomKillDetected", "@summary=Host OOM kill detected (instance db-1:9100)"}, "node:db-1", nil, nil},
		"a list of labels in the description":    {[]string{"job=blackbox", "@summary=Probe failed", "@description=VALUE = 0\n LABELS = map[cluster:live instance:https://a.example.net job:blackbox]"}, "target:a.example.net", nil, nil},
		"an empty address in the text":           {[]string{"alertname=A", "job=x", "@summary=Redis missing master (instance )"}, "job:x", nil, nil},
		"a template that failed":                 {[]string{"alertname=A", "job=x", "@summary=Redis missing master (instance <no value>)"}, "job:x", nil, nil},
		"a label wins over the text":             {[]string{"instance=db-1:9100", "job=node", "@summary=Down (instance db-2:9100)"}, "node:db-1", nil, nil},
		"a check that has its address":           {[]string{"host=shop", "service=HTTP", "state=CRITICAL", "instance=https://www.example.net/"}, "target:www.example.net", nil, nil},
		"a volume of Longhorn":                   {[]string{"volume=pvc-1234", "node=w-1", "job=longhorn-backend", "namespace=longhorn-system"}, "volume:longhorn-system/pvc-1234", []string{"node:w-1"}, nil},
		"a disk of Windows":                      {[]string{"volume=C:", "instance=win-1:9182", "job=windows"}, "device:win-1/C:", []string{"node:win-1"}, nil},
		"a disk of Windows by another job":       {[]string{"volume=D:", "instance=win-1:9182", "job=servers"}, "device:win-1/D:", []string{"node:win-1"}, nil},
		"a GPU's host":                           {[]string{"Hostname=gpu-7", "gpu=5", "instance=10.9.0.7:9400", "job=dcgm-exporter"}, "node:gpu-7", nil, []string{"node:10.9.0.7"}},
		"a gateway of a plant":                   {[]string{"gateway=gw-a1", "plant=A", "job=iot"}, "route:gw-a1", nil, nil},
		"a trunk of a carrier":                   {[]string{"trunk=carrier-one", "instance=sbc-1:9060", "job=sbc"}, "route:carrier-one", []string{"node:sbc-1"}, nil},
		"an uptime check of Google Cloud":        {[]string{"resource_type=uptime_url", "host=www.example.net"}, "target:www.example.net", nil, nil},
		"a balancer of Google Cloud":             {[]string{"resource_type=https_lb_rule", "url_map_name=web", "project_id=p"}, "route:web", nil, nil},
		"a subscription of Pub/Sub":              {[]string{"resource_type=pubsub_subscription", "subscription_id=orders"}, "queue:orders", nil, nil},
		"Azure's database":                       {[]string{"alertTargetIDs=/subscriptions/a/resourceGroups/g/providers/Microsoft.Sql/servers/s/databases/Shop"}, "database:shop", nil, nil},
		"Azure's list of one machine":            {[]string{"alertTargetIDs=[\"/subscriptions/a/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm-1\"]"}, "node:vm-1", nil, nil},
		"Azure's resource of an unknown type":    {[]string{"resourceId=/subscriptions/a/resourceGroups/g/providers/Microsoft.Logic/workflows/settle"}, "service:settle", nil, nil},
		"a resource ID that is cut short":        {[]string{"resourceId=/subscriptions/a/providers/microsoft.web/", "job=x"}, "job:x", nil, nil},
		"a DAG":                                  {[]string{"dag_id=orders", "task_id=load", "job=airflow"}, "workload:orders", nil, nil},
		"a role is no machine":                   {[]string{"instance=www.a.example:443", "job=x"}, "node:www.a.example", nil, nil},
		"an objective's service":                 {[]string{"sloth_service=checkout", "sloth_slo=latency", "sloth_id=checkout-latency"}, "service:checkout", nil, nil},
		"a cluster alone":                        {[]string{"alertname=X", "cluster=prod"}, "cluster:prod", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(tc.labels...)
			var have []string
			for _, o := range r.Owners {
				have = append(have, o.ID())
			}
			all := " " + strings.Join(have, " ") + " "
			if r.Subject.ID() != tc.want {
				t.Errorf("Read(%v) is about %s; want %s", tc.labels, r.Subject.ID(), tc.want)
			}
			for _, o := range tc.owners {
				if !strings.Contains(all, " "+o+" ") {
					t.Errorf("Read(%v) has the owners %v; want %s among them", tc.labels, have, o)
				}
			}
			for _, o := range tc.not {
				if strings.Contains(all, " "+o+" ") {
					t.Errorf("Read(%v) has the owners %v; want no %s", tc.labels, have, o)
				}
			}
		})
	}
}

func TestNature(t *testing.T) {
	for name, tc := range map[string]struct {
		labels      []string
		kind, layer string
		impact      string
		trust       alerting.Trust
		follows     bool
	}{
		"a public rule": {[]string{"alertname=KubePodCrashLooping", "severity=warning", "namespace=a", "pod=b-1"}, "liveness", "workload", "", alerting.Catalogue, true},
		"a public name on another thing is no proof":     {[]string{"alertname=KubePodNotReady", "severity=critical", "namespace=a", "persistentvolumeclaim=d"}, "saturation", "storage", "", alerting.Guessed, false},
		"a public name that is called worse is no proof": {[]string{"alertname=CPUThrottlingHigh", "severity=critical", "pod=b-1", "namespace=a"}, "saturation", "workload", "", alerting.Guessed, true},
		"a full disk follows from nothing":               {[]string{"alertname=X", "severity=critical", "instance=a:1", "mountpoint=/x", "job=node"}, "saturation", "storage", "", alerting.Guessed, false},
		"sloth by its labels":                            {[]string{"alertname=Whatever", "severity=page", "sloth_service=a", "sloth_slo=b"}, "symptom", "service", "users", alerting.Certain, true},
		"pyrra by its labels":                            {[]string{"alertname=ErrorBudgetBurn", "severity=critical", "slo=a", "long=1h", "short=5m", "exhaustion=2d"}, "symptom", "service", "users", alerting.Certain, true},
		"a probe by its address":                         {[]string{"alertname=Zork", "severity=critical", "job=blackbox", "instance=https://shop.example.com/"}, "symptom", "probe", "users", alerting.Certain, true},
		"a probe of an inner address harms nobody yet":   {[]string{"alertname=Zork", "severity=critical", "job=blackbox", "instance=http://10.0.0.4:8080/health"}, "symptom", "probe", "", alerting.Certain, true},
		"a certificate that expires":                     {[]string{"alertname=SSLCertExpires", "severity=critical", "job=ssl-probe", "instance=https://api.example.com"}, "hygiene", "probe", "", alerting.Certain, false},
		"a certificate that has expired":                 {[]string{"alertname=SSLCertExpired", "severity=critical", "job=ssl-probe", "instance=https://api.example.com"}, "symptom", "probe", "users", alerting.Certain, true},
		"a probe of a name within harms nobody yet":      {[]string{"alertname=Zork", "severity=critical", "job=blackbox", "instance=https://kibana.int.example.com"}, "symptom", "probe", "", alerting.Certain, true},
		"a name that begins as those within is public":   {[]string{"alertname=Zork", "severity=critical", "job=blackbox", "instance=https://home.example.com"}, "symptom", "probe", "users", alerting.Certain, true},
		"five hundreds by plural":                        {[]string{"alertname=Too many 5XXs", "severity=critical", "ingress=shop"}, "errors", "edge", "users", alerting.Guessed, true},
		"errors at a balancer":                           {[]string{"alertname=my-elb-5xx", "severity=critical", "namespace=AWS/ELB", "metric=HTTPCode_Backend_5XX", "LoadBalancerName=x"}, "errors", "edge", "users", alerting.Catalogue, true},
		"a name nobody knows, by its words":              {[]string{"alertname=CheckoutDatabaseReplicationLagHigh", "severity=critical"}, "latency", "database", "", alerting.Guessed, true},
		"a summary, where the name says nothing":         {[]string{"alertname=R17", "severity=critical", "@summary=Redis is out of memory"}, "saturation", "cache", "", alerting.Guessed, true},
		"a plugin's words":                               {[]string{"alertname=APT", "severity=critical", "host=a", "service=APT", "state=CRITICAL", "@summary=APT CRITICAL: 3 packages available for upgrade (1 critical)."}, "hygiene", "node", "none", alerting.Catalogue, false},
		"nothing at all":                                 {[]string{"alertname=Q", "severity=critical"}, "", "", "", alerting.Unread, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(tc.labels...)
			if r.Kind.Value != tc.kind || r.Layer.Value != tc.layer || r.Impact.Value != tc.impact || r.Kind.Trust != tc.trust || r.Follows != tc.follows {
				t.Errorf("Read(%v) = kind %+v, layer %+v, impact %+v, follows %v; want %s (%v), %s, %q, %v", tc.labels, r.Kind, r.Layer, r.Impact, r.Follows, tc.kind, tc.trust, tc.layer, tc.impact, tc.follows)
			}
		})
	}
}

func TestHeartbeat(t *testing.T) {
	if r := read("alertname=Watchdog", "severity=none"); !r.Heartbeat || !r.Idle {
		t.Error("Watchdog is a heartbeat")
	}
	if r := read("alertname=Watchdog", "severity=critical", "instance=plc-7", "@summary=The hardware watchdog of the press fired"); r.Heartbeat || r.Idle {
		t.Error("a critical alarm of that name is none: somebody means another thing by it")
	}
	if r := read("alertname=DatasourceNoData", "rulename=Order errors", "severity=critical"); r.Rule != "Order errors" {
		t.Errorf("Grafana's notice is about %q", r.Rule)
	}
}

func TestIdentity(t *testing.T) {
	r := New(DefaultSettings())
	id := func(pairs ...string) string { return r.Read(labelled(pairs...)).Identity }
	same := func(name, a, b string) {
		if a != b {
			t.Errorf("%s: two identities", name)
		}
	}
	same("replicas", id("alertname=A", "prometheus_replica=a"), id("alertname=A", "prometheus_replica=b"))
	same("severities", id("alertname=A", "severity=warning"), id("alertname=A", "severity=critical"))
	same("burn-rate windows", id("alertname=A", "long=1h", "short=5m"), id("alertname=A", "long=6h", "short=30m"))
	same("measured values", id("alertname=A", "used=91.00"), id("alertname=A", "used=91.07"))
	same("an exporter that moved", id("alertname=A", "job=kube-state-metrics", "instance=a:1", "job_name=x"), id("alertname=A", "job=kube-state-metrics", "instance=b:1", "job_name=x"))
	same("Grafana's notice and its rule", id("alertname=Orders", "__alert_rule_uid__=u"), id("alertname=DatasourceNoData", "rulename=Orders", "__alert_rule_uid__=u", "datasource_uid=d", "ref_id=A"))
	if a, b := id("alertname=A", "instance=a:1"), id("alertname=A", "instance=b:1"); a == b {
		t.Error("two instances are one")
	}
}

func TestMapping(t *testing.T) {
	r := New(Settings{Map: []Mapping{
		{SourceLabels: []string{"box"}, TargetLabel: "host"},
		{SourceLabels: []string{"team"}, Regex: "billing", Severity: "page", Kind: "symptom", Priority: "P1"},
	}})
	got := r.Read(labelled("alertname=X", "box=b-1", "team=billing", "severity=info"))
	if got.Severity.Value != Critical || got.Priority != alerting.P1 || got.Kind.Value != "symptom" || got.Subject.ID() != "node:b-1" {
		t.Errorf("mapped: %+v", got)
	}
	if got := r.Read(labelled("alertname=X", "team=other", "severity=info")); got.Severity.Value != Info || got.Priority != 0 {
		t.Errorf("another team's: %+v", got)
	}
	for name, m := range map[string]Mapping{
		"a severity nobody knows": {Severity: "purple"},
		"a kind that is none":     {Kind: "sad"},
		"a priority out of range": {Priority: "P9"},
		"a broken expression":     {SourceLabels: []string{"a"}, Regex: "(", TargetLabel: "b"},
		"two things in one step":  {Severity: "page", TargetLabel: "b"},
		"what would lose alarms":  {SourceLabels: []string{"a"}, Regex: "b", Action: "drop"},
	} {
		if m.Validate() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("KubePodCrashLooping", "severity", "page", "instance", "[::1]:9100")
	f.Add("", "tags", "host:a,service:", "target", "https://")
	r := New(DefaultSettings())
	f.Fuzz(func(t *testing.T, rule, k1, v1, k2, v2 string) {
		got := r.Read(alerting.Alarm{Labels: map[string]string{"alertname": rule, k1: v1, k2: v2}, Annotations: map[string]string{"summary": v1}})
		if gravity[got.Severity.Value] == 0 && got.Severity.Value != Info {
			t.Errorf("severity %q", got.Severity.Value)
		}
		if got.Title == "" {
			t.Error("no title")
		}
	})
}
