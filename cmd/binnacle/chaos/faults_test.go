package chaos

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage/damagetest"
)

// prompt is how soon a P1 must be paged while something is broken.
const prompt = 60 * time.Second

// TestAFullDiskPagesOn fills the disk under a running agent: what its own rules see and what others post is paged, a kill
// doubles nothing, and once there is room it is all as before.
func TestAFullDiskPagesOn(t *testing.T) {
	long(t)
	disk := damagetest.NewDisk(t, "64m")
	r := newRig(t, filepath.Join(disk.Path, "data"), "")
	r.start()
	r.trips("1", prompt)
	r.pages("Before", prompt)
	disk.Fill()
	t.Logf("own rule %v, foreign alarm %v after the disk was full", r.trips("2", prompt), r.pages("Full", prompt))
	r.within(prompt, "the status tells where the ledger is", func() bool { return strings.Contains(r.status(), `"stands_in":"`) }, func() { r.post(p1(fmt.Sprint("Full", time.Now().Unix()), time.Now())) })
	r.kill()
	r.start()
	r.pages("FullAndKilled", prompt)
	r.within(10*time.Second, "", func() bool {
		r.post(p1("Before", time.Now()), p1("Full", time.Now()))
		return time.Now().UnixNano()%5 == 0
	}, nil)
	disk.Free()
	r.kill()
	r.start()
	r.pages("RoomAgain", prompt)
	for _, name := range []string{"Before", "RoomAgain", "FullAndKilled", "service:t1:", "service:t2:"} {
		if n := r.incidents(name); n > 1 {
			t.Errorf("%s has %d incidents; want one", name, n)
		}
	}
}

// TestARunOutOfDescriptorsPagesOn leaves the agent 64 descriptors and takes what it has for callers by bodies that never end.
func TestARunOutOfDescriptorsPagesOn(t *testing.T) {
	long(t)
	r := newRig(t, t.TempDir(), "")
	r.start("sh", "-c", `ulimit -n 64; exec "$@"`, "sh")
	r.pages("Before", prompt)
	for range 120 {
		c, err := net.Dial("tcp", r.listen)
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = fmt.Fprintf(c, "POST /api/v2/alerts HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[", r.listen) // refused is fine
	}
	t.Logf("paged after %v", r.trips("3", prompt))
}

// TestNamesThatHangHoldNothingUp asks a name server that never answers for the pager: the second channel gets the P1, and the
// board answers.
func TestNamesThatHangHoldNothingUp(t *testing.T) {
	long(t)
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("the names of a process cannot be changed (it wants root): %v", err)
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Skipf("port 53 is not free: %v", err)
	}
	defer silent.Close()
	var called atomic.Int64
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called.Add(1)
		_, _ = w.Write([]byte("ok")) // as Slack answers
	}))
	defer second.Close()
	r := newRig(t, t.TempDir(), "")
	b, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "events_url: '"+r.pd.URL()+"'", "events_url: 'http://pager.example', second: {webhook: '"+second.URL+"'}", 1)
	text = strings.Replace(text, "route:\n", "route:\n  second_after: 30s\n", 1)
	r.write(r.config, text)
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	r.write(resolv, "nameserver 127.0.0.1\n")
	r.start("unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolv)
	begun := time.Now()
	r.within(prompt+30*time.Second, "the page through the second channel", func() bool { return called.Load() > 0 }, func() { r.post(p1("Hangs", begun)) })
	asked := time.Now()
	if s := r.status(); !strings.Contains(s, `"node"`) || time.Since(asked) > 2*time.Second {
		t.Errorf("the status took %v: %.200s", time.Since(asked), s)
	}
}
