package damage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAsideKeepsTheNewestThree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "led[ger].db") // a name with the letters of a pattern
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var last string
	for n := range 5 {
		if err := os.WriteFile(path, fmt.Append(nil, n), 0o600); err != nil {
			t.Fatal(err)
		}
		to, err := Aside(path, now.Add(time.Duration(n/2)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		last = to
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != maxAside {
		t.Errorf("%d copies are left, %v; want %d", len(left), err, maxAside)
	}
	if b, err := os.ReadFile(last); string(b) != "4" {
		t.Errorf("the newest copy holds %q, %v; want 4", b, err)
	}
}

func TestAReportEndsWithItsDataOrAfterADay(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	aside := filepath.Join(t.TempDir(), "x"+mark+"1")
	if err := os.WriteFile(aside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var l Log
	l.Note(Report{Store: "ledger", What: "cut short", Aside: aside, Kept: 3, Lost: 1, At: now})
	l.Note(Report{Store: "spool graphite", What: "a torn record", At: now.Add(-25 * time.Hour)})
	got := l.Current(now)
	if len(got) != 1 || got[0].String() != "ledger: cut short; 3 records kept, 1 lost; the damaged data is in "+aside {
		t.Fatalf("Current = %v; want the ledger's report alone", got)
	}
	if err := os.Remove(aside); err != nil {
		t.Fatal(err)
	}
	if got := l.Current(now); len(got) != 0 {
		t.Errorf("Current = %v; want none once the data is removed", got)
	}
	(*Log)(nil).Note(Report{}) // who wants no reports
}

// TestWhatAnEarlierLifeLeft reads what is sound, and sets aside what is not, whatever stands in its place. None of it waits.
func TestWhatAnEarlierLifeLeft(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		make func(path string) error
		want string // of the error; "": none
		got  int
	}{
		"nothing":        {func(string) error { return nil }, "", 0},
		"a sound file":   {func(p string) error { return os.WriteFile(p, []byte("[1,2]"), 0o600) }, "", 2},
		"an empty file":  {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "end of JSON", 0},
		"a long file":    {func(p string) error { return os.WriteFile(p, make([]byte, 101), 0o600) }, "at most 100", 0},
		"half a file":    {func(p string) error { return os.WriteFile(p, []byte("[1,"), 0o600) }, "end of JSON", 0},
		"a folder":       {func(p string) error { return os.Mkdir(p, 0o700) }, "no file", 0},
		"a link to zero": {func(p string) error { return os.Symlink("/dev/zero", p) }, "no file", 0},
		"a link to self": {func(p string) error { return os.Symlink(p, p) }, "symbolic links", 0},
		"a named pipe":   {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "no file", 0},
	} {
		path := filepath.Join(t.TempDir(), "f.json")
		if err := tc.make(path); err != nil {
			t.Fatal(err)
		}
		var into []int
		aside, err := Load(path, 100, now, &into)
		if tc.want == "" {
			if err != nil || aside != "" || len(into) != tc.got {
				t.Errorf("%s: %v, %q, %v; want %d numbers", name, into, aside, err, tc.got)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %s", name, err, tc.want)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) || aside == "" {
			t.Errorf("%s: it is still there, aside %q", name, aside)
		}
	}
}

// Where a folder is a file, no name beside what is damaged is free, and none is taken: it says so, and does not look for ever.
func TestAsideWhereNoNameCanBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "below"), filepath.Join(t.TempDir(), strings.Repeat("x", 300))} {
		if to, err := Aside(path, time.Now()); err == nil {
			t.Errorf("%s was set aside as %s", path, to)
		}
	}
}
