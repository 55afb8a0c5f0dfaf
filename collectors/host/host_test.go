package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

func TestUnitThatFailsUnderOurWatchIsToldAndSoIsItsRecovery(t *testing.T) {
	const list = "systemctl.txt"
	ar := txtar.Parse([]byte("-- options --\ncommand: [cat, " + list + "]\n-- run/systemd/system/ --\n-- " + list + " --\n"))
	root := t.TempDir()
	c, env := fixture.New(t, systemdSpec, root, ar)
	for _, look := range []struct{ units, want string }{
		{"app.service loaded active running App\nold.service loaded failed failed Old\n", "host_unit_failed{unit=\"old.service\",watched=\"no\"} 1\n"},
		{
			"app.service loaded failed failed App\nold.service loaded failed failed Old\n",
			"host_unit_failed{unit=\"app.service\",watched=\"yes\"} 1\nhost_unit_failed{unit=\"old.service\",watched=\"no\"} 1\n",
		},
		{
			"app.service loaded active running App\nold.service loaded failed failed Old\n",
			"host_unit_failed{unit=\"app.service\",watched=\"yes\"} 0\nhost_unit_failed{unit=\"old.service\",watched=\"no\"} 1\n",
		},
		{"app.service loaded active running App\n", "host_unit_failed{unit=\"old.service\",watched=\"no\"} 0\n"},
		{"app.service loaded active running App\n", ""},
	} {
		if err := os.WriteFile(filepath.Join(root, list), []byte(look.units), 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := fixture.CollectOnce(systemdSpec, c, env)
		if got := fixture.Show(b, err, root); got != look.want {
			t.Errorf("units\n%sgot\n%swant\n%s", look.units, got, look.want)
		}
	}
}

func TestClockStepIsWhatTheWallClockMovedMoreThanTimeDid(t *testing.T) {
	var wall time.Duration
	c := &clockCollector{wall: func() (time.Duration, error) { return wall, nil }}
	for i, want := range []float64{0, 0, -3600, 0, 2.5} {
		wall += time.Duration(want * float64(time.Second))
		if i == 0 {
			wall = 1_700_000_000 * time.Second // the first look has nothing to compare with
		}
		b := &metric.Batch{}
		if err := c.step(b); err != nil {
			t.Fatal(err)
		}
		if got := b.Samples[0].Value; got != want {
			t.Errorf("look %d: step %v, want %v", i, got, want)
		}
	}
}

func TestMountsThatAreNoDisk(t *testing.T) {
	c := &filesystemCollector{}
	for name, line := range map[string]string{
		"an image":                "50 27 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro",
		"a disc":                  "50 27 11:0 / /media/cdrom ro - iso9660 /dev/sr0 ro",
		"a container":             "50 27 0:44 / / rw - overlay overlay rw",
		"memory":                  "50 27 0:44 / /tmp rw - tmpfs tmpfs rw",
		"a network":               "50 27 0:44 / /home rw - nfs4 server:/home rw",
		"an automounter":          "50 27 0:44 / /net rw - autofs systemd-1 rw",
		"a user's own":            "50 27 0:44 / /mnt rw - fuse.sshfs host:/ rw",
		"firmware":                "50 27 8:1 / /boot/efi rw - vfat /dev/sda1 rw",
		"a runtime's bind":        "50 27 8:2 /x /var/lib/kubelet/pods/1 rw - ext4 /dev/sda2 rw",
		"a snap's writable image": "50 27 7:1 / /var/snap/lxd/common rw - ext4 /dev/loop1 rw",
	} {
		m, err := parseMount(line)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.isDisk(m) {
			t.Errorf("%s counts as a disk: %s", name, line)
		}
	}
}

func TestMountsThatCannotBeReadAreAnErrorWithTheLine(t *testing.T) {
	c, env := fixture.New(t, filesystemSpec, t.TempDir(), txtar.Parse([]byte("-- proc/1/mountinfo --\n27 1 254:0 /\n")))
	b, err := fixture.CollectOnce(filesystemSpec, c, env)
	if err == nil || !strings.Contains(err.Error(), `want a mount, have "27 1 254:0 /\n"`) || len(b.Samples) > 0 {
		t.Errorf("Collect: %d samples, %v; want none and the line", len(b.Samples), err)
	}
}

func TestProcessPatternThatIsNoneIsRefused(t *testing.T) {
	_, err := processSpec.New(collectors.Env{Options: processOptions{map[string]string{"riak": "("}}})
	if err == nil || !strings.Contains(err.Error(), "watch.riak: ") {
		t.Errorf("New: %v, want an error that names watch.riak", err)
	}
}

// The idle agent may use 0.5 % of a core. One round of all host collectors must stay far below 1 ms, which go test
// -bench tells; how much memory it takes does not depend on the machine and is stated here.
func BenchmarkHostRound(b *testing.B) {
	for _, spec := range append(Specs(), collectors.Self) {
		if !strings.HasPrefix(spec.Name, "host_") && spec.Name != "self" {
			continue
		}
		b.Run(spec.Name, func(b *testing.B) {
			env := collectors.Env{Root: "/", Options: spec.Options, Now: time.Now}
			c, err := spec.New(env)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if batch, err := fixture.CollectOnce(spec, c, env); err != nil && len(batch.Samples) == 0 {
					b.Skip(err)
				}
			}
		})
	}
}

func TestProcessesOfOthersMayBeHidden(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  bool
	}{
		{[]string{"1", "812", "self"}, false},
		{[]string{"812", "self", "meminfo"}, true},
		{[]string{"self"}, false}, // a fixture, or no /proc at all
		{nil, false},
	} {
		proc := t.TempDir()
		for _, n := range c.names {
			if err := os.Mkdir(filepath.Join(proc, n), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if got := ProcessesHidden(proc); got != c.want {
			t.Errorf("/proc with %v: hidden %v, want %v", c.names, got, c.want)
		}
	}
}
