package rules

import (
	"regexp"
	"strings"
	"testing"
)

func TestOwnExprReadsWhatHasNoJob(t *testing.T) {
	for in, want := range map[string]string{
		`host_load1 > 5`:                         `host_load1{job=""} > 5`,
		`rate(a_total{x="y"}[5m])`:               `rate(a_total{job="",x="y"}[5m])`,
		`up{job!=""} == 0`:                       `up{job!=""} == 0`,
		`a and on (node) b{job="b"} offset 5m`:   `a{job=""} and on (node) b{job="b"} offset 5m`,
		`max_over_time((a - b)[1h:1m])`:          `max_over_time((a{job=""} - b{job=""})[1h:1m])`,
		`{__name__=~"a|b"} unless absent(c) > 0`: `{__name__=~"a|b",job=""} unless absent(c{job=""}) > 0`,
	} {
		if got, err := ownExpr(in); err != nil || got != want {
			t.Errorf("ownExpr(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestEachPackReadsOwnSeries(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		own, err := ownSeries(p.Name, p.Text)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := parse(p.Name, own); err != nil || p.Name != "scrape" && !strings.Contains(string(own), `job=""`) {
			t.Errorf("%s: %v; want rules that select job=\"\"", p.Name, err)
		}
	}
}

// The results of a query come in no order: a text that lists several would be another at each evaluation.
func TestTextsOfPacksListInOrder(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	lists := regexp.MustCompile(`\{\{ *(?:range|with) printf "([a-z_]*\(?).*?\| query.*?\}\}.*?\{\{ *end`)
	one := map[string]bool{"min(": true, "max(": true, "sum(": true, "count(": true}
	for _, p := range packs {
		for _, m := range lists.FindAllStringSubmatch(string(p.Text), -1) {
			if !one[m[1]] && !strings.Contains(m[0], "sortByLabel") && !strings.Contains(m[0], "{{ . | first") {
				t.Errorf("%s: %s has no sortByLabel", p.Name, m[0])
			}
		}
	}
}
