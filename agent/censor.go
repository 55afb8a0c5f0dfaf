package agent

import (
	"maps"
	"sync"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
)

// maxRenamed bounds how many alarms are remembered whose labels held a secret.
const maxRenamed = 10_000

// censor stands where alarms come to the router, or leave for one: labels and annotations reach people and pagers, and whoever
// wrote them may have put a password in, of a URL mostly.
type censor struct {
	mu      sync.Mutex
	renamed map[string]string // fingerprint as sent, to that of what is shown
}

// inputs returns in without secrets. An alarm whose labels held one is another alarm from here on, so its end is too.
func (c *censor) inputs(in []alerting.Input) []alerting.Input {
	out := make([]alerting.Input, len(in))
	for i, one := range in {
		switch one := one.(type) {
		case alerting.Firing:
			out[i] = c.firing(one)
		case alerting.Ended:
			c.mu.Lock()
			if fp, ok := c.renamed[one.Fingerprint]; ok {
				one.Fingerprint = fp
			}
			c.mu.Unlock()
			out[i] = one
		default:
			out[i] = one
		}
	}
	return out
}

func (c *censor) firing(f alerting.Firing) alerting.Firing {
	labels, changed := redactMap(f.Alarm.Labels)
	f.Alarm.Annotations, _ = redactMap(f.Alarm.Annotations)
	if !changed {
		return f
	}
	before := f.Alarm.Fingerprint()
	f.Alarm.Labels = labels
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.renamed == nil || len(c.renamed) >= maxRenamed {
		c.renamed = map[string]string{} // an end that is not found then is one by silence
	}
	c.renamed[before] = f.Alarm.Fingerprint()
	return f
}

// shows says whether an alarm that was sent under another fingerprint is shown under this one.
func (c *censor) shows(fingerprint string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fp := range c.renamed {
		if fp == fingerprint {
			return true
		}
	}
	return false
}

// redactMap returns m, or a copy where a value holds a secret.
func redactMap(m map[string]string) (out map[string]string, changed bool) {
	out = m
	for k, v := range m {
		if clean := secret.Redact(v); clean != v {
			if !changed {
				out, changed = maps.Clone(m), true
			}
			out[k] = clean
		}
	}
	return out, changed
}
