package aws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws/awstest"
)

// asked opens an account at a fake of AWS.
func asked(t *testing.T, c Config) (*Account, *awstest.AWS) {
	t.Helper()
	alone(t)
	fake := awstest.New()
	t.Cleanup(fake.Close)
	c.Region, c.Endpoint = "eu-west-1", fake.URL
	a, err := Open(t.Context(), c, Options{backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return a, fake
}

func metricOf(elb string) Metric {
	return Metric{Namespace: "AWS/ELB", Name: "SpilloverCount", Dimensions: []Dimension{{"LoadBalancerName", elb}}}
}

func TestFigures(t *testing.T) {
	a, fake := asked(t, Config{Budget: 1})
	from := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	dims := func(elb string) map[string]string { return map[string]string{"LoadBalancerName": elb} }
	minute := func(_ string, at time.Time) (float64, bool) { return float64(at.Minute()), at.Minute() != 2 }
	fake.Lay(
		awstest.Metric{Namespace: "AWS/ELB", Name: "SpilloverCount", Dimensions: dims("www"), At: minute},
		awstest.Metric{Namespace: "AWS/ELB", Name: "SpilloverCount", Dimensions: dims("part"), At: minute, Status: "PartialData"},
		awstest.Metric{Namespace: "AWS/ELB", Name: "SpilloverCount", Dimensions: dims("ill"), Status: "InternalError"},
	)
	var qs []Query
	for i, elb := range []string{"www", "idle", "part", "ill"} {
		qs = append(qs, Query{metricOf(elb), "Sum", time.Minute})
		if i == 0 {
			for range 600 { // more than a call has
				qs = append(qs, Query{metricOf("idle"), "Sum", time.Minute})
			}
		}
	}
	fake.Page(200)
	got, err := a.Figures(t.Context(), qs, from, from.Add(4*time.Minute))
	if err != nil || len(got) != len(qs) {
		t.Fatalf("%d answers, %v; want %d", len(got), err, len(qs))
	}
	www, idle, part, ill := got[0], got[601], got[602], got[603]
	if len(www.Points) != 3 || www.Points[0].Value != 3 || !www.Points[0].At.Equal(from.Add(3*time.Minute)) || www.Err != nil {
		t.Errorf("www: %+v; want minutes 3, 1 and 0", www)
	}
	if len(idle.Points) != 0 || idle.Err != nil {
		t.Errorf("idle: %+v; want no points, and no error", idle)
	}
	if len(part.Points) != 3 || !errors.Is(part.Err, ErrPartial) {
		t.Errorf("part: %+v; want points, and that not all came", part)
	}
	if ill.Err == nil || !strings.Contains(ill.Err.Error(), "InternalError") {
		t.Errorf("ill: %+v; want its error", ill)
	}
	if n := fake.Count("GetMetricData"); n < 4 || n > 6 { // 200 + 200 + 100, and 104; one may be tried again on a busy machine
		t.Errorf("%d calls; want 4", n)
	}

	list, err := a.Listed(t.Context(), "AWS/ELB", "SpilloverCount")
	if err != nil || len(list) != 3 || list[0][0].Value != "www" {
		t.Errorf("listed %v, %v; want the three that are there", list, err)
	}
}

// Throttling passes; a right that lacks is named; over the budget nothing is asked.
func TestFiguresInTrouble(t *testing.T) {
	a, fake := asked(t, Config{Budget: 1})
	qs, to := []Query{{metricOf("www"), "Sum", time.Minute}}, time.Now()
	fake.Fail(awstest.Fault{Action: "GetMetricData", Status: 400, Code: "Throttling"}, awstest.Fault{Action: "GetMetricData", Status: 503, Code: "ServiceUnavailable"})
	if _, err := a.Figures(t.Context(), qs, to.Add(-time.Hour), to); err != nil {
		t.Errorf("after two refusals: %v; want an answer", err)
	}
	fake.Fail(awstest.Fault{Action: "GetMetricData", Status: 502, Body: "<html>proxy</html>"}, awstest.Fault{Action: "GetMetricData", Status: 502, Body: "<html>proxy</html>"}, awstest.Fault{Action: "GetMetricData", Status: 502, Body: "<html>proxy</html>"})
	if _, err := a.Figures(t.Context(), qs, to.Add(-time.Hour), to); err == nil {
		t.Error("a proxy answered; want an error")
	}
	fake.Deny("GetMetricData", true)
	if _, err := a.Figures(t.Context(), qs, to.Add(-time.Hour), to); err == nil || !strings.Contains(err.Error(), "lacks the right cloudwatch:GetMetricData") {
		t.Errorf("%v; want the right that lacks", err)
	}
	fake.Deny("GetMetricData", false)
	n := fake.Count("GetMetricData")
	a.spent.budget = a.Spent() + priceFigures/2
	if _, err := a.Figures(t.Context(), qs, to.Add(-time.Hour), to); !errors.Is(err, ErrBudget) || fake.Count("GetMetricData") != n {
		t.Errorf("%v; want ErrBudget, and nothing asked", err)
	}
}
