package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
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

// record is a ledger's entry of a decision.
func record(key string, at time.Time) ledger.Batch {
	return ledger.Batch{Entries: []ledger.Entry{{Record: alerting.Record{Key: key, Open: true, UpdatedAt: at}}}}
}

// decide writes an entry into the ledger of a data folder, as a life of the agent would, and returns the keys that are
// known then.
func decide(t *testing.T, want, key string) (known []string, standsIn string) {
	t.Helper()
	o := ledgerOptions(want, func(r damage.Report) { t.Errorf("damaged: %v", r) })
	o.Hang = time.Minute // the machine may be busy
	l, err := ledger.Open(filepath.Join(want, ledgerFile), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	lease, err := l.Acquire(t.Context(), "a", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Write(t.Context(), lease, record(key, time.Now())); err != nil {
		t.Fatal(err)
	}
	st, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range st.Entries {
		known = append(known, e.Record.Key)
	}
	slices.Sort(known)
	standsIn, _ = l.(ledger.Standing).StandsIn()
	return known, standsIn
}

func TestTheLedgerMovesToTheStandInAndBack(t *testing.T) {
	want := unwritableDir(t)
	_, standsIn := decide(t, want, "stood in")
	if dir, err := dataDir(want); err == nil || standsIn != filepath.Join(dir, ledgerFile) || !ours(dir) {
		t.Fatalf("the ledger is in %q, the rest in %q, %v; want a folder of ours and an error", standsIn, dir, err)
	}
	if known, _ := decide(t, want, "again"); !slices.Equal(known, []string{"again", "stood in"}) {
		t.Errorf("the next start knows %v", known)
	}

	if err := os.Remove(want); err != nil { // the disk is mended
		t.Fatal(err)
	}
	if got, err := dataDir(want); got != want || err != nil {
		t.Fatalf("dataDir = %q, %v; want %q", got, err, want)
	}
	known, standsIn := decide(t, want, "mended")
	if !slices.Equal(known, []string{"again", "mended", "stood in"}) || standsIn != "" {
		t.Errorf("once the disk is mended the ledger knows %v, in %q; want all, in its place", known, standsIn)
	}
	if _, err := os.Stat(standIns(want)[0]); !os.IsNotExist(err) {
		t.Errorf("the stand-in is still there: %v", err)
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
	graphite, err := sinkstest.NewGraphite() // one that answers: a last flush that fails would be an error of the end
	if err != nil {
		t.Fatal(err)
	}
	defer graphite.Close()
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf(
		"data: %s\nlisten: %s\ncollect: {statsd: off, riak: off, rabbitmq: off}\nrules: {packs: []}\nship: {graphite: {address: '%s'}}\n", want, testport.Free(t), graphite.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	a, done := run(t, cfg)
	if s := a.Status(); s.DataError == "" || s.Data == want {
		t.Errorf("status: data %q, error %q; want the stand-in and why", s.Data, s.DataError)
	}
	var words strings.Builder
	if code := a.Status().Write(&words); code != health.ExitCritical || !strings.Contains(words.String(), "history and spools are in "+a.folder.dir()) {
		t.Errorf("status is %d, in words:\n%s", code, words.String())
	}
	done()
	for _, part := range []string{"store", ledgerFile, "spool/graphite"} {
		if _, err := os.Stat(filepath.Join(a.folder.dir(), part)); err != nil {
			t.Errorf("%s is not in the stand-in: %v", part, err)
		}
	}
}

// The user of a package has its data where root's commands look, whoever starts the agent; a folder that was used before stays.
func TestDataOfTheSystemsUser(t *testing.T) {
	dir := t.TempDir()
	if !owned(dir, os.Getuid()) || owned(dir, os.Getuid()+1) || owned(filepath.Join(dir, "no"), os.Getuid()) {
		t.Error("want the folder to be its owner's alone")
	}
}
