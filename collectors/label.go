package collectors

import (
	"fmt"
	"strings"
)

// Label returns a name of the machine as the value of a label: bytes that are no UTF-8, which every destination refuses with
// all that is sent beside them, become \xNN, so that two names that differ stay two.
func Label(s string) string {
	if strings.ToValidUTF8(s, "") == s {
		return s
	}
	var out strings.Builder
	for i, r := range s {
		if r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD") {
			fmt.Fprintf(&out, `\x%02x`, s[i])
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
