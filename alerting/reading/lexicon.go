package reading

// phrase is a meaning with the beginnings of words that have it, in order of trust: the first that fits counts.
type phrase struct {
	means string
	words []string
}

// The words of names and summaries. They guess; what they say may order and word a page, and never lowers one.
var (
	kindWords = []phrase{
		{"heartbeat", []string{"dead man", "deadman", "dead mans", "always firing"}},
		{"hygiene", []string{
			"packages available", "updates available", "upgrade available", "reboot required", "security updates", "certificate expir", "cert expir", "certificate will expire",
			"ssl certificate", "tls certificate", "expires in", "expires soon", "expiring", "token expir", "domain expir", "version mismatch", "version skew", "different version", "deprecated", "license", "licence", "underutilized",
			"under utilized", "unused", "not encrypted", "certificate", "vulnerab",
		}},
		{"config", []string{"reload fail", "config reload", "configuration reload", "misconfig", "config not synced", "bad config", "invalid config", "configuration error", "secret missing"}},
		{"quorum", []string{"quorum", "no leader", "no master", "missing master", "lost leader", "split brain", "no primary", "insufficient members", "cluster red"}},
		{"partition", []string{"partition detected", "network partition", "netsplit", "partitioned"}},
		{"symptom", []string{"error budget", "slo", "burn rate", "budget burn", "users cannot", "customers cannot", "user impact", "apdex", "availability objective"}},
		{"saturation", []string{
			"disk full", "out of disk", "disk space", "disk usage", "disk will", "filesystem", "file system", "free space", "storage space", "free storage", "filling up", "almost full", "inode",
			"out of space", "table is full", "volume", "oom", "out of memory", "memory", "cpu", "load average", "load high", "high load", "throttl", "too many connections",
			"connections high", "max connections", "connection pool", "pool exhaust", "exhaust", "file descriptor", "quota", "overcommit", "capacity", "saturat", "queue size",
			"queue full", "backlog", "limit reached", "near limit", "surge queue", "swap", "temperature", "overheat", "too hot", "voltage", "pressure", "disk almost", "heap", "ram",
			"speicher", "festplatte", "plattenplatz", "auslastung", "mémoire", "disque", "température", "память", "диск", "memoria", "disco", "memória",
		}},
		{"latency", []string{
			"latency", "slow", "slowly", "slower", "lag", "lagging", "lagged", "delay", "response time", "took too long", "taking too long", "p99", "p95", "duration", "queue depth", "behind", "age of oldest", "old message",
			"langsam", "latenz", "verzögerung", "latence", "lenteur", "задерж", "затрим", "latencia", "lento", "lentitud", "lentidão",
		}},
		{"liveness", []string{
			"crash loop", "crash", "not ready", "notready", "unready", "unhealthy", "mismatch", "restart", "misscheduled", "not scheduled", "replicas", "heartbeat", "rollout",
			"not enough healthy", "evict", "flapping", "backoff", "image pull", "reboot", "reset loop", "stalled", "stuck", "hung", "frozen", "halted",
		}},
		{"errors", []string{
			"5xx", "error", "errors", "dead letter", "deadletter", "fail", "reject", "refused", "timeout", "timed out", "exception", "drop", "servfail", "500 internal", "declin", "4xx", "broken", "corrupt",
			"disconnect", "deadlock", "abort", "denied", "retry", "retries", "circuit breaker", "crc", "ecc",
			"fehler", "erreur", "échec", "echec", "échoue", "échou", "ошиб", "помил", "falha", "fallo", "erro", "feil",
		}},
		{"down", []string{
			"down", "missing", "absent", "unreachable", "not reachable", "does not answer", "not respond", "lost", "dead", "offline", "gone", "unavailable", "disappeared", "stopped", "no data", "nodata", "inactive", "stale",
			"not answering", "nicht erreichbar", "ausgefallen", "antwortet nicht", "indisponible", "injoignable", "ne répond", "недоступ", "не отвеча", "не відповіда", "no disponible", "no responde", "caído", "indisponível", "não responde", "nede",
		}},
	}
	layerWords = []phrase{
		{"dns", []string{"coredns", "core dns", "kube dns", "dns", "nxdomain", "servfail", "resolver"}},
		{"zone", []string{"availability zone", "zone lost", "zone down", "data center", "datacenter"}},
		{"probe", []string{"blackbox", "probe", "synthetic", "website", "web site", "uptime", "availability test", "webtest", "web test", "http check", "endpoint check"}},
		{"monitoring", []string{"prometheus", "alertmanager", "scrape", "exporter", "grafana", "loki", "thanos", "mimir", "cortex", "promtail", "watchdog", "telemetry", "monitoring"}},
		{"edge", []string{"nginx", "haproxy", "ha proxy", "ingress", "elb", "alb", "nlb", "load balancer", "envoy", "traefik", "gateway", "cloudfront", "cdn", "varnish", "apache", "istio", "kong", "http 5xx", "http5xx", "reverse proxy"}},
		{"database", []string{
			"postgres", "pg", "pgbouncer", "pgpool", "mysql", "maria", "mongo", "cassandra", "database", "db", "rds", "sql", "oracle", "dynamo", "riak", "clickhouse", "cockroach", "elasticsearch",
			"opensearch", "elastic", "innodb", "galera", "patroni", "tidb", "neo4j", "couch", "influx", "zookeeper", "consul", "vault", "milvus", "qdrant", "weaviate", "hikari",
		}},
		{"cache", []string{"redis", "memcache", "cache", "valkey", "hazelcast"}},
		{"queue", []string{"kafka", "rabbit", "queue", "sqs", "nats", "pulsar", "activemq", "sidekiq", "celery", "kinesis", "topic", "consumer", "pubsub", "amqp", "mqtt", "mosquitto", "event bus", "jetstream", "sns", "dead letter", "deadletter", "dlq", "outbox"}},
		{"platform", []string{"kube api", "kubeapi", "apiserver", "api server", "etcd", "scheduler", "controller manager", "argocd", "flux", "admission", "cluster autoscaler", "karpenter"}},
		{"storage", []string{"disk", "filesystem", "volume", "storage", "pvc", "raid", "s3", "ebs", "efs", "nfs", "ceph", "minio", "smart", "zfs", "inode", "gluster"}},
		{"network", []string{"network", "networking", "interface", "packet", "bgp", "vpn", "nat", "link", "conntrack", "switch", "router", "peering", "tunnel"}},
		{"workload", []string{"pod", "container", "deployment", "daemonset", "daemon set", "statefulset", "stateful set", "replica", "hpa", "pdb", "helm"}},
		{"service", []string{"application", "app"}},
		{"node", []string{"gpu", "node", "host", "machine", "server", "kubelet", "instance", "kernel", "clock", "ntp", "cpu", "load", "memory", "systemd", "nrpe", "vm"}},
		{"job", []string{"job", "cron", "batch", "backup", "etl", "report", "export", "import", "snapshot"}},
	}
	impactWords = []phrase{
		{"data", []string{"data loss", "lost data", "loses data", "data corrupt", "wal corrupt", "corruption", "table is full", "unclean", "transaction id wraparound"}},
		{"users", []string{"users cannot", "customers cannot", "users get", "users see", "buyers", "shop is down", "site is down", "site down"}},
	}
)

// whole are words that other words begin with which mean something else: slow, download, deadline, native, important, reported, hosting.
var whole = map[string]bool{
	"slo": true, "down": true, "dead": true, "gone": true, "lost": true, "lag": true, "nat": true, "alb": true, "elb": true, "nlb": true, "load": true, "link": true, "host": true,
	"node": true, "vm": true, "job": true, "import": true, "export": true, "report": true, "zone": true, "db": true, "sql": true, "pod": true, "sns": true, "cdn": true, "dns": true,
	"memory": true, "volume": true, "server": true, "instance": true, "machine": true, "switch": true, "router": true, "topic": true, "network": true, "interface": true, "cache": true,
	"snapshot": true, "backup": true, "batch": true, "slow": true, "behind": true, "quota": true, "license": true, "licence": true, "stale": true, "ram": true, "ecc": true, "crc": true, "hung": true, "erro": true, "nede": true, "app": true, "heap": true, "ntp": true, "pdb": true, "smart": true,
}

// plugins are the words that check plugins begin their output with, as plain lower-case words.
// Source: monitoring-plugins/monitoring-plugins, plugins/*.c and their tests, read November 2026.
var plugins = []struct{ words, kind, layer, impact string }{
	{"packages available for upgrade", "hygiene", "node", "none"},
	{"host unreachable", "down", "node", ""},
	{"ping critical", "down", "node", ""},
	{"ssl critical certificate", "hygiene", "probe", ""},
	{"certificate expires", "hygiene", "probe", ""},
	{"http critical", "errors", "probe", ""},
	{"http warning", "latency", "probe", ""},
	{"disk critical", "saturation", "storage", ""},
	{"disk warning", "saturation", "storage", ""},
	{"swap critical", "saturation", "node", ""},
	{"load average", "saturation", "node", ""},
	{"check nrpe", "errors", "monitoring", ""},
	{"dns critical", "errors", "dns", ""},
	{"ntp critical", "config", "node", ""},
	{"ntp unknown", "config", "node", ""},
	{"procs critical", "down", "service", ""},
	{"ssh critical", "errors", "node", ""},
	{"error 1040", "saturation", "database", ""},
	{"too many connections", "saturation", "database", ""},
	{"cant connect to mysql", "down", "database", ""},
	{"slave io no", "errors", "database", ""},
	{"smtp critical", "errors", "service", ""},
	{"tcp critical", "errors", "service", ""},
	{"raid critical", "errors", "storage", "data"},
}
