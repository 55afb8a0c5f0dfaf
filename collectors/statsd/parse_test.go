package statsd

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]Line{
		"a.b:1|c":                          {Name: []byte("a.b"), Type: Counter, Value: 1, Weight: 1},
		"a:3.5|c|@0.1":                     {Name: []byte("a"), Type: Counter, Value: 3.5, Weight: 10},
		"a:-0|c":                           {Name: []byte("a"), Type: Counter, Weight: 1, Signed: true},
		"a:1|c|@0.000001":                  {Name: []byte("a"), Type: Counter, Value: 1, Weight: 1e6},
		"a:+4|g":                           {Name: []byte("a"), Type: Gauge, Value: 4, Weight: 1, Signed: true},
		"a:320|ms|#x:1,y":                  {Name: []byte("a"), Type: Timer, Value: 320, Weight: 1, Tags: []byte("x:1,y")},
		"a:1:2.5:3|h|#x:1|@0.5":            {Name: []byte("a"), Type: Distribution, Value: 1, More: []byte("2.5:3"), Weight: 2, Tags: []byte("x:1")},
		"a:1|d|c:ci-0123|#x:1":             {Name: []byte("a"), Type: Distribution, Value: 1, Weight: 1, Tags: []byte("x:1")},
		"a:1|c|T1656581400":                {Name: []byte("a"), Type: Counter, Value: 1, Weight: 1, Time: 1656581400},
		"u:ann:bob|s":                      {Name: []byte("u"), Type: Set, Member: []byte("ann:bob"), Weight: 1},
		"a:1e3|g|#x:a:b|e:it-false|card:x": {Name: []byte("a"), Type: Gauge, Value: 1000, Weight: 1, Tags: []byte("x:a:b")},
		"a:.5|g":                           {Name: []byte("a"), Type: Gauge, Value: 0.5, Weight: 1},
		"a:1|c|":                           {Name: []byte("a"), Type: Counter, Value: 1, Weight: 1},
	} {
		var l Line
		if r := Parse([]byte(in), &l); r != Accepted {
			t.Errorf("Parse(%q): %v", in, r)
			continue
		}
		if string(l.Name) != string(want.Name) || l.Type != want.Type || l.Value != want.Value || l.Weight != want.Weight ||
			string(l.Tags) != string(want.Tags) || string(l.More) != string(want.More) || string(l.Member) != string(want.Member) ||
			l.Time != want.Time || l.Signed != want.Signed {
			t.Errorf("Parse(%q) = %+v, want %+v", in, l, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]Reason{
		"":                   BadName,
		":1|c":               BadName,
		"no colon":           BadName,
		"a:1":                NoType,
		"a:1|":               UnknownType,
		"a:1|x":              UnknownType,
		"a:1|m":              UnknownType,
		"a:|c":               BadValue,
		"a:|s":               BadValue,
		"a:x|c":              BadValue,
		"a:NaN|g":            BadValue,
		"a:inf|g":            BadValue,
		"a:0x10|g":           BadValue,
		"a:1_000|g":          BadValue,
		"a:1.2.3|g":          BadValue,
		"a:-|g":              BadValue,
		"a:.|g":              BadValue,
		"a:1e|g":             BadValue,
		"a::|h":              BadValue,
		"a:1::2|h":           BadValue,
		"a:1:x|h":            BadValue,
		"a: 1|c":             BadValue,
		"a:1e999|g":          OutOfRange,
		"a:-1e201|c":         OutOfRange,
		"a:-1|c":             Negative,
		"a:5:-0.5|c":         Negative,
		"a:1|c|@0":           BadRate,
		"a:1|c|@1.01":        BadRate,
		"a:1|c|@-0.5":        BadRate,
		"a:1|c|@1e-300":      BadRate,
		"a:1|c|@x":           BadRate,
		"a:1|c|@":            BadRate,
		"a:1|ms|T1656581400": BadTimestamp,
		"a:1|c|T0":           BadTimestamp,
		"a:1|c|Tx":           BadTimestamp,
	} {
		var l Line
		if got := Parse([]byte(in), &l); got != want {
			t.Errorf("Parse(%q): %v, want %v", in, got, want)
		}
	}
}

func TestParseEvent(t *testing.T) {
	e, r := ParseEvent([]byte(`_e{6,11}:deploy|v1|2\nready|d:1656581400|h:n1|k:d-7|p:low|s:ci|t:warning|#a:1,b`))
	if r != Accepted || e.Title != "deploy" || e.Text != "v1|2\nready" || e.Level != metric.Warning || e.Key != "d-7" || e.Check ||
		!e.Time.Equal(time.Unix(1656581400, 0)) || e.Labels.String() != `{a="1",b="true",host="n1"}` {
		t.Errorf("event: %+v, %v", e, r)
	}
	c, r := ParseEvent([]byte(`_sc|redis.up|2|d:1656581400|h:n1|#a:1|m:timed out | twice`))
	if r != Accepted || !c.Check || c.Title != "redis.up" || c.Level != metric.Critical || c.Text != "timed out | twice" ||
		c.Labels.String() != `{a="1",host="n1"}` {
		t.Errorf("check: %+v, %v", c, r)
	}
	for _, in := range []string{
		"_e{", "_e{1,1}", "_e{0,1}:|a", "_e{9,9}:a|b", "_e{1,5}:a|b", "_e{3,0}:a|bc", "_e{1,1}:ab", "_e{-1,5}:a|b", "_e{1}:a",
		"_e{99999999999999999999,1}:a|b", "_e{9223372036854775807,9223372036854775807}:a|b",
		"_sc|", "_sc|a", "_sc|a|4", "_sc|a|x", "_sc||0", "_sc|a|10",
	} {
		if e, r := ParseEvent([]byte(in)); r != BadEvent {
			t.Errorf("ParseEvent(%q) = %+v, %v; want %v", in, e, r, BadEvent)
		}
	}
}

func TestAnEventWhoseLengthsAreNotOfBytesIsCutAtTheBars(t *testing.T) {
	for in, want := range map[string]metric.Event{
		"_e{5,24}:crème|déployé à Montréal 🚀":      {Title: "crème", Text: "déployé à Montréal 🚀"}, // UTF-16 units
		"_e{5,20}:crème|déployé à Montréal 🚀|#a:1": {Title: "crème", Text: "déployé à Montréal 🚀"}, // characters
		"_e{1,1}:ab|c":                                  {Title: "ab", Text: "c"},                       //
		`_e{5,5}:title|a|b\n\nc|t:error|h:n1`:           {Title: "title", Text: "a|b\n\nc"},             // counted before it was escaped
		"_e{6,27}:crème|déployé à Montréal 🚀|k:x|#a:1":  {Title: "crème", Text: "déployé à Montréal 🚀"}, // right
		"_e{2,4}:日本|日本|日本|p:low|s:ci|c:in-123|card:low": {Title: "日本", Text: "日本|日本"},                   //
	} {
		e, r := ParseEvent([]byte(in))
		if r != Accepted || e.Title != want.Title || e.Text != want.Text {
			t.Errorf("ParseEvent(%q) = %q, %q, %v; want %q, %q", in, e.Title, e.Text, r, want.Title, want.Text)
		}
	}
}

// seeds are lines as clients send them, and as they should not.
var seeds = []string{
	"a:1|c", "a.b:-3.25|g|#env:prod,az:eu-west-1a", "t:1:2:3|ms|@0.25|#x", "u:someone|s", "d:1e-7|d|c:abc|T", "a:1|c|T1656581400",
	"a:1|c|@0.000001", "a:+1|g\nb:2|c\r\n\n", "_e{5,4}:title|text|#a", "_sc|name|2|m:why", "a:1|c|#", "a:1|c|#,,:,x:", "\xff:1|c|#\xfe:\xfd",
	"a:99999999999999999999|c", "a:0.30000000000000004|g", "a:00000000000000000000000001|c", ":|", "|:", "a::|c", "a:1|c|@", "a|b:1|c",
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Line
		if Parse(b, &l) != Accepted {
			return
		}
		switch {
		case len(l.Name) == 0:
			t.Error("accepted without a name")
		case math.IsNaN(l.Value) || math.Abs(l.Value) > maxValue:
			t.Errorf("accepted with the value %v", l.Value)
		case !(l.Weight >= 1 && l.Weight <= 1/minRate*1.0001):
			t.Errorf("accepted with the weight %v", l.Weight)
		case (l.Type == Set) != (len(l.Member) > 0):
			t.Errorf("type %c with member %q", l.Type, l.Member)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "0.1", "123456789012345", "1234567890123456", ".5", "5.", "1e5", "+7", "0.000000000000001", "4.35"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := number([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if strings.ContainsAny(s, "xX_nNiIpP") || len(s) > 400 {
			if ok {
				t.Errorf("number(%q) = %v, want it refused", s, got)
			}
			return
		}
		if ok != (err == nil || math.IsInf(want, 0)) || ok && got != want {
			t.Errorf("number(%q) = %v, %v; strconv says %v, %v", s, got, ok, want, err)
		}
	})
}

func FuzzPacket(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), true)
	}
	f.Add([]byte(strings.Join(seeds, "\n")), false)
	f.Fuzz(func(t *testing.T, p []byte, signed bool) {
		w := NewWindow(Options{MaxSeries: 3, Keep: time.Minute, Expire: time.Hour}, 2)
		now := time.Unix(1656581500, 0)
		for i := range 2 {
			w.Table(i).Packet(now.UnixNano(), p, Dialect{Signed: signed})
		}
		b := &metric.Batch{Time: now}
		w.Close(b)
		n := w.Counts()
		sum := n.Aggregated
		for r := range Reasons {
			sum += n.Rejected[r]
		}
		if n.Lines != sum {
			t.Errorf("%d lines, %d accounted for", n.Lines, sum)
		}
		for _, s := range b.Samples {
			if s.Desc.Name == "" || s.Hist == nil && (math.IsNaN(s.Value) || math.IsInf(s.Value, 0)) {
				t.Errorf("sample %q%s %v", s.Desc.Name, s.Labels, s.Value)
			}
		}
	})
}
