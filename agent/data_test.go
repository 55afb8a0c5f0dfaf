package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health"
)

// unwritableDir returns a path that no folder can be made at, nor root write into, and removes what stood in.
func unwritableDir(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, dir := range standIns(file) {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
	})
	return file
}

func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestTheNewerLedgerMovesToTheStandInAndBack(t *testing.T) {
	want, now := unwritableDir(t), time.Now()
	dir, err := dataDir(want)
	if err == nil || dir == want || !ours(dir) {
		t.Fatalf("dataDir of a file = %q, %v; want a folder of ours and an error", dir, err)
	}
	write(t, filepath.Join(dir, ledgerFile), "stood in", now)
	if again, _ := dataDir(want); again != dir {
		t.Errorf("the next start uses %q; want %q, where the ledger is", again, dir)
	}

	if err := os.Remove(want); err != nil { // the disk is mended
		t.Fatal(err)
	}
	if err := os.Mkdir(want, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(want, ledgerFile), "older", now.Add(-time.Hour))
	if got, err := dataDir(want); got != want || err != nil {
		t.Fatalf("dataDir = %q, %v; want %q", got, err, want)
	}
	if b, _ := os.ReadFile(filepath.Join(want, ledgerFile)); string(b) != "stood in" {
		t.Errorf("the ledger is %q; want what was decided meanwhile", b)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the stand-in is still there: %v", err)
	}

	dir = standIn(want) // the disk fills again
	if b, _ := os.ReadFile(filepath.Join(dir, ledgerFile)); string(b) != "stood in" {
		t.Errorf("the stand-in begins with the ledger %q; want the one there is", b)
	}
}

func TestAFolderOfOthersNeverStandsIn(t *testing.T) {
	want := unwritableDir(t)
	for _, dir := range standIns(want) {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if dir, err := dataDir(want); dir != want || err == nil {
		t.Errorf("dataDir = %q, %v; want %q and an error", dir, err, want)
	}
}

func TestOnlyTheDisksErrorsWantAnotherFolder(t *testing.T) {
	for err, want := range map[error]bool{syscall.ENOSPC: true, syscall.EROFS: true, os.ErrNotExist: false} {
		if got := unwritable(fmt.Errorf("store: %w", &os.PathError{Op: "open", Path: "x", Err: err})); got != want {
			t.Errorf("unwritable(%v) = %v; want %v", err, got, want)
		}
	}
}

func TestEveryPartUsesTheStandIn(t *testing.T) {
	want := unwritableDir(t)
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf(
		"data: %s\nlisten: %s\ncollect: {statsd: off, riak: off, rabbitmq: off}\nrules: {packs: []}\nship: {graphite: {address: '127.0.0.1:1'}}\n", want, freePort(t, "tcp"))))
	if err != nil {
		t.Fatal(err)
	}
	a, done := run(t, cfg)
	if s := a.Status(); s.DataError == "" || s.Data == want {
		t.Errorf("status: data %q, error %q; want the stand-in and why", s.Data, s.DataError)
	}
	var words strings.Builder
	if code := a.Status().Write(&words); code != health.ExitCritical || !strings.Contains(words.String(), "history, ledger and spools are in "+a.data) {
		t.Errorf("status is %d, in words:\n%s", code, words.String())
	}
	done()
	for _, part := range []string{"store", ledgerFile, "spool/graphite"} {
		if _, err := os.Stat(filepath.Join(a.data, part)); err != nil {
			t.Errorf("%s is not in the stand-in: %v", part, err)
		}
	}
}
