package dashboards

import (
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"heading and paragraph":   {"# A `b`\n\nOne\ntwo.", "<h1>A <code>b</code></h1>\n<p>One\ntwo.</p>\n"},
		"list after paragraph":    {"Do:\n* one\n  more\n* two", "<p>Do:</p>\n<ul>\n<li>one\nmore</li>\n<li>two</li>\n</ul>\n"},
		"ordered, then unordered": {"1. one\n2) two\n\n* three", "<ol>\n<li>one</li>\n</ol>\n<ol start=\"2\">\n<li>two</li>\n</ol>\n<ul>\n<li>three</li>\n</ul>\n"},
		"paragraph ends a list":   {"* one\n\nText", "<ul>\n<li>one</li>\n</ul>\n<p>Text</p>\n"},
		"fence keeps all":         {"```sh\n* <x> `y`\n```\nz", "<pre tabindex=\"0\"><code>* &lt;x&gt; `y`\n</code></pre>\n<p>z</p>\n"},
		"fence without an end":    {"```\nx", "<pre tabindex=\"0\"><code>x\n</code></pre>\n"},
		"quote":                   {"> a\n> b", "<blockquote>\n<p>a\nb</p>\n</blockquote>\n"},
		"strong, emphasis":        {"**a** *b* 2 * 3 * 4", "<p><strong>a</strong> <em>b</em> 2 * 3 * 4</p>\n"},
		"no marks in code":        {"`**a** <b>`", "<p><code>**a** &lt;b&gt;</code></p>\n"},
		"link":                    {"[a *b*](https://x.y/?a=1&b=2)", "<p><a href=\"https://x.y/?a=1&amp;b=2\">a <em>b</em></a></p>\n"},
		"link that is a script":   {"[a](javascript:alert(1)) [b](//evil/x) [c](DATA:x)", "<p>a b c</p>\n"},
		"link that breaks out":    {`[a](/x"onclick="y)`, "<p><a href=\"/x%22onclick=%22y\">a</a></p>\n"},
		"html":                    {"<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
		"picture":                 {"![a](https://x.y/z.png)", "<p>a</p>\n"},
		"broken letters":          {"a\xffb", "<p>a\ufffdb</p>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(Markdown([]byte(tc.in))); got != tc.want {
				t.Errorf("markdown(%q) =\n%s\nwant\n%s", tc.in, got, tc.want)
			}
		})
	}
}

// FuzzMarkdown holds that no text makes a tag that the renderer does not know, and that what opens closes.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a\n\n* b\n1. c\n```\nd\n```\n> e", "[a](javascript:b) `<` **<i>**", "```\n```\n* \n", "a  \nb"} {
		f.Add([]byte(seed))
	}
	known := map[string]bool{"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "p": true, "ul": true, "ol": true, "li": true, "blockquote": true, "pre": true, "code": true, "strong": true, "em": true, "a": true, "br": true}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := string(Markdown(in))
		open := map[string]int{}
		for _, piece := range strings.Split(out, "<")[1:] {
			tag, _, closed := strings.Cut(piece, ">")
			if !closed {
				t.Fatalf("markdown(%q) leaves a tag open: %q", in, out)
			}
			name, _, _ := strings.Cut(tag, " ")
			if name == "br" { // which nothing closes
				continue
			}
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

func TestWhatIsForbiddenHasNoButton(t *testing.T) {
	const button = `<button type="button" class="copy">Copy</button>`
	for in, want := range map[string]bool{
		"Frozen: `ps -C postgres`":             true,
		"`df -h`":                              true,
		"the state of `systemctl status x`":    true,
		"never `kill -9 1`":                    false,
		"Do NOT `rm -rf data`":                 false,
		"`stop` it, instead of `kill -9 1` it": true, // the first has one
		"use the socket instead of `curl x`":   false,
	} {
		if got := strings.Contains(string(prose(in)), button); got != want {
			t.Errorf("prose(%q) = %s, want a button: %v", in, prose(in), want)
		}
	}
}
