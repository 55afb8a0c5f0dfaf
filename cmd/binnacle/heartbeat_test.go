package main

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting/dispatch"
)

func TestHeartbeat(t *testing.T) {
	atDesk(t, dispatch.On, func(_ *testing.T, k *desk) {
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: never heard, watched for 1 min", "/ping/6ba7b810-9dad-11d1-80b4-00c04fd430c8")
		k.want(0, "heartbeat ping backup --state start", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: runs for 1 min")
		k.want(0, "heartbeat ping backup --state 3 --text full", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: failed 1 min ago: exit code 3: full")
		k.want(0, "heartbeat ping backup", "Noted: backup")
		k.tell(time.Minute)
		k.want(0, "heartbeat list", "backup: heard 1 min ago")
		k.want(3, "heartbeat ping other", `no heartbeat is named "other"`)
		k.want(3, "heartbeat ping backup --state late", "state: want nothing, start, fail")
	})
}
