package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// other is an alarm of somebody's rule: "NAME severity label=value ...", and how long after the first it begins.
type other struct {
	after time.Duration
	text  string
}

func (o other) alarm(begin time.Time) alerting.Alarm {
	f := strings.Fields(o.text)
	a := alerting.Alarm{
		Labels: map[string]string{alerting.LabelRule: f[0], alerting.LabelSeverity: f[1]}, Annotations: map[string]string{alerting.AnnotationSummary: f[0]},
		StartsAt: begin.Add(o.after), Generator: "http://prometheus.example.com:9090/graph",
	}
	for _, l := range f[2:] {
		k, v, _ := strings.Cut(l, "=")
		a.Labels[k] = v
	}
	return a
}

// heads plays alarms that fire until the end, each repeated once a minute, and returns the rules that head pages that wake, with
// when they came.
func heads(t *testing.T, g *topology.Graph, last time.Duration, alarms ...other) (rules []string, at []time.Duration) {
	t.Helper()
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	p := New(Options{Settings: alerting.DefaultSettings(), Graph: g})
	for _, o := range alarms {
		a := o.alarm(begin)
		for m := o.after; m < last; m += time.Minute {
			p.Add(Event{At: begin.Add(m), In: alerting.Firing{Alarm: a, Sender: "prometheus.example.com"}})
		}
	}
	p.Watch = Checks(time.Minute)
	if err := p.Run(begin.Add(last)); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Calls() {
		if c.Action.Kind == alerting.Trigger && c.Action.Page.Priority <= alerting.P2 {
			rules, at = append(rules, c.Action.Page.Rule), append(at, c.At.Sub(begin))
		}
	}
	return rules, at
}

// fleet is a graph as agents and a file make it: two zones, four machines, a database on two of them that spares none, and a
// shop that needs it.
func fleet(t *testing.T) *topology.Graph {
	t.Helper()
	g, err := topology.New([]topology.Entity{
		{ID: "az:a", Kind: topology.KindAZ, AZ: "a"},
		{ID: "az:b", Kind: topology.KindAZ, AZ: "b"},
		{ID: "host:w1", Kind: topology.KindHost, Host: "w1", AZ: "a", Parents: []string{"az:a"}},
		{ID: "host:w2", Kind: topology.KindHost, Host: "w2", AZ: "b", Parents: []string{"az:b"}},
		{ID: "host:w3.example.com", Kind: topology.KindHost, Host: "w3.example.com", AZ: "a", Parents: []string{"az:a"}},
		{ID: "host:w4", Kind: topology.KindHost, Host: "w4", AZ: "b", Parents: []string{"az:b"}},
		{ID: "node:w1", Kind: topology.KindNode, Host: "w1", Service: "postgres", Cluster: "orders", AZ: "a", Parents: []string{"host:w1"}},
		{ID: "cluster:orders", Kind: topology.KindCluster, Service: "postgres", Cluster: "orders", Parents: []string{"node:w1"}},
		{ID: "service:shop", Kind: topology.KindService, Service: "shop", Parents: []string{"cluster:orders"}},
		{ID: "service:wiki", Kind: topology.KindService, Service: "wiki", Parents: []string{"host:w4"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestASecondFaultPages plays for each way of folding one fault as the rules of others tell it, which is one page, and an hour
// later, while that still fires, a fault of the same kind on another owner: it pages by itself within minutes.
func TestASecondFaultPages(t *testing.T) {
	const s = time.Second
	for name, tc := range map[string]struct {
		graph       bool
		fault, next []other
		first       string // rule of the first page; empty: any
	}{
		"one rule in one namespace": {false, []other{
			{0, "KubePodCrashLooping critical namespace=shop pod=cart-7c9f-aaaaa container=cart instance=10.0.0.9:8080 job=kube-state-metrics"},
			{5 * s, "KubePodCrashLooping critical namespace=shop pod=cart-7c9f-bbbbb container=cart instance=10.0.0.9:8080 job=kube-state-metrics"},
			{9 * s, "KubePodCrashLooping critical namespace=shop pod=cart-7c9f-ccccc container=cart instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubePodCrashLooping critical namespace=bank pod=pay-5d5f-ddddd container=pay instance=10.0.0.9:8080 job=kube-state-metrics"}}, "KubePodCrashLooping"},
		"one rule on another deployment of the namespace": {false, []other{
			{0, "KubeDeploymentReplicasMismatch critical namespace=shop deployment=cart instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubeDeploymentReplicasMismatch critical namespace=shop deployment=search instance=10.0.0.9:8080 job=kube-state-metrics"}}, ""},
		"one host": {false, []other{
			{0, "HostDown critical instance=db1:9100 job=node-exporter"},
			{4 * s, "PostgresqlDown critical instance=db1:9187 job=postgres"},
			{30 * s, "RedisDown critical instance=db1:9121 job=redis"},
		}, []other{{0, "HostDown critical instance=db2:9100 job=node-exporter"}}, "HostDown"},
		"one service of a host": {false, []other{
			{0, "OurUnitDown critical instance=db1:9100 job=node name=shop.service"},
		}, []other{{0, "OurUnitDown critical instance=db1:9100 job=node name=bank.service"}}, ""},
		"what an operator tells of its clusters": {false, []other{
			{0, "OurClusterQuorumLost critical namespace=x name=a instance=10.0.0.9:8443 pod=operator-5d5f-ddddd job=operator"},
		}, []other{{0, "OurClusterQuorumLost critical namespace=x name=b instance=10.0.0.9:8443 pod=operator-5d5f-ddddd job=operator"}}, ""},
		"what a gateway tells of its providers": {false, []other{
			{0, "OurProviderErrors critical instance=gw1:8080 job=gateway provider=a"},
		}, []other{{0, "OurProviderErrors critical instance=gw1:8080 job=gateway provider=b"}}, ""},
		"a severity pair": {false, []other{
			{0, "NodeFilesystemAlmostOutOfSpace warning instance=db1:9100 device=/dev/sda mountpoint=/data job=node-exporter"},
			{2 * s, "NodeFilesystemAlmostOutOfSpace critical instance=db1:9100 device=/dev/sda mountpoint=/data job=node-exporter"},
		}, []other{{0, "NodeFilesystemAlmostOutOfSpace critical instance=db2:9100 device=/dev/sda mountpoint=/data job=node-exporter"}}, ""},
		"another mountpoint of one host": {false, []other{
			{0, "NodeFilesystemAlmostOutOfSpace critical instance=db1:9100 device=/dev/sda mountpoint=/data job=node-exporter"},
		}, []other{{0, "NodeRAIDDegraded critical instance=db1:9100 device=md0 job=node-exporter"}}, ""},
		"what an exporter tells of two": {false, []other{
			{0, "ElasticsearchClusterRed critical cluster=logs instance=es-exporter:9114 job=elasticsearch-exporter"},
		}, []other{{0, "ElasticsearchClusterRed critical cluster=search instance=es-exporter:9114 job=elasticsearch-exporter"}}, ""},
		"a pod on its node": {false, []other{
			{0, "KubeNodeNotReady critical node=w1 instance=10.0.0.9:8080 job=kube-state-metrics"},
			{20 * s, "KubePodNotReady critical namespace=shop pod=cart-7c9f-aaaaa node=w1 instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubePodNotReady critical namespace=shop pod=cart-7c9f-bbbbb node=w2 instance=10.0.0.9:8080 job=kube-state-metrics"}}, "KubeNodeNotReady"},
		"nodes of one zone": {false, []other{
			{0, "KubeNodeNotReady critical node=w1 zone=a instance=10.0.0.9:8080 job=kube-state-metrics"},
			{2 * s, "KubeNodeNotReady critical node=w3 zone=a instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubeNodeNotReady critical node=w2 zone=b instance=10.0.0.9:8080 job=kube-state-metrics"}}, "KubeNodeNotReady"},
		"two rules about one probe": {false, []other{
			{0, "BlackboxProbeFailed critical instance=https://pay.example.com job=blackbox"},
			{15 * s, "SiteDown critical target=https://pay.example.com probe=eu"},
		}, []other{{0, "BlackboxProbeFailed critical instance=https://www.example.org job=blackbox"}}, ""},
		"a guess": {false, []other{
			{0, "PostgresqlDown critical instance=db1:9187 job=postgres"},
			{40 * s, "ServiceErrorsHigh warning service=cart"},
		}, []other{{0, "ServiceErrorsHigh critical service=search"}}, "PostgresqlDown"},
		"two rules on the same hosts": {false, []other{
			{0, "OurMachineMissing critical instance=w1:9100 job=node"},
			{0, "OurMachineMissing critical instance=w2:9100 job=node"},
			{0, "OurMachineMissing critical instance=w3:9100 job=node"},
			{10 * time.Minute, "OurNodeNotReady critical node=w1 instance=10.0.0.9:8080 job=kube-state-metrics"},
			{10 * time.Minute, "OurNodeNotReady critical node=w2 instance=10.0.0.9:8080 job=kube-state-metrics"},
			{10 * time.Minute, "OurNodeNotReady critical node=w3 instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "OurNodeNotReady critical node=w4 instance=10.0.0.9:8080 job=kube-state-metrics"}}, "OurMachineMissing"},
		"a program that speaks of itself": {false, []other{
			{0, "OurResolverErrors critical namespace=kube-system job=resolver service=resolver cluster=a"},
			{5 * s, "OurForwardErrors critical namespace=kube-system job=resolver service=resolver cluster=a to=10.0.0.2:53"},
		}, []other{{0, "OurMailErrors critical namespace=kube-system job=mail service=mail cluster=a"}}, ""},
		"by the graph: a machine and what stands on it": {true, []other{
			{0, "HostDown critical instance=w1:9100 job=node-exporter"},
			{5 * s, "PostgresqlDown critical instance=w1:9187 job=postgres"},
			{10 * s, "KubePodNotReady critical namespace=shop pod=cart-7c9f-aaaaa node=w1 instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "HostDown critical instance=w2:9100 job=node-exporter"}}, "HostDown"},
		"by the graph: a cluster on its machine": {true, []other{
			{0, "HostDown critical instance=w1:9100 job=node-exporter"},
			{5 * s, "PostgresqlReplicationBroken critical cluster=orders"},
		}, []other{{0, "HostDown critical instance=w4:9100 job=node-exporter"}}, "HostDown"},
		"by the graph: a probe in front of a service": {true, []other{
			{0, "PostgresqlDown critical instance=w1:9187 job=postgres"},
			{30 * s, "ProbeFailed critical instance=https://shop.example.com service=shop job=blackbox"},
		}, []other{{0, "ProbeFailed critical instance=https://wiki.example.com service=wiki job=blackbox"}}, ""},
		"by the graph: what an agent of ours says of the machine": {true, []other{
			{0, "NodeGone critical entity=host:w4 kind=down layer=host"},
			{20 * s, "KubePodNotReady critical namespace=wiki pod=wiki-0 node=w4 instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubePodNotReady critical namespace=shop pod=shop-0 node=w2 instance=10.0.0.9:8080 job=kube-state-metrics"}}, "NodeGone"},
		"by the graph: a name with a domain": {true, []other{
			{0, "NodeGone critical entity=host:w3.example.com kind=down layer=host"},
			{20 * s, "KubePodNotReady critical namespace=wiki pod=wiki-0 node=w3 instance=10.0.0.9:8080 job=kube-state-metrics"},
		}, []other{{0, "KubePodNotReady critical namespace=shop pod=shop-0 node=w2.example.com instance=10.0.0.9:8080 job=kube-state-metrics"}}, "NodeGone"},
	} {
		t.Run(name, func(t *testing.T) {
			var g *topology.Graph
			if tc.graph {
				g = fleet(t)
			}
			all := tc.fault
			if rules, at := heads(t, g, 14*time.Minute, all...); len(rules) != 1 || tc.first != "" && rules[0] != tc.first {
				t.Errorf("the fault is the pages %v at %v, want 1, of %s", rules, at, tc.first)
			}
			for _, o := range tc.next {
				all = append(all, other{time.Hour + o.after, o.text})
			}
			rules, at := heads(t, g, time.Hour+14*time.Minute, all...)
			if n := len(rules); n == 0 || at[n-1] < time.Hour || at[n-1] > time.Hour+5*time.Minute {
				t.Errorf("with a second fault an hour later the pages are %v at %v, want one within minutes of it", rules, at)
			}
		})
	}
}

// What fires on the same hosts later is folded only where there are several hosts and both rules say that they are down or not well.
func TestTheSameHostsAreNoExcuse(t *testing.T) {
	missing := func(hosts ...string) (out []other) {
		for _, h := range hosts {
			out = append(out, other{0, "OurMachineMissing critical instance=" + h + ":9100 job=node"})
		}
		return out
	}
	for name, tc := range map[string]struct {
		first []other
		later string // on each of the hosts w1 to w3
		after time.Duration
	}{
		"another kind of fault": {missing("w1", "w2", "w3"), "OurPaymentsFail", 10 * time.Minute},
		"two hosts alone":       {missing("w1", "w2"), "OurNodeNotReady", 10 * time.Minute},
		"long after":            {missing("w1", "w2", "w3"), "OurNodeNotReady", 40 * time.Minute},
	} {
		all := tc.first
		for _, h := range []string{"w1", "w2", "w3"} {
			all = append(all, other{tc.after, tc.later + " critical node=" + h + " instance=10.0.0.9:8080 job=kube-state-metrics"})
		}
		if rules, at := heads(t, nil, time.Hour, all...); len(rules) < 2 || at[len(at)-1] < tc.after || at[len(at)-1] > tc.after+5*time.Minute {
			t.Errorf("%s: pages %v at %v; want one more within minutes of what is later", name, rules, at)
		}
	}
}

// TestALostQuorumOfTheStoreIsOnePage: what else of a platform stops without its store tells a quarter of an hour later, and is the same outage.
func TestALostQuorumOfTheStoreIsOnePage(t *testing.T) {
	rules, _ := heads(t, nil, time.Hour,
		other{time.Minute, "etcdNoLeader critical job=etcd instance=10.0.0.3:2379 cluster=prod"},
		other{3 * time.Minute, "etcdInsufficientMembers critical job=etcd cluster=prod"},
		other{15*time.Minute + 30*time.Second, "KubeAPIDown critical job=apiserver cluster=prod"},
		other{16 * time.Minute, "KubeSchedulerDown critical job=kube-scheduler cluster=prod"},
		other{16*time.Minute + 30*time.Second, "KubeControllerManagerDown critical cluster=prod"}, // absent() of a comparison leaves no job
		other{17 * time.Minute, "KubeletDown critical job=kubelet cluster=prod"},
	)
	if len(rules) != 1 {
		t.Errorf("pages are headed by %v; want one", rules)
	}
	rules, _ = heads(t, nil, 3*time.Hour,
		other{time.Minute, "etcdNoLeader critical job=etcd instance=10.0.0.3:2379 cluster=prod"}, other{2 * time.Hour, "KubeSchedulerDown critical job=kube-scheduler cluster=prod"},
		other{16 * time.Minute, "KubeletDown critical job=kubelet cluster=test"},
	)
	if len(rules) != 3 {
		t.Errorf("pages are headed by %v; want one of each fault", rules)
	}
}
