package oncall

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// foreign is what an alarm of another system says of its evidence, where there is no expression to draw: its value, its sender's
// own words, and where more is to be seen.
type foreign struct {
	Value   string
	Words   []string
	Figures [][2]string // name and value, of a check's performance data
	Links   []dashboards.Link
}

// Bounds of what others bring, in bytes, but for mostFigures.
const (
	maxSaid     = 40
	maxWords    = 600
	mostFigures = 6
)

// Foreign gathers it.
func (s story) Foreign() foreign { return foreignOf(s.Root, s.Page.Sentence) }

func foreignOf(a alerting.Alarm, sentence string) foreign {
	f := foreign{}
	for _, k := range []string{"value", "current_value", "currentValue", "newStateValue"} {
		f.Value = cmp.Or(f.Value, words.Cut(cmp.Or(a.Annotations[k], a.Labels[k]), maxSaid))
	}
	if m := crossing.FindStringSubmatch(a.Annotations["reason"]); f.Value == "" && m != nil {
		f.Value = words.Cut(m[1], maxSaid)
	}
	for _, k := range []string{"reason", "description", "message", "output"} {
		if w := words.Cut(strings.TrimSpace(a.Annotations[k]), maxWords); w != "" && w != sentence && !slices.Contains(f.Words, w) {
			f.Words = append(f.Words, w)
		}
	}
	f.Figures = performance(a.Annotations["perfdata"])
	if u := webAddress(a.Generator); u != "" {
		f.Links = append(f.Links, dashboards.Link{Path: u, Label: "Open its graph"})
	}
	if u := console(a.Labels["alarm_arn"]); u != "" {
		f.Links = append(f.Links, dashboards.Link{Path: u, Label: "Open in CloudWatch"})
	}
	return f
}

// crossing finds the newest value in what CloudWatch says of a change: "Threshold Crossed: 1 datapoint [98.0 (30/11/26 14:02:00)] was
// greater than the threshold (90.0)." Source: the recorded notifications in alerting/intake/testdata.
var crossing = regexp.MustCompile(`\[([-+0-9.eE]+) \(`)

// webAddress is an address that people may follow; empty where it is none.
func webAddress(text string) string {
	if u, err := url.Parse(text); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return text
	}
	return ""
}

// consoles are the hosts of the console by partition. Source: AWS General Reference, "Partitions", read 30 November 2026.
var consoles = map[string]string{"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}

var regionName = regexp.MustCompile(`^[a-z0-9-]+$`)

// console is where CloudWatch shows an alarm: arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME.
func console(arn string) string {
	part := strings.SplitN(arn, ":", 7)
	if len(part) < 7 || part[2] != "cloudwatch" || part[5] != "alarm" || consoles[part[1]] == "" || !regionName.MatchString(part[3]) {
		return ""
	}
	return "https://" + part[3] + "." + consoles[part[1]] + "/cloudwatch/home?region=" + part[3] + "#alarmsV2:alarm/" + url.PathEscape(part[6])
}

// performance reads the performance data of a plugin: 'label'=value[unit];[warn];[crit];[min];[max], parted by blanks.
// Source: Monitoring Plugins Development Guidelines, 2.6, read 30 November 2026.
func performance(text string) (out [][2]string) {
	for text = strings.TrimSpace(text); text != "" && len(out) < mostFigures; text = strings.TrimSpace(text) {
		name, rest, ok := "", "", false
		if quoted, found := strings.CutPrefix(text, "'"); found {
			name, rest, ok = strings.Cut(quoted, "'=")
		} else {
			name, rest, ok = strings.Cut(text, "=")
		}
		if !ok {
			return out
		}
		value, more, _ := strings.Cut(rest, " ")
		text = more
		part := strings.Split(value, ";")
		says := part[0]
		for i, word := range []string{"warning at ", "critical at "} {
			if len(part) > i+1 && part[i+1] != "" {
				says += ", " + word + part[i+1]
			}
		}
		out = append(out, [2]string{words.Cut(name, maxSaid), words.Cut(says, 2*maxSaid)})
	}
	return out
}

// dimensions are labels of CloudWatch's alarms, and those under which the series of the same resource are kept here (collectors/aws).
var dimensions = []struct{ dimension, label, trim string }{
	{"LoadBalancerName", "elb", ""},
	{"TargetGroup", "target_group", "targetgroup/"},
	{"LoadBalancer", "lb", ""},
	{"QueueName", "queue", ""},
	{"DBInstanceIdentifier", "db", ""},
	{"TableName", "table", ""},
	{"NatGatewayId", "nat", ""},
	{"FunctionName", "function", ""},
	{"VolumeId", "volume", ""},
	{"InstanceId", "instance_id", ""},
}

// ofResource are the figures of what an alarm of CloudWatch is about, where its metrics are read as well.
func (p *Pages) ofResource(ctx context.Context, a alerting.Alarm, l look) (out []related) {
	if p.opts.Query == nil {
		return nil
	}
	step, end, span := l.step(), l.end(), l.span()
	for _, d := range dimensions {
		v := strings.TrimPrefix(a.Labels[d.dimension], d.trim)
		if v == "" {
			continue
		}
		is := fmt.Sprintf("%s=%q", d.label, v)
		have, err := p.opts.Query(ctx, `count by (__name__) ({__name__=~"aws_.+",`+is+`})`, end)
		if err != nil {
			return out
		}
		slices.SortFunc(have, func(a, b query.Series) int { return cmp.Compare(a.Labels["__name__"], b.Labels["__name__"]) })
		for _, s := range have {
			name := s.Labels["__name__"]
			if len(out) == maxRelated {
				return out
			}
			promql, say := "sum("+name+"{"+is+"})", unitOf(name).Say
			if strings.HasSuffix(name, "_total") {
				promql, say = "sum(rate("+name+"{"+is+"}["+words.Compact(max(rateWindow, step))+"]))", charts.InRate.Say
			}
			line, err := p.opts.Range(ctx, promql, end.Add(-span), end, step)
			if err != nil || len(line) == 0 || len(line[0].Points) == 0 {
				continue
			}
			out = append(out, related{name, say(query.Last(line[0])), "/browse/" + name, charts.DrawSpark(line[0].Points, end, step, say)})
		}
	}
	return out
}
