package exec

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func show(list []perf) string {
	var out []string
	for _, p := range list {
		text := fmt.Sprintf("%s=%.15g %s", p.label, p.value, p.unit)
		if p.counter {
			text += " total"
		}
		if !math.IsNaN(p.warn) {
			text += fmt.Sprintf(" w%.15g", p.warn)
		}
		if !math.IsNaN(p.crit) {
			text += fmt.Sprintf(" c%.15g", p.crit)
		}
		out = append(out, strings.TrimSpace(text))
	}
	return strings.Join(out, " | ")
}

// The first ones are of Debian's plugins; the others are what reports to other readers of perfdata name.
func TestPerformanceData(t *testing.T) {
	for in, want := range map[string]string{
		"/=30553407488B;2705525309;5411050618;0;270552530944":                                 "/=30553407488 bytes w2705525309 c5411050618",
		"load1=32.060;50.000;99.000;0; load5=23.690;50.000;99.000;0; load15=17.530;50;99;0; ": "load1=32.06  w50 c99 | load5=23.69  w50 c99 | load15=17.53  w50 c99",
		"'a b'=1;~:2;@3:4;0;10 c=0.5s;;;; d=3% e=U":                                           "a b=1  w2 c3 | c=0.5 seconds | d=0.03 ratio",
		"time=12ms;5:10;10: size=2KB":                                                         "time=0.012 seconds w0.01 c0.01 | size=2048 bytes",
		"'it''s'=1":                                                                           "it's=1",
		"a=1, b=2":                                                                            "a=1 | b=2",
		"a=1,5;2,5":                                                                           "a=1.5  w2.5",
		"free space=5MB":                                                                      "free space=5242880 bytes",
		`"quoted"=3`:                                                                          "quoted=3",
		"n=7c":                                                                                "n=7  total",
		"rpm=900rpm;1000":                                                                     "rpm=900 rpm w1000",
		"neg=-5;-10:-1":                                                                       "neg=-5  w-1",
		"at=1;@5;@~:6 bt=1;@0:7;@:8":                                                          "at=1  w5 c6 | bt=1  w7 c8",
		"lim=10GiB;5GiB;15GiB t=5ms;1s;2s":                                                    "lim=10737418240 bytes w5368709120 c16106127360 | t=0.005 seconds w1 c2",
		"temp=40C;50;60":                                                                      "temp=40 C w50 c60",
		"a=1;inf;nan":                                                                         "a=1",
		"empty=":                                                                              "",
		"":                                                                                    "",
	} {
		got, bad := parsePerf(in)
		if show(got) != want || bad != 0 {
			t.Errorf("parsePerf(%s) = %s, %d bad; want %s", in, show(got), bad, want)
		}
	}
	for _, in := range []string{"nonsense", "a=b", "'open=1", "a=NaN b=1", "a=0x10", "a=1" + strings.Repeat("x", 40)} {
		if _, bad := parsePerf(in); bad == 0 {
			t.Errorf("parsePerf(%s): nothing is bad", in)
		}
	}
	if got, bad := parsePerf("a=1 =5 'b'c=2 d=3"); show(got) != "a=1 | d=3" || bad == 0 {
		t.Errorf("figures around those that are none: %s, %d bad", show(got), bad)
	}
}

func TestTextAndPerformanceDataOfManyLines(t *testing.T) {
	text, data := splitOutput("DISK OK | /=1\nmore\nlines | /home=2\n/var=3")
	if got, _ := parsePerf(data); text != "DISK OK\nmore\nlines" || show(got) != "/=1 | /home=2 | /var=3" {
		t.Errorf("%q, %s", text, show(got))
	}
}

func FuzzParsePerf(f *testing.F) {
	f.Add("'a b'=1;~:2;@3:4;0;10 c=0.5s;;;; d=3% e=U")
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := parsePerf(s)
		for _, p := range list {
			if math.IsNaN(p.value) || math.IsInf(p.value, 0) {
				t.Errorf("%q has the value %v", p.label, p.value)
			}
		}
	})
}
