package words

import "testing"

func TestWhatAProgramPrintsIsPrinted(t *testing.T) {
	for in, want := range map[string]string{
		"CRITICAL a\x00b \xff\xfe c \x1b[31;1mred\x1b[0m\r\nnext\tline": "CRITICAL ab \uFFFD c red\nnext\tline",
		"\x1b]0;a title\x07text\x1b(":                                   "text(",
		"grün, 5 µs, 日本":                                                "grün, 5 µs, 日本",
		"kept \uFFFD as it is":                                          "kept \uFFFD as it is",
		"a\u202eb \u2067c\u2069 \u200fעברית":                            "ab c \u200fעברית",
		"": "",
	} {
		if got := Printed(in); got != want {
			t.Errorf("Printed(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestCapital(t *testing.T) {
	for in, want := range map[string]string{"": "", "a b": "A b", "Ab": "Ab", "über": "Über", "3 nodes": "3 nodes"} {
		if got := Capital(in); got != want {
			t.Errorf("Capital(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tc := range []struct {
		in   string
		most int
		want string
	}{{"short", 5, "short"}, {"longer", 4, "long…"}, {"grün", 3, "gr…"}} {
		if got := Clip(tc.in, tc.most); got != tc.want {
			t.Errorf("Clip(%q, %d) = %q; want %q", tc.in, tc.most, got, tc.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{{"short", 5, "short"}, {"grün", 3, "gr"}, {"a\xff", 9, "a\ufffd"}, {"a\xff", 2, "a"}, {"ü", 1, ""}, {"ab", 0, ""}} {
		if got := Cut(tc.in, tc.n); got != tc.want {
			t.Errorf("Cut(%q, %d) = %q; want %q", tc.in, tc.n, got, tc.want)
		}
	}
}
