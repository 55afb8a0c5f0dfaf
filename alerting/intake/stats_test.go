package intake

import (
	"slices"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/metric"
)

func TestCollectTellsWhatCameAndWhatDidNot(t *testing.T) {
	b := newBoard()
	i := New(Options{Put: b.put, View: b.view})
	if err := i.Events(t.Context(), []metric.Event{{Title: "nothing to blame", Labels: metric.L("kind", "change")}}, "n"); err != nil {
		t.Fatal(err)
	}
	var batch metric.Batch
	if err := i.Collect(t.Context(), &batch); err != nil {
		t.Fatal(err)
	}
	if err := NewClient(ClientOptions{Routers: []string{"http://router"}}).Collect(t.Context(), &batch); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range batch.Samples {
		got[s.Desc.Name+s.Labels.String()] = s.Value
		if !slices.Contains(Metrics(), s.Desc) {
			t.Errorf("%s is not among Metrics", s.Desc.Name)
		}
	}
	for name, want := range map[string]float64{
		`binnacle_intake_rejected_total{reason="invalid"}`: 1, `binnacle_intake_rejected_total{reason="busy"}`: 0,
		`binnacle_intake_alarms_total{}`: 0, `binnacle_router_unreachable_seconds{}`: 0, `binnacle_router_dropped_alarms_total{}`: 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v, %v; want %v", name, v, ok, want)
		}
	}
}

func TestSNSConfigNamesWhatIsNoTopic(t *testing.T) {
	err := SNSConfig{Topics: []string{ourTopic, "navcloud-alarms"}}.Validate()
	if err == nil || !strings.Contains(err.Error(), `"navcloud-alarms"`) || strings.Contains(err.Error(), ourTopic) {
		t.Errorf("Validate = %v; want the second named alone", err)
	}
}
