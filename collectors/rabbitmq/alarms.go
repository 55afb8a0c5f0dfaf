package rabbitmq

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// alarmsTold are the resource alarms of this node as the management API tells them, by resource. The prometheus plugin does so
// since 3.9.4 (its release notes; those of 3.8.21 to 3.8.23 do not name it; read 30 November 2026), and only where it is on.
type alarmsTold map[string]bool

// noAlarm is what is told where nothing is wrong: of these two each version speaks.
func noAlarm() alarmsTold { return alarmsTold{"memory": false, "disk": false} }

// resourceOf is the label of a resource as health checks name it: "memory", "disk space" (recorded, 3.10.8) or "disk".
func resourceOf(name string) string {
	for _, known := range []string{"memory", "disk"} {
		if strings.Contains(name, known) {
			return known
		}
	}
	if strings.Contains(name, "descriptor") {
		return "file_descriptors"
	}
	if name == "" {
		return "other"
	}
	return collectors.Label(name)
}

// maxAlarms bounds the resources that one answer tells of.
const maxAlarms = 10

// askLocalAlarms asks which alarms this node has raised. A 503 that names none is another's.
func (r *collector) askLocalAlarms(ctx context.Context) (func(), error) {
	told := noAlarm()
	const path = "health/checks/local-alarms"
	err := r.get(ctx, r.api(path), true, func(status int, body io.Reader) error {
		var said struct {
			Status string `json:"status"`
			Alarms []struct {
				Resource string `json:"resource"`
			} `json:"alarms"`
		}
		if err := r.decode(body, &said); err != nil {
			return err
		}
		want := "ok"
		if status == http.StatusServiceUnavailable {
			want = "failed"
		}
		if said.Status != want {
			return fmt.Errorf("want status %s, have %q", want, said.Status)
		}
		for _, a := range said.Alarms[:min(len(said.Alarms), maxAlarms)] {
			told[resourceOf(a.Resource)] = true
		}
		return nil
	}, http.StatusServiceUnavailable)
	if classify(err) == answerMissing { // before 3.8.10
		told, err = r.alarmsOfNode(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return func() { r.seen.alarms = told }, nil
}

// alarmsOfNode reads the alarms where there are no such checks: the node tells them of itself.
func (r *collector) alarmsOfNode(ctx context.Context, missing error) (alarmsTold, error) {
	r.mu.Lock()
	name := r.seen.name
	r.mu.Unlock()
	if name == "" {
		return nil, missing
	}
	var node struct {
		Memory maybe[bool] `json:"mem_alarm"`
		Disk   maybe[bool] `json:"disk_free_alarm"`
	}
	if err := r.getJSON(ctx, "nodes/"+url.PathEscape(name)+"?columns=mem_alarm,disk_free_alarm", &node); err != nil {
		return nil, err
	}
	if node.Memory.at == nil || node.Disk.at == nil {
		return nil, fmt.Errorf("want mem_alarm and disk_free_alarm of %s, have neither or one", name)
	}
	return alarmsTold{"memory": *node.Memory.at, "disk": *node.Disk.at}, nil
}
