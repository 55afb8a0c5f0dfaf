package rabbitmq

import "time"

// resetWatch finds restarts that nobody saw: the counters of the application fell back while the virtual machine
// kept running. That is what a pause or an autoheal leaves behind, and all it leaves.
type resetWatch struct {
	uptime   float64 // of the virtual machine at the last check, seconds
	counters map[string]float64
	began    time.Time // the first fall of the restart that is under way
	fell     time.Time // its last fall
	open     bool      // a restart is under way: what falls belongs to it
	missing  bool      // a counter was not there at the last check
}

// resetCounters begin again with the application and with nothing else. Our own requests move the last one, so
// that a restart shows on a broker without any traffic.
var resetCounters = []string{
	"rabbitmq_global_messages_received_total", "rabbitmq_global_messages_routed_total",
	"rabbitmq_connections_opened_total", "rabbitmq_channels_opened_total", "rabbitmq_auth_attempts_total",
}

// settle is how long after its last fall a restart is under way at least. The application makes its counters one after
// another while it boots, and the plugin answers meanwhile: what one restart sets back falls in several checks. No node
// pauses twice in so short a time: it takes 5 s to come back (3.10.8, measured November 2026).
const settle = 5 * time.Second

// see compares with the checks before at now. While the application starts, the plugin answers without its counters; what they
// were before still counts, and the restart is under way until all are back.
func (r *resetWatch) see(plugin map[string]float64, now time.Time) (app, vm bool) {
	uptime, ok := plugin["rabbitmq_erlang_uptime_seconds"]
	if !ok {
		return false, false
	}
	vm = r.counters != nil && uptime < r.uptime
	if vm || r.counters == nil {
		*r = resetWatch{counters: map[string]float64{}}
	}
	settled := now.Sub(r.fell) > settle && !r.missing || now.Sub(r.began) > boot
	r.open = r.open && !settled
	if r.take(plugin) {
		app = !r.open
		if app {
			r.open, r.began = true, now
		}
		r.fell = now
	}
	r.uptime = uptime
	return app, vm
}

// take keeps the counters of now, and reports whether one fell.
func (r *resetWatch) take(plugin map[string]float64) (fell bool) {
	r.missing = false
	for _, name := range resetCounters {
		v, ok := plugin[name]
		was, had := r.counters[name]
		switch {
		case ok:
			fell = fell || had && v < was
			r.counters[name] = v
		case had:
			r.missing = true
		}
	}
	return fell
}
