package main

import (
	"strings"
	"testing"
)

func runForecast(in string, args ...string) (out, notes string, err error) {
	var o, n strings.Builder
	root := newRoot()
	root.SetArgs(append([]string{"forecast"}, args...))
	root.SetIn(strings.NewReader(in))
	root.SetOut(&o)
	root.SetErr(&n)
	err = root.Execute()
	return o.String(), n.String(), err
}

func TestForecastWritesWhatTheBenchReads(t *testing.T) {
	in := "id,V1,V2\nA" + strings.Repeat(",1,2,3,4", 10) + ",,\nB" + strings.Repeat(",5", 40) + "\n"
	out, notes, err := runForecast(in, "--period", "4", "--horizon", "3")
	if err != nil || notes != "" {
		t.Fatalf("forecast: %v, %q", err, notes)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 10 {
		t.Fatalf("%d lines; want 5 for each of 2 series:\n%s", len(lines), out)
	}
	for i, want := range []string{"A,mean,1,2,3", "A,lo80,", "A,hi80,", "A,lo95,", "A,hi95,", "B,mean,5,5,5"} {
		if !strings.HasPrefix(lines[i], want) || strings.Count(lines[i], ",") != 4 {
			t.Errorf("line %d = %s; want it to begin with %s and to have 3 values", i, lines[i], want)
		}
	}
}

func TestForecastSaysWhatItCannotSay(t *testing.T) {
	out, notes, err := runForecast("id\nshort,1\nlong,1,2,3,2,1,2,3,2,1\n", "--period", "1", "--horizon", "2")
	if err != exitError(1) {
		t.Errorf("error = %v; want exit 1", err)
	}
	if want := "short: not enough history: 1 value for 2 steps ahead\n"; notes != want {
		t.Errorf("notes = %q; want %q", notes, want)
	}
	if !strings.HasPrefix(out, "long,mean,") {
		t.Errorf("the series that can be forecast is not written: %q", out)
	}
	if _, _, err := runForecast("id\nA,1,x,3\n"); err == nil || err.Error() != `standard input, line 2, series A: value 2: want a number, have "x"` {
		t.Errorf("error = %v", err)
	}
	if _, _, err := runForecast("", "--horizon", "0"); err == nil {
		t.Error("a horizon of 0 is taken")
	}
}
