package metric

import (
	"testing"
)

func TestLabelsAreSortedUniqueAndNotEmpty(t *testing.T) {
	ls := L("b", "1", "a", "2", "b", "3", "c", "")
	if got, want := ls.String(), `{a="2",b="3"}`; got != want {
		t.Errorf("L: %s, want %s", got, want)
	}
	with := ls.With("a", "").With("z", "9")
	if got, want := with.String(), `{b="3",z="9"}`; got != want || ls.Get("a") != "2" {
		t.Errorf("With: %s, want %s, and the original unchanged (%s)", got, want, ls)
	}
	if got, want := ls.Merge(L("b", "other", "n", "1")).String(), `{a="2",b="3",n="1"}`; got != want {
		t.Errorf("Merge: %s, want %s", got, want)
	}
}

func TestKeysDifferWhereLabelsDo(t *testing.T) {
	seen := map[string]string{}
	for _, ls := range []Labels{nil, L("a", "b"), L("a", "bc"), L("ab", "c"), L("a", "b", "c", "d"), L("a", "b,c=d")} {
		if other, ok := seen[ls.Key()]; ok {
			t.Errorf("%s and %s share a key", ls, other)
		}
		seen[ls.Key()] = ls.String()
	}
}

func TestPromName(t *testing.T) {
	for want, d := range map[string]Desc{
		"navcloud_streams_open":      {Name: "navcloud.streams.open"},
		"navcloud_opened_total":      {Name: "navcloud.opened", Kind: Delta},
		"reads_total":                {Name: "reads_total", Kind: Counter},
		"io_seconds_total":           {Name: "io", Kind: Counter, Unit: Seconds},
		"fanout_seconds":             {Name: "fanout", Kind: Distribution, Unit: Seconds},
		"riak_fsm_time_seconds":      {Name: "riak_fsm_time_seconds", Kind: Distribution, Unit: Seconds},
		"binnacle_cpu_seconds_total": {Name: "binnacle_cpu_seconds_total", Kind: Counter, Unit: Seconds},
		"_2xx":                       {Name: "2xx"},
		"_":                          {Name: ""},
		"caf___open":                 {Name: "café.open"},
	} {
		if got := PromName(&d); got != want {
			t.Errorf("PromName(%q, %v, %q) = %q, want %q", d.Name, d.Kind, d.Unit, got, want)
		}
	}
}
