package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

func TestFindMissing(t *testing.T) {
	ask := func(_ context.Context, q string, at time.Time) ([]query.Series, error) {
		one := func(v float64, kv ...string) query.Series {
			ls := map[string]string{}
			for i := 0; i < len(kv); i += 2 {
				ls[kv[i]] = kv[i+1]
			}
			return query.Series{Labels: ls, Points: []query.Point{{T: at, V: v}}}
		}
		if strings.Contains(q, "lacking") {
			return []query.Series{one(2, "autoscaling_group", "api")}, nil
		}
		i := []string{"instance_id", "i-3", "autoscaling_group", "api", "state", "InService"}
		return []query.Series{one(1, i...), one(1, append(i, "node", "r2")...), one(1, "instance_id", "i-2", "autoscaling_group", "api", "state", "Pending", "excused", "its group api starts it")}, nil
	}
	got, err := FindMissing(t.Context(), ask, time.Now())
	var lines []string
	for _, m := range got {
		lines = append(lines, m.String())
	}
	want := "group api lacks 2 of the instances that it wants|i-2 of group api (Pending): its group api starts it|i-3 of group api (InService): Auto Scaling has it, and no agent there reports"
	if text := strings.Join(lines, "|"); err != nil || text != want || got[1].Wants() || !got[2].Wants() {
		t.Errorf("missing %s, %v; want %s", text, err, want)
	}
	fails := errors.New("no store")
	if _, err := FindMissing(t.Context(), func(context.Context, string, time.Time) ([]query.Series, error) { return nil, fails }, time.Now()); !errors.Is(err, fails) {
		t.Errorf("%v; want the store's error", err)
	}
}
