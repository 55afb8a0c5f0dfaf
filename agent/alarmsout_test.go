package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/aws/awstest"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/testport"
)

const alarmRules = `groups:
- name: g
  rules:
  - {alert: Busy, expr: 'host_load1 > 10', for: 5m, labels: {severity: critical}}
  - {alert: DiskLow, expr: 'app_free_ratio{mountpoint=~"/|/var"} < 0.05', for: 90s, labels: {severity: critical}}
  - {alert: Recorded, expr: 'a:b:c > 1'}
  - {alert: Rate, expr: 'rate(app_x_total[5m]) > 1'}
  - {alert: Total, expr: 'host_cpu_seconds_total > 1'}
  - {alert: Hidden, expr: 'binnacle_goroutines > 1000'}
  - {alert: Silent, expr: 'app_nothing > 1'}
  - {alert: Equal, expr: 'app_up == 0'}
`

// atCloudWatch is a fleet's metrics at the fake, and its configuration.
func atCloudWatch(t *testing.T, more string) (Config, *awstest.AWS) {
	t.Helper()
	fake := asAWS(t)
	file := filepath.Join(t.TempDir(), "r.rules.yml")
	if err := os.WriteFile(file, []byte(alarmRules), 0o600); err != nil {
		t.Fatal(err)
	}
	lay := func(name string, kv ...string) {
		m := awstest.Metric{Namespace: "NavCloud", Name: name, Dimensions: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			m.Dimensions[kv[i]] = kv[i+1]
		}
		fake.Lay(m)
	}
	for _, g := range []string{"api", "db"} {
		lay("host_load1", "Group", g)
		lay("app_free_ratio", "Group", g, "mountpoint", "/")
		lay("app_free_ratio", "Group", g, "mountpoint", "/home")
	}
	for _, i := range []string{"i-1", "i-2"} {
		lay("host_load1", "Group", "api", "InstanceId", i)
	}
	lay("binnacle_beat", "Group", "api")
	fake.Group("api", 2, awstest.Member{ID: "i-1", State: "InService"}, awstest.Member{ID: "i-2", State: "InService"})
	return parsed(t, "data: %s\nrules: {packs: [], files: [%s]}\naws: {region: eu-west-1, endpoint: '%s'}\nship: {cloudwatch: {alarms: {from: [all], actions: ['arn:aws:sns:eu-west-1:123456789012:oncall'], %s}}}\n",
		t.TempDir(), file, fake.URL, more), fake
}

func planned(t *testing.T, cfg Config) (AlarmsPlan, *aws.Account) {
	t.Helper()
	account, err := CloudWatchAccount(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := PlanAlarms(t.Context(), cfg, account)
	if err != nil {
		t.Fatal(err)
	}
	return p, account
}

func TestPlanOfAlarms(t *testing.T) {
	cfg, fake := atCloudWatch(t, "scope: group")
	p, _ := planned(t, cfg)
	var put []string
	for _, c := range p.Change.Put {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "binnacle/"), "/0")
		put = append(put, fmt.Sprintf("%s %s %s %v %d %s %d", strings.Join(strings.Split(name, "/")[1:3], " "), c.Stat, c.Op, c.Threshold, c.Of, c.Missing, len(c.Actions)))
	}
	want := []string{
		"beat api Maximum < 1 5 breaching 1", "Busy api Maximum > 10 5 missing 0", "Busy db Maximum > 10 5 missing 0", "DiskLow api,_ Minimum < 0.05 2 missing 0",
		"DiskLow db,_ Minimum < 0.05 2 missing 0", "paging api   0 0  1", "paging db   0 0  1",
	}
	if fmt.Sprint(put) != fmt.Sprint(want) {
		t.Errorf("put\n%s\nwant\n%s", strings.Join(put, "\n"), strings.Join(want, "\n"))
	}
	not := map[string]string{}
	for _, n := range p.Not {
		not[n.Rule] = n.Why
	}
	for rule, why := range map[string]string{
		"Recorded": "what a rule records", "Rate": "no comparison", "Total": "compares a total", "Hidden": "ship.cloudwatch.view leaves", "Silent": "nothing of app_nothing", "Equal": "no ==",
	} {
		if !strings.Contains(not[rule], why) {
			t.Errorf("%s cannot be: %q; want %q", rule, not[rule], why)
		}
	}
	if got := p.Change.Prices; got < 1.499 || got > 1.501 {
		t.Errorf("$%v a month; want 5 x 0.10 + 2 x 0.50", got)
	}
	if fake.Count("PutMetricAlarm")+fake.Count("DeleteAlarms")+fake.Count("PutCompositeAlarm") > 0 {
		t.Error("a plan wrote")
	}
	text, err := aws.CloudFormation(p.Want, p.Tag)
	var template struct {
		Resources map[string]struct {
			Type      string
			DependsOn []string
		}
	}
	if err = errors.Join(err, json.Unmarshal(text, &template)); err != nil || len(template.Resources) != 7 || len(template.Resources["Alarm006"].DependsOn) != 3 {
		t.Errorf("template %s, %v; want 7 alarms, and what a composite depends on", text, err)
	}
	cfg, _ = atCloudWatch(t, "scope: instance")
	if p, _ := planned(t, cfg); len(p.Change.Put) != 4 { // two of a rule, the beat, a composite
		t.Errorf("by instance: %+v", p.Change.Put)
	}
	cfg, _ = atCloudWatch(t, "scope: group, max: 3")
	if p, _ := planned(t, cfg); len(p.Change.Put) != 3 || len(p.Change.Over) != 4 {
		t.Errorf("at most 3: %d to put, %d over", len(p.Change.Put), len(p.Change.Over))
	}
}

// What is applied is as planned, once; what lacks the tag stays; an instance's alarms go after it has gone, ten a run.
func TestAlarmsAreKept(t *testing.T) {
	cfg, fake := atCloudWatch(t, "scope: both")
	apply := func() (AlarmsPlan, error) {
		p, account := planned(t, cfg)
		_, err := account.Apply(t.Context(), p.Change, p.Tag, 0)
		return p, err
	}
	if _, err := apply(); err != nil {
		t.Fatal(err)
	}
	made := fake.Alarms()
	if len(made) != 9 {
		t.Fatalf("%d alarms; want 9", len(made))
	}
	for name, a := range made {
		if a.Tags["owner"] != "binnacle" {
			t.Errorf("%s has no tag of ours", name)
		}
	}
	if p, err := apply(); err != nil || p.Change.Same != 9 || len(p.Change.Put)+len(p.Change.Drop) != 0 {
		t.Errorf("again: %+v, %v; want nothing to do", p.Change, err)
	}
	// Somebody else's alarm with a name like ours, and 12 of a rule that is gone.
	fake.Set("binnacle/binnacle/Old/x", "OK", fake.Time())
	for i := range 12 {
		fake.Own(fmt.Sprintf("binnacle/binnacle/Gone/%d", i), "owner", "binnacle")
	}
	fake.Take("i-2") // reports nothing, and Auto Scaling still has it
	p, err := apply()
	if !errors.Is(err, aws.ErrNotOurs) && len(p.Change.Drop) != 10 {
		t.Errorf("%+v, %v; want 10 deleted, and what lacks the tag refused", p.Change, err)
	}
	if kept := strings.Join(p.Change.Kept, "\n"); !strings.Contains(kept, "i-2 is there, and reports nothing") || !strings.Contains(kept, "the next run deletes it") {
		t.Errorf("kept %s", kept)
	}
	for range 3 {
		_, err = apply()
	}
	if !errors.Is(err, aws.ErrNotOurs) {
		t.Errorf("%v; want the alarm without our tag refused", err)
	}
	fake.Group("api", 1, awstest.Member{ID: "i-1", State: "InService"})
	_, _ = apply()
	left := fake.Alarms()
	if _, there := left["binnacle/binnacle/Old/x"]; !there || len(left) != 9 {
		t.Errorf("%d alarms are left, the other's among them: %v; want 9", len(left), there)
	}
	for name := range left {
		if strings.Contains(name, "i-2") || strings.Contains(name, "Gone") {
			t.Errorf("%s is left", name)
		}
	}
	fake.Deny("DescribeAutoScalingGroups", true)
	fake.Take("i-1")
	if p, _ := planned(t, cfg); !strings.Contains(strings.Join(p.Change.Kept, "\n"), "did not say whether i-1 is gone") {
		t.Errorf("kept %q; want nothing of an instance deleted blindly", p.Change.Kept)
	}
}

func TestAlarmsAreRefusedAndThrottled(t *testing.T) {
	cfg, fake := atCloudWatch(t, "scope: group")
	p, account := planned(t, cfg)
	fake.Deny("PutMetricAlarm", true)
	if done, err := account.Apply(t.Context(), p.Change, p.Tag, 0); done != 0 || err == nil || !strings.Contains(err.Error(), "lacks the right cloudwatch:PutMetricAlarm") || fake.Count("PutMetricAlarm") != 1 {
		t.Errorf("%d done, %v; want it to stop at the right that lacks", done, err)
	}
	fake.Deny("PutMetricAlarm", false)
	fake.Fail(awstest.Fault{Action: "PutMetricAlarm", Status: 400, Code: "LimitExceeded"}) // not tried again by the SDK: the next run does
	done, err := account.Apply(t.Context(), p.Change, p.Tag, 0)
	if err == nil || done < len(p.Change.Put)-3 {
		t.Errorf("%d done, %v; want the rest of them", done, err)
	}
	p, account = planned(t, cfg)
	if done, err := account.Apply(t.Context(), p.Change, p.Tag, 0); err != nil || done != len(p.Change.Put) {
		t.Errorf("%d done, %v", done, err)
	}
}

func TestBeatIsShippedWhateverTheViewSays(t *testing.T) {
	for text, want := range map[string]bool{
		"alarms: {from: [all]}":                            true,
		"alarms: {from: [all]}, view: {include: [host_*]}": true,
		"alarms: {from: [all]}, view: {exclude: ['*']}":    true,
		"namespace: N": false,
	} {
		_, view, err := cloudWatch(parsed(t, "ship: {cloudwatch: {%s}}\n", text))
		if err != nil || view.Shows(sinks.Beat) != want {
			t.Errorf("%s: %v, %v", text, view.Shows(sinks.Beat), err)
		}
	}
}

// Maintenance windows become mute rules of the alarms with actions that they silence as a whole: once, and for as long as they are wanted.
func TestMaintenanceWindowsMuteAlarms(t *testing.T) {
	const windows = `route:
  windows:
    night: {time_intervals: [{times: [{start_time: "01:00", end_time: "03:30"}]}]}
  maintenance:
    - {name: backup, match: ['alertname="Busy"', 'group="api"'], during: [night]}
    - {name: elsewhere, match: ['alertname="Busy"', 'node=~"api-.*"'], during: [night]}
`
	cfg, fake := atCloudWatch(t, "scope: group")
	plain := cfg
	cfg.Route.Ways = parsed(t, windows).Route.Ways
	apply := func(cfg Config) AlarmsPlan {
		t.Helper()
		p, account := planned(t, cfg)
		if done, err := account.Apply(t.Context(), p.Change, p.Tag, 0); err != nil || done != p.Change.Steps() {
			t.Fatalf("%d done of %d, %v", done, p.Change.Steps(), err)
		}
		return p
	}
	p := apply(cfg)
	if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "maintenance elsewhere mutes no alarm") || strings.Contains(notes, "backup") {
		t.Errorf("notes %q; want that nobody at CloudWatch knows what elsewhere covers", notes)
	}
	const muted = "binnacle/binnacle/paging/api+backup/1"
	mutes := fake.Mutes()
	if len(mutes) < 7 || len(mutes) > 8 {
		t.Errorf("%d mute rules; want one a night of the coming week", len(mutes))
	}
	for name, m := range mutes {
		if len(m.Alarms) != 1 || m.Alarms[0] != muted || m.Tags["owner"] != "binnacle" || !strings.HasPrefix(name, "binnacle.binnacle.backup.") {
			t.Errorf("%s: %+v; want it on %s, with our tag", name, m, muted)
		}
		if day, in := strings.CutSuffix(m.Expression, "T01:00)"); in && (!strings.HasPrefix(day, "at(20") || m.Duration != "PT150M") {
			t.Errorf("%s: %s for %s", name, m.Expression, m.Duration)
		}
	}
	if rule := fmt.Sprint(fake.Alarms()[muted].Shape["AlarmRule"]); !strings.Contains(rule, "/Busy/api/") || strings.Contains(rule, "DiskLow") {
		t.Errorf("muted is %s; want the rule that the window covers, and no other", rule)
	}
	if p := apply(cfg); p.Change.Steps() != 0 {
		t.Errorf("again: %+v; want nothing to do", p.Change)
	}
	fake.Silence("binnacle.binnacle.theirs", false, muted) // a name like ours
	for range 2 {
		p, account := planned(t, plain)
		_, _ = account.Apply(t.Context(), p.Change, p.Tag, 0)
	}
	if left := fake.Mutes(); len(left) != 1 {
		t.Errorf("%d mute rules without windows; want what lacks our tag", len(left))
	}
	fake.Deny("ListAlarmMuteRules", true)
	if p, _ := planned(t, cfg); !strings.Contains(strings.Join(p.Notes, "\n"), "lacks the right cloudwatch:ListAlarmMuteRules") || len(p.Want) == 0 {
		t.Errorf("notes %q; want the right that lacks, and the alarms all the same", p.Notes)
	}
}

// A reload that wants other alarms is followed at once, and one that wants none leaves those that are there.
func TestAReloadChangesTheAlarms(t *testing.T) {
	base, fake := atCloudWatch(t, "")
	data, listen := t.TempDir(), testport.Free(t)
	cfg := func(alarms string) Config {
		return parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: {packs: [], files: [%s]}\nroute: {mode: shadow}\naws: {region: eu-west-1, endpoint: '%s'}\nship: {cloudwatch: {region: eu-west-1, endpoint: '%s', %s}}\n",
			data, listen, base.Rules.Files[0], fake.URL, fake.URL, alarms)
	}
	made := func(rule string) func() bool {
		return func() bool {
			busy, other := 0, 0
			for name := range fake.Alarms() {
				if strings.Contains(name, "/"+rule+"/") {
					busy++
				} else if !strings.Contains(name, "/beat/") && !strings.Contains(name, "/paging/") {
					other++
				}
			}
			return busy == 2 && other == 0
		}
	}
	said := func() any { return fmt.Sprintf("%v %+v", fake.Alarms(), fake.Asked()) }
	a, end := run(t, cfg("alarms: {from: [Busy], apply: true}"))
	defer end()
	untilAWS(t, "the alarms of Busy are made", made("Busy"), said)
	if err := a.Reload(t.Context(), cfg("alarms: {from: [DiskLow], apply: true}"), nil); err != nil {
		t.Fatal(err)
	}
	untilAWS(t, "those of DiskLow are in their place", made("DiskLow"), said)
	if err := a.Reload(t.Context(), cfg("max_series: 300"), nil); err != nil {
		t.Fatal(err)
	}
	untilAWS(t, "status says nothing of alarms", func() bool { return a.Status().Route.AWS == nil || a.Status().Route.AWS.Alarms == nil }, said)
	if !made("DiskLow")() {
		t.Errorf("%v; want what is there left alone", fake.Alarms())
	}
}
