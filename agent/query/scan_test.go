package query

import (
	"strings"
	"testing"
)

func TestCheckBoundsWhatParsersCannot(t *testing.T) {
	hosts := strings.Repeat("node-17.eu-west-1.compute.internal|", 400)
	for name, tc := range map[string]struct{ query, want string }{
		"a sum":                    {`sum by (job) (rate(http_requests_total{code=~"5..", job!~"a|b"}[5m])) / ignoring(x) group_left y > 0.1 or vector(0)`, ""},
		"a list of hosts":          {`up{instance=~"` + hosts + `"}`, ""},
		"a repetition":             {`up{instance=~"[0-9]{1,3}\\.[0-9]{1,3}"}`, ""},
		"brackets in a text":       {`label_replace(up, "a", "` + strings.Repeat("(", 1000) + `", "b", "")`, ""},
		"brackets in a comment":    {"up # " + strings.Repeat("(", 1000), ""},
		"and after one":            {"up # x\n + " + strings.Repeat("(", 1000), "nested"},
		"parentheses":              {strings.Repeat("(", 20_000), "nested"},
		"braces":                   {strings.Repeat("{", 1000), "nested"},
		"subqueries":               {strings.Repeat("[", 1000), "nested"},
		"signs":                    {strings.Repeat("-", 10_000) + "1", "signs"},
		"signs apart":              {strings.Repeat("- ", 10_000) + "1", "signs"},
		"a chain":                  {strings.Repeat("1+", 20_000) + "1", "operators"},
		"a chain of words":         {strings.Repeat("a or ", 10_000) + "a", "operators"},
		"and over lines":           {strings.Repeat("(a)\nunless\n(b)or", 2_000) + "a", "operators"},
		"a chain of comparisons":   {strings.Repeat("a<", 20_000) + "a", "operators"},
		"many labels":              {"a{" + strings.Repeat(`a="b",`, 10_000) + "}", "operators"},
		"1 MiB":                    {strings.Repeat("a", 1<<20), "bytes"},
		"a program":                {`up{a=~"` + strings.Repeat(".{1000}", 100) + `"}`, "expressions"},
		"programs":                 {strings.Repeat("up{a=~`x{1000}`}+", 30) + "1", "expressions"},
		"nested repetitions":       {`up{a=~"((a{30}){30}b){1,1}` + strings.Repeat("(c{31}){31}", 30) + `"}`, "expressions"},
		"in label_replace":         {`label_replace(up, "a", "b", "c", '` + strings.Repeat(".{1000}", 100) + `')`, "expressions"},
		"classes":                  {`up{a=~"` + strings.Repeat(`\\pL`, 1000) + `"}`, "expressions"},
		"without regard to case":   {`up{a=~"(?is)` + strings.Repeat("[a-\u1E94]", 1000) + `"}`, "expressions"},
		"a text that does not end": {`up{a="` + strings.Repeat("(", 1000), ""},
	} {
		err := Check(tc.query)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
}

func TestCheckRegex(t *testing.T) {
	for text, ok := range map[string]bool{
		"node-[0-9]+": true, "(?i)db": true, ".{1000}{1000}": true, // which does not compile
		strings.Repeat(".{1000}", 10): false, strings.Repeat("a", 8<<10): false, strings.Repeat(`\pL`, 500): false,
	} {
		if err := CheckRegex(text); (err == nil) != ok {
			t.Errorf("%.40s: %v; want ok %v", text, err, ok)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`sum(rate(a{b=~"c|d"}[5m]))`)
	f.Add("'\\")
	f.Fuzz(func(t *testing.T, text string) {
		if Check(text) == nil && len(text) > maxLength {
			t.Error("passes")
		}
	})
}
