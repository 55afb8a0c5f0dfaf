package rules

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// TestAValueInACommandIsOneText fills guidance with names that mean something to a shell, and has a shell say what it takes.
func TestAValueInACommandIsOneText(t *testing.T) {
	nasty := []string{
		"/srv/data", "", "my disk", "x; reboot", "$(reboot)", "`reboot`", "it's", `say "hi"`, `back\slash`, "a\nb", "*", "~root", "#no", "a&b|c>d", "''", `\`, "é", "!!", "{a,b}",
	}
	for form, want := range map[string]string{ // V is the value
		"Look: `show {{ $labels.x }}` first":                                      "V",
		"`show {{ $labels.x | toLower }} | cat`":                                  "v",
		"`show /mnt/{{ $labels.x }}/sub`":                                         "/mnt/V/sub",
		"`show 'in {{ $labels.x }} quotes'`":                                      "in V quotes",
		"`show \"in {{ $labels.x }} quotes\"`":                                    "in V quotes",
		"`show \"it's {{ $labels.x }}\"`":                                         "it's V",
		"`show it\\'s{{ $labels.x }}`":                                            "it'sV",
		"`show {{ if eq $labels.x \"}}\" }}no{{ else }}{{ $labels.x }}{{ end }}`": "V",
		"`show '{{ reReplaceAll \"'\" \"'\\\\''\" $labels.x }}'`":                 "V",
		"`show {{ with $labels.y }}{{ . }}{{ else }}-{{ end }}`":                  "why not",
		"`show {{- \" \" -}}   {{ $labels.x }}`":                                  "\x00",
		"`show {{ printf \"%.0f\" $value }}`":                                     "3",
		"{{ $labels.y }} and `show {{ $value }}`":                                 "3",
		"{{ $n := $labels.y }}`show {{ $n }}`":                                    "why not",
	} {
		for _, v := range nasty {
			text := expanded(t, quoted(form), map[string]string{"x": v, "y": "why not"})
			cut := strings.Index(text, "`")
			command := text[cut+1 : strings.LastIndex(text, "`")]
			if want == "\x00" {
				continue // it is enough that it can be filled
			}
			out, err := exec.Command("sh", "-c", "show() { printf '%s.' \"$#\" \"$1\"; }; "+command).CombinedOutput()
			expect := strings.NewReplacer("V", v, "v", strings.ToLower(v)).Replace(want)
			if want == "3" || want == "why not" {
				expect = want
			}
			if got := string(out); err != nil || got != "1."+expect+"." {
				t.Errorf("%s with %q: %s: the shell takes %q, %v; want one text %q", form, v, command, got, err, expect)
			}
		}
	}
}

func expanded(t *testing.T, text string, labels map[string]string) string {
	t.Helper()
	const prelude = "{{$labels := .Labels}}{{$value := .Value}}"
	data := template.AlertTemplateData(labels, nil, "", promql.Sample{F: 3})
	out, err := template.NewTemplateExpander(t.Context(), prelude+text, "t", data, model.Now(), nil, &url.URL{}, nil).Expand()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}
