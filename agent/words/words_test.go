package words

import (
	"math"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for _, tc := range []struct{ call, got, want string }{
		{"Duration(-1s)", Duration(-time.Second), "0 s"},
		{"Duration(59.4s)", Duration(59400 * time.Millisecond), "59 s"},
		{"Duration(60s)", Duration(time.Minute), "1 min"},
		{"Duration(2h)", Duration(2 * time.Hour), "2 h"},
		{"Duration(2h5m)", Duration(125 * time.Minute), "2 h 5 min"},
		{"Duration(9d)", Duration(9*24*time.Hour + time.Hour), "9 d"},
		{"Left(95s)", Left(95 * time.Second), "1 min 35 s"},
		{"Left(11m)", Left(11*time.Minute + time.Second), "11 min"},
		{"Left(-1m)", Left(-time.Minute), "0 s"},
		{"Number(1234567)", Number(1234567), "1\u202f234\u202f567"},
		{"Number(-1000)", Number(-1000), "\u22121\u202f000"},
		{"Number(-0.2)", Number(-0.2), "0"},
		{"Number(NaN)", Number(math.NaN()), "unknown"},
		{"Rate(0)", Rate(0), "0/s"},
		{"Rate(0.001)", Rate(0.001), "< 0.01/s"},
		{"Rate(4.26)", Rate(4.26), "4.3/s"},
		{"Rate(1200)", Rate(1200), "1\u202f200/s"},
		{"Rate(-4.26)", Rate(-4.26), "\u22124.3/s"},
		{"Seconds(-0.182)", Seconds(-0.182), "\u2212182 ms"},
		{"Seconds(0)", Seconds(0), "0 s"},
		{"Percent(-0.5)", Percent(-0.5), "\u221250 %"},
		{"Plain(-1234567)", Plain(-1234567), "\u22121\u202f234\u202f567"},
		{"SI(-1200)", SI(-1200), "\u22121.2k"},
		{"Seconds(0.0000005)", Seconds(0.0000005), "0 µs"},
		{"Seconds(0.0042)", Seconds(0.0042), "4.2 ms"},
		{"Seconds(0.182)", Seconds(0.182), "182 ms"},
		{"Seconds(2.25)", Seconds(2.25), "2.2 s"},
		{"Percent(0)", Percent(0), "0 %"},
		{"Percent(0.0001)", Percent(0.0001), "< 0.1 %"},
		{"Percent(0.03)", Percent(0.03), "3.0 %"},
		{"Percent(0.45)", Percent(0.45), "45 %"},
		{"Percent(0.995)", Percent(0.995), "99.5 %"},
		{"Percent(0.99999)", Percent(0.99999), "> 99.9 %"},
		{"Percent(1)", Percent(1), "100 %"},
		{"Percent(3.57)", Percent(3.57), "357 %"},
		{"Bytes(512)", Bytes(512), "512 B"},
		{"Bytes(3 MiB)", Bytes(3 << 20), "3.0 MiB"},
		{"Bytes(45 GiB)", Bytes(45 << 30), "45 GiB"},
		{"Plural(1)", Plural(1, "alarm"), "1 alarm"},
		{"Plural(0)", Plural(0, "alarm"), "0 alarms"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s = %q, want %q", tc.call, tc.got, tc.want)
		}
	}
}
