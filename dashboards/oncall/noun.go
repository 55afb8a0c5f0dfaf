package oncall

import (
	"regexp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/words"
)

// A value alone says nothing: "85" is of what? The names that an expression measures do, read as words.

// unmeasured is what of an expression names no metric: strings, selectors, ranges and the labels of grouping; measuredName is a name, or a call of one.
var (
	unmeasured   = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`")
	selectors    = regexp.MustCompile(`\{[^{}]*\}|\[[^\[\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)`)
	measuredName = regexp.MustCompile(`[A-Za-z_:][A-Za-z0-9_:]*(\s*\()?`)
	promqlWords  = []string{"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "inf", "nan", "atan2"}
)

// measuredNames are the metrics of an expression, each once, in order.
func measuredNames(expr string) (out []string) {
	rest := selectors.ReplaceAllString(unmeasured.ReplaceAllString(expr, ""), " ")
	for _, m := range measuredName.FindAllString(rest, -1) {
		if strings.HasSuffix(m, "(") || slices.Contains(promqlWords, strings.ToLower(m)) || slices.Contains(out, m) {
			continue
		}
		out = append(out, m)
	}
	return out
}

// nounOf says what a value of an expression is of: "RabbitMQ sides", "HAProxy server downs in 10 min". It is empty rather than wrong: where an
// expression measures more than two things, filters what it counts, or subtracts. The expression itself stands below the chart.
func nounOf(expr string) string {
	names := measuredNames(expr)
	bare := selectors.ReplaceAllString(unmeasured.ReplaceAllString(expr, ""), " ")
	if len(names) == 2 {
		bare = guard.ReplaceAllString(bare, "")
	}
	rest := onesLess.ReplaceAllString(bare, "")
	if len(names) == 0 || len(names) > 2 || strings.ContainsAny(rest, "-<>=!%^") || strings.Contains(rest, "absent") {
		return ""
	}
	noun, less := inWords(names[0]), rest != bare
	switch {
	case names[0] == "ALERTS":
		noun = "alarms firing"
	case len(names) == 2:
		noun = shareOf(rest, names)
	default:
		noun = overTime(expr, noun)
	}
	if less {
		if !left.MatchString(noun) {
			return ""
		}
		noun = left.ReplaceAllString(noun, "used")
	}
	if noun != "" && counting.MatchString(rest) && names[0] != "ALERTS" {
		noun = "count of " + noun
	}
	return words.Capital(noun)
}

// What is 1 less a share that is left is the share in use; a guard against a division by zero filters nothing.
var (
	onesLess = regexp.MustCompile(`\b(?:1|100)\s*-`)
	guard    = regexp.MustCompile(`>\s*0\s*\)`)
	left     = regexp.MustCompile(`\b(?:available|avail|free)\b`)
	counting = regexp.MustCompile(`^\s*count\b`)
)

// shareOf reads one name divided by another; empty where it is something else.
func shareOf(rest string, names []string) string {
	a, b := names[0], names[1]
	switch {
	case strings.Count(rest, "/") != 1 || strings.Contains(rest, "+") || strings.Index(rest, a) > strings.Index(rest, "/") || strings.LastIndex(rest, b) < strings.Index(rest, "/"):
		return ""
	case strings.TrimSuffix(a, "_sum") == strings.TrimSuffix(b, "_count"):
		return "mean " + inWords(a)
	}
	return inWords(a) + " of " + withoutStart(inWords(b), inWords(a))
}

// calls are what tells how values over a time become one.
var (
	calls    = regexp.MustCompile(`\b(rate|irate|increase|delta|changes|resets)\s*\([^\[\]()]*\[([0-9a-z]+)(?::[0-9a-z]*)?\]`)
	quantile = regexp.MustCompile(`\bhistogram_quantile\s*\(\s*0?\.(\d{1,2})\s*,`)
)

// overTime says what was made of the values of one metric.
func overTime(expr, noun string) string {
	if strings.Contains(expr, "histogram_quantile") {
		if m := quantile.FindStringSubmatch(expr); m != nil {
			return "p" + (m[1] + "0")[:2] + " of " + noun
		}
		return ""
	}
	m := calls.FindStringSubmatch(expr)
	if m == nil {
		return noun
	}
	d, err := words.ParseDuration(m[2])
	switch {
	case err != nil || strings.ContainsAny(unmeasured.ReplaceAllString(selectors.ReplaceAllString(expr, ""), ""), "*/"):
		return ""
	case m[1] == "increase" || m[1] == "delta":
		return noun + " in " + words.Duration(d)
	case m[1] == "changes" || m[1] == "resets":
		return m[1] + " of " + noun + " in " + words.Duration(d)
	}
	return noun + " per second"
}

// named are the first words of names that are written otherwise; what begins host_ is the machine's own.
var named = map[string]string{
	"rabbitmq": "RabbitMQ", "riak": "Riak", "haproxy": "HAProxy", "mysql": "MySQL", "postgresql": "PostgreSQL", "redis": "Redis", "activemq": "ActiveMQ", "aws": "AWS",
	"zookeeper": "ZooKeeper", "jvm": "JVM", "navcloud": "NavCloud", "cpu": "CPU", "statsd": "StatsD", "ntp": "NTP", "dns": "DNS", "tls": "TLS",
	"http": "HTTP", "tcp": "TCP", "udp": "UDP", "icmp": "ICMP", "io": "I/O", "oom": "OOM", "gc": "GC", "elb": "ELB", "ec2": "EC2", "rds": "RDS",
}

// inWords reads the name of a metric. Its unit stands at the value already, and what a recorded name is counted by is no part of it.
func inWords(name string) string {
	if parts := strings.Split(name, ":"); len(parts) == 3 { // level:metric:operation
		name = parts[0] + "_" + parts[1]
	}
	list := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == ':' })
	for _, ends := range [][]string{{"total", "count", "sum", "bucket"}, {"seconds", "bytes", "ratio", "percent"}} {
		if last := len(list) - 1; last > 0 && slices.Contains(ends, list[last]) {
			list = list[:last]
		}
	}
	if len(list) > 1 && list[0] == "host" {
		list = list[1:]
	}
	for i, w := range list {
		if is, ok := named[w]; ok {
			list[i] = is
		}
	}
	return strings.Join(list, " ")
}

// withoutStart leaves out the words with which both begin, but never all.
func withoutStart(text, other string) string {
	a, b := strings.Fields(text), strings.Fields(other)
	for len(a) > 1 && len(b) > 1 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return strings.Join(a, " ")
}
