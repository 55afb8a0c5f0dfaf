package pagers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// TestWhatWaitsGoesOnAtAPagerWithOtherSettings changes the key of a pager that a copy waits for: it is sent with the new one, once.
func TestWhatWaitsGoesOnAtAPagerWithOtherSettings(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o, f := rigged(t)
		f["db-chat"].plan = slices.Repeat([]alerting.Outcome{alerting.Unknown}, 100)
		copied := alerting.Action{Kind: alerting.Trigger, Key: "k1", Route: "ops+db-chat"}
		o.Send(t.Context(), copied)
		synctest.Wait()
		next, err := New(parsed(t, strings.Replace(team, "/services/x", "/services/y", 1)), Options{Old: o, Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		now := &fake{}
		next.pagers["db-chat"], next.copies["db-chat"].pager = now, now
		o.Close(next)
		next.Send(t.Context(), copied) // the router repeats it
		time.Sleep(time.Minute)
		if got := now.done(); !slices.Equal(got, []string{"trigger k1"}) {
			t.Errorf("the copy after the reload: %v; want it once", got)
		}
		next.Close(nil)
	})
}

// TestWhatTheDiskLeavesOfCopies starts with a file that is whole, old or damaged.
func TestWhatTheDiskLeavesOfCopies(t *testing.T) {
	for name, tc := range map[string]struct {
		text    string
		want    []string
		damaged bool
	}{
		"nothing":     {},
		"a copy":      {text: `{"waiting":[{"action":{"Kind":1,"Key":"k1"},"since":"1999-12-31T23:30:00Z"}],"calls":{"k2":true}}`, want: []string{"trigger k1", "resolve k2"}},
		"an old one":  {text: `{"waiting":[{"action":{"Kind":1,"Key":"k1"},"since":"1999-12-31T22:30:00Z"}],"calls":{"k2":true}}`, want: []string{"resolve k2"}},
		"half a file": {text: `{"waiting":[{"acti`, damaged: true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "copies-boss.json")
			if tc.text != "" {
				if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				said := 0
				o, err := New(parsed(t, team), Options{Damaged: func(damage.Report) { said++ }})
				if err != nil {
					t.Fatal(err)
				}
				boss := &fake{}
				c, chat := o.copies["boss"], o.copies["db-chat"]
				chat.pager = &fake{}
				o.pagers["boss"], o.pagers["ops"], c.pager = boss, &fake{}, boss
				c.load(folder, o.opts.Damaged)
				o.Send(t.Context(), alerting.Action{Kind: alerting.Resolve, Key: "k2", Route: "ops+db-chat"})
				time.Sleep(time.Second)
				if got := boss.done(); !slices.Equal(got, tc.want) || said > 0 != tc.damaged {
					t.Errorf("sent %v, damage said %d times; want %v, %v", got, said, tc.want, tc.damaged)
				}
				o.Close(nil)
			})
			if aside, _ := filepath.Glob(path + "?*"); tc.damaged != (len(aside) == 1) {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}
