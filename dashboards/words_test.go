package dashboards

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for _, tc := range []struct{ call, got, want string }{
		{"short(-1s)", short(-time.Second), "0 s"},
		{"short(59.4s)", short(59400 * time.Millisecond), "59 s"},
		{"short(60s)", short(time.Minute), "1 min"},
		{"short(2h)", short(2 * time.Hour), "2 h"},
		{"short(2h5m)", short(125 * time.Minute), "2 h 5 min"},
		{"short(9d)", short(9*24*time.Hour + time.Hour), "9 d"},
		{"until(95s)", until(95 * time.Second), "1 min 35 s"},
		{"until(11m)", until(11*time.Minute + time.Second), "11 min"},
		{"until(-1m)", until(-time.Minute), "0 s"},
		{"number(1234567)", number(1234567), "1\u202f234\u202f567"},
		{"number(-1000)", number(-1000), "\u22121\u202f000"},
		{"number(-0.2)", number(-0.2), "0"},
		{"number(NaN)", number(math.NaN()), "unknown"},
		{"rate(0)", rate(0), "0/s"},
		{"rate(0.001)", rate(0.001), "< 0.01/s"},
		{"rate(4.26)", rate(4.26), "4.3/s"},
		{"rate(1200)", rate(1200), "1\u202f200/s"},
		{"rate(-4.26)", rate(-4.26), "\u22124.3/s"},
		{"seconds(-0.182)", seconds(-0.182), "\u2212182 ms"},
		{"seconds(0)", seconds(0), "0 s"},
		{"percent(-0.5)", percent(-0.5), "\u221250 %"},
		{"plainNumber(-1234567)", plainNumber(-1234567), "\u22121\u202f234\u202f567"},
		{"si(-1200)", si(-1200), "\u22121.2k"},
		{"seconds(0.0000005)", seconds(0.0000005), "0 µs"},
		{"seconds(0.0042)", seconds(0.0042), "4.2 ms"},
		{"seconds(0.182)", seconds(0.182), "182 ms"},
		{"seconds(2.25)", seconds(2.25), "2.2 s"},
		{"percent(0)", percent(0), "0 %"},
		{"percent(0.0001)", percent(0.0001), "< 0.1 %"},
		{"percent(0.03)", percent(0.03), "3.0 %"},
		{"percent(0.45)", percent(0.45), "45 %"},
		{"percent(0.995)", percent(0.995), "99.5 %"},
		{"percent(0.99999)", percent(0.99999), "> 99.9 %"},
		{"percent(1)", percent(1), "100 %"},
		{"percent(3.57)", percent(3.57), "357 %"},
		{"byteSize(512)", byteSize(512), "512 B"},
		{"byteSize(3 MiB)", byteSize(3 << 20), "3.0 MiB"},
		{"byteSize(45 GiB)", byteSize(45 << 30), "45 GiB"},
		{"plural(1)", plural(1, "alarm"), "1 alarm"},
		{"plural(0)", plural(0, "alarm"), "0 alarms"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s = %q, want %q", tc.call, tc.got, tc.want)
		}
	}
}

func TestSpark(t *testing.T) {
	at := func(min int, v float64) Point { return Point{noon.Add(time.Duration(min-30) * time.Minute), v} }
	for name, tc := range map[string]struct {
		in   []Point
		want string
	}{
		"nothing":                      {nil, ""},
		"nothing that is a number":     {[]Point{at(0, math.NaN())}, ""},
		"one point is a dot":           {[]Point{at(30, 5)}, "M200 2h0"},
		"constant":                     {[]Point{at(28, 5), at(29, 5), at(30, 5)}, "M0 2L100 2L200 2"},
		"all zero lies on the ground":  {[]Point{at(29, 0), at(30, 0)}, "M100 34L200 34"},
		"a fall to half, scale from 0": {[]Point{at(29, 10), at(30, 5)}, "M100 2L200 18"},
		"a hole is not a line":         {[]Point{at(0, 10), at(29, 10), at(30, 10)}, "M0 2M193.3 2L200 2"},
		"negative is drawn at 0":       {[]Point{at(29, 10), at(30, -3)}, "M100 2L200 34"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := drawSpark(tc.in, noon, time.Minute, number); got.Path != tc.want {
				t.Errorf("drawSpark(%v) draws %q, want %q", tc.in, got.Path, tc.want)
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"heading and paragraph":   {"# A `b`\n\nOne\ntwo.", "<h1>A <code>b</code></h1>\n<p>One two.</p>\n"},
		"list after paragraph":    {"Do:\n* one\n  more\n* two", "<p>Do:</p>\n<ul>\n<li>one more</li>\n<li>two</li>\n</ul>\n"},
		"ordered, then unordered": {"1. one\n2) two\n\n* three", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>\n<ul>\n<li>three</li>\n</ul>\n"},
		"paragraph ends a list":   {"* one\n\nText", "<ul>\n<li>one</li>\n</ul>\n<p>Text</p>\n"},
		"fence keeps all":         {"```sh\n* <x> `y`\n```\nz", "<pre tabindex=\"0\"><code>* &lt;x&gt; `y`\n</code></pre>\n<p>z</p>\n"},
		"fence without an end":    {"```\nx", "<pre tabindex=\"0\"><code>x\n</code></pre>\n"},
		"quote":                   {"> a\n> b", "<blockquote>a b</blockquote>\n"},
		"strong, emphasis":        {"**a** *b* 2 * 3 * 4", "<p><strong>a</strong> <em>b</em> 2 * 3 * 4</p>\n"},
		"no marks in code":        {"`**a** <b>`", "<p><code>**a** &lt;b&gt;</code></p>\n"},
		"link":                    {"[a *b*](https://x.y/?a=1&b=2)", "<p><a href=\"https://x.y/?a=1&amp;b=2\">a <em>b</em></a></p>\n"},
		"link that is a script":   {"[a](javascript:alert(1)) [b](//evil/x) [c](DATA:x)", "<p>a) b c</p>\n"},
		"link that breaks out":    {`[a](/x"onclick="y)`, "<p><a href=\"/x&#34;onclick=&#34;y\">a</a></p>\n"},
		"html":                    {"<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
		"broken letters":          {"a\xffb", "<p>a\ufffdb</p>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(markdown([]byte(tc.in))); got != tc.want {
				t.Errorf("markdown(%q) =\n%s\nwant\n%s", tc.in, got, tc.want)
			}
		})
	}
}

// FuzzMarkdown holds that no text makes a tag that the renderer does not know, and that what opens closes.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a\n\n* b\n1. c\n```\nd\n```\n> e", "[a](javascript:b) `<` **<i>**", "```\n```\n* \n"} {
		f.Add([]byte(seed))
	}
	known := map[string]bool{"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "p": true, "ul": true, "ol": true, "li": true, "blockquote": true, "pre": true, "code": true, "strong": true, "em": true, "a": true}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := string(markdown(in))
		open := map[string]int{}
		for _, piece := range strings.Split(out, "<")[1:] {
			tag, _, closed := strings.Cut(piece, ">")
			if !closed {
				t.Fatalf("markdown(%q) leaves a tag open: %q", in, out)
			}
			name, _, _ := strings.Cut(tag, " ")
			if end, is := strings.CutPrefix(name, "/"); is {
				open[end]--
				name = end
			} else {
				open[name]++
			}
			if !known[name] {
				t.Fatalf("markdown(%q) makes <%s>: %q", in, name, out)
			}
		}
		for name, n := range open {
			if n != 0 {
				t.Fatalf("markdown(%q) opens %d more <%s> than it closes: %q", in, n, name, out)
			}
		}
	})
}
