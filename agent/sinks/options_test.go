package sinks_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/sinks"
)

func TestValidateNamesEveryFault(t *testing.T) {
	for name, tc := range map[string]struct {
		options interface{ Validate() error }
		keys    []string
	}{
		"cloudwatch": {
			sinks.CloudWatch{Namespace: "AWS/EC2", Scope: "fleet", AccessKeyID: "x", Group: []string{"["}, Dimensions: map[string]string{"a": ""}},
			[]string{"namespace", "scope", "access_key_id", "max_series", "instance_dimension", "group", "dimensions"},
		},
		"statsd":       {sinks.StatsD{Address: "nowhere", Flavor: "etsy"}, []string{"address", "flavor"}},
		"graphite":     {sinks.Graphite{Address: "nowhere", Format: "json"}, []string{"address", "format"}},
		"remote_write": {sinks.RemoteWrite{Version: 3, HTTPOptions: sinks.HTTPOptions{URL: "x", Options: login.Options{Username: "u"}}}, []string{"url", "username", "version"}},
		"otlp":         {sinks.OTLP{HTTPOptions: sinks.HTTPOptions{URL: "ftp://x", Options: login.Options{Username: "u", Password: secret.New("p"), Bearer: secret.New("b")}}}, []string{"url", "bearer"}},
		"queue":        {sinks.QueueOptions{Deadline: time.Hour, MaxAge: -1}, []string{"depth", "batch", "every", "deadline", "max_age"}},
		"spool":        {sinks.SpoolOptions{Bytes: 1}, []string{"bytes"}},
		"view":         {sinks.View{Include: []string{"["}, Exclude: []string{"["}, Rename: map[string]string{"a": ""}}, []string{"include", "exclude", "rename"}},
	} {
		err := tc.options.Validate()
		if err == nil {
			t.Errorf("%s: no fault found", name)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for _, key := range tc.keys {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+":") }) {
				t.Errorf("%s: no fault of %q in\n%v", name, key, err)
			}
		}
	}
}

func TestDefaultsOfTheCatalogueAreGood(t *testing.T) {
	for _, s := range sinks.All() {
		for part, o := range map[string]any{"options": s.Options, "queue": s.Common.Queue, "spool": s.Common.Spool, "view": s.Common.View} {
			err := o.(interface{ Validate() error }).Validate()
			if _, ok := sinks.Lookup(s.Name); !ok || err != nil && !strings.HasPrefix(err.Error(), "url: want") { // which has no default
				t.Errorf("%s: %s: %v", s.Name, part, err)
			}
		}
	}
}

func TestViewShowsADestinationItsPart(t *testing.T) {
	dest := &shelf{}
	var labels []string
	dest.fail = func(in []metric.Sample) error {
		for _, s := range in {
			labels = append(labels, s.Labels.String())
		}
		return nil
	}
	spec := sinks.Spec{Name: "x", New: func(any, sinks.Env) (sinks.Sink, error) { return dest, nil }}
	common := sinks.Common{Queue: sinks.DefaultQueue(), View: sinks.View{
		Include: []string{"host_*", "riak_*"}, Exclude: []string{"host_secret"}, Rename: map[string]string{"host_load1": "load"},
		DropLabels: []string{"pid"}, Labels: map[string]string{"az": "z"},
	}}
	q := must(spec.Open(nil, common, sinks.Env{Log: slog.New(slog.DiscardHandler)}))
	for _, name := range []string{"host_load1", "host_secret", "riak_up", "other"} {
		feed(q, []metric.Sample{{Desc: &metric.Desc{Name: name}, Labels: metric.L("pid", "7", "op", "put"), Time: time.Now()}})
	}
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"load", "riak_up"}; !slices.Equal(dest.got, want) {
		t.Errorf("saw %v; want %v", dest.got, want)
	}
	if want := `{az="z",op="put"}`; labels[0] != want {
		t.Errorf("labels %s; want %s", labels[0], want)
	}
}

// What the agent says of itself would fill the cap of series before the application's own metrics come.
func TestCloudWatchIsNotBilledForTheAgentItself(t *testing.T) {
	s, ok := sinks.Lookup("cloudwatch")
	if !ok || s.Common.View.Shows("binnacle_collector_up") || !s.Common.View.Shows("navcloud.streams.open") {
		t.Errorf("the default view of cloudwatch is %+v; want all but binnacle_*", s.Common.View)
	}
}
