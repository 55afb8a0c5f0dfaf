package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// slow is how long a page may take here: programs of two revisions on a busy machine. What is promised is counted, not timed.
const slow = 3 * time.Minute

// upgraded is a fleet of routers with one pager, and the alarms that its senders repeat.
type upgraded struct {
	t       *testing.T
	routers []*rig
	names   []string
	begun   time.Time
}

// post sends all alarms so far to each router that runs.
func (u *upgraded) post() {
	var all []alarm
	for _, n := range u.names {
		all = append(all, p1(n, u.begun))
	}
	for _, r := range u.routers {
		if r.cmd != nil {
			r.post(all...)
		}
	}
}

// page raises a new P1, and waits until it is paged.
func (u *upgraded) page(name string) {
	u.t.Helper()
	u.names = append(u.names, name)
	u.routers[0].within(slow, "the page of "+name, func() bool { return u.routers[0].incidents(name) > 0 }, u.post)
}

// up starts a router and waits until it answers.
func (u *upgraded) up(r *rig, binary string) {
	u.t.Helper()
	r.binary = binary
	r.start()
	r.within(slow, "a router that answers", func() bool { return strings.Contains(r.status(), `"node"`) || r.post() }, u.post)
}

// each says that every alarm so far has one incident, which is open.
func (u *upgraded) each(when string) {
	u.t.Helper()
	pd := u.routers[0].pd
	for _, n := range u.names {
		var all []string
		for _, i := range pd.Incidents() {
			if strings.Contains(i.Key, n) {
				all = append(all, fmt.Sprintf("%s %s", i.Key, i.Status))
			}
		}
		if len(all) != 1 || strings.HasSuffix(all[0], " resolved") {
			u.t.Errorf("%s: %s has the incidents %q; want one, open", when, n, all)
		}
	}
}

// TestUpgradeOfReleased replaces a released revision by this one: BINNACLE_OLD is the program of that, as `make upgrade OLD=...` has
// it. First one router with its data folder, and back; then three on a shared ledger, one after the other, and one of them back. Every
// alarm is one incident, which stays open while it fires.
func TestUpgradeOfReleased(t *testing.T) {
	old := os.Getenv("BINNACLE_OLD")
	if old == "" {
		t.Skip("BINNACLE_OLD names no program of a released revision: make upgrade OLD=/path/to/binnacle")
	}
	t.Run("one router", func(t *testing.T) {
		u := &upgraded{t: t, begun: time.Now(), routers: []*rig{newRig(t, filepath.Join(t.TempDir(), "data"), "")}}
		for n, binary := range []string{old, "", old, ""} {
			u.up(u.routers[0], binary)
			u.page(fmt.Sprintf("step%d", n))
			u.each(fmt.Sprintf("step %d", n))
			u.routers[0].stop()
		}
	})
	t.Run("three routers", func(t *testing.T) {
		ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
		if err != nil {
			t.Fatal(err)
		}
		ns.Start()
		t.Cleanup(ns.Shutdown)
		if !ns.ReadyForConnections(slow) {
			t.Fatal("the ledger's server does not start")
		}
		pd := alertingtest.NewPagerDuty()
		t.Cleanup(pd.Close)
		u := &upgraded{t: t, begun: time.Now()}
		for n := range 3 {
			name := fmt.Sprintf("router-%c", 'a'+n)
			u.routers = append(u.routers, newNode(t, name, pd, filepath.Join(t.TempDir(), "data"), "  ledger: {nats: {urls: ['"+ns.ClientURL()+"']}}"))
			u.up(u.routers[n], old)
		}
		u.page("before")
		for n, r := range u.routers {
			r.stop()
			u.page(fmt.Sprintf("without%d", n))
			u.up(r, "")
			u.page(fmt.Sprintf("with%d", n))
			u.each(fmt.Sprintf("router %d of this revision", n))
		}
		u.routers[1].stop()
		u.up(u.routers[1], old)
		u.page("mixed")
		u.routers[0].stop()
		u.page("back")
		u.each("one router of the old revision again")
	})
}
