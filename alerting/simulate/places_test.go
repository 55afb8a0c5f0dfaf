package simulate

import (
	"slices"
	"testing"
	"time"
)

// TestTwoPlacesAreTwoFaults plays two faults within minutes of each other, in two places that labels name: what is called alike in both
// is not one thing, and neither page hides the other.
func TestTwoPlacesAreTwoFaults(t *testing.T) {
	const s, soon = time.Second, 5 * time.Minute
	for name, tc := range map[string]struct {
		one, other string
		same       []other // of both
	}{
		"nodes of one name in two clusters":        {"cluster=eu", "cluster=us", []other{{0, "KubernetesNodeNotReady critical node=n1 job=kube-state-metrics"}}},
		"volumes of one name in two clusters":      {"cluster=eu", "cluster=us", []other{{0, "KubePersistentVolumeFillingUp critical namespace=shop persistentvolumeclaim=data job=kubelet"}}},
		"an API and nodes of one name":             {"cluster=eu", "cluster=us", []other{{0, "KubeAPIDown critical"}, {30 * s, "KubeNodeNotReady warning node=n1 job=kube-state-metrics"}}},
		"databases of one name in two regions":     {"region=eu-west-1", "region=us-east-1", []other{{0, "StorageLow critical namespace=AWS/RDS metric=FreeStorageSpace DBInstanceIdentifier=orders source=cloudwatch"}}},
		"hosts of one name in two environments":    {"env=prod", "env=staging", []other{{0, "HostDown critical instance=db1:9100 job=node-exporter"}}},
		"one rule in two environments":             {"environment=prod", "environment=staging", []other{{0, "OrdersFail critical instance=orders:8080 job=orders"}}},
		"one rule in two environments of OpenTele": {"deployment_environment=prod", "deployment_environment=staging", []other{{0, "OrdersFail critical service=orders"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var all []other
			for _, o := range tc.same {
				all = append(all, other{o.after, o.text + " " + tc.one}, other{o.after + 150*s, o.text + " " + tc.other})
			}
			rules, at := heads(t, nil, 10*time.Minute, all...)
			if len(rules) < 2 || rules[0] != rules[1] || at[1] > 150*s+soon/2 {
				t.Errorf("pages are headed by %v after %v, want two of one rule", rules, at)
			}
		})
	}
	t.Run("what a data system calls its cluster is no other place", func(t *testing.T) {
		rules, _ := heads(t, nil, 10*time.Minute, other{0, "HostDown critical instance=es1:9100 job=node-exporter cluster=prod"},
			other{20 * s, "ElasticsearchHealthyNodes critical instance=es1:9114 job=elasticsearch cluster=search"})
		if !slices.Equal(rules, []string{"HostDown"}) {
			t.Errorf("pages are headed by %v, want HostDown alone", rules)
		}
	})
	t.Run("an instance of EC2 by its name and by its address", func(t *testing.T) {
		rules, _ := heads(t, nil, 40*time.Minute, other{0, "KubernetesNodeNotReady critical node=ip-10-1-2-3.ec2.internal job=kube-state-metrics"},
			other{20 * s, "NodeExporterGone critical instance=10.1.2.3:9100 job=node-exporter"})
		if !slices.Equal(rules, []string{"KubernetesNodeNotReady"}) {
			t.Errorf("pages are headed by %v, want KubernetesNodeNotReady alone", rules)
		}
	})
	t.Run("parts of the monitoring that fail at their work", func(t *testing.T) {
		rules, _ := heads(t, nil, 10*time.Minute, other{0, "ThanosRuleHighRuleEvaluationFailures critical job=thanos-rule cluster=obs"},
			other{30 * s, "LokiRequestErrors critical job=loki namespace=loki cluster=obs"}, other{60 * s, "ThanosQueryHttpRequestQueryErrorRateHigh critical job=thanos-query cluster=obs"})
		if !slices.Equal(rules, []string{"ThanosRuleHighRuleEvaluationFailures"}) {
			t.Errorf("pages are headed by %v, want one", rules)
		}
	})
}
