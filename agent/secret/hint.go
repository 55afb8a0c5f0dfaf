package secret

import "strings"

// hintWords are the texts of which hints finds one, in lower case.
var hintWords = []string{
	"://", "pass", "pwd", "secret", "token", "key", "auth", "credential", "sig", "bearer", "basic", "digest", "akia", "asia", "ghp_", "gho_", "ghu_",
	"ghs_", "ghr_", "github_pat", "glpat", "xox", "sk_", "aiza", "eyj", "hooks.slack", "webhook", "telegram", "hc-ping", "-----begin",
}

// hintAt has for the first two bytes of a text, in either case, the place of what may follow in hintRests; 0: nothing does.
var hintAt, hintRests = func() (at [1 << 16]uint8, rests [][]string) {
	rests = [][]string{nil}
	for _, w := range hintWords {
		for _, a := range cases(w[0]) {
			for _, b := range cases(w[1]) {
				n := &at[int(a)<<8|int(b)]
				if *n == 0 {
					*n = uint8(len(rests))
					rests = append(rests, nil)
				}
				rests[*n] = append(rests[*n], w[2:])
			}
		}
	}
	return at, rests
}()

func cases(b byte) []byte {
	if b >= 'a' && b <= 'z' {
		return []byte{b, b - 'a' + 'A'}
	}
	return []byte{b}
}

// hint is what a text hints at.
type hint uint8

const (
	nothing hint = iota
	address      // :// alone, which each runbook has: of the expressions that of URLs alone finds anything, and only where an @ is
	word         // of those above
)

// hinted says what hints says, for a fiftieth of its cost: alarms come by the ten thousand, with long texts, and hardly one has a secret.
func hinted(text string) hint {
	var out hint
	for i := 0; i+1 < len(text); i++ {
		n := hintAt[int(text[i])<<8|int(text[i+1])]
		if n == 0 {
			continue
		}
		for _, rest := range hintRests[n] {
			if end := i + 2 + len(rest); end <= len(text) && strings.EqualFold(text[i+2:end], rest) {
				if text[i] != ':' {
					return word
				}
				out = address
			}
		}
	}
	// Two letters of other scripts are K and S to whoever ignores case.
	if (strings.Contains(text, "\u017f") || strings.Contains(text, "\u212a")) && hints.MatchString(text) {
		return word
	}
	return out
}
