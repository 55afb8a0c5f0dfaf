package metric

import "testing"

func TestLabelsAreWrittenAsTheExpositionFormatDoes(t *testing.T) {
	got := L("a", `say "hi"`, "b", "back\\slash\nline").String()
	if want := `{a="say \"hi\"",b="back\\slash\nline"}`; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}
