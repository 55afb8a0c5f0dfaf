package statsd

import (
	"strings"
	"testing"
	"time"
)

func TestDialects(t *testing.T) {
	for dialect, lines := range map[string]map[string]string{
		"influx": {
			"foo.bar,t1=v1,t2=v2:100|c":      `delta foo.bar{t1="v1",t2="v2"}`,
			"a,x=1:1|g|#y:2":                 `gauge a{x="1",y="2"}`,
			"plain:1|c":                      `delta plain{}`,
			"flag,on:1|c":                    `delta flag{on="true"}`,
			"empty,:1|c":                     `delta empty{}`,
			"nothing,x=:1|c":                 `delta nothing{}`,
			"equation,x=a=b:1|c":             `delta equation{x="a=b"}`,
			"node,node=db1:1|c":              `delta node{exported_node="db1"}`,
			"trimmed,t=1:5|ms|@0.5|#k:v":     `distribution trimmed{k="v",t="1"}`,
			"with#hash,t=1:1|c":              `delta with#hash{t="1"}`,
			"dim,city=São Paulo,b=ß:1|c":     `delta dim{b="ß",city="São Paulo"}`,
			"multi,t=1:1:2:3|h":              `distribution multi{t="1"}`,
			"u,t=1:ann|s":                    `gauge u{t="1"}`,
			"stamp,t=1:4|c|T1700000000":      `delta stamp{t="1"}`,
			"host.load,mountpoint=/,x=1:1|g": `gauge statsd_host.load{mountpoint="/",x="1"}`,
		},
		"librato":  {"foo#t1=v1,t2=v2:100|c": `delta foo{t1="v1",t2="v2"}`, "bar:1|c|#x:1": `delta bar{x="1"}`},
		"signalfx": {"foo.[t1=v1,t2=v2]bar:100|c": `delta foo.bar{t1="v1",t2="v2"}`, "foo.[]none:1|c": "delta foo.none{}", "[t=1]foo:1|c": `delta foo{t="1"}`, "foo.baz[t=1]:1|g": `gauge foo.baz{t="1"}`, "open[t=1:1|c": `delta open[t=1{}`},
		"graphite": {"foo;t1=v1;t2=v2:100|c": `delta foo{t1="v1",t2="v2"}`, "disk.used;dc=a;server=web01:1|g": `gauge disk.used{dc="a",server="web01"}`},
		"datadog":  {"foo,t1=v1:1|c": `delta foo,t1=v1{}`, "php:1|c|#a:1,#b:2,#": `delta php{a="1",b="2"}`, "packed:1:2:|ms": "distribution packed{}"},
	} {
		l, err := ParseListener("udp://127.0.0.1:0?dialect=" + dialect)
		if err != nil {
			t.Fatal(err)
		}
		w := newTrusting()
		for range 2 { // once by the long way, once by the short
			for line := range lines {
				feed(w, 0, 0, l.Dialect, line)
			}
		}
		got := closeAt(t, w, time.Second)
		for line, want := range lines {
			if _, there := got[want]; !there {
				t.Errorf("%s: %s is not %s: %v", dialect, line, want, got)
			}
		}
		if n := w.Counts(); n.Aggregated != uint64(2*len(lines)) {
			t.Errorf("%s: %+v", dialect, n)
		}
	}
	if _, err := ParseListener("udp://127.0.0.1:0?dialect=klingon"); err == nil || !strings.Contains(err.Error(), "want datadog, influx") {
		t.Errorf("an unknown dialect: %v", err)
	}
}

func TestSeveralTypesInALine(t *testing.T) {
	w := newTrusting()
	feed(w, 0, 0, Dialect{Style: Etsy}, "a:1|c:320|ms:4|g|#x:1\na:2|c|@0.5:x|c", "plain:5|c", "many:1:2|h")
	wantValues(t, sums(closeAt(t, w, time.Second)), map[string]float64{
		`delta a{x="1"}`: 1, `distribution a{x="1"}`: 1, `gauge a{x="1"}`: 4, "delta a{}": 4, "delta plain{}": 5, "distribution many{}": 2,
	})
	if n := w.Counts(); n.Lines != 7 || n.Aggregated != 6 || n.Rejected[BadValue] != 1 {
		t.Errorf("%+v", n)
	}
}

func TestLinesOfAnotherDialectAreCountedAndNamed(t *testing.T) {
	w := newTrusting()
	for range 2 {
		feed(w, 0, 0, Dialect{}, "a,t=1:1|c", "a#t=1:1|c", "a[t=1]:1|c", "a;t=1:1|c", "e:1|c:2|ms", "fine,:1|c", "fine=1,2:1|c")
	}
	n := w.Counts()
	for s := range Styles {
		if n.Looks[s] != 2 {
			t.Errorf("%s: %d lines; want 2", s, n.Looks[s])
		}
	}
	if notes := strings.Join(w.Notes(t0), "\n"); !strings.Contains(notes, "?dialect=influx") {
		t.Errorf("notes:\n%s", notes)
	}
}
