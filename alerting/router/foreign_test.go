package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// theirs makes an alarm of a rule that knows nothing of ordering: "Rule severity label=value ...". Without a severity it is critical.
func theirs(text string) alerting.Alarm {
	f := strings.Fields(text)
	a := alerting.Alarm{
		Labels:      map[string]string{alerting.LabelRule: f[0], alerting.LabelSeverity: "critical"},
		Annotations: map[string]string{alerting.AnnotationSummary: text},
	}
	for _, pair := range f[1:] {
		if k, v, ok := strings.Cut(pair, "="); ok {
			a.Labels[k] = v
		} else {
			a.Labels[alerting.LabelSeverity] = pair
		}
	}
	return a
}

// pages counts the pages at high urgency, and says which rule headed the last.
func (w *world) pages() (n int, last string) {
	for _, line := range w.log {
		if strings.Contains(line, "trigger P1") || strings.Contains(line, "trigger P2") {
			n++
			last = line[strings.LastIndexByte(line, ' ')+1:]
		}
	}
	return n, last
}

// TestASecondFaultOnAnotherOwnerPages: what folds alarms of one fault into one page must not fold a second fault, an hour later,
// on another owner, while the first still fires.
func TestASecondFaultOnAnotherOwnerPages(t *testing.T) {
	for name, tc := range map[string]struct {
		first  []string // one page
		second string   // another
	}{
		"one rule in a namespace": {
			[]string{"KubePodCrashLooping namespace=shop pod=cart-5d8f7c9b4-aaaaa", "KubePodCrashLooping namespace=shop pod=cart-5d8f7c9b4-bbbbb"},
			"KubePodCrashLooping namespace=shop pod=search-7c6d5e4f3-ccccc",
		},
		"one rule on hosts": {
			[]string{"PrometheusTargetMissing job=node instance=a:9100", "PrometheusTargetMissing job=node instance=b:9100"},
			"PrometheusTargetMissing job=node instance=c:9100",
		},
		"one host": {
			[]string{"HostDown job=node instance=web-1:9100", "NginxDown job=nginx instance=web-1:9113", "PhpFpmDown job=php instance=web-1:9253"},
			"NginxDown job=nginx instance=web-2:9113",
		},
		"a severity pair": {
			[]string{"NodeFilesystemAlmostOutOfSpace warning job=node instance=a:9100 mountpoint=/x", "NodeFilesystemAlmostOutOfSpace job=node instance=a:9100 mountpoint=/x"},
			"NodeFilesystemAlmostOutOfSpace job=node instance=b:9100 mountpoint=/x",
		},
		"an exporter that speaks for others": {
			[]string{"KubernetesNodeNotReady job=kube-state-metrics instance=10.0.0.1:8443 node=n-1", "KubernetesNodeNotReady job=kube-state-metrics instance=10.0.0.1:8443 node=n-2"},
			"KubernetesNodeNotReady job=kube-state-metrics instance=10.0.0.1:8443 node=n-3",
		},
		"burn-rate windows": {
			[]string{"ErrorBudgetBurn slo=a long=1h short=5m", "ErrorBudgetBurn slo=a long=6h short=30m"},
			"ErrorBudgetBurn slo=b long=1h short=5m",
		},
		"a disturbance, by the catalogue": {
			[]string{"RedisDown cluster=c job=redis instance=cache-1:9121", "HaproxyServerConnectionErrors cluster=c proxy=be", "PostgresqlNotEnoughConnections cluster=c datname=d"},
			"HaproxyBackendConnectionErrors cluster=c proxy=other",
		},
		"a disturbance, by nothing but time": {
			[]string{"Qwert job=a instance=a:1", "Asdfg job=b instance=b:1"},
			"Yxcvb job=c instance=c:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, text := range tc.first {
				w.fire(theirs(text))
				w.wait(5 * time.Second)
			}
			w.wait(10 * time.Minute)
			if n, _ := w.pages(); n != 1 {
				t.Errorf("the first fault is %d pages:\n%s", n, strings.Join(w.log, "\n"))
			}
			w.wait(50 * time.Minute)
			before, _ := w.pages()
			second := theirs(tc.second)
			w.fire(second)
			w.wait(6 * time.Minute)
			if n, rule := w.pages(); n != before+1 || rule != second.Rule() {
				t.Errorf("after the second fault there are %d pages, were %d, the last of %s; want one more, of %s:\n%s", n, before, rule, second.Rule(), strings.Join(w.log, "\n"))
			}
		})
	}
}

func TestWhatAGuessFoldedPagesWhenItStays(t *testing.T) {
	w := newWorld(t)
	w.fire(theirs("Qwert job=a instance=a:1"))
	w.wait(10 * time.Second)
	w.fire(theirs("Asdfg job=b instance=b:1"), theirs("Yxcvb job=c instance=c:1"))
	w.wait(14 * time.Minute)
	if n, _ := w.pages(); n != 1 {
		t.Errorf("%d pages in the first 14 minutes; want 1:\n%s", n, strings.Join(w.log, "\n"))
	}
	w.wait(3 * time.Minute)
	if n, _ := w.pages(); n != 2 {
		t.Errorf("%d pages after 15 minutes; want 2, one for all that was folded:\n%s", n, strings.Join(w.log, "\n"))
	}
	w.wait(2 * time.Hour)
	if n, _ := w.pages(); n != 2 {
		t.Errorf("%d pages after two hours; want no third:\n%s", n, strings.Join(w.log, "\n"))
	}
}

func TestWhatAGuessFoldedPagesWhenItsCauseResolves(t *testing.T) {
	w := newWorld(t)
	cause, effect := theirs("RedisDown cluster=c job=redis instance=cache-1:9121"), theirs("MysqlSlaveReplicationLag cluster=c job=mysql instance=db-2:9104")
	w.fire(cause)
	w.wait(10 * time.Second)
	w.fire(effect)
	w.wait(5 * time.Minute)
	w.end(cause)
	w.wait(2 * time.Minute)
	if n, _ := w.pages(); n != 1 {
		t.Errorf("%d pages while the effect may end; want 1:\n%s", n, strings.Join(w.log, "\n"))
	}
	w.wait(6 * time.Minute)
	if n, rule := w.pages(); n != 2 || rule != effect.Rule() {
		t.Errorf("%d pages, the last of %s; want 2, %s:\n%s", n, rule, effect.Rule(), strings.Join(w.log, "\n"))
	}
}

// TestAMisleadingNameHidesNoPage: the name of a public rule on another thing is no proof of anything.
func TestAMisleadingNameHidesNoPage(t *testing.T) {
	for name, tc := range map[string]struct{ storm, fault string }{
		"a full volume called a pod":        {"PrometheusTargetMissing cluster=c job=node instance=a:9100", "KubePodNotReady cluster=c namespace=db persistentvolumeclaim=data-0"},
		"a volume during users' harm":       {"BlackboxProbeFailed cluster=c job=blackbox instance=https://www.example.net/", "CheckoutErrorsHigh cluster=c namespace=db persistentvolumeclaim=data-0"},
		"something critical called a chore": {"PrometheusTargetMissing cluster=c job=node instance=a:9100", "KubeVersionMismatch cluster=c namespace=pay service=pay"},
		"a heartbeat's name":                {"PrometheusTargetMissing cluster=c job=node instance=a:9100", "Watchdog cluster=c instance=plc-7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fire(theirs(tc.storm))
			w.wait(30 * time.Second)
			fault := theirs(tc.fault)
			w.fire(fault)
			w.wait(20 * time.Minute)
			told := false
			for _, line := range w.log {
				told = told || strings.Contains(line, "trigger P") && strings.HasSuffix(line, fault.Rule())
			}
			if !told {
				t.Errorf("nobody was paged for %s:\n%s", tc.fault, strings.Join(w.log, "\n"))
			}
		})
	}
}

func TestOneOfManyThatComeAndGoIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	for n := range 6 { // an upgrade, machine after machine
		a := theirs(fmt.Sprintf("PrometheusTargetMissing job=node instance=n-%d:9100", n))
		w.fire(a)
		w.wait(100 * time.Second)
		w.end(a)
		w.wait(200 * time.Second)
	}
	if n, _ := w.pages(); n != 1 {
		t.Errorf("an upgrade is %d pages; want 1:\n%s", n, strings.Join(w.log, "\n"))
	}
	w.fire(theirs("PrometheusTargetMissing job=node instance=n-9:9100"))
	w.wait(5*time.Minute + 30*time.Second)
	if n, _ := w.pages(); n != 2 {
		t.Errorf("one that stays is not told: %d pages; want 2:\n%s", n, strings.Join(w.log, "\n"))
	}
}

func TestPlacesThatDifferAreApart(t *testing.T) {
	w := newWorld(t)
	w.fire(theirs("RedisDown cluster=east job=redis instance=cache-1:9121"), theirs("NginxHighHttp5xxErrorRate cluster=west"))
	w.wait(2 * time.Minute)
	if n, _ := w.pages(); n != 2 {
		t.Errorf("two clusters are %d pages; want 2:\n%s", n, strings.Join(w.log, "\n"))
	}
}

func TestOneAlarmUnderChangingLabels(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		a := theirs(fmt.Sprintf("QueueDepthHigh job=q queue=billing value=%d", 5000+n))
		w.fire(a)
		w.wait(time.Minute)
		w.end(a)
	}
	if n, _ := w.pages(); n != 1 {
		t.Errorf("%d pages; want 1:\n%s", n, strings.Join(w.log, "\n"))
	}
	w = newWorld(t)
	w.fire(theirs("DiskUsed instance=a:1 used=90"), theirs("DiskUsed instance=a:1 used=95"))
	w.wait(time.Second)
	if firing := w.r.View().Firing; firing != 2 {
		t.Errorf("two that fire together are %d alarms; want 2", firing)
	}
}

// TestAnEarlierLifeThatFoldedLess: incidents of a version that had a page for each alarm go on, neither doubled nor orphaned.
func TestAnEarlierLifeThatFoldedLess(t *testing.T) {
	w := newWorld(t)
	alarms := []alerting.Alarm{
		theirs("HostDown job=node instance=web-1:9100"), theirs("NginxDown job=nginx instance=web-1:9113"),
		theirs("QueueDepthHigh job=q queue=billing value=5"), theirs("KubeJobFailed warning namespace=a job_name=b"),
	}
	for n, a := range alarms {
		rec := alerting.Record{
			Key: fmt.Sprintf("binnacle:%s:host:x:1", a.Rule()), Base: fmt.Sprintf("binnacle:%s:host:x", a.Rule()), Generation: 1, Route: "default", Open: true,
			Kind: alerting.Trigger, OpenedAt: w.now.Add(-time.Hour), UpdatedAt: w.now.Add(-time.Hour),
			Page: alerting.Page{Priority: alerting.P2, Sentence: a.Summary(), Rule: a.Rule(), Guidance: "g", Reason: "r", Explained: []alerting.Alarm{a}},
		}
		if n == 1 {
			rec.AckedBy, rec.AckedAt = "ann", w.now.Add(-30*time.Minute)
		}
		if n == 3 {
			rec.Page.Priority = alerting.P3
		}
		w.ledger[rec.Key], w.open[rec.Key] = rec, rec.Page.Priority
	}
	w.restart()
	w.fire(alarms...)
	w.wait(20 * time.Minute)
	if n, _ := w.pages(); n != 0 || len(w.open) != len(alarms) {
		t.Errorf("%d pages after the upgrade, open %v; want none and all four open:\n%s", n, w.open, strings.Join(w.log, "\n"))
	}
	w.end(alarms...)
	w.wait(30 * time.Minute)
	if len(w.open) != 0 {
		t.Errorf("orphans: %v", w.open)
	}
}

func TestAProbeThatComesAndGoesCallsOnceUntilItStays(t *testing.T) {
	w := newWorld(t)
	a := theirs("BlackboxProbeFailed job=blackbox instance=https://www.shop.example/")
	for range 4 {
		w.fire(a)
		w.wait(2 * time.Minute)
		w.end(a)
		w.wait(23 * time.Minute)
	}
	if n, _ := w.pages(); n != 1 {
		t.Errorf("%d pages of a probe that fails for two minutes each 25; want 1:\n%s", n, strings.Join(w.log, "\n"))
	}
	w.fire(a)
	w.wait(4 * time.Minute)
	if n, _ := w.pages(); n != 2 {
		t.Errorf("one that stays is not told: %d pages; want 2:\n%s", n, strings.Join(w.log, "\n"))
	}
}
