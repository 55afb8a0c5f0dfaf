package diagnosis

import "github.com/navcloud/binnacle/alerting"

// down says that a host is down, as far as more than a word of a text says.
func (a *Alone) down() bool {
	r := a.Reading
	return r.Kind.Value == "down" && r.Layer.Value == "node" && r.Kind.Trust >= alerting.Catalogue
}

// watches says that an alarm is of parts of the monitoring that fail at their work, which have queries and storage in common. One that
// something is not seen is about that thing.
func (a *Alone) watches() bool {
	r := a.Reading
	return r.Layer.Value == "monitoring" && (r.Kind.Value == "errors" || r.Kind.Value == "latency") && r.Kind.Trust >= alerting.Catalogue
}

// chore alarms are of the alerting system, of batch jobs or of housekeeping: they bring nothing else about.
func (a *Alone) chore() bool {
	switch a.Reading.Layer.Value {
	case "job", "monitoring":
		return true
	}
	return a.Reading.Kind.Value == "hygiene" || a.Reading.Kind.Value == "heartbeat" || a.Reading.Idle
}
