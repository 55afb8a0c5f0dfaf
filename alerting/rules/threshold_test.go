package rules

import "testing"

func TestThresholdOf(t *testing.T) {
	for expr, want := range map[string]Threshold{
		`disk_free < 5`: {"disk_free", "<", 5}, `5 < disk_used`: {"disk_used", ">", 5}, `(rate(x[5m]) > 0.5)`: {"rate(x[5m])", ">", 0.5},
		`a > 10 and b < 3`: {"a", ">", 10}, `up == 0 unless on (node) maintenance`: {"up", "==", 0}, `a unless b < 3`: {"b", "<", 3},
		`a >= 2 * 1024 ^ 2`: {"a", ">=", 2 << 20}, `a > -(1 + 2)`: {"a", ">", -3}, `sum by (node) (a) / sum by (node) (b) > 0.9 or c > 1`: {"sum by (node) (a) / sum by (node) (b)", ">", 0.9},
	} {
		if got, ok := ThresholdOf(expr); !ok || got != want {
			t.Errorf("ThresholdOf(%q) = %+v, %v; want %+v", expr, got, ok, want)
		}
	}
	for _, expr := range []string{"absent(up)", "a > b", "a > bool 1", "a + 1", "broken(", "", `"a"`} {
		if got, ok := ThresholdOf(expr); ok {
			t.Errorf("ThresholdOf(%q) = %+v, want none", expr, got)
		}
	}
}

func TestWhatDecidesWhetherItFires(t *testing.T) {
	for expr, want := range map[string]bool{
		"a > 5": true, "(a > 5)": true, "a > 5 and b": true, "a and b > 5": true, "a > 5 unless b > 1": true, "a unless b > 1": false,
		"a > 5 or b > 1": false, "(a > 5 or b > 1) and c": false, "c and (a > 5 or b > 1)": false,
	} {
		e, err := promParser.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := decides(e); got != want {
			t.Errorf("decides(%s) = %v", expr, got)
		}
	}
}
