package strict

import "testing"

func TestDecodeTakesOneSmallText(t *testing.T) {
	type small struct {
		Name string `yaml:"name"`
	}
	for text, want := range map[string]string{
		"name: a\n":          "",
		"":                   "", // the default stays
		" \n# a comment\n":   "",
		"name: a\nnmae: b\n": "yaml: unmarshal errors: line 2: field nmae not found in type strict.small",
		"name: [a":           "yaml: line 1: did not find expected ',' or ']'",
	} {
		at := small{Name: "default"}
		got := ""
		if err := Decode([]byte(text), &at); err != nil {
			got = err.Error()
		} else if at.Name != "a" && at.Name != "default" {
			t.Errorf("%q: read as %q", text, at.Name)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
