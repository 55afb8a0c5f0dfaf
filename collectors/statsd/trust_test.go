package statsd

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

func newTrusting() *Window {
	return NewWindow(Options{
		MaxSeries: 100, Keep: time.Minute, Expire: 5 * time.Minute, Node: "n1",
		Reserved: func(name string) bool {
			return strings.HasPrefix(name, "host_") || name == "redis_up" || name == "x_total"
		},
	}, 1)
}

func TestAClientCannotSpeakAsACollectorNorAsAnotherNode(t *testing.T) {
	w := newTrusting()
	for range 2 { // the second time by the short way
		feed(w, 0, 0, Dialect{},
			"host_filesystem_readonly:1|g|#node:db1,mountpoint:/", "host.load:2|g", "redis.up:0|g", "x:4|c",
			"a:1|c|#node:n1", "a:1|c", "a:1|c|#node:n2", "b:1|h|#quantile:foo,le:1,__name__:up,binnacle_overflow:true", "c:1|c|#host:n2")
	}
	wantValues(t, sums(closeAt(t, w, 10*time.Second)), map[string]float64{
		`gauge statsd_host_filesystem_readonly{exported_node="db1",mountpoint="/"}`: 1, "gauge statsd_host.load{}": 2, "gauge statsd_redis.up{}": 0,
		"delta statsd_x{}": 8, "delta a{}": 4, `delta a{exported_node="n2"}`: 2, `delta c{host="n2"}`: 2,
		`distribution b{exported___name__="up",exported_binnacle_overflow="true",exported_le="1",exported_quantile="foo"}`: 2,
	})
	n := w.Counts()
	if n.Claimed[AsCollector] != 6 || n.Claimed[AsOtherNode] != 4 || n.Claimed[ReservedLabel] != 2 || n.Aggregated != 18 {
		t.Errorf("counts %+v", n)
	}
	notes := strings.Join(w.Notes(t0), "\n")
	if !strings.Contains(notes, "statsd_host_filesystem_readonly: ") || !strings.Contains(notes, "(2 lines)") {
		t.Errorf("notes:\n%s", notes)
	}
	if old := w.Notes(t0.Add(2 * time.Hour)); len(old) != 0 {
		t.Errorf("after two hours there are notes still: %v", old)
	}
}

// sums gives distributions their count as a value.
func sums(in map[string]metric.Sample) map[string]metric.Sample {
	for k, s := range in {
		if s.Hist != nil {
			s.Value = s.Hist.Count
			in[k] = s
		}
	}
	return in
}

func TestAListenerForOtherNodesBelievesThem(t *testing.T) {
	w := newTrusting()
	believes := Dialect{Believes: true}
	feed(w, 0, 0, believes, "a:1|c|#node:n2", "a:1|c|#node:n1", "host_load:1|g|#node:n2", "_sc|up|2|h:n2")
	b := &metric.Batch{Time: t0}
	w.Close(b)
	if len(b.Events) != 1 || b.Events[0].Labels.Get("host") != "n2" || w.Counts().Claimed != [claims]uint64{AsCollector: 1} {
		t.Errorf("events %+v, counts %+v", b.Events, w.Counts())
	}
}

func TestAnEventIsAboutThisNode(t *testing.T) {
	w := newTrusting()
	feed(w, 0, 0, Dialect{}, "_sc|disk|2|h:db1|#entity:node:db1,priority:P1", "_sc|disk|2|h:n1|#entity:service:api", "_e{1,1}:a|b|#host:db1")
	b := &metric.Batch{Time: t0}
	w.Close(b)
	var got []string
	for _, e := range b.Events {
		got = append(got, e.Labels.String())
	}
	want := `{exported_entity="node:db1",exported_host="db1",priority="P1"} {entity="service:api",host="n1"} {exported_host="db1"}`
	if g := strings.Join(got, " "); g != want || w.Counts().Claimed[AsOtherNode] != 2 {
		t.Errorf("labels %s\n  want %s; counts %+v", g, want, w.Counts())
	}
}

func TestSpellingsThatPrometheusWritesAlikeAreOneSeries(t *testing.T) {
	w := newTrusting()
	for range 2 {
		feed(w, 0, 0, Dialect{}, "a.c:10|c\na_c:1|c\na-c:1|c|#k.x:1\na_c:1|c|#k_x:1", "g.a:1|g", "g_a:2|g", "s.a:x|s\ns_a:y|s\ns_a:x|s", "cd:1|c|#my-tag:a,my_tag:b")
	}
	wantValues(t, closeAt(t, w, time.Second), map[string]float64{
		"delta a.c{}": 22, `delta a.c{k.x="1"}`: 4, "gauge g.a{}": 2, "gauge s.a{}": 2, `delta cd{my-tag="a",my_tag="b"}`: 2,
	})
}

func TestANameHasOneTypeOfLines(t *testing.T) {
	w := newTrusting()
	feed(w, 0, 0, Dialect{}, "job:1|h", "job:101|g", "job:2|c", "u:5|g", "u:a|s", "lat:1|ms", "late:1|h", "later:1|d")
	got := closeAt(t, w, time.Second)
	if n := w.Counts(); n.Rejected[TypeClash] != 2 || n.Aggregated != 6 || len(got) != 6 {
		t.Errorf("%d samples, counts %+v; want two lines refused", len(got), n)
	}
	if notes := strings.Join(w.Notes(t0), "\n"); !strings.Contains(notes, "job: refused, since another type") {
		t.Errorf("notes: %s", notes)
	}
	// Ten minutes after its last line a name is free.
	closeAt(t, w, 11*time.Minute)
	feed(w, 0, 11*time.Minute, Dialect{}, "job:101|g")
	wantValues(t, closeAt(t, w, 12*time.Minute), map[string]float64{"gauge job{}": 101})
}

func TestRefusedLinesAreToldWithAnExample(t *testing.T) {
	w := NewWindow(Options{MaxSeries: 10}, 1)
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	say := func(line string) { w.Table(0).Packet(now.UnixNano(), []byte(line), Dialect{}) }
	say("hex:0x10|c")
	want := `1 line refused: 1 bad_value, such as "hex:0x10|c"`
	if got := strings.Join(w.Notes(now), "\n"); got != want {
		t.Errorf("one line:\n%s\nwant\n%s", got, want)
	}
	for range 3 {
		say("rate:1|c|@0")
	}
	say(strings.Repeat("é", 600) + ":1|c")
	say("x:1|z")
	say("x:1|c|T1")
	want = `7 lines refused: 3 bad_rate, such as "rate:1|c|@0"; 1 long_name, such as "` + strings.Repeat(`\u00e9`, 20) +
		`"; 1 unknown_type, such as "x:1|z"; 1 bad_value, such as "hex:0x10|c"; 1 other reason`
	if got := strings.Join(w.Notes(now), "\n"); got != want {
		t.Errorf("several:\n%s\nwant\n%s", got, want)
	}
	now = now.Add(61 * time.Minute)
	if got := w.Notes(now); len(got) != 0 {
		t.Errorf("an hour later: %s", got)
	}
	say("x:|c")
	if got := strings.Join(w.Notes(now), "\n"); got != `1 line refused: 1 bad_value, such as "x:|c"` {
		t.Errorf("begun anew: %s", got)
	}
}
