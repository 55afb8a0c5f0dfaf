package reading

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// Rules of public files are read as a person who knows them reads them, and by the catalogue.
func TestPublicRules(t *testing.T) {
	text, err := os.ReadFile("testdata/public.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		labels, want, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok {
			continue // a comment
		}
		f := strings.Fields(labels)
		r := read(append(f[1:], "alertname="+f[0])...)
		got := strings.Join([]string{r.Severity.Value, cmp.Or(r.Kind.Value, "-"), cmp.Or(r.Layer.Value, "-"), cmp.Or(r.Subject.ID(), "-")}, " ")
		if got != want {
			t.Errorf("%s:\n %s; want\n %s", f[0], got, want)
		}
		if r.Kind.Trust < alerting.Catalogue {
			t.Errorf("%s: its kind is %s (%s)", f[0], r.Kind.Trust, r.Kind.From)
		}
	}
}
