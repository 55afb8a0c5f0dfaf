package simulate

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestATitleNamesWhatItIsAbout reads the titles of alarms of others: the summaries of mixins say the same of every node and pod.
func TestATitleNamesWhatItIsAbout(t *testing.T) {
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for want, tc := range map[string]struct{ summary, labels string }{
		"Node is not ready (node ip-10-1-2-3)":            {"Node is not ready.", "KubernetesNodeNotReady critical node=ip-10-1-2-3.ec2.internal job=kube-state-metrics"},
		"Pod is crash looping (pod shop/cart-7c9f-aaaaa)": {"Pod is crash looping.", "KubePodCrashLooping critical namespace=shop pod=cart-7c9f-aaaaa job=kube-state-metrics"},
		"Host db1:9100 is down":                           {"Host db1:9100 is down", "HostDown critical instance=db1:9100 job=node-exporter"},
		"etcd has no leader (cluster prod)":               {"etcd has no leader.", "etcdNoLeader critical cluster=prod"},
		"Orders: it has no data":                          {"Orders are below 10 a minute", "DatasourceNoData critical rulename=Orders grafana_folder=Shop"},
		"It is broken":                                    {"It is broken", "ItIsBroken critical"},
		"The queue holds more messages than any one… work off in an hour (queue orders)": {
			"The queue holds more messages than any one who consumes them can work off in an hour", "QueueTooLong critical queue=orders vhost=/",
		},
		"We said enough ourselves": {"We said enough ourselves", "Own critical layer=database entity=node:db1 kind=down"},
	} {
		a := other{0, tc.labels}.alarm(begin)
		a.Annotations[alerting.AnnotationSummary] = tc.summary
		p := New(Options{Settings: alerting.DefaultSettings()})
		for m := range 3 {
			p.Add(Event{At: begin.Add(time.Duration(m) * time.Minute), In: alerting.Firing{Alarm: a, Sender: "prometheus.example.com"}})
		}
		if err := p.Run(begin.Add(3 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		if calls := p.Calls(); len(calls) == 0 || calls[0].Action.Page.Sentence != want {
			t.Errorf("%s: pages %+v, want one titled %q", tc.labels, calls, want)
		}
	}
}
