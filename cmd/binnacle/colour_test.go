package main

import (
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/health"
)

func TestColoursAreOnWordsThatSayIt(t *testing.T) {
	for in, want := range map[string]string{
		"1. P1 open, since 10:00\n":         "1. \x1b[1;31mP1\x1b[0m open, since 10:00\n",
		"2. P2 about to page\n":             "2. \x1b[33mP2\x1b[0m about to page\n",
		"OK - n is well, up 6s\n":           "\x1b[32mOK\x1b[0m - n is \x1b[32mwell\x1b[0m, up 6s\n",
		"  riak  BLIND (auth)\n":            "  riak  \x1b[1;31mBLIND\x1b[0m (auth)\n",
		"web-1  ill  devel\n":               "web-1  \x1b[33mill\x1b[0m  devel\n",
		"   DISK OK: the P1 was still up\n": "   DISK OK: the P1 was still up\n",
	} {
		var out strings.Builder
		if n, err := (tinted{&out}).Write([]byte(in)); err != nil || n != len(in) || out.String() != want {
			t.Errorf("%q: %q, %d, %v; want %q", in, out.String(), n, err, want)
		}
	}
	var table strings.Builder
	if err := printNodes(tinted{&table}, []health.Node{{Node: "web-1", AZ: "a", Version: "1"}}); err != nil || strings.Count(table.String(), "\x1b[") < 4 {
		t.Errorf("the table of nodes has no colour in its rows: %q, %v", table.String(), err)
	}
	var plain strings.Builder
	if inColour(&plain) != &plain {
		t.Error("what is no terminal gets colours")
	}
}
