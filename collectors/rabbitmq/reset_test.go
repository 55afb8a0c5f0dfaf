package rabbitmq

import (
	"testing"
	"time"
)

// TestRabbitmqReset holds that each restart is counted once, however many checks its counters fall in.
func TestRabbitmqReset(t *testing.T) {
	const uptime, logins, routed = "rabbitmq_erlang_uptime_seconds", "rabbitmq_auth_attempts_total", "rabbitmq_global_messages_routed_total"
	type look struct {
		at      time.Duration
		plugin  map[string]float64
		app, vm bool
	}
	for name, looks := range map[string][]look{
		"counters are missing while the application starts": {
			{plugin: map[string]float64{uptime: 100, logins: 87}},
			{at: 2 * time.Second, plugin: map[string]float64{uptime: 102}},
			{at: 4 * time.Second, plugin: nil},
			{at: 8 * time.Second, plugin: map[string]float64{uptime: 108, logins: 2}, app: true},
			{at: 10 * time.Second, plugin: map[string]float64{uptime: 110, logins: 4}},
			{at: 11 * time.Second, plugin: map[string]float64{uptime: 1, logins: 1}, vm: true},
			{at: 13 * time.Second, plugin: map[string]float64{uptime: 3, logins: 0}, app: true},
		},
		"counters fall one after another": {
			{plugin: map[string]float64{uptime: 100, logins: 87, routed: 900}},
			{at: 6 * time.Second, plugin: map[string]float64{uptime: 106, logins: 2}, app: true},
			{at: 8 * time.Second, plugin: map[string]float64{uptime: 108, logins: 4, routed: 3}},
		},
		"a counter comes long after the other": {
			{plugin: map[string]float64{uptime: 100, logins: 87, routed: 900}},
			{at: 6 * time.Second, plugin: map[string]float64{uptime: 106, logins: 2}, app: true},
			{at: 20 * time.Second, plugin: map[string]float64{uptime: 120, logins: 9}},
			{at: 40 * time.Second, plugin: map[string]float64{uptime: 140, logins: 19, routed: 3}},
			{at: 42 * time.Second, plugin: map[string]float64{uptime: 142, logins: 20, routed: 9}},
			{at: 50 * time.Second, plugin: map[string]float64{uptime: 150, logins: 1, routed: 0}, app: true},
		},
		"a counter is summed over parts that are set back one by one": {
			{plugin: map[string]float64{uptime: 100, routed: 900}},
			{at: 2 * time.Second, plugin: map[string]float64{uptime: 102, routed: 400}, app: true},
			{at: 4 * time.Second, plugin: map[string]float64{uptime: 104, routed: 0}},
			{at: 6 * time.Second, plugin: map[string]float64{uptime: 106, routed: 7}},
		},
		"two restarts are two": {
			{plugin: map[string]float64{uptime: 100, logins: 87, routed: 900}},
			{at: 6 * time.Second, plugin: map[string]float64{uptime: 106, logins: 2, routed: 0}, app: true},
			{at: 8 * time.Second, plugin: map[string]float64{uptime: 108, logins: 4, routed: 30}},
			{at: 13 * time.Second, plugin: map[string]float64{uptime: 113, logins: 1, routed: 0}, app: true},
		},
		"a counter that never comes back ends no watch": {
			{plugin: map[string]float64{uptime: 100, logins: 87, routed: 900}},
			{at: 6 * time.Second, plugin: map[string]float64{uptime: 106, logins: 2}, app: true},
			{at: 200 * time.Second, plugin: map[string]float64{uptime: 300, logins: 90}},
			{at: 220 * time.Second, plugin: map[string]float64{uptime: 320, logins: 3}, app: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r resetWatch
			begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
			for i, look := range looks {
				if app, vm := r.see(look.plugin, begin.Add(look.at)); app != look.app || vm != look.vm {
					t.Errorf("look %d: restarts of the application %t and the machine %t, want %t and %t", i, app, vm, look.app, look.vm)
				}
			}
		})
	}
}
